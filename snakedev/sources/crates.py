"""Crates: what a source's Cargo.lock names, vendored so that its build runs offline."""

import hashlib
import os
import re
import tomllib
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.base.records import Record
from snakedev.machine.probe import Machine
from snakedev.sources.rust_version import refuse_older, refuse_unreadable
from snakedev.store.layout import Layout
from snakedev.store.publish import found, published
from snakedev.store.source_specs import CratesSpec

_PLACE = "@CRATES@"


class CratesRecord(Record):
    """crates.json: what was vendored."""

    key: str
    repo: str
    crates: int
    size: int
    lock_sha256: str


def vendor(spec: CratesSpec, layout: Layout, machine: Machine, running: Job) -> CratesRecord:
    """Vendor a source's crates and publish them, or find them in the store.

    Raises UserError without a Cargo.lock, when the crate registry has not what the lock names or
    does not answer, and when this machine's Rust is too old.
    """
    final = layout.folder(spec)
    if record := found(final / spec.record_name, CratesRecord, running):
        return record
    tree = (layout.source(spec.repo, spec.read_from or spec.source_key) / "tree").resolve()
    manifest = find_manifest(tree / spec.subdirectory)
    workspace = find_lock(manifest, tree, spec.repo)
    refuse_unreadable(spec.repo, manifest, workspace, machine)
    with published(final) as scratch:
        variables = dict(os.environ)
        if machine.rust_toolchain is not None:
            # a rust-toolchain file in the source would make rustup download another compiler
            variables["RUSTUP_TOOLCHAIN"] = machine.rust_toolchain
        running.say(f"vendoring the crates of {workspace.relative_to(tree)}")
        lines: list[str] = []
        options = ("--respect-source-config", "--locked", "--versioned-dirs", "--manifest-path")
        folder = (scratch / "vendor").resolve()
        command: list[str | Path] = ["cargo", "vendor", *options, manifest, folder]
        try:
            running.run(command, env=variables, watch=lines.append)
        except CommandError as error:
            reasons = [line.strip() for line in error.tail if line.strip()]
            raise UserError(
                f"{spec.repo}: cargo cannot fetch its crates "
                f"({reasons[-1] if reasons else error}): run it again when the registry that cargo "
                f"is set to answers, or leave the repo out with repos.{spec.repo}.enabled: false"
            ) from None
        refuse_older(spec.repo, manifest, machine, variables)
        written = "".join(lines)
        start = re.search(r"^\[source", written, re.MULTILINE)
        text = written[start.start() :] if start else ""
        text = text.replace(str(folder), f"{_PLACE}/vendor")
        (scratch / "config.toml").write_text(text, encoding="utf-8")
        record = CratesRecord(
            key=spec.key,
            repo=spec.repo,
            crates=sum(1 for _ in (scratch / "vendor").iterdir()) if text else 0,
            size=sum(f.stat().st_size for f in scratch.rglob("*") if f.is_file()),
            lock_sha256=hashlib.sha256(workspace.read_bytes()).hexdigest(),
        )
        record.write(scratch / spec.record_name)
    running.say(f"{record.crates} crates, {record.size / 1e6:.0f} MB")
    return record


def cargo_configuration(crates: Path, seen: Path) -> str:
    """The cargo configuration that builds with vendored crates and nothing else.

    ``seen`` is the path of the folder ``crates`` as cargo sees it.
    """
    text = (crates / "config.toml").read_text(encoding="utf-8").replace(_PLACE, str(seen))
    return f"{text}\n[net]\noffline = true\n"


def find_manifest(project: Path) -> Path:
    """The Cargo.toml of a Python project: the one that pyproject.toml names, else the obvious."""
    pyproject = project / "pyproject.toml"
    if pyproject.is_file():
        settings = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("tool", {})
        named = settings.get("maturin", {}).get("manifest-path")
        if named is not None:
            return (project / named).resolve()
    candidates = [project / "Cargo.toml", *sorted(project.glob("*/Cargo.toml"))]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise UserError(f"{project}: no Cargo.toml there: check the repo's subdirectory")


def find_lock(manifest: Path, tree: Path, repo: str) -> Path:
    """The Cargo.lock that cargo uses for a manifest: its own folder's, or a workspace's above."""
    for folder in (manifest.parent, *manifest.parent.parents):
        if (folder / "Cargo.lock").is_file():
            return folder / "Cargo.lock"
        if folder == tree:
            break
    raise UserError(
        f"{repo}: its source has no Cargo.lock beside {manifest.relative_to(tree)}: "
        f"a patch in patches/{repo}/ must add one, so that everybody builds with the same crates"
    )
