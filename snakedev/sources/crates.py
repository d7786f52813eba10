"""Crates: what a source's Cargo.lock names, vendored so that its build runs offline."""

import hashlib
import os
import re
import tempfile
import tomllib
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.base.records import Record
from snakedev.machine.probe import Machine
from snakedev.store.layout import Layout
from snakedev.store.publish import published
from snakedev.store.source_specs import CratesSpec

_PLACE = "@CRATES@"
_PROBE_SECONDS = 20


class CratesRecord(Record):
    """crates.json: what was vendored."""

    key: str
    repo: str
    crates: int
    size: int
    lock_sha256: str


def vendor(spec: CratesSpec, layout: Layout, machine: Machine, running: Job) -> CratesRecord:
    """Vendor a source's crates and publish them, or find them in the store.

    Raises UserError without a Cargo.lock, CommandError when the crate registry has not what the
    lock names or does not answer.
    """
    final = layout.crates(spec.repo, spec.key)
    if (final / "crates.json").is_file():
        running.say("found in the store")
        return CratesRecord.read(final / "crates.json")
    tree = (layout.source(spec.repo, spec.read_from or spec.source_key) / "tree").resolve()
    manifest = find_manifest(tree / spec.subdirectory)
    workspace = find_lock(manifest, tree, spec.repo)
    with published(final) as scratch:
        variables = dict(os.environ)
        if machine.rust_toolchain is not None:
            # a rust-toolchain file in the source would make rustup download another compiler
            variables["RUSTUP_TOOLCHAIN"] = machine.rust_toolchain
        running.say(f"vendoring the crates of {workspace.relative_to(tree)}")
        lines: list[str] = []
        options = ("--respect-source-config", "--locked", "--versioned-dirs", "--manifest-path")
        folder = (scratch / "vendor").resolve()
        running.run(
            ["cargo", "vendor", *options, manifest, folder], env=variables, watch=lines.append
        )
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
        record.write(scratch / "crates.json")
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


def registry_problem(machine: Machine) -> str | None:
    """Why no crate can be fetched, None when one can: asked with the user's cargo settings."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "src").mkdir()
        (project / "src" / "lib.rs").touch()
        (project / "Cargo.toml").write_text(
            '[package]\nname = "probe"\nversion = "0.0.0"\nedition = "2021"\n'
            '[dependencies]\nitoa = "1"\n'
        )
        variables = {**os.environ, "CARGO_NET_RETRY": "1", "CARGO_HTTP_TIMEOUT": "10"}
        if machine.rust_toolchain is not None:
            variables["RUSTUP_TOOLCHAIN"] = machine.rust_toolchain
        try:
            output(
                ["timeout", str(_PROBE_SECONDS), "cargo", "generate-lockfile"],
                cwd=project,
                env=variables,
            )
        except CommandError as error:
            reasons = [line.strip() for line in error.tail if line.strip()]
            return reasons[-1] if reasons else "it did not answer in time"
    return None
