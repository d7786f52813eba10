"""The patch workbench as a user meets it: edit, commit, export, move a pin."""

import re

import pytest

from tests.small_project import git


@pytest.fixture
def work(project):
    """The project's repo under a name with a hyphen, with one patch, and its work folder's path."""
    project.add_patch("greeter", "0001-Say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    repos = project.config["repos"]
    repos["the-greeter"] = repos.pop("greeter")
    (project.folder / "patches/greeter").rename(project.folder / "patches/the-greeter")
    return project.folder / "work/the-greeter"


def test_edit_commit_export(project, work):
    edited = project.run("edit_the-greeter")
    assert edited.code == 0, edited.text
    assert edited.jobs == ["edit_the-greeter", "mirror"]
    assert "work/the-greeter is ready, on git 1.0 with 1 commit" in edited.text
    patches = project.folder / "patches/the-greeter"
    exported = project.run("export_the-greeter")
    assert exported.jobs == ["export_the-greeter"]
    before = {path.name: path.read_bytes() for path in patches.iterdir()}

    # with nothing changed, and the upstream gone
    project.upstreams.rename(project.upstreams.with_name("gone"))
    again = project.run("edit_the-greeter", "export_the-greeter")
    assert again.jobs == ["edit_the-greeter", "export_the-greeter"]
    assert {path.name: path.read_bytes() for path in patches.iterdir()} == before

    source = work / "greeter/_greet.c"
    source.write_text(source.read_text().replace('"hi"', '"hey"'))
    refused = project.run("export_the-greeter")
    assert refused.code != 0
    assert "work/the-greeter: greeter/_greet.c is not committed: commit first" in refused.text
    git(work, "commit", "--quiet", "--all", "-m", "Say hey")
    assert project.run("export_the-greeter").code == 0
    assert sorted(path.name for path in patches.iterdir()) == [
        "0001-Say-hi.patch",
        "0002-Say-hey.patch",
        "series.json",
    ]
    sources = project.run("sources")
    assert sources.jobs == ["source", "sources"], sources.text
    (made,) = (project.folder / "results/sources/the-greeter").glob("*/tree")
    assert git(made, "rev-parse", "HEAD^{tree}") == git(work, "rev-parse", "HEAD^{tree}")


def test_a_moved_pin_is_replayed_and_a_conflict_says_what_to_do(project, work):
    assert project.run("edit_the-greeter").code == 0
    upstream = project.upstreams / "greeter"
    source = upstream / "greeter/_greet.c"
    source.write_text(source.read_text().replace('"hello"', '"good day"'))
    git(upstream, "commit", "--quiet", "--all", "-m", "Be polite")
    project.config["repos"]["the-greeter"]["git"]["commit"] = git(upstream, "rev-parse", "HEAD")

    refused = project.run("export_the-greeter")
    assert "names another pin of the-greeter: run `snakemake edit_the-greeter`" in refused.text
    stopped = project.run("edit_the-greeter")
    assert stopped.code != 0
    assert "0001-Say-hi.patch conflicts with the pin in greeter/_greet.c" in stopped.text
    assert "2. `git -C work/the-greeter am --continue`" in stopped.text
    # it has done what it can: that is no failure of the workflow
    assert "work/the-greeter waits at a conflict" in stopped.text
    assert "RuleException" not in stopped.text and "Error in rule" not in stopped.text
    text = re.sub(
        r"<<<<<<<.*?=======\n(.*?)>>>>>>>[^\n]*\n",
        r"\1",
        (work / "greeter/_greet.c").read_text(),
        flags=re.DOTALL,
    )
    (work / "greeter/_greet.c").write_text(text)
    git(work, "add", "--all")
    git(work, "am", "--continue")
    assert "is ready, on git 1.0 with 1 commit" in project.run("edit_the-greeter").text
    exported = project.run("export_the-greeter")
    assert exported.code == 0, exported.text
    assert project.run("sources").code == 0
