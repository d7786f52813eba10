"""A free-threaded CPython built from its git repository, with ThreadSanitizer where that is asked
for.

It is built without profile-guided optimisation, which takes several times as long.
"""

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import Job, scrubbed
from snakedev.base.process import CommandError, output
from snakedev.config.repos import Interpreter, InterpreterGit
from snakedev.fetch.mirror import ensure_commit, look_up
from snakedev.machine import sanitizer
from snakedev.machine.compilers import find_compiler
from snakedev.sources.source import write_commit
from snakedev.store.layout import Layout

_MIRROR = "cpython"
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG")
_CONFIGURE = ("--disable-gil", "--disable-test-modules", "--with-ensurepip=no")
_SUPPRESSIONS = ("suppressions_free_threading.txt", "suppressions.txt")
# Modules without which the stack does not run, and what of the system they are built against.
_MODULES = {"_SSL": "OpenSSL", "_CTYPES": "libffi", "ZLIB": "zlib"}
_COMPILES = re.compile(r"\s-c\s.*\s-o\s")


def build(
    wanted: Interpreter,
    layout: Layout,
    scratch: Path,
    jobs: int,
    running: Job,
    *,
    compiler_cache: bool = True,
) -> tuple[dict[str, str], str]:
    """Build the interpreter for its home, ``layout.interpreter``, into ``scratch``.

    Returns digests by part, and the commit. ``jobs`` compilations run at once. Raises UserError
    when the commit cannot be had, is another version, or does not build, and where
    ThreadSanitizer does not work on this machine.
    """
    assert wanted.git is not None
    compiler, cxx = find_compiler("cc"), find_compiler("cxx")
    if compiler is None or cxx is None or shutil.which("make") is None:
        raise UserError("building CPython needs a C and a C++ compiler and make: install them")
    if wanted.sanitizer is not None:
        sanitizer.require_runtime(compiler)
    commit = _commit(wanted.git, layout, running)
    tree = (layout.root / "build" / "interpreter").resolve()
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    write_commit(layout, _MIRROR, wanted.git.url, commit, False, tree)
    _refuse_other_version(tree, wanted.git.ref, wanted.version)
    variables = {
        **scrubbed(_KEPT, os.environ),
        **sanitizer.QUIET,
        "LC_ALL": "C.UTF-8",
        "CC": shlex.join(compiler),
        "CXX": shlex.join(cxx),
        # what is reported names files of CPython's, not of a folder that is gone by then
        "CFLAGS_NODIST": f"-ffile-prefix-map={tree}=cpython",
    }
    home = layout.interpreter.absolute()
    configure = ["./configure", *_CONFIGURE, f"--prefix={home}"]
    if wanted.sanitizer is not None:
        configure.append("--with-thread-sanitizer")
    running.say("configuring CPython")
    _step(configure, tree, variables, running)
    _refuse_missing_modules(tree / "Makefile")
    _compile(tree, variables, layout, jobs, running, compiler_cache=compiler_cache)
    running.say("installing")
    # what is installed is compiled to bytecode in as many processes
    stage = tree / "stage"
    _step(
        ["make", "install", f"DESTDIR={stage}", f"COMPILEALL_OPTS=-j{jobs}"],
        tree,
        variables,
        running,
    )
    for path in (stage / home.relative_to("/")).iterdir():
        path.rename(scratch / path.name)
    program = scratch / "bin" / f"python{wanted.version}t"
    (scratch / "bin" / "python").symlink_to(program.name)
    if wanted.sanitizer is not None:
        _keep_suppressions(tree / "Tools" / "tsan", scratch / sanitizer.SUPPRESSIONS)
    shutil.rmtree(tree)
    return {"executable": hashlib.sha256(program.read_bytes()).hexdigest()}, commit


def _commit(git: InterpreterGit, layout: Layout, running: Job) -> str:
    """The commit that the ref stands for, whole in the mirror."""
    url, commit = git.url, git.ref
    if not re.fullmatch("[0-9a-f]{40}", commit):
        commit = look_up(layout, _MIRROR, url, commit, running)
    ensure_commit(layout, _MIRROR, url, commit, False, running)
    return commit


def _refuse_other_version(tree: Path, ref: str, version: str) -> None:
    """Raise UserError for what is not CPython, or not of the version that is configured."""
    header = tree / "Include" / "patchlevel.h"
    text = header.read_text(encoding="utf-8") if header.is_file() else ""
    found = re.search(r'^#define PY_VERSION\s+"(\d+\.\d+)(\S*)"', text, re.MULTILINE)
    if found is None or not (tree / "configure").is_file():
        raise UserError(
            f"interpreter.git.ref: {ref} is no CPython: it has no configure, or no "
            f"version in Include/patchlevel.h"
        )
    if found[1] != version:
        raise UserError(
            f"interpreter.git.ref: {ref} is Python {found[1]}{found[2]}, and "
            f"interpreter.version asks for {version}: change one of them"
        )


def _refuse_missing_modules(makefile: Path) -> None:
    """Raise UserError for modules that configure found nothing to build against."""
    text = makefile.read_text(encoding="utf-8")
    states = dict(re.findall(r"^MODULE_(\w+)_STATE=\s*(\S+)", text, re.MULTILINE))
    lacking = [library for name, library in _MODULES.items() if states.get(name) != "yes"]
    if lacking:
        raise UserError(
            f"CPython cannot be built without the headers of {', '.join(lacking)}: install them "
            f"(Debian, Ubuntu: apt-get install libssl-dev libffi-dev zlib1g-dev; Fedora: dnf "
            f"install openssl-devel libffi-devel zlib-devel)"
        )


def _compile(
    tree: Path,
    variables: Mapping[str, str],
    layout: Layout,
    jobs: int,
    running: Job,
    *,
    compiler_cache: bool,
) -> None:
    """Run make, and say how far it is."""
    make = ["make", f"-j{jobs}"]
    if compiler_cache and (ccache := shutil.which("ccache")):
        # for make alone: what the interpreter says of its compiler must hold for others
        variables = {
            **variables,
            "CCACHE_DIR": str((layout.cache / "ccache").resolve()),
            "CCACHE_BASEDIR": str(tree),
            "CCACHE_NOHASHDIR": "true",
        }
        make += [f"{name}={shlex.quote(ccache)} {variables[name]}" for name in ("CC", "CXX")]
    planned = output([*make, "--dry-run"], cwd=tree, env=variables)
    total = len(_COMPILES.findall(planned))
    done = 0

    def count(line: str) -> None:
        nonlocal done
        if _COMPILES.search(line):
            done += 1
            running.status(f"{done} of {max(done, total)} compilations")

    _step(make, tree, variables, running, count)


def _step(
    command: Sequence[str],
    tree: Path,
    variables: Mapping[str, str],
    running: Job,
    count: Callable[[str], None] | None = None,
) -> None:
    """Run a step of the build; raises UserError with the lines that say why it failed."""
    try:
        running.run(command, cwd=tree, env=variables, watch=count)
    except CommandError as error:
        shown = "".join(f"\n    {line}" for line in error.why)
        raise UserError(f"CPython does not build: {error}:{shown}") from None


def _keep_suppressions(folder: Path, target: Path) -> None:
    """Keep CPython's list of known races beside the interpreter, where it has one."""
    for name in _SUPPRESSIONS:
        if (folder / name).is_file():
            target.parent.mkdir(parents=True)
            shutil.copyfile(folder / name, target)
            return
