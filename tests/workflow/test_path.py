"""From pin and patch to wheel to import: real Snakemake, git and compilers on small repos."""

import json
import re
import shutil

import pytest

GREET = "import sys, greeter; print(greeter.greet(), sys._is_gil_enabled())"


def test_from_pin_and_patch_to_an_imported_wheel(project):
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    first = project.run("wheelhouse", "env_cpu")
    assert first.code == 0, first.text
    assert {"interpreter", "mirror", "source", "wheel", "environment", "wheelhouse_view"} <= set(
        first.jobs
    )
    assert project.ask(GREET) == "hi False"
    house = project.folder / "results/wheelhouse/cpu"
    (wheel,) = house.glob("*.whl")
    assert re.fullmatch(r"greeter-1\.0-cp314-cp314t-linux_\w+\.whl", wheel.name)
    assert wheel.name in (house / "simple/greeter/index.html").read_text()
    (record,) = (project.folder / "results/wheels/any/greeter").glob("*/wheel.json")
    stated = json.loads(record.read_text())
    assert [patch["name"] for patch in stated["patches"]] == ["0001-say-hi.patch"]
    assert stated["gil"] == {"greeter._greet": "off"}
    assert stated["pin"]["commit"] == project.config["repos"]["greeter"]["git"]["commit"]

    again = project.run("wheelhouse")
    assert again.code == 0
    assert "Nothing to be done" in again.text

    # another content builds that repo again, and nothing else before it
    before = project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hey"')
    changed = project.run("wheelhouse", "env_cpu")
    assert changed.jobs == [
        "env_cpu",
        "environment",
        "source",
        "wheel",
        "wheelhouse",
        "wheelhouse_view",
    ]
    assert project.ask(GREET) == "hey False"

    # a message, an author or a name changes nothing
    text = before.read_text().replace("A. Tester", "Somebody").replace("Say hi", "Greet briefly")
    before.unlink()
    before.with_name("0001-renamed.patch").write_text(text)
    assert "Nothing to be done" in project.run("wheelhouse").text

    # and back: what was built is found
    shutil.rmtree(project.folder / "patches")
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    back = project.run("wheelhouse")
    assert back.jobs == ["wheelhouse", "wheelhouse_view"]
    assert (house / wheel.name).exists()


def test_a_patch_that_does_not_apply_is_named_with_its_hunk(project):
    patch = project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    patch.write_text(
        patch.read_text().replace(
            '-    return PyUnicode_FromString("hello");',
            '-    return PyUnicode_FromString("bonjour");',
        )
    )
    result = project.run("sources")
    assert result.code != 0
    assert "0001-say-hi.patch does not apply" in result.text
    assert "greeter/_greet.c" in result.text
    assert '-    return PyUnicode_FromString("bonjour");' in result.text
    assert re.search(r"log: \S+\.log", result.text)
    assert list((project.folder / "results/sources/greeter").iterdir()) == []


def test_a_patch_without_a_diff_is_one_line_before_anything_is_built(project):
    patch = project.folder / "patches/greeter/0001-say-hi.patch"
    patch.parent.mkdir(parents=True)
    patch.write_text("Say hi\n")
    result = project.run("wheels_cpu")
    assert result.code != 0
    assert f"{patch}: no diff in it" in result.text
    assert "Traceback" not in result.text
    assert not (project.folder / "results/wheels").exists()


def test_a_compiler_s_error_is_shown_and_not_what_called_the_compiler(project):
    project.add_patch("greeter", "0001-break", "greeter/_greet.c", '"hello"', "nothing")
    result = project.run("wheels_cpu")
    assert result.code != 0
    assert re.search(r"  \| greeter/_greet.c:\d+:\d+: error: .nothing. undeclared", result.text)
    assert "  | Traceback" not in result.text
    assert re.search(r"  log: results/logs/wheel/any/greeter/\w+\.log", result.text)


def test_an_extension_that_brings_the_gil_back_is_refused(project):
    project.add_patch(
        "greeter",
        "0001-need-the-gil",
        "greeter/_greet.c",
        "{Py_mod_gil, Py_MOD_GIL_NOT_USED}, ",
        "",
    )
    result = project.run("wheels_cpu")
    assert result.code != 0
    assert "importing greeter._greet turns the GIL back on" in result.text
    assert not list((project.folder / "results").glob("wheels/any/greeter/*/*.whl"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "orign=git"], "orign: unknown key"),
        (["--config", "origin=svn"], "origin: 'svn' is not allowed: one of release, git"),
        (
            ["--configfile", "mine.yaml"],
            "repos.greeter.git.commit: 'main' is not a full git commit",
        ),
    ],
)
def test_bad_input_is_one_line_before_anything_is_built(project, arguments, said):
    mine = project.folder / "mine.yaml"
    mine.write_text("repos: {greeter: {git: {commit: main}}}\n")
    result = project.run("wheels_cpu", *arguments)
    assert result.code != 0
    assert said in result.text
    assert "Traceback" not in result.text
    assert not (project.folder / "results").exists()


def test_a_lock_that_does_not_fit_its_in_file_is_said_before_anything_is_built(project):
    with (project.folder / "envs/build-any.in").open("a") as file:
        file.write("cffi\n")
    result = project.run("wheels_cpu")
    assert result.code != 0
    assert "run `snakemake locks`" in result.text
    assert "Traceback" not in result.text
    assert not (project.folder / "results/wheels").exists()


def test_pruning_removes_what_an_earlier_patch_made_and_nothing_else(project):
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hi"')
    assert project.run("env_cpu").code == 0
    project.add_patch("greeter", "0001-say-hi", "greeter/_greet.c", '"hello"', '"hey"')
    assert project.run("env_cpu").code == 0

    results = project.folder / "results"
    assert len(list(results.glob("wheels/any/greeter/*"))) == 2
    listed = project.run("prune_now")
    assert listed.code == 0, listed.text
    # the source, the wheel and the environment of the first patch; the build tree is shared
    assert "removed 3 folders" in listed.text
    assert len(list(results.glob("wheels/any/greeter/*"))) == 1
    assert project.ask(GREET) == "hey False"
    again = project.run("wheels_cpu")
    assert again.jobs == ["wheels_cpu"] or "Nothing to be done" in again.text
