"""Mirrors: one bare git repository for each repo, into which pinned commits are fetched whole.

Each pin is fetched at depth 1 with all its files (and, where asked, its submodules' into mirrors
of their own), so that everything after this job runs offline; what is there is never fetched
again, and a mirror is never deleted by a run. Only here may git see the user's configuration:
credentials, proxies and insteadOf belong to fetching.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from git import Git, GitCommandError

from snakedev.base import file_lock
from snakedev.base.errors import UserError
from snakedev.base.git import feed_git, run_git, said_by_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.base.records import Record
from snakedev.base.retry import retried
from snakedev.fetch.indexes import public_address
from snakedev.store.layout import Layout

_Result = TypeVar("_Result")
Submodules = bool | Sequence[str]
"""Whether all of a commit's submodules are wanted, with theirs, or the paths of those that are."""
_TRIES = 4
# What git says when trying again cannot help.
_FINAL = re.compile(
    r"not our ref|couldn't find remote ref|unadvertised object|Repository not found|"
    r"does not appear to be a git repository|Authentication failed|Permission denied|"
    r"terminal prompts disabled|support shallow",
    re.IGNORECASE,
)
# What it says of servers that give whole branches only: plain files, and those set up to.
_ALL_OR_NOTHING = re.compile(r"unadvertised object|support shallow", re.IGNORECASE)


class MirrorRecord(Record):
    """A pinned commit that is there, and the mirrors that hold it and its submodules."""

    commit: str
    mirrors: tuple[Path, ...]


class _Final(Exception):
    """A request that failed for good; its text is git's reason."""


def ensure_commit(
    layout: Layout, repo: str, url: str, commit: str, submodules: Submodules, running: Job
) -> list[Path]:
    """Have a commit, whole, in the repo's mirror; returns the mirrors used, the repo's own first.

    Raises UserError that names the URL, the commit and git's reason when it cannot be had, or the
    path at which it has no submodule.
    """
    path = layout.mirror(repo)
    mirrors = [path]
    with _held(path):
        if _is_whole(path, commit):
            running.note(f"{commit} is in {path}")
        else:
            running.say(f"fetching {commit[:12]} from {public_address(url)}")
            _fetch(path, url, commit, running)
        for name, address, pinned in wanted_links(path, commit, url, submodules):
            inner = submodule(repo, name)
            mirrors += ensure_commit(layout, inner, address, pinned, True, running)
    return mirrors


def look_up(layout: Layout, repo: str, url: str, ref: str, running: Job) -> str:
    """The commit that a branch, a tag or a full ref name stands for upstream, at this moment.

    Of a tag and a branch of one name the tag counts. Raises UserError as `refs_of`, or for none.
    """
    known = refs_of(layout, repo, url, ref, running)
    for name in (ref, f"refs/tags/{ref}", f"refs/heads/{ref}"):
        if commit := known.get(name):
            return commit
    names = [re.sub(r"^refs/(heads|tags)/", "", name) for name in known]
    close = get_close_matches(ref, names, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "give one of upstream's, or a full commit"
    raise UserError(f"{public_address(url)} has no branch or tag '{ref}': {hint}")


def refs_of(layout: Layout, repo: str, url: str, what: str, running: Job) -> dict[str, str]:
    """The commits of all refs that upstream has at this moment, by full name.

    Raises UserError, with ``what`` is looked for and git's reason, where it cannot be asked.
    """
    with _held(path := layout.mirror(repo)):
        running.say(f"looking up {what} at {public_address(url)}")
        try:
            listed = _request(lambda: str(_asking(path, url).ls_remote("origin")), running)
        except (ConnectionError, _Final) as error:
            raise UserError(f"cannot look up {what} at {public_address(url)}: {error}") from None
    rows = (row.split("\t") for row in listed.splitlines())
    # what an annotated tag points at stands under its name with ^{}, behind it
    return {name.removesuffix("^{}"): commit for commit, name in rows}


def submodule(repo: str, path: str) -> str:
    """What the mirror of a repo's submodule goes by."""
    return f"{repo}.{re.sub(r'[^A-Za-z0-9]+', '-', path)}"


def wanted_links(
    mirror: Path, commit: str, url: str, submodules: Submodules
) -> list[tuple[str, str, str]]:
    """Those of a commit's submodules that a pin asks for, as `links` gives them.

    Raises UserError for a path at which there is none, and as `links`.
    """
    if not submodules:
        return []
    there = _gitlinks(mirror, commit)
    wanted = list(there) if submodules is True else list(submodules)
    for path in wanted:
        if path not in there:
            raise UserError(
                f"{public_address(url)} at {commit[:12]} has no submodule {path}, which "
                f"git.submodules names: it has {', '.join(there) or 'none'}"
            )
    return links(mirror, commit, url, wanted)


def links(
    mirror: Path, commit: str, url: str, wanted: Sequence[str] | None = None
) -> list[tuple[str, str, str]]:
    """A commit's submodules, or those at the paths ``wanted``: path, address and pinned commit.

    An address relative to the repository's own is resolved. Raises UserError for a gitlink that
    .gitmodules does not describe.
    """
    there = _gitlinks(mirror, commit)
    pinned = {path: there[path] for path in (there if wanted is None else wanted)}
    if not pinned:
        return []
    described = ""
    if run_git(["ls-tree", commit, ".gitmodules"], mirror):
        described = run_git(["cat-file", "blob", f"{commit}:.gitmodules"], mirror)
    found = _addresses(url, described, pinned)
    for path in pinned:
        if path not in found:
            raise UserError(
                f"{public_address(url)} at {commit[:12]}: .gitmodules gives no url for {path}: "
                f"list the submodules that are needed in git.submodules"
            )
    return [(path, found[path], pinned[path]) for path in pinned]


def _gitlinks(mirror: Path, commit: str) -> dict[str, str]:
    """The commits that a commit has at paths in place of files."""
    rows = run_git(["ls-tree", "-r", "-z", commit], mirror).split("\0")
    return {row.split("\t")[1]: row.split()[2] for row in rows if row.startswith("160000")}


def _addresses(url: str, described: str, pinned: Mapping[str, str]) -> dict[str, str]:
    """The addresses of submodules by path, as git resolves them for a clone from ``url``."""
    with TemporaryDirectory(prefix="snakedev-submodules-") as name:
        folder = Path(name).resolve()
        run_git(["init", "--quiet"], folder)
        (folder / ".gitmodules").write_text(described, encoding="utf-8")
        listed = run_git(["config", "--file", ".gitmodules", "--list", "-z"], folder)
        settings = dict(entry.split("\n", 1) for entry in listed.split("\0") if "\n" in entry)
        names = {v: k.removesuffix(".path") for k, v in settings.items() if k.endswith(".path")}
        paths = [path for path in pinned if f"{names.get(path)}.url" in settings]
        rows = "".join(f"160000 {pinned[path]}\t{path}\0" for path in paths)
        feed_git(["update-index", "-z", "--index-info"], folder, rows.encode())
        run_git(["config", "remote.origin.url", url], folder)
        try:
            run_git(["submodule", "--quiet", "init"], folder)
        except CommandError as error:
            why = said_by_git(error)
            raise UserError(f"{public_address(url)}: its .gitmodules: {why}") from None
        return {path: run_git(["config", f"{names[path]}.url"], folder) for path in paths}


def ref_of(commit: str) -> str:
    """The ref that keeps a fetched pin; it is made only when the fetch was complete."""
    return f"refs/pins/{commit}"


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a mirror's lock, with the mirror made."""
    with file_lock.held(path.with_suffix(".lock")):
        _sweep(path)
        run_git(["init", "--quiet", "--bare", path.resolve()], path.parent)
        run_git(["config", "gc.auto", "0"], path)
        if "url =" in (path / "config").read_text(encoding="utf-8"):
            # an address may hold a password
            run_git(["config", "--remove-section", "remote.origin"], path)
        yield


def _sweep(mirror: Path) -> None:
    """Remove what a killed git left in a mirror whose lock is held."""
    for pattern in ("*.lock", "refs/pins/*.lock", "objects/*/tmp_*"):
        for stale in mirror.glob(pattern):
            stale.unlink()


def _is_whole(mirror: Path, commit: str) -> bool:
    return bool(run_git(["for-each-ref", ref_of(commit)], mirror))


def _fetch(mirror: Path, url: str, commit: str, running: Job) -> None:
    git, wanted = _asking(mirror, url), f"+{commit}:{ref_of(commit)}"
    try:
        with running.telling_size(mirror):
            try:
                _ask(git, mirror, [wanted], running, depth=1)
            except _Final as error:
                if not _ALL_OR_NOTHING.search(str(error)):
                    raise
                running.say(f"it gives no single commit ({error}): fetching all of it")
                _fetch_all(git, mirror, commit, running)
    except (ConnectionError, _Final) as error:
        raise UserError(
            f"cannot fetch commit {commit} from {public_address(url)}: {error}"
        ) from None


def _fetch_all(git: Git, mirror: Path, commit: str, running: Job) -> None:
    """Fetch what all branches and tags lead to, which is kept, and take a commit from that."""
    refs = [f"+refs/{kind}/*:refs/upstream/{kind}/*" for kind in ("heads", "tags")]
    _ask(git, mirror, refs, running, prune=True, unshallow=(mirror / "shallow").exists())
    try:
        run_git(["update-ref", ref_of(commit), f"{commit}^{{commit}}"], mirror)
    except CommandError:
        raise _Final("no branch or tag of it leads to that commit") from None


def _ask(git: Git, mirror: Path, refs: Sequence[str], running: Job, **options: bool | int) -> None:
    """Fetch refs; raises as _request."""

    def once() -> None:
        _sweep(mirror)
        git.fetch("origin", *refs, no_tags=True, force=True, **options)

    _request(once, running)


def _asking(mirror: Path, url: str) -> Git:
    """Git as the user has set it up, at work in a mirror whose `origin` is at an address.

    The address may hold a password: it stands in no file and on no command line of ours.
    """
    git, others = Git(mirror), int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    git.update_environment(
        **{
            "GIT_CONFIG_COUNT": str(others + 1),
            f"GIT_CONFIG_KEY_{others}": "remote.origin.url",
            f"GIT_CONFIG_VALUE_{others}": url,
        }
    )
    # git's variables of a hook that runs this would lead to the hook's repository
    git.update_environment(GIT_DIR=str(mirror.resolve()), GIT_TERMINAL_PROMPT="0", LC_ALL="C")
    return git


def _request(request: Callable[[], _Result], running: Job) -> _Result:
    """Do something with the remote, again where that can help.

    Raises _Final or ConnectionError with git's reason.
    """

    def once() -> _Result:
        try:
            return request()
        except GitCommandError as error:
            reason = _reason(error)
            if _FINAL.search(reason):
                raise _Final(reason) from None
            raise ConnectionError(reason) from None

    return retried(
        once,
        running,
        tries=_TRIES,
        may_pass=lambda error: isinstance(error, ConnectionError),
        told=str,
    )


def _reason(error: GitCommandError) -> str:
    """The line of git's output that says most: its last one often says just that it failed."""
    lines = [line.strip("' ").removeprefix("stderr: '") for line in str(error.stderr).splitlines()]
    telling = [line for line in lines if _FINAL.search(line)]
    failed = [line for line in lines if "fatal:" in line or "error:" in line]
    line = next(iter((telling or failed)[-1:]), f"git ended with {error.status}")
    return re.sub(r"^(fatal|error): ", "", line, flags=re.IGNORECASE)
