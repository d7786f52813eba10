"""As much of Kubernetes' API as `kubectl` asks for to create, look at and delete jobs.

No API server is in any package registry: this stands in for one. It keeps what it is asked, and
runs a job's command in namespaces of its own, as `tests.cluster` does.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_RESOURCE = {"name": "jobs", "singularName": "job", "namespaced": True, "kind": "Job"}
_VERBS = ["create", "delete", "get", "list"]
_GROUPS = {
    "kind": "APIGroupList",
    "apiVersion": "v1",
    "groups": [
        {
            "name": "batch",
            "versions": [{"groupVersion": "batch/v1", "version": "v1"}],
            "preferredVersion": {"groupVersion": "batch/v1", "version": "v1"},
        }
    ],
}
_DISCOVERY = {
    "/api": {"kind": "APIVersions", "versions": []},
    "/apis": _GROUPS,
    "/apis/batch/v1": {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "batch/v1",
        "resources": [_RESOURCE | {"verbs": _VERBS}],
    },
}
_CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "small",
    "contexts": [{"name": "small", "context": {"cluster": "small", "user": "small"}}],
    "users": [{"name": "small", "user": {}}],
}


class Kubernetes:
    """The server's state: jobs by name, as they were asked for, and the processes that run them."""

    def __init__(self, folder: Path, *, runs: bool = True):
        self.folder, self._runs = folder, runs
        self.jobs: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.log = folder / "pods.log"

    def create(self, job: dict[str, Any]) -> dict[str, Any]:
        """Take a job and begin it."""
        metadata = job["metadata"]
        metadata["name"] = metadata["generateName"] + str(len(self.jobs))
        metadata["namespace"] = "default"
        self.jobs[metadata["name"]] = job
        if self._runs:
            (container,) = job["spec"]["template"]["spec"]["containers"]
            unshare = ["unshare", "--user", "--map-root-user", "--mount", "--uts", "--net"]
            begin = 'hostname pod1; exec "$@"'
            with self.log.open("ab") as log:
                self.running[metadata["name"]] = subprocess.Popen(
                    [*unshare, "bash", "-c", begin, "bash", *container["command"]],
                    cwd=container["workingDir"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        return job

    def shown(self, name: str) -> dict[str, Any]:
        """A job with its state."""
        code = self.running[name].poll() if name in self.running else None
        kind = "Complete" if code == 0 else "Failed"
        conditions = [] if code is None else [{"type": kind, "status": "True"}]
        return self.jobs[name] | {"status": {"conditions": conditions}}

    @contextmanager
    def served(self) -> Iterator[Path]:
        """Serve on loopback; yields the file that KUBECONFIG names."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        config = _CONFIG | {"clusters": [{"name": "small", "cluster": {"server": address}}]}
        file = self.folder / "kubeconfig"
        file.write_text(json.dumps(config), encoding="utf-8")
        try:
            yield file
        finally:
            server.shutdown()
            for process in self.running.values():
                process.kill()


def _handler(cluster: Kubernetes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, _ = self.path.partition("?")
            name = path.rpartition("/jobs/")[2]
            if path in _DISCOVERY:
                self.answer(200, _DISCOVERY[path])
            elif name in cluster.jobs and name not in cluster.deleted:
                self.answer(200, cluster.shown(name))
            else:
                self.refuse()

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(201, cluster.create(asked))

        def do_DELETE(self) -> None:
            name = self.path.partition("?")[0].rpartition("/")[2]
            if name not in cluster.jobs:
                self.refuse()
                return
            cluster.deleted.append(name)
            self.answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

        def refuse(self) -> None:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
            self.answer(404, status | {"reason": "NotFound", "message": "not found"})

        def answer(self, code: int, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
