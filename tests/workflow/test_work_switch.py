"""The `work` switch: builds and runs straight from work folders, beside the store."""

import re
import subprocess

import pytest

from tests.small_project import git

SETUP = """
from setuptools import Extension, setup
setup(name="greeter", version="1.0", package_dir={"": "python"},
      packages=["greeter", "greeter.inner"], package_data={"greeter": ["words.txt"]},
      ext_modules=[Extension("greeter.inner._greet", ["csrc/greet.c", "csrc/other.c"],
                             depends=["csrc/greeting.h"])])
"""
EXTENSION = """
#include <Python.h>
#include "greeting.h"
static PyObject *greet(PyObject *self, PyObject *args) {
    return PyUnicode_FromString(GREETING);
}
static PyMethodDef methods[] = {{"greet", greet, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_greet", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit__greet(void) { return PyModuleDef_Init(&definition); }
"""
INIT = """
from pathlib import Path
from greeter.inner import greet
def greeting():
    return f"{greet()} {Path(__file__).with_name('words.txt').read_text().strip()}"
"""
GREET = "import greeter; print(greeter.greeting())"
# a process that starts anew and imports everything again
SPAWN = """
import multiprocessing, sys
sys.path.insert(0, {folder!r})
import asked
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        print(pool.apply(asked.greeting))
"""


@pytest.fixture
def work(project):
    """A project whose repo has a C extension in a subpackage; its work folder, not made yet."""
    project.add_repo(
        "greeter-kit",
        "setuptools",
        {
            "setup.py": SETUP.replace('name="greeter"', 'name="greeter-kit"'),
            "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'
            'build-backend = "setuptools.build_meta"\n',
            "python/greeter/__init__.py": INIT,
            "python/greeter/words.txt": "world\n",
            "python/greeter/extra.py": "",
            "python/greeter/inner/__init__.py": "from greeter.inner._greet import greet\n",
            "csrc/greet.c": EXTENSION,
            "csrc/other.c": "int other(void) { return 0; }\n",
            "csrc/greeting.h": '#define GREETING "hello"\n',
        },
    )
    del project.config["repos"]["greeter"]
    return project.folder / "work/greeter-kit"


def ask(project, code, *more):
    """What Python code prints in the run environment of the work folders."""
    python = project.folder / "results/work/envs/run-cpu/bin/python"
    done = subprocess.run([python, *more, "-c", code], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def stored(project):
    """Every file of the store and of what is shown from it, with its time; of environments, the
    record (their files are hard links into a cache that others use too)."""
    results = project.folder / "results"
    folders = ("sources", "crates", "wheels", "wheelhouse")
    files = [path for name in folders for path in (results / name).rglob("*") if path.is_file()]
    files += [*results.glob("envs/*/env.json")]
    return {path: path.stat().st_mtime_ns for path in files}


def test_edits_run_from_the_work_folder_and_the_store_stays_as_it_is(project, work, tmp_path):
    first = project.run("env_cpu", "wheelhouse", "edit_greeter-kit")
    assert first.code == 0, first.text
    before = stored(project)

    def run():
        return project.run("env_cpu", "--config", "work=greeter-kit")

    made = run()
    assert made.code == 0, made.text
    assert made.jobs == ["env_cpu", "environment", "source", "wheel"]
    assert "greeter is imported from work/greeter-kit/python/greeter" in made.text
    assert ask(project, GREET) == "hello world"
    assert run().jobs == ["env_cpu"]

    # Python runs at once, in processes that start anew too; no job is needed for it
    change(work / "python/greeter/__init__.py", "return f", "return 'Well, ' + f")
    assert run().jobs == ["env_cpu"]
    assert ask(project, GREET) == "Well, hello world"
    (tmp_path / "asked.py").write_text("import greeter\ngreeting = greeter.greeting\n")
    program = tmp_path / "spawn.py"
    program.write_text(SPAWN.format(folder=str(tmp_path)))
    python = project.folder / "results/work/envs/run-cpu/bin/python"
    said = subprocess.run([python, program], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "Well, hello world"

    # a module that is new, and one that is gone
    (work / "python/greeter/fresh.py").write_text("value = 7\n")
    (work / "python/greeter/extra.py").unlink()
    assert run().jobs == ["env_cpu"]
    assert ask(project, "import greeter.fresh; print(greeter.fresh.value)") == "7"
    assert "No module named 'greeter.extra'" in ask(project, "import greeter.extra")
    # an extension is where the build put it
    where = ask(project, "import greeter.inner._greet as m; print(m.__file__)")
    assert "results/work/envs/" in where

    # committing what is there already changes nothing
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "-m", "Greet at length")
    assert run().jobs == ["env_cpu"]

    # C is compiled
    change(work / "csrc/greeting.h", "hello", "hey")
    built = run()
    assert built.jobs == ["env_cpu", "environment", "source", "wheel"]
    assert ask(project, GREET) == "Well, hey world"
    assert stored(project) == before

    # without the switch, what was built is found
    usual = project.run("env_cpu", "wheelhouse")
    assert usual.jobs == ["env_cpu"]
    assert project.ask(GREET) == "hello world"

    # and after an export it is built from the patches
    git(work, "commit", "--quiet", "--all", "-m", "Greet shortly")
    exported = project.run("export_greeter-kit")
    assert exported.code == 0, exported.text
    assert project.run("env_cpu").jobs == ["env_cpu", "environment", "source", "wheel"]
    assert project.ask(GREET) == "Well, hey world"


def test_what_a_build_cannot_start_from_is_one_line(project, work):
    def refused(*arguments):
        result = project.run("env_cpu", *arguments)
        assert result.code != 0
        assert "Traceback" not in result.text
        assert not (project.folder / "results/sources").exists()
        return result.text

    assert "work: there is no repo 'greter-kit'" in refused("--config", "work=[greter-kit]")
    project.config["work"] = ["greeter-kit"]
    said = refused()
    assert "work/greeter-kit is not there: run `snakemake edit_greeter-kit` first" in said
    # which works although the switch is on
    assert project.run("edit_greeter-kit").code == 0

    pin = project.config["repos"]["greeter-kit"]["git"]
    upstream, first = project.upstreams / "greeter-kit", pin["commit"]
    change(upstream / "csrc/greeting.h", "hello", "good day")
    git(upstream, "commit", "--quiet", "--all", "-m", "Be polite")
    pin["commit"] = git(upstream, "rev-parse", "HEAD")
    assert re.search(r"config\.yaml names another pin of greeter-kit: run `snake", refused())
    pin["commit"] = first

    change(work / "csrc/greeting.h", "hello", "hi")
    git(work, "commit", "--quiet", "--all", "-m", "Say hi")
    patch = git(work, "format-patch", "-1", "--stdout")
    git(work, "reset", "--quiet", "--hard", "HEAD~1")
    change(work / "csrc/greeting.h", "hello", "hey")
    git(work, "commit", "--quiet", "--all", "-m", "Say hey")
    (project.folder / "mail").write_text(f"{patch}\n")
    subprocess.run(["git", "am", "--3way", project.folder / "mail"], cwd=work)
    assert "work/greeter-kit: a git am is in progress: mend the files" in refused()
