"""Running uv: which program, with which settings of the user's, and what its failures mean."""

import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

from uv import find_uv_bin

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.fetch.indexes import index_environment

# Of the user's variables for uv, those that say where packages come from and how they are
# fetched. The others could change what is chosen, and with it what a lock means.
_KEPT = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_.+|EXTRA_INDEX_URL|FIND_LINKS|CACHE_DIR|LINK_MODE|HTTP_.+"
    r"|REQUEST_TIMEOUT|CONCURRENT_.+|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|KEYRING_PROVIDER"
    r"|OFFLINE|CONFIG_FILE)"
)
_NO_ANSWER = re.compile(
    r"error sending request|failed to fetch|dns error|timed? ?out"
    r"|connection (refused|reset)|request failed after|HTTP status (client|server) error",
    re.IGNORECASE,
)
# What uv adds where it found no solution since an index was not read.
_NOT_READ = re.compile(r"401 Unauthorized|403 Forbidden|network (was|connectivity is) disabled")
_CAUSE = re.compile(r"(cause|caused by): ", re.IGNORECASE)
_ADDRESS = re.compile(r"\b\w+://(?:[^/\s@]*@)?([^/\s`')]+)[^\s`')]*")


def run_uv(
    what: str,
    arguments: Sequence[str | Path],
    running: Job,
    *,
    torch_index: str | None = None,
    watch: Callable[[str], None] | None = None,
) -> None:
    """Run uv into the job's log; ``what`` is what it does, for the error line.

    Raises UserError when an index does not answer (uv has tried again by itself by then), and
    CommandError for every other failure.
    """
    try:
        running.run([find_uv_bin(), *arguments], env=environment(torch_index), watch=watch)
    except CommandError as error:
        if why := _no_answer([line.strip() for line in error.tail]):
            raise UserError(
                f"{what}: a package index did not answer ({why}): check the network and the index "
                "that uv or pip are set to, then run the same again"
            ) from None
        raise


def _no_answer(said: Sequence[str]) -> str | None:
    """Why an index did not answer, and which server's, if that is what uv says.

    The rest of an address may hold a token.
    """
    if hint := next((line for line in said if _NOT_READ.search(line)), None):
        return _ADDRESS.sub(r"\1", hint.removeprefix("hint: ").rstrip("."))
    first = next((n for n, line in enumerate(said) if _NO_ANSWER.search(line)), None)
    if first is None:
        return None
    told = [said[first], *takewhile(_CAUSE.match, said[first + 1 :])]
    server = next((found[1] for line in told if (found := _ADDRESS.search(line))), None)
    root = _CAUSE.sub("", told[-1], count=1).removeprefix("error: ")
    root = _ADDRESS.sub(r"\1", root)
    return f"{server}: {root}" if server and server not in root else root


def environment(torch_index: str | None = None) -> dict[str, str]:
    """The variables that uv sees: the user's own, less what would change a lock's meaning.

    ``torch_index`` is looked at besides the usual index, and the best version of both is taken,
    so that `torch==2.11.0` is that index's `2.11.0+cpu`. It is a variable and no argument
    because it may hold a password, and arguments are logged.
    """
    variables = {
        name: value
        for name, value in index_environment().items()
        if not name.startswith("UV_") or _KEPT.fullmatch(name)
    }
    # uv breaks the lines that say why at a terminal's width, and addresses are long
    variables["COLUMNS"] = "1000"
    if torch_index is not None:
        variables["UV_INDEX"] = f"{torch_index} {variables.get('UV_INDEX', '')}".strip()
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return variables
