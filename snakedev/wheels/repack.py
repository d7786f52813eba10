"""Finished wheels: their text files as the patched source has them, their native modules declared.

A native module that works without the GIL and does not say so turns it on for the whole process. A
small module that is compiled here (declared_module.c) stands in front of its file, which stays as
it is, and declares it. Whether that is true was judged of one file: another one is refused.
"""

import json
import re
import shlex
import shutil
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from packaging.tags import parse_tag
from packaging.utils import canonicalize_name

from snakedev import inside
from snakedev.base.digests import file_sha256
from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import output
from snakedev.fetch import archive
from snakedev.store.specs import WheelSpec
from snakedev.wheels.metadata import read_metadata
from snakedev.wheels.variables import Places

_SOURCE = inside.FOLDER / "declared_module.c"
_ASK = (
    "import json, sysconfig; "
    "print(json.dumps([sysconfig.get_config_var('EXT_SUFFIX'), sysconfig.get_path('include')]))"
)


def repack(
    spec: WheelSpec, finished: Path, places: Places, variables: Mapping[str, str], running: Job
) -> Path:
    """Pack a finished wheel anew, with the build tree's text files and the declared modules.

    Raises UserError for a wheel of another package, and for a module to declare that is not in it
    or is not the one that was judged.
    """
    its = canonicalize_name(read_metadata(finished).name)
    if its != canonicalize_name(spec.repo):
        raise UserError(f"{finished.name}: it is a wheel of {its}, and repos.{spec.repo} takes it")
    root, made = places.real_folder / "wheel", places.real_folder / "dist"
    for fresh in (root, made):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
    archive.unpack_some(finished, lambda path: True, root)
    _lay_text(places.real_folder / "tree", root)
    for member, module in spec.declared.items():
        _refuse_other(spec.repo, finished, root, member, module.sha256)
        front = _declare(spec, PurePosixPath(member), module.locked, places, variables, running)
        running.say(f"{member} is declared to need no GIL, by {front}")
    for member in _others(root, spec):
        running.say(f"{member} is not declared: importing it may turn the GIL on")
    _name(root, spec)
    python = places.environment / "bin" / "python"
    pack: list[str | Path] = [python, "-IBm", "wheel", "pack"]
    command = [*pack, "--dest-dir", places.folder / "dist", places.folder / "wheel"]
    running.run(places.sandbox.command(*command), env=variables, cwd=places.real_folder)
    shutil.rmtree(root)
    (wheel,) = made.glob("*.whl")
    return wheel


def front_of(member: PurePosixPath, suffix: str) -> PurePosixPath:
    """The file that import finds before a module's own; ``suffix`` is the interpreter's."""
    return member.with_name(member.name.removesuffix(".so") + suffix)


def _lay_text(tree: Path, root: Path) -> None:
    """Put a source's files in the place of all text files."""
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                text = archive.is_text(file)
            if text:
                path.unlink()
    shutil.copytree(tree, root, ignore=shutil.ignore_patterns(".git"), dirs_exist_ok=True)


def _refuse_other(repo: str, finished: Path, root: Path, member: str, sha256: str) -> None:
    """Raise UserError for a module that is not the one which was judged."""
    key, path = f"config.yaml: repos.{repo}.declared.{member}", root / member
    if not path.is_file():
        there = ", ".join(sorted(_modules(root))) or "none"
        raise UserError(f"{key}: {finished.name} has no such file: its native modules are {there}")
    if path.name.count(".") != 1:
        raise UserError(f"{key}: nothing can stand in front of it: import tries that name first")
    found = file_sha256(path)
    if found != sha256:
        raise UserError(
            f"{key}.sha256: the file of {finished.name} is another one, of sha256 {found}: judge "
            f"whether it works in threads without the GIL before you name it, or take it out"
        )


def _declare(
    spec: WheelSpec,
    member: PurePosixPath,
    locked: tuple[str, ...],
    places: Places,
    variables: Mapping[str, str],
    running: Job,
) -> PurePosixPath:
    """Compile the module that stands in front of another; returns its path in the wheel."""
    python = places.environment / "bin" / "python"
    asked = output(places.sandbox.command(python, "-Ic", _ASK), env=variables)
    suffix, include = json.loads(asked)
    front = front_of(member, suffix)
    shutil.copyfile(_SOURCE, places.real_folder / _SOURCE.name)
    names = "".join(f'"{name}",' for name in locked)
    defined = {"MODULE": member.stem, "ORIGINAL": f'"{member.name}"', "LOCKED": names}
    command: list[str | Path] = [
        *shlex.split(variables["CC"]),
        *("-O2", "-fPIC", "-shared"),
        *shlex.split(f"{variables.get('CPPFLAGS', '')} {variables.get('CFLAGS', '')}"),
        *(f"-D{name}={value}" for name, value in defined.items()),
        *(f"-I{include}", places.folder / _SOURCE.name),
        *("-o", places.folder / "wheel" / front),
        *shlex.split(variables.get("LDFLAGS", "")),
    ]
    running.run(places.sandbox.command(*command), env=variables, cwd=places.real_folder)
    return front


def _others(root: Path, spec: WheelSpec) -> Iterator[str]:
    """The native modules that nothing is declared of."""
    names = {PurePosixPath(member).with_suffix("") for member in spec.declared}
    for member in sorted(_modules(root)):
        path = PurePosixPath(member)
        if path.with_name(path.name.split(".")[0]) not in names:
            yield member


def _modules(root: Path) -> Iterator[str]:
    """The native modules below a folder: libraries with the init function of their name."""
    for path in root.rglob("*.so"):
        defined = output(["nm", "--dynamic", "--defined-only", "--format=posix", path])
        if re.search(rf"^PyInit_{re.escape(path.name.split('.')[0])} ", defined, re.MULTILINE):
            yield path.relative_to(root).as_posix()


def _name(root: Path, spec: WheelSpec) -> None:
    """Give a wheel its version, and where something was compiled, this machine as its platform."""
    (info,) = root.glob("*.dist-info")
    name = info.name.partition("-")[0]
    for folder in [*root.glob("*.dist-info"), *root.glob("*.data")]:
        folder.rename(folder.with_name(f"{name}-{spec.version}{folder.suffix}"))
    (info,) = root.glob("*.dist-info")
    _rewrite(info / "METADATA", r"^Version:.*$", f"Version: {spec.version}")
    if spec.declared:
        text = (info / "WHEEL").read_text(encoding="utf-8")
        platform = re.sub(r"\W", "_", sysconfig.get_platform())
        tags = {
            f"{tag.interpreter}-{tag.abi}-{platform}"
            for given in re.findall(r"^Tag: *(\S+)$", text, re.MULTILINE)
            for tag in parse_tag(given)
        }
        lines = [line for line in text.splitlines() if line and not line.startswith("Tag:")]
        lines += [f"Tag: {tag}" for tag in sorted(tags)]
        (info / "WHEEL").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rewrite(path: Path, pattern: str, line: str) -> None:
    text = path.read_bytes().decode()
    path.write_bytes(re.sub(pattern, line, text, count=1, flags=re.MULTILINE).encode())
