"""Which files of a wheel come from where in a source, and how they are imported from there."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from psutil import _psutil_linux

from snakedev.base.errors import UserError
from snakedev.environments.editable import WorkInput, in_package, install, package_roots
from tests.unit.repositories import repository


def installed(tmp_path: Path, wheel: dict[str, str]) -> tuple[Path, Path]:
    """A wheel with these files, and a site-packages folder that it is installed in."""
    path, site = tmp_path / "tiny-1.0-py3-none-any.whl", tmp_path / "site"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in wheel.items():
            archive.writestr(name, text)
        archive.extractall(site)
    return path, site


def run(site: Path, code: str) -> str:
    """What code prints where the folder is a site-packages folder."""
    start = f"import site; site.addsitedir({str(site)!r})\n"
    done = subprocess.run([sys.executable, "-Ic", start + code], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("before", ["", "py_src/", "bindings/python/py_src/"])
def test_files_are_found_wherever_the_package_lies_in_the_source(tmp_path, running, before):
    files = {"tiny/__init__.py": "", "tiny/a/__init__.py": "", "tiny/a/b.py": "where = 'wheel'\n"}
    built = {"tiny/_version.py": "version = '1.0'\n", "tiny/a/data.txt": "data"}
    wheel, site = installed(tmp_path, files | built)
    # a package of that name that only tests something
    other = {"tests/tiny/__init__.py": "", "tests/tiny/a/__init__.py": ""}
    source = tmp_path / "work"
    repository(source, {before + name: text for name, text in files.items()} | other)
    install(site, [WorkInput(wheel, source, source)], running)

    left = sorted(str(path.relative_to(site)) for path in (site / "tiny").rglob("*"))
    assert left == ["tiny/_version.py", "tiny/a", "tiny/a/data.txt"]
    (source / f"{before}tiny/a/b.py").write_text("where = 'work'\n")
    code = "import tiny.a.b, tiny._version; print(tiny.a.b.where, tiny._version.version)"
    assert run(site, code) == "work 1.0"
    assert run(site, "import tiny; print(tiny.__file__)") == str(
        source / before / "tiny/__init__.py"
    )


def test_a_module_that_is_deleted_is_gone_and_a_new_package_is_there(tmp_path, running):
    files = {"tiny/__init__.py": "", "tiny/old/__init__.py": "", "tiny/old/a.py": ""}
    wheel, site = installed(tmp_path, files)
    source = tmp_path / "work"
    repository(source, files)
    install(site, [WorkInput(wheel, source, source)], running)
    for path in (source / "tiny/old").iterdir():
        path.unlink()
    (source / "tiny/old").rmdir()
    (source / "tiny/fresh").mkdir()
    (source / "tiny/fresh/__init__.py").write_text("value = 7\n")
    assert "No module named 'tiny.old'" in run(site, "import tiny.old")
    assert run(site, "import tiny.fresh; print(tiny.fresh.value)") == "7"


def test_extensions_and_generated_modules_of_subpackages_stay_installed(tmp_path, running):
    extension = Path(_psutil_linux.__file__)
    files = {"tiny/__init__.py": "", "tiny/sub/__init__.py": ""}
    wheel, site = installed(tmp_path, files | {"tiny/sub/made.py": "value = 3\n"})
    source = tmp_path / "work"
    repository(source, files)
    install(site, [WorkInput(wheel, source, source)], running)
    (site / "tiny/sub" / extension.name).write_bytes(extension.read_bytes())
    code = "import tiny.sub._psutil_linux as m; print(m.__file__)"
    assert run(site, code) == str(site / "tiny/sub" / extension.name)
    assert run(site, "from tiny.sub import made; print(made.value)") == "3"


def test_a_module_that_the_build_rewrites_is_the_one_that_it_wrote(tmp_path, running):
    files = {"tiny/__init__.py": "", "tiny/_version.py": "version = '0'\n"}
    wheel, site = installed(tmp_path, files | {"tiny/_version.py": "version = '1.0+cpu'\n"})
    source = tmp_path / "work"
    repository(source, files)
    install(site, [WorkInput(wheel, source, source)], running)
    assert "tiny/_version.py is written by the build" in running.log_path.read_text()
    assert run(site, "import tiny._version as v; print(v.version)") == "1.0+cpu"


def test_a_package_that_upstream_calls_otherwise_is_refused(tmp_path, running):
    wheel, site = installed(tmp_path, {"tiny/__init__.py": "value = 1\n"})
    source = tmp_path / "work"
    repository(source, {"lib/__init__.py": "value = 1\n"})
    with pytest.raises(UserError, match=r"its package tiny holds lib/__init__\.py"):
        install(site, [WorkInput(wheel, source, source)], running)


def test_a_package_that_the_build_writes_stays_installed(tmp_path, running):
    wheel, site = installed(tmp_path, {"tiny/__init__.py": "from .tiny import *\n"})
    source = tmp_path / "work"
    repository(source, {"src/lib.rs": ""})
    install(site, [WorkInput(wheel, source, source)], running)
    assert (site / "tiny/__init__.py").exists()
    assert not list(site.glob("_snakedev*"))


def test_a_namespace_is_no_package_of_ours(tmp_path, running):
    files = {"ns/tiny/__init__.py": "value = 1\n", "ns/tiny/a.py": ""}
    wheel, site = installed(tmp_path, files)
    (site / "ns/other").mkdir()
    (site / "ns/other/__init__.py").write_text("value = 2\n")
    source = tmp_path / "work"
    repository(source, {f"src/{name}": text for name, text in files.items()})
    install(site, [WorkInput(wheel, source, source)], running)
    (source / "src/ns/tiny/__init__.py").write_text("value = 5\n")
    code = "import ns.tiny, ns.other; print(ns.tiny.value, ns.other.value)"
    assert run(site, code) == "5 2"


def test_package_files_are_those_beside_an_init_file():
    files = {"setup.py", "pkg/__init__.py", "pkg/a.py", "pkg/gen/b.py", "csrc/generate.py"}
    assert {file for file in files if in_package(file, files)} == {"pkg/__init__.py", "pkg/a.py"}
    assert package_roots({"a/__init__.py", "a/b/__init__.py", "n/c/__init__.py", "d.py"}) == [
        "a",
        "n/c",
    ]
