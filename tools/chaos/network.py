"""A package index that cuts, cheats and sends in circles, and one that is not there."""

import hashlib
import io
import shutil
import ssl
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryDirectory

from snakedev.environments.locks import inputs_digest
from tests.unit.package_index import make_wheel
from tools.chaos.setting import LeftOut, Setting
from tools.chaos.subject import FILES, Broken, Subject

SDIST = "greeter-1.0.tar.gz"
_ALWAYS = 1 << 30
_SAID = ("did not answer", "sha256 is", "Failed to download")


class Index:
    """An index on loopback whose next transfers go wrong in one way."""

    def __init__(self, files: Mapping[str, bytes]):
        self.files, self.fault, self.left = files, "", 0

    @contextmanager
    def served(self, *, encrypted: bool = False) -> Iterator[str]:
        """Answer on a free port; yields the index's address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if encrypted:
            if shutil.which("openssl") is None:
                raise LeftOut("there is no openssl to make a certificate with")
            with TemporaryDirectory() as folder:
                own = ["-keyout", f"{folder}/key", "-out", f"{folder}/cert", "-subj", "/CN=nobody"]
                request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *own]
                subprocess.run(request, check=True, capture_output=True)
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(f"{folder}/cert", f"{folder}/key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            scheme = "https" if encrypted else "http"
            yield f"{scheme}://127.0.0.1:{server.server_port}/simple/"
        finally:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                if name in index.files:
                    fault = index.fault if index.left > 0 else ""
                    index.left -= 1
                    self.transfer(index.files[name], fault)
                else:
                    links = "".join(
                        f'<a href="/files/{name}#sha256={_sha256(data)}">{name}</a>\n'
                        for name, data in index.files.items()
                    )
                    self.reply(200, links.encode(), {"Content-Type": "text/html"})

            def transfer(self, data: bytes, fault: str) -> None:
                if fault in ("loop", "refuse"):
                    status = 302 if fault == "loop" else 503
                    self.reply(status, b"", {"Location": self.path})
                    return
                sent = {
                    "wrong": bytes(len(data)),
                    "short": data[: len(data) // 2],
                    "cut": data[: len(data) // 2],
                }.get(fault, data)
                self.reply(200, b"", {"Content-Length": str(len(data if fault == "cut" else sent))})
                for start in range(0, len(sent), 1 << 16):
                    self.wfile.write(sent[start : start + (1 << 16)])
                    time.sleep(0.1 if fault == "slow" else 0)

            def reply(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        return Handler


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A source distribution of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(f"greeter-1.0/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def take_release(subject: Subject, data: bytes) -> None:
    """Have a project make the greeter of a release with these contents."""
    release = {"name": "greeter", "version": "1.0", "sha256": _sha256(data)}
    subject.config["repos"]["greeter"] |= {"origin": "release", "release": release}


def use(subject: Subject, address: str) -> None:
    """Set a project's tools to an index."""
    none = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "UV_HTTP_RETRIES": "3"}
    subject.variables = {**subject.variables, **none, "UV_DEFAULT_INDEX": address}


def download_passing(setting: Setting) -> str:
    """A release's transfer goes wrong twice, and then well."""
    faults = ("cut", "slow", "refuse", "loop")
    return _download(setting, setting.random.choice(faults), 2)


def download_cut(setting: Setting) -> str:
    """Every transfer of a release is cut in the middle."""
    return _download(setting, "cut", _ALWAYS)


def download_wrong(setting: Setting) -> str:
    """A release has other bytes, of the right length."""
    return _download(setting, "wrong", _ALWAYS)


def download_short(setting: Setting) -> str:
    """A release is truncated, and the server says that this is all."""
    return _download(setting, "short", _ALWAYS)


def download_loop(setting: Setting) -> str:
    """A release's address leads to itself."""
    return _download(setting, "loop", _ALWAYS)


def download_tls(setting: Setting) -> str:
    """The index has a certificate that nobody vouches for."""
    return _download(setting, "", 0, encrypted=True)


def download_dns(setting: Setting) -> str:
    """The index's name is unknown."""
    return _download(setting, "", 0, address="http://index.invalid/simple/")


def _download(
    setting: Setting, fault: str, times: int, *, encrypted: bool = False, address: str = ""
) -> str:
    # larger than what is transferred at once
    data = archive({**FILES, "noise": setting.random.randbytes(3 << 20)})
    subject = setting.fresh()
    take_release(subject, data)
    return _try(subject, Index({SDIST: data}), fault, times, encrypted, address, "sources")


def package_passing(setting: Setting) -> str:
    """uv's transfer of a wheel goes wrong twice, and then well."""
    return _package(setting, setting.random.choice(("cut", "slow", "refuse")), 2)


def package_cut(setting: Setting) -> str:
    """uv's every transfer of a wheel is cut in the middle."""
    return _package(setting, "cut", _ALWAYS)


def package_wrong(setting: Setting) -> str:
    """uv gets a wheel with other bytes, of the right length."""
    return _package(setting, "wrong", _ALWAYS)


def package_tls(setting: Setting) -> str:
    """uv's index has a certificate that nobody vouches for."""
    return _package(setting, "", 0, encrypted=True)


def package_dns(setting: Setting) -> str:
    """The name of uv's index is unknown."""
    return _package(setting, "", 0, address="http://index.invalid/simple/")


def _package(
    setting: Setting, fault: str, times: int, *, encrypted: bool = False, address: str = ""
) -> str:
    subject = setting.finished()
    wheel = make_wheel(subject.folder.parent / "wheels", "tiny", "1.0")
    data = wheel.read_bytes()
    folder = subject.folder / "envs"
    (folder / "run-cpu.in").write_text("tiny\n")
    (folder / "run-cpu.lock").write_text(
        f"# inputs: {inputs_digest(folder, 'run-cpu', None)}\n"
        f"tiny==1.0 \\\n    --hash=sha256:{_sha256(data)}\n"
    )
    return _try(subject, Index({wheel.name: data}), fault, times, encrypted, address, "env_cpu")


def _try(
    subject: Subject,
    index: Index,
    fault: str,
    times: int,
    encrypted: bool,
    address: str,
    target: str,
) -> str:
    """Run with the fault, which may pass by itself, and then without it."""
    index.fault, index.left, said = fault, times, ""
    with index.served(encrypted=encrypted) as served:
        use(subject, address or served)
        if times == _ALWAYS or encrypted or address:
            first = subject.run(target)
            lines = [s for s in first.text.splitlines() if any(word in s for word in _SAID)]
            if first.code == 0 or not lines or "Traceback" in first.text:
                raise Broken(f"it was not said in a line:\n{first.text[-2500:]}")
            said = lines[-1][:150]
        elif (first := subject.run(target)).code != 0:
            raise Broken(f"a passing fault ended the run:\n{first.text[-2500:]}")
        index.left = 0
        if not encrypted:
            use(subject, served)
            subject.finishes(target)
    if encrypted:
        with index.served() as served:
            use(subject, served)
            subject.finishes(target)
    return f"{fault} {said}".strip()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
