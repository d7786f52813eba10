"""What the GIL report finds out of real extensions, by the free-threaded interpreter."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from snakedev.base.job import Job
from snakedev.environments.environment import EnvironmentRecord, Package
from snakedev.reports.gil import trial as gil_trial
from snakedev.reports.gil.record import EntryTrial, GilRecord, ModuleTrial
from snakedev.store.specs import GilSpec

TAG = "cpython-314t-x86_64-linux-gnu"
MULTI_PHASE = """
#include <Python.h>
#include <stdlib.h>
#include <unistd.h>
static int fill(PyObject *module) { %(fill)s }
static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, %(slot)s {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "m", .m_slots = slots};
PyMODINIT_FUNC PyInit_%(name)s(void) { return PyModuleDef_Init(&definition); }
"""
SINGLE_PHASE = """
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "m", .m_size = -1};
PyMODINIT_FUNC PyInit_%(name)s(void) {
    PyObject *module = PyModule_Create(&definition);
    %(fill)s
    return module;
}
"""
NOT_USED = "{Py_mod_gil, Py_MOD_GIL_NOT_USED},"
SETS_GIL = "PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);"
IMPORTS = 'PyObject *m = PyImport_ImportModule("%s"); Py_XDECREF(m);'


class Environment:
    """A run environment with distributions that are made on the spot."""

    def __init__(self, folder: Path, python: Path):
        self.folder, self.python = folder, python.resolve()
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/python").symlink_to(self.python)
        home = f"home = {self.python.parent}\ninclude-system-site-packages = false\n"
        (folder / "pyvenv.cfg").write_text(home)
        self.site_packages = folder / "lib/python3.14t/site-packages"
        self.site_packages.mkdir(parents=True)
        self.packages: list[Package] = []

    def add(self, name: str, files: Mapping[str, str], *, built_here: bool = False) -> None:
        """Install a distribution: Python files as they are, C files compiled to extensions."""
        info = self.site_packages / f"{name}-1.0.dist-info"
        info.mkdir()
        metadata = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            "Version: 1.0",
            "Project-URL: Documentation, https://docs.test",
            f"Project-URL: Source Code, https://forge.test/{name}",
        ]
        (info / "METADATA").write_text("\n".join(metadata) + "\n")
        listed = []
        for file, text in files.items():
            path = self.site_packages / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            listed.append(self._compiled(path) if path.suffix == ".c" else path)
        record = [str(path.relative_to(self.site_packages)) for path in listed]
        (info / "RECORD").write_text("".join(f"{path},,\n" for path in record))
        self.packages.append(Package(name=name, version="1.0", built_here=built_here))

    def _compiled(self, source: Path) -> Path:
        (include,) = (self.python.parents[1] / "include").glob("python3.14t")
        extension = source.with_name(f"{source.stem}.{TAG}.so")
        options = ["-O0", "-w", "-shared", "-fPIC", f"-I{include}"]
        subprocess.run(["cc", *options, source, "-o", extension], check=True)
        return extension

    def tried(self, running: Job, **spec: object) -> GilRecord:
        """The trial of the environment as it now is."""
        EnvironmentRecord(
            key="0" * 16,
            name="run-cpu",
            lock="run-cpu.lock",
            lock_digest="0" * 16,
            python="3.14.9",
            packages=tuple(self.packages),
            wheels=(),
            cuda_toolkit=None,
            conflicts=(),
            bytes=1,
            seconds=1.0,
        ).write(self.folder / "env.json")
        values = {
            "variant": "cpu",
            "environment_key": "0" * 16,
            "environment_name": "run-cpu",
            "recipe_number": 1,
        }
        scratch = self.folder.parent / "scratch"
        scratch.mkdir(exist_ok=True)
        spec = GilSpec(**{**values, **spec})
        cache = self.folder.parent / "cache"
        return gil_trial.Trial(spec, self.folder, cache, scratch, running).record(2)


def multi(name: str, slot: str = NOT_USED, fill: str = "return 0;") -> str:
    return MULTI_PHASE % {"name": name, "slot": slot, "fill": fill}


def single(name: str, fill: str = "") -> str:
    return SINGLE_PHASE % {"name": name, "fill": fill}


@pytest.fixture
def environment(tmp_path: Path, python: Path) -> Environment:
    return Environment(tmp_path / "run-cpu-key", python)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Job]:
    path = tmp_path / "job.log"
    with path.open("w", encoding="utf-8") as file:
        yield Job("test", file, path)


def modules(record: GilRecord) -> dict[str, ModuleTrial]:
    return {trial.module: trial for trial in record.modules}


def entries(record: GilRecord) -> dict[str, EntryTrial]:
    return {entry.name: entry for entry in record.entries}


def vllm(**files: str) -> dict[str, str]:
    """A package with all that is imported of vLLM."""
    empty = dict.fromkeys(
        [
            "vllm/entrypoints/cli/benchmark/main.py",
            *(
                f"vllm/entrypoints/cli/{name}.py"
                for name in ("main", "collect_env", "launch", "openai", "run_batch", "serve")
            ),
            "vllm/v1/engine/core.py",
            "vllm/v1/worker/cpu_worker.py",
        ],
        "",
    )
    return {"vllm/__init__.py": "LLM = None\n", **empty, **files}


def test_each_module_is_told_by_what_it_does(environment: Environment, running: Job) -> None:
    environment.add(
        "several",
        {
            "several/__init__.py": "",
            "several/good.c": multi("good"),
            "several/silent.c": multi("silent", slot=""),
            "several/old.c": single("old"),
            "several/old_and_good.c": single("old_and_good", SETS_GIL),
            "several/crashing.c": multi("crashing", fill="abort();"),
            "several/ending.c": multi("ending", fill="_exit(0);"),
            "several/library.c": "int no_module(void) { return 0; }",
        },
    )
    found = modules(environment.tried(running))
    outcomes = {name.partition(".")[2]: trial.outcome for name, trial in found.items()}
    assert outcomes == {
        "good": "off",
        "silent": "on",
        "old": "on",
        "old_and_good": "off",
        "crashing": "crash",
        "ending": "failed",
    }
    declared = {name.partition(".")[2]: trial.declares for name, trial in found.items()}
    assert declared == {
        "good": "not used",
        "silent": "no slot",
        "old": "single-phase",
        "old_and_good": "single-phase",
        "crashing": None,
        "ending": None,
    }
    assert found["several.ending"].detail == "it ended the process"
    assert "SIGABRT" in found["several.crashing"].detail
    good = found["several.good"]
    assert good.seconds is not None
    assert (good.distribution, good.version) == ("several", "1.0")
    assert good.url == "https://forge.test/several"
    assert good.file == f"several/good.{TAG}.so" and good.evidence.abi == "cp314t"
    assert found["several.old_and_good"].evidence.sets_gil
    assert found["several.old"].evidence.init == "single-phase"


def test_a_module_is_imported_by_its_name_where_a_pth_file_has_its_folder_looked_into(
    environment: Environment, running: Job
) -> None:
    environment.add("several", {"several/packages/there/silent.c": multi("silent", slot="")})
    line = "import sys, os; sys.path.insert(0, os.path.join(sitedir, 'several', 'packages'))\n"
    (environment.site_packages / "several.pth").write_text(line)
    ((name, silent),) = modules(environment.tried(running)).items()
    assert (name, silent.outcome) == ("there.silent", "on")
    assert silent.file == f"several/packages/there/silent.{TAG}.so"


def test_a_module_that_hangs_is_ended(
    environment: Environment, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gil_trial, "_MODULE_SECONDS", 2)
    environment.add("hanging", {"hanging.c": multi("hanging", fill="sleep(60); return 0;")})
    (trial,) = environment.tried(running).modules
    assert (trial.outcome, trial.detail) == ("hang", "it did not end within 2 seconds")


def test_a_module_is_not_blamed_for_another(environment: Environment, running: Job) -> None:
    environment.add(
        "mixed",
        {
            "mixed/__init__.py": "import mixed.bad\n",
            "mixed/bad.c": multi("bad", slot=""),
            "mixed/good.c": multi("good"),
            # while a single-phase module is initialised, CPython has the GIL on for that time
            "mixed/wrapping.c": single("wrapping", SETS_GIL + IMPORTS % "inner.good"),
        },
    )
    environment.add("inner", {"inner/__init__.py": "", "inner/good.c": multi("good")})
    environment.add("outer", {"outer.c": single("outer", SETS_GIL + IMPORTS % "inner.good")})
    found = modules(environment.tried(running))
    assert {name: trial.outcome for name, trial in found.items()} == {
        "mixed.bad": "on",
        "mixed.good": "off",
        "mixed.wrapping": "off",
        "inner.good": "off",
        "outer": "off",
    }


def test_what_a_module_needs_first_is_said(environment: Environment, running: Job) -> None:
    environment.add("torch", {"torch/__init__.py": ""})
    check = 'if (PyMapping_HasKeyString(PyImport_GetModuleDict(), "torch")) return 0;'
    refuse = 'PyErr_SetString(PyExc_ImportError, "libtorch.so is not there"); return -1;'
    environment.add(
        "needing",
        {
            "needing/__init__.py": "",
            "needing/torch_first.c": multi("torch_first", fill=check + refuse),
            "needing/never.c": multi("never", fill=refuse),
        },
    )
    found = modules(environment.tried(running))
    assert found["needing.torch_first"].outcome == "off"
    assert found["needing.torch_first"].needs == "torch"
    assert found["needing.never"].outcome == "failed"
    assert found["needing.never"].detail == "ImportError: libtorch.so is not there"
    assert found["needing.never"].needs is None


def test_vllm_starts_with_the_gil_off(environment: Environment, running: Job) -> None:
    files = vllm(**{"vllm/_C.c": multi("_C"), "vllm/v1/worker/cpu_worker.py": "import vllm._C\n"})
    environment.add("vllm", files, built_here=True)
    patch = environment.folder.parent / "0004-Declare.patch"
    hunk = "@@ -1 +1,2 @@\n context\n+  {Py_mod_gil, Py_MOD_GIL_NOT_USED},\n"
    patch.write_text(f"diff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n{hunk}")
    other = patch.with_name("0005-Other.patch")
    other.write_text(patch.read_text().replace("{Py_mod_gil, Py_MOD_GIL_NOT_USED}", "nothing"))
    record = environment.tried(running, patches={"vllm": (patch, other)})
    assert record.verdict == "yes" and record.vllm == "1.0"
    assert [entry.outcome for entry in record.entries] == ["off"] * 4
    assert entries(record)["worker"].extensions == 1
    (ours,) = record.modules
    assert ours.built_here and ours.patches == ("0004-Declare.patch",)


def test_offenders_are_found_with_the_chain_that_imports_them(
    environment: Environment, running: Job
) -> None:
    environment.add("compiler", {"compiler/__init__.py": "", "compiler/core.c": single("core")})
    environment.add("second", {"second.c": multi("second", slot="")})
    environment.add("framework", {"framework.py": "import compiler.core\n"})
    files = vllm(
        **{
            "vllm/__init__.py": "from vllm.entry import LLM\n",
            "vllm/entry.py": "import framework, compiler\n"
            "LLM = __import__('second', fromlist=['x'])\n",
        }
    )
    environment.add("vllm", files)
    record = environment.tried(running)
    assert record.verdict == "no"
    assert [trial.module for trial in record.offenders] == ["compiler.core", "second"]
    entry = entries(record)["from vllm import LLM"]
    assert (entry.outcome, entry.first) == ("on", "compiler.core")
    first, after = entry.offenders
    assert first.chain == ("vllm", "vllm.entry", "framework", "compiler.core")
    assert first.importers == ("framework", "vllm.entry")
    assert (after.module, after.chain) == ("second", ("vllm", "vllm.entry", "second"))
    assert after.importers == ("vllm.entry",)


def test_an_entry_point_that_does_not_import_is_no_verdict(
    environment: Environment, running: Job
) -> None:
    environment.add("vllm", {"vllm/__init__.py": "raise ImportError('no <kernel>')\n"})
    record = environment.tried(running)
    assert record.verdict == "unknown"
    assert {entry.outcome for entry in record.entries} == {"failed"}
    assert record.entries[0].detail == "ImportError: no <kernel>"
