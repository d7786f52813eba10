"""Trying a patch series: which patches apply, and what stands in the way of the others.

Each patch is tried as a source is made, on top of those before it that applied; one that upstream
has already is skipped. One that conflicts is tried again as a three-way merge, which a source is
never made with, and is skipped if that fails too: the patches behind it are then tried without it.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.git import isolated_environment, run_git, said_by_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.index_pages import PackageIndex
from snakedev.fetch.mirror import ensure_commit, look_up
from snakedev.reports.patches.record import (
    Conflict,
    Offset,
    PatchTrialRecord,
    ThreeWay,
    TriedPatch,
    Verdict,
)
from snakedev.sources.patch_file import details, diff
from snakedev.sources.source import (
    apply_patches,
    apply_what_fits,
    commit_version,
    make_base,
    public_pin,
)
from snakedev.store.layout import Layout
from snakedev.store.publish import scratch_in
from snakedev.store.source_specs import PinnedSpec
from snakedev.store.specs import PatchTrialSpec
from snakedev.workbench.earlier import Earlier, Fetch

Releases = Callable[[ReleasePin, str], str | None]
"""The sha256 of a version of a pin's package on the index; None where it has no such version."""


def make_trial(
    spec: PatchTrialSpec, layout: Layout, fetch: Fetch, running: Job, releases: Releases
) -> PatchTrialRecord:
    """Try a series, or find what an earlier run found with the same commit and patches.

    ``fetch`` has a pin here, as `fetch_pinned` does. A ref is looked up and fetched first; raises
    UserError when there is no such ref or it cannot be had, or when a file of the series is no `git
    format-patch` file. A patch that does not apply raises nothing.
    """
    known = None
    if spec.ref is not None:
        ref, spec = spec.ref, _fetched(spec, layout, running, releases)
        known = layout.stamp(spec.kind, spec.repo, spec.key)
        if known.is_file():
            running.say(f"{ref} is where it was tried before")
            return PatchTrialRecord.read(known).model_copy(update={"ref": ref})
    with scratch_in(layout.cache / "patches") as scratch:
        record = _tried(spec, layout, fetch, scratch, running)
    if known is not None:
        record.write(known)  # so that it is found while the ref stays where it is
    return record


def _fetched(
    spec: PatchTrialSpec, layout: Layout, running: Job, releases: Releases
) -> PatchTrialSpec:
    """The trial on what its ref stands for now: a release, or a commit that the mirror has then."""
    pin, ref, no_release = spec.pin, spec.ref, ""
    assert ref is not None
    try:
        if not isinstance(pin, GitPin):
            no_release = f"{pin.name} has no release {ref} on the package index"
            try:
                if sha256 := releases(pin, ref):
                    return spec.on_release(sha256)
            except UserError as error:
                no_release = str(error)
            if spec.otherwise is None:
                raise UserError(no_release)
            spec = spec.otherwise
            pin = spec.pin
        assert isinstance(pin, GitPin)
        if spec.moves:
            spec = spec.at(look_up(layout, spec.repo, pin.url, ref, running))
        commit = spec.pin.commit
        assert commit is not None
        ensure_commit(layout, spec.repo, pin.url, commit, pin.submodules, running)
    except UserError as error:
        both = f"{no_release}, and " if no_release and str(error) != no_release else ""
        raise UserError(f"patch_report.refs.{spec.repo}: {both}{error}") from None
    return spec


def served(index: PackageIndex, pin: ReleasePin, version: str) -> str | None:
    """The sha256 of a version of a pin's package, as the index says; None where it has none."""
    page = index.pages([pin.name])[canonicalize_name(pin.name)]
    files = sorted(page.of(version), key=lambda file: file.name)
    return next((file.sha256 for file in files if file.kind == pin.kind and file.sha256), None)


def _tried(
    spec: PatchTrialSpec, layout: Layout, fetch: Fetch, scratch: Path, running: Job
) -> PatchTrialRecord:
    tree = scratch / "tree"
    base, problem = _lay_out(spec, layout, fetch(spec), tree)
    made_on = [spec.written_for] if spec.written_for is not None else []
    with Earlier(made_on, layout, fetch, running) as earlier:
        patches = _try_series(tree, spec.patches, earlier, running)
    place = spec.ref or "the pin"
    for tried in patches:
        running.say(f"{tried.patch.name} on {place}: {tried.verdict}")
    return PatchTrialRecord(
        key=spec.key,
        repo=spec.repo,
        origin=spec.origin,
        version=spec.version,
        pin=public_pin(spec.pin),
        ref=spec.ref,
        tree=base,
        problem=problem,
        patches=patches,
    )


def _lay_out(
    spec: PinnedSpec, layout: Layout, archive: Path | None, tree: Path
) -> tuple[str, str | None]:
    """Lay out what a series is applied to; returns the tree id, and why the version is not set."""
    problem = None
    make_base(spec, layout, archive, tree)
    try:
        commit_version(spec, tree)
    except UserError as error:
        problem = str(error)
        _put_back(tree, "HEAD")
    return run_git(["rev-parse", "HEAD^{tree}"], tree), problem


def _try_series(
    tree: Path, series: tuple[Path, ...], earlier: Iterable[Path], running: Job
) -> tuple[TriedPatch, ...]:
    """Try patches in order; the checkout ends with those that applied."""
    tried: list[TriedPatch] = []
    without: list[str] = []
    for path in series:
        outcome = try_patch(tree, path, earlier, running).model_copy(
            update={"without": tuple(without)}
        )
        if outcome.verdict == "conflict" and outcome.three_way != "resolves":
            without.append(path.name)
        tried.append(outcome)
    return tuple(tried)


def try_patch(tree: Path, path: Path, earlier: Iterable[Path], running: Job) -> TriedPatch:
    """Try one patch on a checkout, and leave it applied, as a commit, where it can be.

    ``earlier`` are repositories with the files that it was made from, as far as the checkout's own
    lacks them.
    """
    patch, before, refused = details(path), run_git(["rev-parse", "HEAD"], tree), ""
    # as git reads it out of its mail, which it may be encoded in
    plain = tree.resolve().with_name("diff")
    plain.write_bytes(diff(path.read_bytes()))
    forward, backward = _check(tree, plain, running), _check(tree, plain, running, "--reverse")
    # content that occurs twice may have room for a patch that is in already: what fits at its
    # own lines tells more than what fits elsewhere
    if forward is not None and not (forward and backward == ()):
        try:
            apply_patches(tree, [path])
        except CommandError as error:
            running.note("\n".join(error.tail))
            refused = said_by_git(error)
            _put_back(tree, before)
        else:
            # a change of mode that is in already applies, and changes nothing
            if _same_tree(tree, before):
                _put_back(tree, before)
                return TriedPatch(patch=patch, verdict="upstream")
            verdict: Verdict = "offsets" if forward else "clean"
            return TriedPatch(patch=patch, verdict=verdict, offsets=forward)
    if backward is not None:
        return TriedPatch(patch=patch, verdict="upstream")
    conflicts = _find_conflicts(tree, path, plain, running)
    _put_back(tree, before)
    # a three-way merge needs the files that the patches were made from
    borrowed = [str((lender / ".git" / "objects").resolve()) for lender in earlier]
    (tree / ".git" / "objects" / "info" / "alternates").write_text("\n".join([*borrowed, ""]))
    three_way = _merge(tree, path, before, running)
    # git makes no commit where the merge finds that all is there already
    if three_way == "resolves" and _same_tree(tree, before):
        return TriedPatch(patch=patch, verdict="upstream")
    return TriedPatch(
        patch=patch,
        verdict="conflict",
        conflicts=conflicts or (Conflict(file=path.name, reason=refused),),
        three_way=three_way,
    )


def _check(tree: Path, plain: Path, running: Job, *options: str) -> tuple[Offset, ...] | None:
    """The hunks that apply elsewhere than at their own lines; None when the patch does not fit."""
    fits, lines = _apply(tree, plain, running, "--verbose", *options)
    if not fits:
        return None
    offsets, file = [], ""
    for line in lines:
        if named := re.fullmatch(r"Checking patch (?:.* => )?(.*)\.\.\.", line):
            file = named[1]
        elif moved := re.fullmatch(r"Hunk #(\d+) succeeded at \d+ \(offset (-?\d+) .*", line):
            offsets.append(Offset(file=file, hunk=int(moved[1]), lines=int(moved[2])))
    return tuple(offsets)


def _find_conflicts(tree: Path, path: Path, plain: Path, running: Job) -> tuple[Conflict, ...]:
    """The files that stand in a patch's way; leaves the checkout half patched."""
    _, lines = _apply(tree, plain, running)
    reasons: dict[str, str] = {}
    told = ""
    for line in (line.removeprefix("error: ") for line in lines if line.startswith("error: ")):
        named = re.fullmatch(r"(?!patch failed: )(.+): ([^:]+)", line)
        if named:
            reasons.setdefault(named[1], told or named[2])
        # of a binary file, the reason stands before the line that names the file
        told = "" if named or line.startswith("patch failed: ") else line
    hunks = apply_what_fits(tree, path)
    return tuple(
        Conflict(
            file=file,
            reason=reason,
            hunks=tuple(re.split(r"^(?=@@ )", hunks[file], flags=re.MULTILINE)[1:])
            if file in hunks
            else (),
        )
        for file, reason in reasons.items()
    )


def _merge(tree: Path, path: Path, before: str, running: Job) -> ThreeWay:
    """Apply a patch by a three-way merge, or leave the checkout as it was."""
    try:
        apply_patches(tree, [path], three_way=True)
    except CommandError as error:
        running.note("\n".join(error.tail))
        _put_back(tree, before)
        begun = any("Failed to merge in the changes" in line for line in error.tail)
        return "conflicts" if begun else "impossible"
    return "resolves"


def _apply(tree: Path, path: Path, running: Job, *options: str) -> tuple[bool, list[str]]:
    """Whether a diff fits, and what git says of it; nothing is changed."""
    lines: list[str] = []
    try:
        running.run(
            ["git", "apply", "--check", "--index", *options, path],
            cwd=tree,
            env=isolated_environment(),
            watch=lambda line: lines.append(line.rstrip("\n")),
        )
    except CommandError:
        return False, lines
    return True, lines


def _same_tree(tree: Path, commit: str) -> bool:
    trees = run_git(["rev-parse", f"{commit}^{{tree}}", "HEAD^{tree}"], tree).split()
    return trees[0] == trees[1]


def _put_back(tree: Path, commit: str) -> None:
    """Put a checkout back to a commit, with no file beside, and no patch half applied."""
    shutil.rmtree(tree / ".git" / "rebase-apply", ignore_errors=True)
    run_git(["reset", "--quiet", "--hard", commit], tree)
    run_git(["clean", "--quiet", "-ffdx"], tree)
