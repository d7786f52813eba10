"""The commit that a release says it was made from, where it says so."""

import re
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.config.repos import ReleasePin

# By the files of a project that tell: what setuptools-scm, versioneer, `git archive` (by
# export-subst) and `cargo package` write. The first of them names a commit by its first digits.
_TOLD = {
    ".git_archival.txt": r"^node: *([0-9a-f]{40})\s*$",
    ".cargo_vcs_info.json": r'"sha1": *"([0-9a-f]{40})"',
    **dict.fromkeys(
        ("_version.py", "*/_version.py", "src/*/_version.py"),
        r"""^__commit_id__\b.*['"]g([0-9a-f]{7,40})['"]|"full-revisionid": *"([0-9a-f]{40})\"""",
    ),
}


def stated_commits(tree: Path, subdirectory: str = ".") -> dict[str, str]:
    """What a release's files say of its commit, or of its first digits, by their paths.

    The files of the project that lies in ``subdirectory`` are asked, too.
    """
    found = {}
    for folder in dict.fromkeys((tree, tree / subdirectory)):
        for pattern, telling in _TOLD.items():
            for file in sorted(folder.glob(pattern)):
                text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
                if match := re.search(telling, text, re.MULTILINE):
                    found[file.relative_to(tree).as_posix()] = match[match.lastindex or 0]
    return found


def refuse_other_commit(repo: str, pin: ReleasePin, tree: Path) -> None:
    """Raise UserError where a release says that it was made from another commit than its pin.

    One that says nothing is taken by the pin's word.
    """
    if pin.commit is None:
        return
    said = stated_commits(tree, pin.subdirectory)
    if said and not any(pin.commit.startswith(commit) for commit in said.values()):
        file, commit = next(iter(said.items()))
        raise UserError(
            f"repos.{repo}.release.commit is {pin.commit}, and {pin.name} {pin.version} says in "
            f"{file} that it was made from {commit}: give the whole id of that commit, or leave "
            "the key out"
        )
