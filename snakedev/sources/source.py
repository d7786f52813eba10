"""Sources: a pin with its patch series applied, as a git checkout that is the same anywhere."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.git import feed_git, run_git, said_by_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.base.records import Record
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.archive import unpack, unpack_folder, unpack_text
from snakedev.fetch.indexes import public_address
from snakedev.fetch.mirror import Submodules, ref_of, submodule, wanted_links
from snakedev.fetch.mirror_repair import repaired
from snakedev.sources import lfs, untracked
from snakedev.sources.patch_file import PatchRecord, describe, diff
from snakedev.sources.stated_commit import refuse_other_commit
from snakedev.store.layout import Layout
from snakedev.store.publish import found, published
from snakedev.store.source_specs import PinnedSpec, SourceSpec

IDENTITY = {
    "GIT_AUTHOR_NAME": "snakedev-vllm",
    "GIT_AUTHOR_EMAIL": "snakedev-vllm@localhost",
    "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "snakedev-vllm",
    "GIT_COMMITTER_EMAIL": "snakedev-vllm@localhost",
    "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
}
"""Who commits: fixed, so that the same source has the same commit ids anywhere."""
AM_OPTIONS = (
    "--keep-cr",
    # a subject may begin with a word in brackets of its own
    "--keep-non-patch",
    "--no-gpg-sign",
    "--committer-date-is-author-date",
)
"""How `git am` takes a patch: as the commit that it was made from."""
PublicPin = dict[str, str | bool | tuple[str, ...] | None]
"""A pin's keys, as `public_pin` states them in records."""
_REJECTED_LINES = 30


class SourceRecord(Record):
    """source.json: what a source is."""

    key: str
    repo: str
    origin: str
    version: str
    pin: PublicPin
    patches: tuple[PatchRecord, ...]
    base_tree: str
    """Tree id of the pin, before any patch."""
    tree: str
    """Tree id with the series applied."""
    commit: str


def make_source(
    spec: SourceSpec, layout: Layout, archive: Path | None, running: Job
) -> SourceRecord:
    """Make a source and publish it, or find it in the store.

    ``archive`` is the release's, None for origin git (the mirror has the commit then). Raises
    UserError when the archive is unsafe, a version file has no place for the version, or a patch
    does not apply; nothing is left behind then.
    """
    final = layout.folder(spec)
    if record := found(final / spec.record_name, SourceRecord, running):
        return record
    described = tuple(describe(path) for path in spec.patches)
    with published(final) as scratch:
        tree = scratch / "tree"
        try:
            base_tree = lay_base(spec, layout, archive, tree)
        except CommandError:
            pin = spec.pin
            if not isinstance(pin, GitPin) or not repaired(
                layout, spec.repo, pin.url, pin.commit, pin.submodules, running
            ):
                raise
            shutil.rmtree(tree)
            base_tree = lay_base(spec, layout, archive, tree)
        apply_series(tree, spec.patches, running)
        untracked.lay_out(tree)
        for line in filter(None, (untracked.left_out(tree), lfs.pointers_told(tree))):
            running.say(line)
        record = SourceRecord(
            key=spec.key,
            repo=spec.repo,
            origin=spec.origin,
            version=spec.version,
            pin=public_pin(spec.pin),
            patches=described,
            base_tree=base_tree,
            tree=run_git(["rev-parse", "HEAD^{tree}"], tree),
            commit=run_git(["rev-parse", "HEAD"], tree),
        )
        record.write(scratch / spec.record_name)
    running.say(
        f"{len(described)} patches on {spec.origin} {spec.version}, tree {record.tree[:12]}"
    )
    return record


def lay_base(spec: PinnedSpec, layout: Layout, archive: Path | None, tree: Path) -> str:
    """Make a checkout of a pin, without its series; returns the tree id of what upstream has.

    ``archive`` is the release's, None for origin git. Where the configuration asks for it, a
    second commit sets the version. Raises UserError as `make_source` does.
    """
    base_tree = make_base(spec, layout, archive, tree)
    commit_version(spec, tree)
    return base_tree


def make_base(spec: PinnedSpec, layout: Layout, archive: Path | None, tree: Path) -> str:
    """Lay out a pin's files in a folder, as a git repository with one commit; returns its tree id.

    ``archive`` is the release's, None for origin git (the mirror has the commit then). Raises
    UserError when the archive is unsafe, holds what git cannot, or is of another commit than its
    pin says.
    """
    lay_files(spec.repo, spec.pin, layout, archive, tree)
    aside = None
    if not isinstance(spec.pin, GitPin):
        refuse_other_commit(spec.repo, spec.pin, tree)
        aside = untracked.set_aside(tree)
    run_git(["init", "--quiet"], tree)
    keep_bytes(tree / ".git")
    if aside is not None:
        untracked.keep(aside, tree)
    try:
        _commit(tree, f"{spec.repo} {spec.version} ({spec.origin})")
    except CommandError as error:
        raise UserError(
            f"{spec.repo}: git cannot hold its {spec.origin}: {said_by_git(error)}"
        ) from None
    return run_git(["rev-parse", "HEAD^{tree}"], tree)


def lay_files(
    repo: str, pin: GitPin | ReleasePin, layout: Layout, archive: Path | None, tree: Path
) -> None:
    """Lay out the files that a pin names, and nothing else, in a folder.

    ``archive`` is the release's, None for origin git (the mirror has the commit then). Raises
    UserError when the archive is unsafe.
    """
    tree.mkdir(parents=True, exist_ok=True)
    if isinstance(pin, GitPin):
        write_commit(layout, repo, pin.url, pin.commit, pin.submodules, tree)
        return
    assert archive is not None
    if pin.whole:
        unpack_text(archive, tree)
    elif pin.folder is None:
        unpack(archive, tree)
    else:
        unpack_folder(archive, pin.folder, tree)


def commit_version(spec: PinnedSpec, tree: Path) -> None:
    """Commit the version where upstream's tree leaves it open; raises as `set_version`."""
    if spec.version_files:
        set_version(tree, spec.version_files, spec.version)
        _commit(tree, f"Set the version to {spec.version}")


def set_version(tree: Path, files: dict[str, str], version: str) -> None:
    """Put the version in place of the first group of each file's regular expression."""
    for name, pattern in files.items():
        path = tree / name
        text = path.read_bytes().decode() if path.is_file() else ""  # line ends as they are
        match = re.search(pattern, text, re.MULTILINE)
        if match is None or not match.groups() or match[1] is None:
            raise UserError(
                f"version_files: {name} has no place that {pattern!r} finds, with a group around "
                f"the version"
            )
        path.write_bytes((text[: match.start(1)] + version + text[match.end(1) :]).encode())


def apply_series(tree: Path, patches: Sequence[Path], running: Job) -> None:
    """Commit a patch series on top of a checkout; UserError names the first that does not fit."""
    if not patches:
        return
    # all at once is faster, where git, which looks at the first alone, takes all for mails; which
    # of them does not fit is found one by one
    if all(patch.read_bytes().startswith(b"From") for patch in patches):
        try:
            apply_patches(tree, patches)
            return
        except CommandError:
            abort(tree)
    for patch in patches:
        running.note(f"applying {patch}")
        try:
            apply_patches(tree, [patch])
        except CommandError as error:
            for line in error.tail:
                running.note(line)
            raise UserError(_rejection(tree, patch, said_by_git(error))) from None


def apply_patches(tree: Path, patches: Sequence[Path], *, three_way: bool = False) -> None:
    """Commit patches on top of a checkout, by three-way merges where asked and needed.

    Raises CommandError when one does not apply, with git's session for it left open.
    """
    way = "--3way" if three_way else "--no-3way"
    files = [patch.resolve() for patch in patches]
    run_git(["am", "--quiet", way, *AM_OPTIONS, *files], tree, IDENTITY)


def abort(tree: Path) -> None:
    """End git's session for a patch that does not apply, if git began one."""
    if (tree / ".git/rebase-apply").is_dir():
        run_git(["am", "--quiet", "--abort"], tree, IDENTITY)


def apply_what_fits(tree: Path, patch: Path) -> dict[str, str]:
    """Apply the hunks of a patch that find a place, without a commit.

    Returns the others, as git writes them, by file.
    """
    try:
        feed_git(["apply", "--reject", "-"], tree, diff(patch.read_bytes()))
    except CommandError:
        pass  # that it fails is known; what is wanted are the .rej files
    listed = run_git(["ls-files", "--others", "-z", "--", "*.rej"], tree)
    return {
        name.removesuffix(".rej"): (tree / name).read_bytes().decode(errors="replace")
        for name in sorted(filter(None, listed.split("\0")))
    }


def write_commit(
    layout: Layout, repo: str, url: str, commit: str, submodules: Submodules, tree: Path
) -> None:
    """Write a mirrored commit's files, and its submodules' in their places, into a folder.

    The mirrors have them already; nothing is fetched.
    """
    mirror = layout.mirror(repo).resolve()
    keep_bytes(mirror)
    index = tree.parent.resolve() / f".index-{repo}"
    places = {"GIT_DIR": str(mirror), "GIT_WORK_TREE": str(tree.resolve())}
    run_git(["read-tree", ref_of(commit)], tree, {**places, "GIT_INDEX_FILE": str(index)})
    run_git(["checkout-index", "--all", "--force"], tree, {**places, "GIT_INDEX_FILE": str(index)})
    index.unlink()
    for path, address, pinned in wanted_links(mirror, commit, url, submodules):
        inner = tree / path
        shutil.rmtree(inner, ignore_errors=True)
        inner.mkdir(parents=True)
        write_commit(layout, submodule(repo, path), address, pinned, True, inner)


def public_pin(pin: GitPin | ReleasePin) -> PublicPin:
    """A pin for records; an address may hold a password."""
    stated = pin.model_dump(exclude_none=True)
    return stated | ({"url": public_address(pin.url)} if isinstance(pin, GitPin) else {})


def keep_bytes(repository: Path) -> None:
    """Have git take files as they are, whatever a source's own .gitattributes ask for."""
    info = repository / "info"
    info.mkdir(exist_ok=True)
    (info / "attributes").write_text("* -text -ident -filter -working-tree-encoding\n")


def _commit(tree: Path, message: str) -> None:
    run_git(["add", "--all", "--force", "."], tree)
    run_git(["commit", "--quiet", "--no-verify", "--allow-empty", "-m", message], tree, IDENTITY)


def _fits_otherwise(tree: Path, patch: Path) -> bool:
    """Whether white space alone keeps a patch from applying."""
    try:
        diff_bytes = diff(patch.read_bytes())
        feed_git(["apply", "--check", "--ignore-whitespace", "-"], tree, diff_bytes)
    except CommandError:
        return False
    return True


def _rejection(tree: Path, patch: Path, reason: str) -> str:
    """Why a patch does not apply: git's reason, and the hunks that found no place."""
    abort(tree)
    if _fits_otherwise(tree, patch):
        reason += ": it fits but for the ends of lines or other white space (^M is CRLF's)"
    hunks = [f"{file}:\n{text}" for file, text in apply_what_fits(tree, patch).items()]
    detail = "\n".join(hunks).replace("\r", "^M").splitlines()[:_REJECTED_LINES]
    return "\n".join([f"{patch} does not apply: {reason}", *detail])
