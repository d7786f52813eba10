"""What a machine lacks is said in a line before anything is fetched, where a job would need it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from snakedev.machine.sandbox import permitted

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


FULL = """
mount -t tmpfs -o size=2m tmpfs results
mkdir -p {folder}
head -c 900k /dev/zero > {folder}/wheel
cat /dev/zero > results/full 2> /dev/null
exec "$@"
"""


@pytest.mark.skipif(not permitted(fixed_paths=True), reason="this kernel permits no mounts")
def test_what_frees_room_runs_on_a_full_disk(project):
    folder = "results/wheels/any/greeter/0123456789abcdef"
    (project.folder / "results").mkdir()
    script = FULL.format(folder=folder)
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]

    def run(target: str) -> subprocess.CompletedProcess[str]:
        command = [*unshare, *project.command(target)]
        return subprocess.run(command, cwd=project.folder, text=True, capture_output=True)

    done = run("prune_now")
    assert done.returncode == 0, done.stderr
    assert f"0.9 MB  {folder}\n" in done.stderr and "removed 1 folders, 0.9 MB" in done.stderr
    assert "Traceback" not in done.stderr
    done = run("wheelhouse")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("results/: 0.0 GB are free, and this run needs about ")
    assert "`snakemake prune_now` removes what no configuration reaches" in line
