"""The patch report by the real workflow: at the pin, on refs that move, and with conflicts."""

import json

import pandas as pd
import pytest

from tests.small_project import git

GREET = "greeter/_greet.c"


def rows(project) -> list[tuple[str, str, str]]:
    """Ref, patch and verdict of each row of the table."""
    table = pd.read_csv(project.folder / "results/reports/patches.csv")
    return list(zip(table.tried_on, table.patch, table.verdict, strict=True))


def upstream_commit(project, old: str, new: str) -> str:
    """Change upstream's main branch; returns the commit."""
    work = project.upstreams / "greeter"
    path = work / GREET
    path.write_text(path.read_text().replace(old, new))
    git(work, "commit", "--quiet", "--all", "-m", "Go on")
    return git(work, "rev-parse", "HEAD")


def branch(project) -> str:
    return git(project.upstreams / "greeter", "symbolic-ref", "--short", "HEAD")


def test_the_report_at_the_pin_is_made_once(project):
    patch = project.add_patch("greeter", "0001-say-hi", GREET, '"hello"', '"hi"')
    first = project.run("patch_report")
    assert first.code == 0, first.text
    assert first.jobs == ["mirror", "patch_page", "patch_report", "patch_trial"]
    assert "The one patch applies to its pin." in first.text
    reports = project.folder / "results/reports"
    assert "<h3>0001 say hi</h3>" in (reports / "patches.html").read_text()
    assert rows(project) == [("pin", "0001-say-hi.patch", "clean")]
    assert "Nothing to be done" in project.run("patch_report").text

    # a message is shown, so it is read again; nothing of it is built again
    patch.write_text(patch.read_text().replace("say hi", "greet briefly"))
    changed = project.run("patch_report")
    assert "<h3>0001 greet briefly</h3>" in (reports / "patches.html").read_text()
    assert changed.jobs == ["patch_page", "patch_report", "patch_trial"]
    assert not (project.folder / "results/sources").exists()


def test_a_ref_is_looked_up_each_time_and_tried_when_it_moved(project):
    # far from the file's first line, where no hunk may move
    old, new = '.m_name = "_greet"', '.m_name = "_g"'
    project.add_patch("greeter", "0001-rename", GREET, old, new)
    main = branch(project)
    upstream_commit(project, "#include <Python.h>", "\n\n#include <Python.h>")
    project.config["patch_report"] = {"refs": {"greeter": [main]}}
    assert project.run("patch_report").code == 0
    assert rows(project) == [
        ("pin", "0001-rename.patch", "clean"),
        (main, "0001-rename.patch", "offsets"),
    ]
    again = project.run("patch_report")
    assert again.jobs == ["patch_page", "patch_report", "ref_trial"]
    assert f"{main} is where it was tried before" in again.text

    taken = upstream_commit(project, old, new)
    moved = project.run("patch_report")
    assert moved.code == 0
    assert rows(project)[1] == (main, "0001-rename.patch", "upstream")
    record = json.loads((project.folder / "results/reports/patches.json").read_text())
    assert record["trials"][1]["pin"]["commit"] == taken

    # a full commit cannot move
    project.config["patch_report"] = {"refs": {"greeter": [taken]}}
    assert project.run("patch_report").code == 0
    assert "Nothing to be done" in project.run("patch_report").text


def test_a_conflict_is_reported_and_fails_nothing(project):
    project.add_patch("greeter", "0001-say-hi", GREET, '"hello"', '"hi"')
    project.add_patch("greeter", "0002-rename", "setup.py", 'version="1.0"', 'version="1.1"')
    commit = upstream_commit(project, '"hello"', '"bonjour"')
    refs = f"patch_report={{refs: {{greeter: [{commit}]}}}}"
    result = project.run("patch_report", "--config", refs)
    assert result.code == 0, result.text
    assert "1 of 2 patches conflicts with" in result.text
    assert [verdict for *_, verdict in rows(project)] == ["clean", "clean", "conflict", "clean"]
    page = (project.folder / "results/reports/patches.html").read_text()
    assert GREET in page and "PyUnicode_FromString" in page

    # without the refs, the page is that of the pins again, and nothing is tried anew
    assert project.run("patch_report").jobs == ["patch_page", "patch_report"]
    assert len(rows(project)) == 2


def test_a_series_that_does_not_apply_to_its_pin_is_reported_too(project):
    project.add_patch("greeter", "0001-say-hi", GREET, '"hello"', '"hi"')
    pinned = upstream_commit(project, '"hello"', '"bonjour"')
    project.config["repos"]["greeter"]["git"]["commit"] = pinned
    result = project.run("patch_report")
    assert result.code == 0, result.text
    assert rows(project) == [("pin", "0001-say-hi.patch", "conflict")]
    assert project.run("sources").code != 0


@pytest.mark.parametrize(
    ("refs", "said"),
    [
        ("{greter: [main]}", "patch_report.refs.greter: there is no repo 'greter'"),
        ("{greeter: main}", "patch_report.refs.greeter: 'main' is not a list"),
        ("{greeter: [v9]}", "patch_report.refs.greeter: "),
    ],
)
def test_a_ref_that_cannot_be_is_one_line(project, refs, said):
    project.add_patch("greeter", "0001-say-hi", GREET, '"hello"', '"hi"')
    result = project.run("patch_report", "--config", f"patch_report={{refs: {refs}}}")
    assert result.code != 0
    assert said in result.text
    assert "Traceback" not in result.text
