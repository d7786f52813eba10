"""Mirrors of servers that give less than forges do, and submodules as git takes them."""

import functools
import http.server
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.fetch.mirror import ensure_commit, links, look_up, ref_of
from snakedev.store.layout import Layout
from tests.unit.repositories import commit, git, repository
from tests.unit.serving import serving

ABSENT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "results")


@pytest.fixture
def upstream(tmp_path: Path) -> tuple[Path, list[str]]:
    """A bare repository that gives only what a ref names, and its commits: the last is a tip."""
    work, bare = tmp_path / "work", tmp_path / "served/repo.git"
    commits = [repository(work, {"file": "1\n"})]
    commits += [commit(work, {"file": f"{number}\n"}) for number in (2, 3)]
    git(tmp_path, "clone", "--quiet", "--bare", work, bare)
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "false")
    git(bare, "update-server-info")
    return bare, commits


@pytest.fixture
def plain_files(upstream: tuple[Path, list[str]]) -> Iterator[str]:
    """The address of the repository behind a server of plain files."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=upstream[0].parent)
    with serving(handler) as address:
        yield f"http://{address}/repo.git"


@pytest.fixture
def daemon(
    upstream: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of the repository behind git's daemon, spoken to as by its first protocol."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = upstream[0].parent
    words = ["git", "daemon", "--export-all", f"--base-path={base}", "--listen=127.0.0.1"]
    process = subprocess.Popen([*words, f"--port={port}", base], stderr=subprocess.DEVNULL)
    while socket.socket().connect_ex(("127.0.0.1", port)):
        assert process.poll() is None
        time.sleep(0.02)
    settings = tmp_path / "gitconfig"
    settings.write_text("[protocol]\n\tversion = 0\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    yield f"git://127.0.0.1:{port}/repo.git"
    process.terminate()
    process.wait()


@pytest.fixture(params=["plain_files", "daemon"])
def sparing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a server that gives no commit that no ref names."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return str(request.getfixturevalue(request.param))


def test_any_commit_is_had_from_a_server_that_gives_only_branches(
    layout: Layout, running: Job, upstream: tuple[Path, list[str]], sparing: str
) -> None:
    bare, commits = upstream
    for pin in (commits[2], commits[0], commits[1]):
        (path,) = ensure_commit(layout, "repo", sparing, pin, False, running)
        assert git(path, "rev-parse", ref_of(pin)) == pin
    said = running.log_path.read_text()
    assert "it gives no single commit" in said and "fetching all of it" in said
    assert look_up(layout, "repo", sparing, "main", running) == commits[2]
    shutil.rmtree(bare)
    for number, pin in enumerate(commits, 1):
        (path,) = ensure_commit(layout, "repo", sparing, pin, False, running)
        assert git(path, "cat-file", "blob", f"{pin}:file") == str(number)


def test_a_commit_that_no_branch_has_is_one_line(
    layout: Layout, running: Job, sparing: str
) -> None:
    with pytest.raises(UserError) as raised:
        ensure_commit(layout, "repo", sparing, ABSENT, False, running)
    assert str(raised.value) == (
        f"cannot fetch commit {ABSENT} from {sparing}: no branch or tag of it leads to that commit"
    )


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("git@host.test:a/b.git", "../c.git"),
        ("git@host.test:b.git", "../c.git"),
        ("git@host.test:a/b.git", "../../c.git"),
        ("host.test:b", "./c"),
        ("ssh://git@host.test:22/a/b.git/", "../c.git/"),
        ("https://host.test/a/b.git", "../../d/./c.git"),
        ("https://host.test/a//b", "../c"),
        ("file:///srv/a", "../c"),
        ("/srv/a/", "./.././c"),
        ("../a", "../c"),
        ("a", "./c"),
        ("https://host.test/a", "../c d"),
    ],
)
def test_relative_addresses_are_those_of_a_clone(tmp_path: Path, url: str, address: str) -> None:
    work = tmp_path / "work"
    repository(work, {"file": "1\n"})
    pin = commit(work, submodules={"deps/sub mod": (address, ABSENT)})
    git(work, "remote", "add", "origin", url)
    git(work, "submodule", "--quiet", "init")
    expected = git(work, "config", "submodule.deps/sub mod.url")
    assert links(work, pin, url) == [("deps/sub mod", expected, ABSENT)]
    if url == "git@host.test:a/b.git" and address == "../c.git":
        assert expected == "git@host.test:a/c.git"


def test_an_address_that_leads_above_the_server_is_one_line(tmp_path: Path) -> None:
    repository(tmp_path / "work", {"file": "1\n"})
    pin = commit(tmp_path / "work", submodules={"sub": ("../../../c", ABSENT)})
    with pytest.raises(UserError) as raised:
        links(tmp_path / "work", pin, "host.test:b")
    said = "host.test:b: its .gitmodules: cannot strip one component off url '.'"
    assert str(raised.value) == said


def test_a_stale_gitlink_that_was_not_asked_for_stops_nothing(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    inner = repository(tmp_path / "inner", {"inner": "1\n"})
    upstream = tmp_path / "upstream"
    repository(upstream, {"file": "1\n"})
    git(upstream, "update-index", "--add", "--cacheinfo", f"160000,{ABSENT},stale")
    pin = commit(upstream, submodules={"sub": ("../inner", inner)})
    found = ensure_commit(layout, "repo", str(upstream), pin, ("sub",), running)
    assert [path.name for path in found] == ["repo.git", "repo.sub.git"]
    for asked in (("stale",), True):
        with pytest.raises(UserError) as raised:
            ensure_commit(layout, "repo", str(upstream), pin, asked, running)
        assert str(raised.value) == (
            f"{upstream} at {pin[:12]}: .gitmodules gives no url for stale: list the submodules "
            f"that are needed in git.submodules"
        )


def test_no_user_setting_changes_what_a_submodule_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path / "work", {"file": "1\n"})
    pin = commit(tmp_path / "work", submodules={"sub": ("../c", ABSENT)})
    for name, value in (("GIT_DIR", str(tmp_path / "none")), ("GIT_WORK_TREE", "/")):
        monkeypatch.setenv(name, value)
    assert os.environ["GIT_DIR"]
    assert links(tmp_path / "work", pin, "https://h/a") == [("sub", "https://h/c", ABSENT)]
