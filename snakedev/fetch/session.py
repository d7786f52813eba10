"""Asking package indexes over HTTP the way that pip does: its credentials, proxies, certificates.

A name and password come from the address of an index that the machine is set to, for all that is
asked of the same server; else from netrc; else, once the server has refused, from the keyring.
They never reach a command line, and no text about a failure repeats an address.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth
from urllib3.exceptions import HTTPError

from snakedev.base.process import CommandError, output
from snakedev.fetch.indexes import (
    ca_bundle,
    credentials_in,
    pip_setting,
    public_address,
    uv_settings,
)

_KEYRING_SECONDS = 60


class IndexAuth(AuthBase):
    """The credentials for what is asked of the servers of some indexes."""

    def __init__(self, indexes: Sequence[str]):
        self._indexes = indexes

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url = request.url or ""
        known = self._configured(url)
        pair = known or get_netrc_auth(url)
        if pair is not None:
            HTTPBasicAuth(*pair)(request)
        if pair is None or not pair[1]:
            request.register_hook("response", partial(self._refused, known[0] if known else None))
        return request

    def _configured(self, url: str) -> tuple[str, str] | None:
        """What the index of this address says, else another index of the same server."""
        same = [index for index in self._indexes if _server(index) == _server(url)]
        same.sort(key=lambda index: url.startswith(public_address(index)), reverse=True)
        return next((pair for index in same if (pair := credentials_in(index))), None)

    def _refused(
        self, user: str | None, response: requests.Response, **options: Any
    ) -> requests.Response:
        """Ask once more with what the keyring has, where a server wants to know who asks."""
        request = response.request
        if response.status_code != requests.codes.unauthorized:
            return response
        pair = self._from_keyring(request.url or "", user)
        if pair is None:
            return response
        response.content  # noqa: B018  # the connection is free once all is read
        again = request.copy()
        again.hooks = {"response": []}
        HTTPBasicAuth(*pair)(again)
        return response.connection.send(again, **options)

    def _from_keyring(self, url: str, user: str | None) -> tuple[str, str] | None:
        program = shutil.which("keyring")
        if program is None or _keyring_provider() == "disabled":
            return None
        same = (public_address(index) for index in self._indexes if _server(index) == _server(url))
        for service in dict.fromkeys([*same, urlsplit(url).netloc]):
            how = ["get", service, user] if user else ["--mode", "creds", "get", service]
            try:
                said = output([program, *how], timeout=_KEYRING_SECONDS).splitlines()
            except (CommandError, OSError, subprocess.SubprocessError):
                continue
            if len(said) == (1 if user else 2):
                return (user or said[0], said[-1])
        return None


def session(indexes: Sequence[str]) -> requests.Session:
    """A session with this machine's credentials, proxies and certificates."""
    made = requests.Session()
    made.auth = IndexAuth(indexes)
    made.verify = ca_bundle() or True
    if proxy := pip_setting("proxy"):
        made.proxies = {"http": proxy, "https": proxy}
    return made


def reason(error: BaseException) -> str:
    """Why a request failed, in one line: the server's answer, or what broke it at the root.

    An address may hold a password or a token, so none is repeated but the server's name.
    """
    response = _response(error)
    if response is not None:
        status = f"HTTP status {response.status_code}"
        said = {
            401: "it wants a name and a password: put them into the index's address or netrc",
            403: "the name and password are not admitted",
            407: "the proxy wants a name and a password: put them into HTTPS_PROXY",
        }.get(response.status_code)
        return f"{status}: {said}" if said else status
    root = error
    for inner in _chain(error):
        root = inner
    text = getattr(root, "strerror", None) or str(root) or type(root).__name__
    text = without_addresses(str(text))
    if "SOCKS" in text:
        text += " HTTPS_PROXY or ALL_PROXY is a socks proxy: name an HTTP proxy, or install PySocks"
    host = _host(error)
    return f"{host}: {text}" if host else text


def without_addresses(text: str) -> str:
    """A text in one line, less the addresses in it, which may hold secrets."""
    return re.sub(r"'[^']*/[^']*'|\S*(://|@)\S*", "…", " ".join(text.split()))


def may_pass(error: BaseException) -> bool:
    """Whether a request may succeed when it is tried again."""
    response = _response(error)
    if response is not None:
        return response.status_code >= 500 or response.status_code in (408, 425, 429)
    if isinstance(error, ValueError) or "407" in reason(error):
        return False  # an address that is none, and a proxy that wants to know who asks
    return isinstance(error, (OSError, HTTPError))


def _response(error: BaseException) -> requests.Response | None:
    response = getattr(error, "response", None)
    return response if isinstance(response, requests.Response) else None


def _host(error: BaseException) -> str | None:
    """The server that was asked, where the error of requests or httpx knows."""
    try:
        return urlsplit(str(error.request.url)).hostname  # type: ignore[attr-defined]
    except (AttributeError, RuntimeError, ValueError):
        return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """What an error comes of, one after the other."""
    seen = [error]
    while True:
        error = seen[-1]
        inside = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
        inner = next((e for e in inside if isinstance(e, BaseException) and e not in seen), None)
        if inner is None:
            return
        seen.append(inner)
        yield inner


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2]


def _keyring_provider() -> str:
    """pip's or uv's setting; by default pip asks a keyring that is there."""
    own = os.environ.get("UV_KEYRING_PROVIDER")
    named = [own, *(settings.get("keyring-provider") for settings in uv_settings())]
    return next((str(one) for one in named if one), pip_setting("keyring-provider") or "auto")
