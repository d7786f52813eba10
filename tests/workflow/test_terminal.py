"""What a person at a terminal sees of a run, and of targets that are misspelt or many."""

import re

from tests.small_project import GREETER
from tests.terminal import at_a_terminal

# what is written at once by Snakemake itself, before it reads the Snakefile
PROFILE = "Using workflow specific profile"
TAKEN = r"in \d+:\d\d"


def shown(seen) -> list[str]:
    """The lines on the screen, without Snakemake's first."""
    return [line for line in seen.screen if line and not line.startswith(PROFILE)]


def test_a_run_shows_how_far_it_is_and_ends_with_its_verdict(project):
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    seen = at_a_terminal(project.command("patch_report"), project.folder)
    assert seen.code == 0, seen.raw
    first, *lines, count, verdict = shown(seen)
    assert first == "4 jobs: mirror, patch_trial, patch_page, patch_report"
    assert all(re.match(r"\[(mirror|patches) greeter\] ", line) for line in lines), lines
    assert re.fullmatch(rf"4 of 4 jobs done {TAKEN}", count)
    assert re.fullmatch(r"\[patch report\] .+ See results/reports/patches\.html", verdict), (
        seen.screen
    )
    # drawn while it ran, on one line
    states = re.findall(r"\r\x1b\[K(\d of 4 jobs done [^\r\n]*)", seen.raw)
    assert any(
        re.fullmatch(rf"0 of 4 jobs done {TAKEN} · mirror greeter 0:\d\d", s) for s in states
    )
    assert max(map(len, states)) < 80
    assert "rule mirror" not in seen.raw


def test_a_failure_stands_in_a_box_and_at_the_end(project):
    project.add_repo("other", "setuptools", GREETER)
    patch = project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    patch.write_text(patch.read_text().replace('"hello"', '"hullo"'))
    seen = at_a_terminal(project.command("sources"), project.folder)
    assert seen.code == 1
    lines = shown(seen)
    top = lines.index("╭─ source greeter failed ".ljust(80, "─"))
    bottom = lines.index("╰".ljust(80, "─"))
    inside = lines[top + 1 : bottom]
    assert all(line.startswith("│ ") and len(line) <= 80 for line in inside)
    assert "0001-say-hi.patch" in " ".join(inside)
    (log,) = project.folder.glob("results/logs/source/greeter/*.log")
    path = str(log.relative_to(project.folder))
    assert inside[-1] == f"│ log: {path}"
    assert re.fullmatch(rf"[1-4] of 5 jobs done {TAKEN}", lines[-3])
    assert lines[-2:] == ["failed: source greeter", f"  log: {path}"]
    assert "CalledProcessError" not in seen.raw


def test_a_person_who_asks_for_snakemakes_lines_gets_them(project):
    seen = at_a_terminal(project.command("patch_report", "--verbose"), project.folder)
    assert "rule patch_page:" in seen.raw
    # the verdict is then a line like others
    assert "[patch report] No repo has a patch." in seen.raw


def test_the_list_of_targets_is_what_a_person_types(project):
    for number in range(20):
        project.config["repos"][f"other-{number}"] = project.config["repos"]["greeter"]
    listed = project.run("--list-target-rules")
    assert listed.code == 0, listed.text
    targets = re.findall(r"^(\w\S*)(?: \(|$)", listed.text, re.MULTILINE)
    assert {"smoke_report", "edit_REPO", "export_REPO"} < set(targets)
    assert len(targets) < 30
    assert "other-1" not in listed.text


def test_a_misspelt_target_names_the_nearest(project):
    for misspelt, meant in (("smoke_reprot", "smoke_report"), ("edit_greter", "edit_greeter")):
        refused = project.run(misspelt)
        assert refused.code == 1
        said = refused.text.splitlines()[-1]
        assert said == f"{misspelt}: no such target: did you mean {meant}?"
    named = project.run("-n", "edit_greeter", "export_greeter")
    assert named.named_jobs == {"edit_greeter", "export_greeter", "mirror greeter"}


def test_a_file_that_can_be_made_is_a_target(project):
    planned = project.run("-n", "sources")
    stamp = re.search(r"^    output: (\S+/source/greeter/\S+)$", planned.text, re.MULTILINE)
    assert stamp, planned.text
    assert project.run(stamp[1]).jobs == ["mirror", "source"]
