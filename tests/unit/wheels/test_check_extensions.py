"""The check of a wheel's extensions: each is loaded beside all that it is installed with."""

import subprocess
import sysconfig
from pathlib import Path

import pytest

from snakedev.base.job import Job
from tests.unit.wheels.small_wheels import BINARY, CTYPES, METADATA, check, made, refused

ALONE = METADATA.replace("Requires-Dist: needed>=1\n", "")
MEMBER = f"tiny/native{sysconfig.get_config_var('EXT_SUFFIX')}"
# A module that runs Python code as it is imported, as one that Cython has made does.
SOURCE = """
#include <Python.h>
static int run(PyObject *module) {
    PyObject *names = PyModule_GetDict(module);
    PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins());
    PyObject *result = PyRun_String(CODE, Py_file_input, names, names);
    Py_XDECREF(result);
    return result ? 0 : -1;
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, run}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "native", .m_slots = slots};
PyMODINIT_FUNC PyInit_native(void) { return PyModuleDef_Init(&definition); }
"""


def compiled(folder: Path, code: str, source: str = SOURCE) -> bytes:
    """A module that runs ``code``."""
    (folder / "native.c").write_text(source)
    include = sysconfig.get_path("include")
    define = '-DCODE="' + code.replace("\n", "\\n") + '"'
    command = ["cc", "-shared", "-fPIC", f"-I{include}", define, "native.c", "-o", "native.so"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "native.so").read_bytes()


@pytest.mark.parametrize(
    ("code", "package"),
    [
        ("from tiny.errors import Failure", ""),
        ("from . import errors", "from . import native"),
        ("from tiny import Failure", "from .errors import Failure\nfrom . import native"),
        ("import tiny; tiny.Failure", "from .errors import Failure"),
        ("import tiny_other", ""),
        ("print(1, flush=True)", ""),
    ],
)
def test_an_extension_may_import_its_own_package(
    tmp_path: Path, environment: Path, running: Job, code: str, package: str
) -> None:
    members = {
        MEMBER: compiled(tmp_path, f"__package__ = 'tiny'\n{code}"),
        "tiny/__init__.py": package,
        "tiny/errors.py": "class Failure(Exception): pass\n",
        "tiny_other.py": "",
    }
    found = check(made(tmp_path, BINARY, ALONE, **members), "tiny", "1.0", environment, running)
    assert found.gil == {"tiny.native": "off"}


def test_a_package_that_asks_for_more_than_the_build_has_is_not_imported(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    native = compiled(tmp_path, "from tiny import errors")
    members = {MEMBER: native, "tiny/__init__.py": "import needed", "tiny/errors.py": ""}
    found = check(made(tmp_path, BINARY, **members), "tiny", "1.0", environment, running)
    assert found.gil == {"tiny.native": "off"}


def test_an_extension_that_asks_for_more_than_the_build_has_is_told_and_passes(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = made(tmp_path, BINARY, **{MEMBER: compiled(tmp_path, "import needed.part")})
    found = check(wheel, "tiny", "1.0", environment, running)
    assert found.gil == {"tiny.native": "unknown"}
    said = (
        "not loaded: tiny.native, as needed is not there to import (the build environment has no "
        "needed)"
    )
    assert said in running.log_path.read_text()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import needed", "No module named 'needed'"),
        ("import tiny.eror", "No module named 'tiny.eror'"),
        ("from tiny import eror", "cannot import name 'eror' from 'tiny'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import os; os.abort()", "python ended with signal SIGABRT"),
    ],
)
def test_what_does_not_load_is_named_whatever_it_raises(
    tmp_path: Path, environment: Path, running: Job, code: str, said: str
) -> None:
    wheel = made(tmp_path, BINARY, ALONE, **{MEMBER: compiled(tmp_path, code)})
    assert refused(wheel, environment, running).startswith(f"{MEMBER} does not load: {said}")


def test_an_undefined_symbol_is_refused_whatever_else_is_missing(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    source = SOURCE.replace("static int run", "int forgotten(void);\nstatic int run")
    native = compiled(tmp_path, "", source.replace("return result", "return forgotten() + result"))
    members = {MEMBER: native, "tiny/__init__.py": "import needed"}
    reason = refused(made(tmp_path, BINARY, **members), environment, running)
    assert reason.startswith(f"{MEMBER} does not load: ") and "symbol: forgotten" in reason


def test_extensions_of_a_data_folder_are_checked_where_they_are_installed(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    member = f"tiny-1.0.data/platlib/{MEMBER}"
    wheel = made(
        tmp_path,
        BINARY,
        **{member: compiled(tmp_path, "from tiny import errors"), "tiny/errors.py": ""},
    )
    assert check(wheel, "tiny", "1.0", environment, running).gil == {"tiny.native": "off"}


def test_a_library_for_ctypes_is_for_every_python(
    tmp_path: Path, environment: Path, running: Job, library: bytes
) -> None:
    members = {"tiny/libtiny.so": library}
    found = check(made(tmp_path, CTYPES, **members), "tiny", "1.0", environment, running)
    assert (found.gil, found.tags) == ({"tiny.libtiny": "library"}, ("py3-none-linux_x86_64",))
    broken = made(tmp_path, CTYPES, **{"tiny/libtiny.so": b"not a shared object"})
    assert refused(broken, environment, running).startswith("tiny/libtiny.so does not load: ")


def test_an_extension_module_is_not_for_every_python(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = made(tmp_path, CTYPES, **{MEMBER: compiled(tmp_path, "pass")})
    assert refused(wheel, environment, running) == (
        "tagged for any ABI, but tiny.native is an extension module"
    )


def test_metadata_of_what_a_package_has_vendored_are_not_its_own(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    members = {"tiny/_vendor/other-2.0.dist-info/METADATA": METADATA.replace("tiny", "other")}
    assert check(made(tmp_path, **members), "tiny", "1.0", environment, running).version == "1.0"


@pytest.mark.parametrize("how", ["-Wl,-z,execstack", "silent.s"])
def test_a_library_that_newer_c_libraries_refuse_is_named(
    tmp_path: Path, environment: Path, running: Job, how: str
) -> None:
    # assembly that does not say what stack it needs: linkers take it for one that needs all
    (tmp_path / "silent.s").write_text(".globl silent\nsilent: ret\n")
    command = ["cc", "-shared", "-x", "none", how, "-x", "c", "/dev/null", "-o", "native.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    wheel = made(
        tmp_path, CTYPES, ALONE, **{"tiny/native.so": (tmp_path / "native.so").read_bytes()}
    )
    assert refused(wheel, environment, running) == (
        "tiny/native.so asks for an executable stack, and glibc 2.41 and later load no such "
        "library: link it with -z noexecstack (LDFLAGS=-Wl,-z,noexecstack)"
    )
