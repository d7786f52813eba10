"""A finished wheel: patched, declared to need no GIL, and put in the place of the lock's."""

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from snakedev.environments.locks import inputs_digest
from tests.small_project import Project, git

# a module that does not say that it works without the GIL, and one that nothing is said of
NATIVE = """
#include <Python.h>
#include <unistd.h>
static int inside;
static PyObject *busy(PyObject *self, PyObject *args) {
    int others = __atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
    usleep(2000);
    __atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
    return PyLong_FromLong(others);
}
static PyMethodDef methods[] = {{"busy", busy, METH_NOARGS, NULL},
                                {"alone", busy, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "NAME", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&definition); }
"""
AT_ONCE = """
import sys, threading
from speaker import WORD, NATIVE
def most(function):
    found, barrier = [], threading.Barrier(4)
    def work():
        barrier.wait()
        found.append(max([function() for _ in range(200)]))
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return max(found)
print(WORD, most(NATIVE.alone), most(NATIVE.busy) > 0, sys._is_gil_enabled())
"""
INFO = "speaker-1.0.dist-info"


def compiled(folder: Path, name: str, python: Path) -> bytes:
    include = python.resolve().parents[1] / "include/python3.14t"
    source, made = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text(NATIVE.replace("NAME", name))
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{include}", source, "-o", made], check=True)
    return made.read_bytes()


def publish(links: Path, python: Path) -> tuple[Path, str]:
    """A wheel of the index, and the sha256 of its module."""
    links.mkdir()
    native = compiled(links.parent, "_speak", python)
    files = {
        "speaker/__init__.py": b"from speaker import _speak as NATIVE\nWORD = 'hello'\n",
        "speaker/_speak.so": native,
        "speaker/_other.so": compiled(links.parent, "_other", python),
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: speaker\nVersion: 1.0\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"
        b"Tag: cp314-cp314t-manylinux_2_17_x86_64\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{INFO}/RECORD"))
    wheel = links / "speaker-1.0-cp314-cp314t-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in {**files, f"{INFO}/RECORD": record.encode()}.items():
            archive.writestr(name, data)
    return wheel, hashlib.sha256(native).hexdigest()


def given(project: Project) -> Path:
    """The wheel of the index."""
    (wheel,) = (project.folder.parent / "links").iterdir()
    return wheel


def lock(project: Project, *packages: str) -> None:
    """Have the run environment's lock hold packages of the index."""
    folder = project.folder / "envs"
    names = "".join(f"{package.partition('==')[0]}\n" for package in packages)
    (folder / "run-cpu.in").write_text(names)
    inputs = inputs_digest(folder, "run-cpu", None)
    sha256 = hashlib.sha256(given(project).read_bytes()).hexdigest()
    lines = "".join(f"{package} \\\n    --hash=sha256:{sha256}\n" for package in packages)
    (folder / "run-cpu.lock").write_text(f"# Compiled for a test.\n# inputs: {inputs}\n{lines}")


@pytest.fixture
def project(tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with such a wheel in its lock, a patch on it, and its module declared."""
    made = Project(tmp_path / "project", python)
    wheel, judged = publish(tmp_path / "links", python)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "links"))
    made.config["repos"]["speaker"] = {
        "recipe": "repack",
        "origin": "release",
        "version": "1.0",
        "release": {
            "kind": "wheel",
            "name": "speaker",
            "version": "1.0",
            "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        },
        "declared": {"speaker/_speak.so": {"sha256": judged, "locked": ["alone"]}},
    }
    made.write_lock("build-any", ["setuptools", "wheel", "packaging"])
    lock(made, "speaker==1.0")
    texts = made.upstreams / "speaker"
    texts.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extract("speaker/__init__.py", texts)
    git(texts, "init", "--quiet")
    git(texts, "add", "--all")
    git(texts, "commit", "--quiet", "-m", "Begin")
    made.add_patch("speaker", "0001-Say-more", "speaker/__init__.py", "'hello'", "'hello_there'")
    return made


def test_a_finished_wheel_is_patched_and_declared(project):
    result = project.run("wheelhouse", "env_cpu")
    assert result.code == 0, result.text
    (record,) = project.folder.glob("results/wheels/any/speaker/*/wheel.json")
    told = json.loads(record.read_bytes())
    assert told["file"] == "speaker-1.0+patched-cp314-cp314t-linux_x86_64.whl"
    assert told["gil"] == {"speaker._speak": "off"}
    assert "speaker/_other.so is not declared: importing it may turn the GIL on" in result.text
    (held,) = project.folder.glob("results/wheelhouse/cpu/*.whl")
    assert held.name == told["file"]
    with (
        zipfile.ZipFile(held) as archive,
        zipfile.ZipFile(given(project)) as before,
    ):
        for name in ("speaker/_speak.so", "speaker/_other.so"):
            assert archive.read(name) == before.read(name)
    # in the place of the lock's; `alone` is called in turns, `busy` is not
    assert project.ask(AT_ONCE) == "hello_there 0 True False"
    again = project.run("-n", "wheelhouse", "env_cpu")
    assert not again.named_jobs & {"wheel speaker", "source speaker", "environment run-cpu"}


def test_a_lock_without_the_wheel_has_no_use_for_it(project):
    lock(project)
    result = project.run("-n", "env_cpu")
    assert result.code == 0 and "speaker" not in result.text, result.text


def test_a_module_that_was_not_judged_is_refused(project):
    declared = project.config["repos"]["speaker"]["declared"]
    declared["speaker/_speak.so"]["sha256"] = "0" * 64
    result = project.run("env_cpu")
    (line,) = (line for line in result.text.splitlines() if "failed: " in line)
    with zipfile.ZipFile(given(project)) as archive:
        found = hashlib.sha256(archive.read("speaker/_speak.so")).hexdigest()
    assert line == (
        "[wheel speaker] failed: config.yaml: repos.speaker.declared.speaker/_speak.so.sha256: the "
        f"file of {given(project).name} is another one, of sha256 {found}: judge whether it works "
        "in threads without the GIL before you name it, or take it out"
    )


def test_a_module_that_is_not_there_is_refused(project):
    declared = project.config["repos"]["speaker"]["declared"]
    declared["speaker/_sing.so"] = declared.pop("speaker/_speak.so")
    result = project.run("env_cpu")
    (line,) = (line for line in result.text.splitlines() if "failed: " in line)
    assert line.endswith(
        "has no such file: its native modules are speaker/_other.so, speaker/_speak.so"
    )


def test_a_lock_with_another_version_is_refused_before_anything_is_made(project):
    lock(project, "speaker==2.0")
    result = project.run("-n", "env_cpu")
    assert result.code != 0
    assert (
        "config.yaml: repos.speaker.version: 1.0 would stand for speaker 2.0 of envs/run-cpu.lock: "
        "name the wheel of that version and what of it is `declared`, or set "
        "repos.speaker.enabled: false"
    ) in result.text
