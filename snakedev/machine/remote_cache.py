"""A compiler cache that machines share: how builds, which have no network, reach it.

ccache speaks with a folder or a socket file inside a build's sandbox. For a redis server elsewhere
a job listens on a socket file and hands all that comes on to the server.
"""

import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from snakedev.base.folders import for_sockets
from snakedev.base.job import Job

_CONNECT_SECONDS = 5.0
_PORT = 6379
"""Where redis listens where its address names no other."""


@contextmanager
def reached(url: str | None, running: Job) -> Iterator[str | None]:
    """While a build runs: what it has to give ccache as remote storage, for one at ``url``.

    A server that does not answer is said in the log; the build does without it.
    """
    parts = urlsplit(url or "")
    if parts.scheme != "redis" or parts.hostname is None:
        yield url
        return
    address = (parts.hostname, parts.port or _PORT)
    try:
        socket.create_connection(address, _CONNECT_SECONDS).close()
    except OSError as error:
        running.say(f"build.compiler_cache_remote: {url} does not answer ({error}): without it")
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="snakedev-cache-", dir=for_sockets()) as folder:
        path = Path(folder) / "redis"
        with _Forwarder(path, address) as forwarder:
            threading.Thread(target=forwarder.serve_forever, daemon=True).start()
            yield f"redis+unix:{path}{parts.path and f'?db={parts.path[1:]}'}"
            forwarder.shutdown()


class _Forwarder(socketserver.ThreadingUnixStreamServer):
    """Hands connections to a socket file on to a server elsewhere."""

    daemon_threads = True

    def __init__(self, path: Path, address: tuple[str, int]):
        self.address = address
        super().__init__(str(path), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    server: _Forwarder

    def handle(self) -> None:
        try:
            there = socket.create_connection(self.server.address, _CONNECT_SECONDS)
        except OSError:
            return  # ccache goes on without it
        with there:
            there.settimeout(None)
            answers = threading.Thread(target=_hand_on, args=(there, self.request), daemon=True)
            answers.start()
            _hand_on(self.request, there)
            answers.join()


def _hand_on(source: socket.socket, sink: socket.socket) -> None:
    """What comes from one side goes to the other, until it ends or either is gone."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
