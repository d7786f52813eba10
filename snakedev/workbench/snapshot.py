"""Builds straight from work folders: what is in one as it stands, and a source made of that."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.environments.editable import in_package
from snakedev.sources import untracked
from snakedev.sources.patch_file import PatchRecord
from snakedev.sources.source import IDENTITY, SourceRecord, keep_bytes, public_pin
from snakedev.store.layout import Layout
from snakedev.store.publish import found, published
from snakedev.store.source_specs import SourceSpec
from snakedev.store.spec import digest
from snakedev.workbench.folder import WorkFolder, user_excludes

_CRATE_FILES = ("/Cargo.toml", "/Cargo.lock", "/.cargo/config.toml", "/.cargo/config")


@dataclass(frozen=True)
class Snapshot:
    """A work folder as it stands, with what is not committed, ignored files left out."""

    tree: str
    """Its tree id."""
    compiled: str
    """Digest of all files but the Python files of packages, which run from the folder itself."""
    crates: str
    """Digest of the files that say which crates are needed."""


def snapshot(work: WorkFolder, layout: Layout) -> Snapshot:
    """What is in a work folder; neither its index nor its objects are touched.

    Raises UserError for files that a merge has left unsettled.
    """
    if unsettled := sorted({line.split("\t")[1] for line in _unmerged(work)}):
        raise UserError(f"{work}: not merged: {', '.join(unsettled)}: mend and `git add` them")
    git_folder = work.path.resolve() / ".git"
    mirror = _mirror(work, layout)
    with tempfile.TemporaryDirectory(prefix="snakedev-index-") as scratch:
        index = Path(scratch) / "index"
        # with its time, by which git knows what may have changed since
        shutil.copy2(git_folder / "index", index)
        places = {
            "GIT_DIR": str(git_folder),
            "GIT_WORK_TREE": str(work.path.resolve()),
            "GIT_INDEX_FILE": str(index),
            "GIT_OBJECT_DIRECTORY": str(mirror / "objects"),
        }
        add = ["-c", f"core.excludesFile={user_excludes()}", "add", "--all", "."]
        run_git(add, work.path, places)
        tree = run_git(["write-tree"], work.path, places)
    rows = run_git(["ls-tree", "-r", "-z", tree], mirror).split("\0")
    entries = {name: what for what, _, name in (row.partition("\t") for row in rows if row)}
    files = set(entries)
    compiled = {n: what for n, what in entries.items() if not in_package(n, files)}
    crates = {n: what for n, what in entries.items() if f"/{n}".endswith(_CRATE_FILES)}
    return Snapshot(tree, digest(compiled), digest(crates))


def make_work_source(spec: SourceSpec, layout: Layout, folder: Path, running: Job) -> SourceRecord:
    """Make a source of a snapshot and publish it, or find it."""
    final = layout.folder(spec)
    if record := found(final / spec.record_name, SourceRecord, running):
        return record
    work = WorkFolder(folder, spec.repo)
    mirror = _mirror(work, layout)
    base = work.record.base
    assert spec.work_tree is not None
    said = f"{work} as it stood, tree {spec.work_tree[:12]}"
    commit = run_git(["commit-tree", spec.work_tree, "-m", said], mirror, IDENTITY)
    run_git(["update-ref", f"refs/work/{spec.key}", commit], mirror)
    with published(final) as scratch:
        tree = scratch / "tree"
        tree.mkdir()
        run_git(["init", "--quiet"], tree)
        keep_bytes(tree / ".git")
        fetch = ["fetch", "--quiet", "--no-tags", str(mirror), f"refs/work/{spec.key}"]
        run_git(fetch, tree)
        run_git(["checkout", "--quiet", "--detach", "FETCH_HEAD"], tree)
        untracked.copy(work.path, tree)
        untracked.lay_out(tree)
        changed = run_git(["diff-tree", "-r", "--name-only", "-z", base, commit], mirror)
        record = SourceRecord(
            key=spec.key,
            repo=spec.repo,
            origin=spec.origin,
            version=spec.version,
            pin=public_pin(spec.pin),
            patches=(
                PatchRecord(
                    name=str(work),
                    subject=said,
                    author="",
                    files=tuple(filter(None, changed.split("\0"))),
                    body_sha256=hashlib.sha256(spec.work_tree.encode()).hexdigest(),
                ),
            ),
            base_tree=run_git(["rev-parse", f"{base}^{{tree}}"], mirror),
            tree=spec.work_tree,
            commit=commit,
        )
        record.write(scratch / spec.record_name)
    running.say(said)
    return record


def _unmerged(work: WorkFolder) -> list[str]:
    return work.git("ls-files", "--unmerged").splitlines()


def _mirror(work: WorkFolder, layout: Layout) -> Path:
    """A repository that sees the folder's objects, and takes those of snapshots."""
    mirror = layout.work_mirror(work.repo).resolve()
    if not (mirror / "HEAD").is_file():
        mirror.mkdir(parents=True, exist_ok=True)
        run_git(["init", "--quiet", "--bare"], mirror)
    alternates = mirror / "objects/info/alternates"
    objects = f"{os.fspath(work.path.resolve())}/.git/objects\n"
    if not alternates.is_file() or alternates.read_text() != objects:
        alternates.write_text(objects)
    return mirror
