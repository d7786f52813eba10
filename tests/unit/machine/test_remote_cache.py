"""A compiler cache that machines share, as builds without network reach it: with ccache itself."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakeredis import TcpFakeServer

from snakedev.machine.remote_cache import reached
from snakedev.machine.sandbox import Sandbox, permitted

needs_namespaces = pytest.mark.skipif(
    not permitted(cut_network=True), reason="this kernel permits no network namespaces"
)


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a redis server on loopback, which builds cannot reach by themselves."""
    with TcpFakeServer(("127.0.0.1", 0), server_type="redis") as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"redis://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def compiled(folder: Path, machine: str, storage: str) -> dict[str, int]:
    """Compile without network on a machine with a cache of its own; ccache's counts of it."""
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "one.c").write_text("int one(void) { return 1; }\n", encoding="utf-8")
    variables = {
        "PATH": os.environ["PATH"],
        "CCACHE_DIR": str(folder / machine),
        "CCACHE_REMOTE_STORAGE": storage,
    }
    ccache = Path(sys.executable).with_name("ccache")
    build = Sandbox(folder / "empty", fixed_paths=False, cut_network=True)
    command = build.command(ccache, "cc", "-c", "one.c", "-o", f"{machine}.o")
    subprocess.run(command, cwd=folder, env=variables, check=True)
    counts = subprocess.check_output([ccache, "--print-stats"], env=variables, text=True)
    return {name: int(count) for name, count in map(str.split, counts.splitlines())}


@needs_namespaces
def test_a_server_is_reached_without_network(tmp_path, running, server):
    with reached(server, running) as storage:
        first = compiled(tmp_path, "first", storage)
        second = compiled(tmp_path, "second", storage)
    assert (first["cache_miss"], first["remote_storage_write"]) == (1, 2)
    assert (second["cache_miss"], second["direct_cache_hit"]) == (0, 1)
    assert second["remote_storage_hit"] == 1
    # it ends with the build
    assert not Path(storage.removeprefix("redis+unix:")).parent.exists()


@needs_namespaces
def test_a_folder_is_handed_on(tmp_path, running):
    with reached(f"file:{tmp_path}/shared", running) as storage:
        compiled(tmp_path, "first", storage)
        assert compiled(tmp_path, "second", storage)["remote_storage_hit"] == 1


def test_a_database_of_a_server_is_kept_apart(running, server):
    with reached(f"{server}/3", running) as storage:
        assert storage.endswith("/redis?db=3")


def test_a_server_that_does_not_answer_is_said_and_done_without(running):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with reached(f"redis://127.0.0.1:{port}", running) as storage:
        assert storage is None
    said = running.log_path.read_text(encoding="utf-8")
    assert f"build.compiler_cache_remote: redis://127.0.0.1:{port} does not answer" in said


def test_none_is_none(running):
    with reached(None, running) as storage:
        assert storage is None
