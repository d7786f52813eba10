"""The probe of a wheel's extensions: under which name each of them loads."""

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from snakedev.inside.extension_probe import load

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
# A module that loads under one name alone, as cv2 does.
SOURCE = """
#include <Python.h>
#include <string.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "fussy", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_fussy(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module && strcmp(PyModule_GetName(module), ONLY_NAME)) {
        PyErr_SetString(PyExc_ImportError, "loaded under another name");
        Py_CLEAR(module);
    }
    return module;
}
"""


def built(folder: Path, only_name: str) -> Path:
    """The module, compiled for this interpreter."""
    folder.mkdir()
    (folder / "fussy.c").write_text(SOURCE)
    module = folder / f"fussy{SUFFIX}"
    include = sysconfig.get_path("include")
    define = f'-DONLY_NAME="{only_name}"'
    command = ["cc", "-shared", "-fPIC", f"-I{include}", define, "-o", module, folder / "fussy.c"]
    subprocess.run(command, check=True)
    return module


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Forget what was loaded, which in its use ends with the process."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module_may_take_the_place_of_its_package(tmp_path: Path) -> None:
    # the GIL's state in an ordinary interpreter
    assert load("fussy.fussy", str(built(tmp_path / "fussy", "fussy"))) == "on"
    assert load("fussy.fussy", str(built(tmp_path / "other", "fussy.fussy"))) == "on"


def test_no_other_name_is_tried(tmp_path: Path) -> None:
    file = str(built(tmp_path / "fussy", "elsewhere"))
    for module in ("fussy.fussy", "package.fussy"):
        with pytest.raises(ImportError, match="loaded under another name"):
            load(module, file)
