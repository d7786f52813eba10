"""What a machine lacks is said in a line before anything is fetched, where a job would need it."""

import shutil
from pathlib import Path

import pytest

NO_CC = "CC: there is no program nowhere: name a C compiler, or unset CC to have this machine's"


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A PATH without any compiler."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("bash", "env", "git", "make", "sh", "uname", "unshare"):
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def said(text: str) -> list[str]:
    """The lines of a run that are not Snakemake's own."""
    return text[text.index("Building DAG of jobs...") :].splitlines()[1:]


@pytest.mark.parametrize("arguments", [["wheelhouse"], ["-n", "wheelhouse"], ["env_cpu"]])
def test_a_variable_that_names_no_compiler_is_one_line(project, arguments):
    done = project.run(*arguments, CC="nowhere")
    assert done.code == 1 and done.jobs == []
    (line,) = said(done.text)
    assert line.startswith(NO_CC)
    assert not (project.folder / "results/git").exists()


def test_without_compilers_all_runs_that_needs_none(project, bare):
    project.config["repos"]["greeter"]["required"] = True
    done = project.run("wheelhouse", PATH=bare)
    assert done.code == 1 and done.jobs == []
    (line,) = said(done.text)
    assert line.startswith("a C++ compiler is missing: install it with this system's package")
    done = project.run("sources", PATH=bare)
    assert done.code == 0, done.text
    assert done.jobs == ["mirror", "source", "sources"]
    assert project.run("-n", "patch_report", PATH=bare).code == 0
    # what is there is enough for who does not build
    assert "wheels_cpu" in project.run("--list-target-rules", CC="nowhere").text


def test_a_launcher_is_left_out_and_arguments_reach_the_compiler(project, tmp_path):
    written = tmp_path / "arguments"
    compiler = tmp_path / "mygcc"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {written}\nexec gcc "$@"\n')
    compiler.chmod(0o755)
    done = project.run("wheelhouse", CC=f"ccache {compiler} -DHOW='a b'")
    assert done.code == 0, done.text
    assert "CC: ccache is left out: builds start compilers by themselves" in done.text
    assert "-DHOW=a b" in written.read_text()
    plain = f"{compiler} -DHOW='a b'"
    assert "Nothing to be done" in project.run("wheelhouse", CC=plain).text
    assert "wheel greeter" in project.run("-n", "wheelhouse", CC=str(compiler)).named_jobs
