"""Git with the user's and the system's configuration left out.

Only fetching may see the user's configuration (credentials, insteadOf); everything that makes
commits or trees must give the same result for everybody.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from snakedev.base.job import scrubbed
from snakedev.base.process import CommandError, output

_SETTINGS = {
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.eol": "lf",
    "core.hooksPath": "/dev/null",
    "core.fileMode": "true",
    "core.symlinks": "true",
    # names that only another system takes for .git
    "core.protectNTFS": "false",
    "core.protectHFS": "false",
    "core.excludesFile": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.whitespace": "",
    "apply.whitespace": "nowarn",
    "commit.gpgSign": "false",
    "init.defaultBranch": "main",
    "gc.auto": "0",
    "advice.detachedHead": "false",
    "safe.directory": "*",
}


def isolated_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which git sees no configuration but the fixed settings, and no network."""
    variables = {
        **scrubbed(("PATH", "HOME", "TMPDIR", "LANG"), os.environ),
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
    }
    for number, (key, value) in enumerate(_SETTINGS.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return {**variables, **(extra or {})}


def said_by_git(error: CommandError) -> str:
    """Why a git command failed: its lines that say so, else the last one, in one line."""
    lines = [line.strip() for line in error.tail if line.strip()]
    telling = [line for line in lines if re.match("(error|fatal): ", line)]
    reasons = [re.sub("^(error|fatal): ", "", line) for line in telling or lines[-1:]]
    return "; ".join(dict.fromkeys(reasons)) or str(error)


def _environment_at(cwd: Path, extra: Mapping[str, str] | None) -> dict[str, str]:
    # or git would find the repository that results/ lies in, where there is none at the place
    ceiling = {"GIT_CEILING_DIRECTORIES": str(cwd.resolve().parent)}
    return isolated_environment({**ceiling, **(extra or {})})


def run_git(
    arguments: Sequence[str | Path], cwd: Path, extra: Mapping[str, str] | None = None
) -> str:
    """What a git command in a repository prints; raises CommandError when it fails.

    The repository is at ``cwd`` or named in ``extra``.
    """
    return output(["git", *arguments], cwd=cwd, env=_environment_at(cwd, extra))


def check_objects(repository: Path) -> None:
    """Read all of a repository's objects; raises CommandError where one is damaged or missing."""
    run_git(["fsck", "--full", "--no-dangling", "--no-progress"], repository)


def feed_git(
    arguments: Sequence[str | Path],
    cwd: Path,
    given: bytes,
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """What a git command makes of its input; raises CommandError when it fails."""
    words = ["git", *map(str, arguments)]
    environment = _environment_at(cwd, extra)
    done = subprocess.run(words, cwd=cwd, env=environment, input=given, capture_output=True)
    if done.returncode != 0:
        tail = done.stderr.decode(errors="replace").splitlines()
        raise CommandError(words, done.returncode, tail)
    return done.stdout
