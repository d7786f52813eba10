"""Running uv: which program, with which settings of the user's, and what its failures mean."""

import os
import re
import tomllib
from collections.abc import Callable, Sequence
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
    r"error sending request|failed to fetch|dns error|connection (refused|reset)|timed? ?out"
    r"|request failed after|network connectivity is disabled",
    re.IGNORECASE,
)


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
        said = [line.strip() for line in error.tail]
        if any(_NO_ANSWER.search(line) for line in said):
            first = next(line for line in said if line)
            raise UserError(
                f"{what}: a package index did not answer ({first.removeprefix('error: ')}): check "
                f"the network and the index that uv or pip are set to, then run the same again"
            ) from None
        raise


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
    if "UV_DEFAULT_INDEX" not in os.environ and _configured_index():
        variables.pop("UV_DEFAULT_INDEX", None)  # uv's own file counts more than pip's settings
    if torch_index is not None:
        variables["UV_INDEX"] = f"{torch_index} {variables.get('UV_INDEX', '')}".strip()
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return variables


def _configured_index() -> bool:
    """Whether a configuration file of uv (the user's or the machine's) sets the default index."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for file in (home / "uv" / "uv.toml", Path("/etc/uv/uv.toml")):
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError):
            continue
        for table in (settings, settings.get("pip", {})):
            named = table.get("index", [])
            if "index-url" in table or any(index.get("default") for index in named):
                return True
    return False
