"""The package indexes that this machine is set to, for tools that read other settings.

pip and uv know different variables and files. A machine that is set up for one of them should
do, so what pip knows is handed to uv where uv itself was told nothing. For a uv that is not run
from here `python -m snakedev.fetch.indexes UV ARGUMENT...` does so, without any package.
"""

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from snakedev.base.errors import UserError

_UV_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_UV_EXTRA = ("UV_INDEX", "UV_EXTRA_INDEX_URL")
_DROPPED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHON_GIL", "PYTHONSTARTUP")
# pip's sections, the more special one first
_PIP_SECTIONS = ("download", "install", "global")
_NAMED = re.compile(r"([A-Za-z0-9._-]+)=(.+)")


def pip_setting(name: str) -> str | None:
    """A setting of pip (`index-url`, `cert`): from its variable, else its files."""
    if value := os.environ.get(f"PIP_{name.upper().replace('-', '_')}"):
        return value
    own = os.environ.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:  # pip's way to be told of no file
        return None
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    files = [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        Path.home() / ".pip" / "pip.conf",
        config / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]
    parser = configparser.RawConfigParser()
    parser.optionxform = _spelt  # type: ignore[method-assign]
    try:
        parser.read([*files, own] if own else files, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UserError(f"the settings of pip cannot be read: {error}".replace("\n", " ")) from None
    return next((v for s in _PIP_SECTIONS if (v := parser.get(s, name, fallback=None))), None)


def _spelt(optionstr: str) -> str:
    """A key as pip spells it."""
    return optionstr.lower().replace("_", "-")


def uv_settings() -> Iterator[dict[str, Any]]:
    """What uv's files say, and their `pip` tables: the project's, the user's, the machine's."""
    if own := os.environ.get("UV_CONFIG_FILE"):
        files = [Path(own)]
    else:
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        files = [*_project_file(), home / "uv" / "uv.toml", Path("/etc/uv/uv.toml")]
    for file in files:
        settings = _toml(file)
        if file.name == "pyproject.toml":
            settings = settings.get("tool", {}).get("uv", {})
        yield settings.get("pip", {})
        yield settings


def _project_file() -> list[Path]:
    """The nearest uv.toml or pyproject.toml with a table of uv's, of this folder or those above."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "uv.toml").is_file():
            return [folder / "uv.toml"]
        if "uv" in _toml(folder / "pyproject.toml").get("tool", {}):
            return [folder / "pyproject.toml"]
    return []


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}  # uv itself says what is wrong with it


def configured_index() -> str | None:
    """The default index that a file of uv names."""
    for settings in uv_settings():
        for index in settings.get("index", []):
            if index.get("default"):
                return _with_credentials(index.get("url", ""), index.get("name"))
        if url := settings.get("index-url"):
            return str(url)
    return None


def index_url() -> str | None:
    """The default package index, as uv's or pip's settings have it; None for the public one.

    With the name and password that UV_INDEX_NAME_USERNAME and _PASSWORD have for it.
    """
    for name in _UV_INDEX:
        if value := os.environ.get(name):
            return _address(value)
    return configured_index() or pip_setting("index-url")


def extra_indexes() -> list[str]:
    """The indexes besides the default one that uv and pip are set to, with their credentials."""
    found = [_address(word) for name in _UV_EXTRA for word in os.environ.get(name, "").split()]
    for settings in uv_settings():
        found += [
            _with_credentials(index["url"], index.get("name"))
            for index in settings.get("index", [])
            if "url" in index and not index.get("default") and not index.get("explicit")
        ]
        found += map(str, settings.get("extra-index-url", []))
    return list(dict.fromkeys([*found, *(pip_setting("extra-index-url") or "").split()]))


def found_links() -> list[str]:
    """Folders and pages with links to packages that uv and pip are set to look at."""
    found = [one for one in os.environ.get("UV_FIND_LINKS", "").split(",") if one]
    for settings in uv_settings():
        found += map(str, settings.get("find-links", []))
    return list(dict.fromkeys([*found, *(pip_setting("find-links") or "").split()]))


def _address(text: str) -> str:
    """The address in a variable of uv, which may have a name: `NAME=URL`."""
    named = _NAMED.fullmatch(text)
    return _with_credentials(named[2], named[1]) if named and "://" not in named[1] else text


def _with_credentials(url: str, name: str | None) -> str:
    """A named index's address with what uv's variables for that name hold."""
    if name is None:
        return url
    variable = f"UV_INDEX_{re.sub('[^A-Z0-9]', '_', name.upper())}"
    user = os.environ.get(f"{variable}_USERNAME", "")
    password = os.environ.get(f"{variable}_PASSWORD", "")
    if not user and not password:
        return url
    parts = urlsplit(url)
    secret = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{secret}@{parts.netloc.rpartition('@')[2]}"))


def ca_bundle() -> str | None:
    """The file of certificate authorities that this machine's tools are set to, if any."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        if value := os.environ.get(name):
            return value
    return pip_setting("cert")


def index_environment() -> dict[str, str]:
    """The user's environment for uv, with pip's indexes and certificates where uv has none."""
    variables = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    if not any(name in variables for name in _UV_INDEX) and configured_index() is None:
        if url := pip_setting("index-url"):
            variables["UV_DEFAULT_INDEX"] = url
        extra = pip_setting("extra-index-url")
        if extra and not any(name in variables for name in _UV_EXTRA):
            # to pip all indexes are alike
            variables["UV_EXTRA_INDEX_URL"] = " ".join(extra.split())
            variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if bundle := ca_bundle():
        variables.setdefault("SSL_CERT_FILE", bundle)
    return variables


def public_address(url: str) -> str:
    """An index's address without the name and password that it may hold, for records and keys."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def credentials_in(url: str) -> tuple[str, str] | None:
    """The name and password that an address holds."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


TORCH_PACKAGES = ("torch", "torchaudio", "torchvision")
"""What an index for torch may serve in a build of its own, as `2.11.0+cpu`."""


if __name__ == "__main__":
    try:
        os.execve(sys.argv[1], sys.argv[1:], index_environment())
    except UserError as error:
        sys.exit(str(error))
