"""What is read off an extension module's file without loading it."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from snakedev.reports.gil.extension_file import FileEvidence, examine, module_name
from snakedev.reports.gil.modules import extension_modules

INIT = "void *{calls}(void *); void *PyInit_{name}(void) {{ return {calls}(0); }}\n"


def compiled(folder: Path, file: str, text: str) -> Path:
    """A shared object of this name; functions of Python's may stay undefined in it."""
    source = folder / "source.c"
    source.write_text(text)
    subprocess.run(["cc", "-w", "-shared", "-fPIC", source, "-o", folder / file], check=True)
    return folder / file


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("triton/_C/libtriton.so", "triton._C.libtriton"),
        ("_cffi_backend.cpython-314t-x86_64-linux-gnu.so", "_cffi_backend"),
        ("cv2/cv2.abi3.so", "cv2.cv2"),
        ("numpy.libs/libopenblas-1234.so", None),
        ("nvidia/cu13/lib/libcudart.so.13", None),
        ("../../bin/tool.so", None),
        ("package/module.py", None),
    ],
)
def test_the_name_under_which_a_file_is_imported(file: str, module: str | None) -> None:
    assert module_name(PurePosixPath(file)) == module


@pytest.mark.parametrize(
    ("file", "abi"),
    [
        ("tiny.cpython-314t-x86_64-linux-gnu.so", "cp314t"),
        ("tiny.cpython-314-x86_64-linux-gnu.so", "cp314"),
        ("tiny.abi3.so", "abi3"),
        ("tiny.so", None),
    ],
)
def test_the_tag_of_a_name_is_read(tmp_path: Path, file: str, abi: str | None) -> None:
    text = INIT.format(name="tiny", calls="PyModuleDef_Init")
    found = examine(compiled(tmp_path, file, text))
    assert found == FileEvidence(abi=abi, init="multi-phase", sets_gil=False)


def test_a_single_phase_module_is_told_from_one_that_says_it_needs_no_gil(tmp_path: Path) -> None:
    plain = INIT.format(name="tiny", calls="PyModule_Create2")
    says = (
        plain + "int PyUnstable_Module_SetGIL(); int say(void) {return PyUnstable_Module_SetGIL();}"
    )
    both = plain + "void *PyModuleDef_Init(); void *other(void) { return PyModuleDef_Init(); }"
    assert examine(compiled(tmp_path, "tiny.so", plain)) == FileEvidence(
        abi=None, init="single-phase", sets_gil=False
    )
    assert examine(compiled(tmp_path, "tiny.so", says)) == FileEvidence(
        abi=None, init="single-phase", sets_gil=True
    )
    assert examine(compiled(tmp_path, "tiny.so", both)).init == "either"


def test_a_module_that_a_library_initialises_is_one_too(tmp_path: Path) -> None:
    text = INIT.format(name="tiny", calls="initialise_it")
    assert examine(compiled(tmp_path, "tiny.so", text)).init == "elsewhere"


@pytest.mark.parametrize("backwards", [False, True])
def test_of_a_module_and_the_one_in_front_of_it_the_one_in_front_counts(
    tmp_path: Path, *, backwards: bool
) -> None:
    text = INIT.format(name="tiny", calls="PyModuleDef_Init")
    front = "tiny.cpython-314t-x86_64-linux-gnu.so"
    files = [compiled(tmp_path, file, text).name for file in ("tiny.so", front)]
    info = tmp_path / "tiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    listed = reversed(files) if backwards else files
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in listed))
    (found,) = extension_modules(tmp_path)
    assert (found.module, found.file) == ("tiny", PurePosixPath(front))


def test_what_is_no_extension_module_is_left_alone(tmp_path: Path) -> None:
    library = compiled(tmp_path, "library.so", INIT.format(name="other", calls="PyModuleDef_Init"))
    (tmp_path / "script.so").write_text("INPUT(libother.so)")
    assert examine(library) is None
    assert examine(tmp_path / "script.so") is None
    assert examine(tmp_path / "gone.so") is None
