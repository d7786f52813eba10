"""The package index that this machine is set to, for tools that read other settings.

pip and uv know different variables and files. A machine that is set up for one of them should
do, so what pip knows is handed to uv where uv itself was told nothing.
"""

import configparser
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_UV_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_DROPPED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHON_GIL", "PYTHONSTARTUP")


def pip_setting(name: str) -> str | None:
    """A global setting of pip (`index-url`, `cert`): from its variable, else its files."""
    if value := os.environ.get(f"PIP_{name.upper().replace('-', '_')}"):
        return value
    files = [
        Path("/etc/pip.conf"),
        Path.home() / ".pip" / "pip.conf",
        Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]
    parser = configparser.RawConfigParser()
    parser.read([*files, os.environ.get("PIP_CONFIG_FILE", os.devnull)])
    return parser.get("global", name, fallback=None)


def index_url() -> str | None:
    """The default package index, as uv's or pip's settings have it; None for the public one."""
    for name in _UV_INDEX:
        if value := os.environ.get(name):
            return value
    return pip_setting("index-url")


def ca_bundle() -> str | None:
    """The file of certificate authorities that this machine's tools are set to, if any."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        if value := os.environ.get(name):
            return value
    return pip_setting("cert")


def index_environment() -> dict[str, str]:
    """The user's environment for uv, with pip's index and certificates where uv has none."""
    variables = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    if (url := index_url()) and not any(name in variables for name in _UV_INDEX):
        variables["UV_DEFAULT_INDEX"] = url
    if bundle := ca_bundle():
        variables.setdefault("SSL_CERT_FILE", bundle)
    return variables


def public_address(url: str) -> str:
    """An index's address without the name and password that it may hold, for records and keys."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


TORCH_PACKAGES = ("torch", "torchaudio", "torchvision")
"""What an index for torch may serve in a build of its own, as `2.11.0+cpu`."""
