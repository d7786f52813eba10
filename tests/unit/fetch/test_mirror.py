"""Mirrors of real git repositories: what is fetched, what is kept, and what is said."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.fetch.mirror import Submodules, ensure_commit, links, look_up, ref_of
from snakedev.store.layout import Layout
from tests.project import PROJECT
from tests.unit.repositories import commit, git, repository

ABSENT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "results")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the pauses between tries would have been."""
    seen: list[float] = []
    monkeypatch.setattr("time.sleep", seen.append)
    return seen


def mirror(
    layout: Layout, upstream: Path, pin: str, running: Job, *, submodules: Submodules = False
) -> list[Path]:
    return ensure_commit(layout, "repo", str(upstream), pin, submodules, running)


def holds(mirror: Path, revision: str) -> bool:
    done = subprocess.run(
        ["git", "--git-dir", mirror, "cat-file", "-e", revision],
        capture_output=True,
        env={**os.environ, "GIT_NO_LAZY_FETCH": "1"},
    )
    return done.returncode == 0


def nested(inner: Path, outer: Path) -> tuple[str, str]:
    """A repository and another that has it as a submodule, beside it; returns their commits."""
    inner_pin = repository(inner, {"inner": "1\n"})
    repository(outer, {"outer": "1\n"})
    return inner_pin, commit(outer, submodules={"deps/inner": ("../inner", inner_pin)})


def test_only_the_pinned_commit_is_fetched_and_all_of_it(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    upstream = tmp_path / "upstream"
    before = repository(upstream, {"file": "1\n"})
    pin = commit(upstream, {"file": "2\n", "deep/er/file": "here\n"})
    after = commit(upstream, {"file": "3\n"})
    git(upstream, "tag", "v1", pin)
    (path,) = mirror(layout, upstream, pin, running)
    assert path == layout.mirror("repo")
    assert holds(path, f"{pin}:deep/er/file")
    assert not holds(path, before) and not holds(path, after)
    assert git(path, "for-each-ref", "--format=%(refname)") == ref_of(pin)


def test_a_mirrored_pin_needs_no_remote(tmp_path: Path, layout: Layout, running: Job) -> None:
    upstream = tmp_path / "upstream"
    pin = repository(upstream, {"file": "1\n"})
    first = mirror(layout, upstream, pin, running)
    upstream.rename(tmp_path / "gone")
    assert mirror(layout, upstream, pin, running) == first


def test_pins_of_one_repo_lie_side_by_side(tmp_path: Path, layout: Layout, running: Job) -> None:
    upstream = tmp_path / "upstream"
    pins = [repository(upstream, {"file": "1\n"}), commit(upstream, {"file": "2\n"})]
    for pin in pins:
        mirror(layout, upstream, pin, running)
    upstream.rename(tmp_path / "gone")
    for pin in pins:
        (path,) = mirror(layout, upstream, pin, running)
        assert holds(path, f"{pin}:file")


def test_a_repo_that_moved_is_fetched_from_its_new_address(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    upstream, moved = tmp_path / "upstream", tmp_path / "moved"
    mirror(layout, upstream, repository(upstream, {"file": "1\n"}), running)
    upstream.rename(moved)
    pin = commit(moved, {"file": "2\n"})
    (path,) = mirror(layout, moved, pin, running)
    assert holds(path, f"{pin}:file")


def test_submodules_are_mirrored_at_the_commits_that_the_pin_names(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    inner, outer, upstream = (tmp_path / name for name in ("inner", "outer", "upstream"))
    inner_pin, outer_pin = nested(inner, outer)
    commit(inner, {"inner": "2\n"})
    repository(upstream, {"file": "1\n"})
    pin = commit(upstream, submodules={"third_party/outer": (str(outer), outer_pin)})

    assert mirror(layout, upstream, pin, running) == [layout.mirror("repo")]
    found = mirror(layout, upstream, pin, running, submodules=True)
    assert len(found) == 3
    assert holds(found[1], f"{outer_pin}:outer")
    assert holds(found[2], f"{inner_pin}:inner")
    for folder in (inner, outer, upstream):
        folder.rename(folder.with_name(f"{folder.name}-gone"))
    assert mirror(layout, upstream, pin, running, submodules=True) == found


def test_of_submodules_only_those_that_a_pin_lists_are_mirrored(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    upstream = tmp_path / "upstream"
    inner_pin, wanted_pin = nested(tmp_path / "inner", tmp_path / "wanted")
    repository(upstream, {"file": "1\n"})
    both = {"wanted": ("../wanted", wanted_pin), "absent": ("../absent", ABSENT)}
    pin = commit(upstream, submodules=both)

    found = mirror(layout, upstream, pin, running, submodules=("wanted",))
    assert len(found) == 3
    assert holds(found[1], wanted_pin) and holds(found[2], inner_pin)
    with pytest.raises(UserError, match=r"has no submodule want, .* it has absent, wanted$"):
        mirror(layout, upstream, pin, running, submodules=("want",))


@pytest.mark.parametrize(
    ("url", "address", "resolved"),
    [
        ("https://forge.test/group/repo.git", "../other.git", "https://forge.test/group/other.git"),
        ("https://forge.test/group/repo/", "../../x/y", "https://forge.test/x/y"),
        ("git@forge.test:group/repo.git", "../other.git", "git@forge.test:group/other.git"),
        ("/srv/git/repo", "./inner", "/srv/git/repo/inner"),
        ("/srv/git/repo", "https://forge.test/a/b", "https://forge.test/a/b"),
    ],
)
def test_a_submodules_address_may_be_relative_to_the_repos_own(
    tmp_path: Path, url: str, address: str, resolved: str
) -> None:
    repository(tmp_path / "upstream", {"file": "1\n"})
    pin = commit(tmp_path / "upstream", submodules={"sub": (address, ABSENT)})
    assert links(tmp_path / "upstream", pin, url) == [("sub", resolved, ABSENT)]


@pytest.mark.parametrize("described", [{}, {"other": ("https://forge.test/a/b", ABSENT)}])
def test_a_submodule_without_an_address_is_named(
    tmp_path: Path, layout: Layout, running: Job, described: dict[str, tuple[str, str]]
) -> None:
    upstream = tmp_path / "upstream"
    repository(upstream, {"file": "1\n"})
    git(upstream, "update-index", "--add", "--cacheinfo", f"160000,{ABSENT},lost/module")
    pin = commit(upstream, submodules=described)
    with pytest.raises(UserError, match=r"\.gitmodules gives no url for lost/module") as raised:
        mirror(layout, upstream, pin, running, submodules=True)
    assert pin[:12] in str(raised.value) and str(upstream) in str(raised.value)


def test_a_commit_that_does_not_exist_is_named_at_once(
    tmp_path: Path, layout: Layout, running: Job, pauses: list[float]
) -> None:
    upstream = tmp_path / "upstream"
    pin = repository(upstream, {"file": "1\n"})
    with pytest.raises(UserError) as raised:
        mirror(layout, upstream, ABSENT, running)
    text = str(raised.value)
    assert text.startswith(f"cannot fetch commit {ABSENT} from {upstream}: ")
    assert "not our ref" in text and "\n" not in text
    assert pauses == []
    # and the mirror is none the worse for it
    (path,) = mirror(layout, upstream, pin, running)
    assert holds(path, f"{pin}:file")


def test_an_upstream_that_does_not_exist_is_named(
    tmp_path: Path, layout: Layout, running: Job, pauses: list[float]
) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(UserError, match=rf"from {nowhere}: .*not appear to be a git repository"):
        mirror(layout, nowhere, ABSENT, running)
    assert pauses == []


def test_a_server_that_is_away_is_asked_again_after_growing_pauses(
    layout: Layout, running: Job, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(UserError, match=f"cannot fetch commit {ABSENT} from http://127"):
        ensure_commit(layout, "repo", "http://127.0.0.1:9/repo", ABSENT, False, running)
    assert len(pauses) > 1
    assert pauses == sorted(pauses) and pauses[0] < pauses[-1]
    assert running.log_path.read_text().count("; trying again") == len(pauses)


def test_a_password_in_the_address_is_in_no_file_of_the_mirror(
    layout: Layout, tmp_path: Path, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = repository(tmp_path / "inside" / "tiny", {"a": "a"})
    url = "https://someone:hunter2@forge.test/tiny"
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{tmp_path}/inside/"]\n\tinsteadOf = {url.removesuffix("tiny")}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    # what the user sets in this way counts, too
    for name, value in (("COUNT", "1"), ("KEY_0", "user.name"), ("VALUE_0", "A")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    mirror = layout.mirror("tiny")
    git(tmp_path, "init", "--quiet", "--bare", str(mirror))
    git(mirror, "config", "remote.origin.url", url)
    ensure_commit(layout, "tiny", url, pin, False, running)
    files = [path for path in mirror.rglob("*") if path.is_file()]
    assert files and not [path for path in files if b"hunter2" in path.read_bytes()]


def test_a_password_in_the_address_is_not_shown(
    layout: Layout,
    running: Job,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = "http://someone:hunter2@127.0.0.1:9/repo"
    with pytest.raises(UserError) as raised:
        ensure_commit(layout, "repo", url, ABSENT, False, running)
    assert "127.0.0.1:9/repo" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in capsys.readouterr().err
    assert "hunter2" not in running.log_path.read_text()


_HANGING = """
import sys
from pathlib import Path
from snakedev.base.job import Job
from snakedev.store.layout import Layout
from snakedev.fetch.mirror import ensure_commit

root, url, pin = sys.argv[1:]
with open(f"{root}.log", "w") as log:
    ensure_commit(Layout(Path(root)), "repo", url, pin, False, Job("test", log, Path(log.name)))
"""


def test_a_fetch_that_was_killed_is_taken_up_by_the_next(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    upstream = tmp_path / "upstream"
    pin = repository(upstream, {"file": "1\n"})
    # a server that sends nothing once the fetch has begun
    hanging, begun = tmp_path / "hang", tmp_path / "begun"
    hanging.write_text(f"#!/bin/sh\ntouch {begun}\nexec sleep 600\n")
    hanging.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[remote "origin"]\n\tuploadpack = {hanging}\n')
    process = subprocess.Popen(
        [sys.executable, "-c", _HANGING, layout.root, upstream, pin],
        cwd=PROJECT,
        env={**os.environ, "GIT_CONFIG_GLOBAL": str(settings)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (path,) = mirror(layout, upstream, pin, running)
    assert holds(path, f"{pin}:file")


def test_a_git_that_is_killed_in_a_fetch_is_run_again(
    tmp_path: Path, layout: Layout, running: Job, pauses: list[float], monkeypatch
) -> None:
    upstream, real = tmp_path / "upstream", shutil.which("git")
    repository(upstream, {"file": "1\n"})
    pin = commit(upstream, {"file": "2\n"})
    # the first fetch ends as one that the kernel kills for memory, with its lock left
    killed, program = tmp_path / "killed", tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
if [ "$1" = fetch ] && [ ! -e {killed} ]; then
  touch {killed} "$GIT_DIR/shallow.lock"
  kill -9 $$
fi
exec {real} "$@"
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (path,) = mirror(layout, upstream, pin, running)
    assert killed.exists() and len(pauses) == 1
    assert holds(path, f"{pin}:file")
    # still the one commit, and not all that leads to it
    assert (path / "shallow").read_text().split() == [pin]
    assert not list(path.glob("*.lock"))


@pytest.mark.parametrize("lock", ["config.lock", "HEAD.lock", "shallow.lock", "packed-refs.lock"])
def test_a_lock_that_a_killed_git_left_is_no_obstacle(
    tmp_path: Path, layout: Layout, running: Job, lock: str
) -> None:
    upstream = tmp_path / "upstream"
    mirror(layout, upstream, repository(upstream, {"file": "1\n"}), running)
    pin = commit(upstream, {"file": "2\n"})
    path = layout.mirror("repo")
    (path / lock).touch()
    (path / f"{ref_of(pin)}.lock").touch()
    mirror(layout, upstream, pin, running)
    assert holds(path, f"{pin}:file")


def test_a_mirror_that_was_only_begun_is_finished(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    upstream = tmp_path / "upstream"
    pin = repository(upstream, {"file": "1\n"})
    layout.mirror("repo").mkdir(parents=True)
    (layout.mirror("repo") / "objects").mkdir()
    (path,) = mirror(layout, upstream, pin, running)
    assert holds(path, f"{pin}:file")


def test_settings_of_the_user_lose_no_pin(
    tmp_path: Path, layout: Layout, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[fetch]\n\tprune = true\n\tpruneTags = true\n\trecurseSubmodules = true\n"
        "[gc]\n\tauto = 1\n\tautoDetach = false\n[init]\n\tdefaultBranch = trunk\n"
        "[protocol]\n\tversion = 2\n[transfer]\n\tfsckObjects = true\n"
    )
    upstream = tmp_path / "upstream"
    pins = [repository(upstream, {"file": "1\n"}), commit(upstream, {"file": "2\n"})]
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    for pin in pins:
        mirror(layout, upstream, pin, running)
    upstream.rename(tmp_path / "gone")
    for pin in pins:
        (path,) = mirror(layout, upstream, pin, running)
        assert holds(path, f"{pin}:file")


def test_the_users_own_addresses_are_used(
    tmp_path: Path, layout: Layout, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = repository(tmp_path / "inside" / "repo", {"file": "1\n"})
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{tmp_path}/inside/"]\n\tinsteadOf = https://forge.test/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    (path,) = ensure_commit(layout, "repo", "https://forge.test/repo", pin, False, running)
    assert holds(path, f"{pin}:file")


def test_a_run_inside_a_git_hook_leaves_the_hooks_repository_alone(
    tmp_path: Path, layout: Layout, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream, mine = tmp_path / "upstream", tmp_path / "mine"
    pin = repository(upstream, {"file": "1\n"})
    repository(mine, {"file": "mine\n"})
    before = (mine / ".git" / "config").read_text()
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(mine / ".git"))
        hook.setenv("GIT_INDEX_FILE", str(mine / ".git" / "index"))
        (path,) = mirror(layout, upstream, pin, running)
    assert holds(path, f"{pin}:file")
    assert not holds(mine / ".git", pin)
    assert (mine / ".git" / "config").read_text() == before


def test_a_ref_is_looked_up_as_git_does(tmp_path: Path, layout: Layout, running: Job) -> None:
    upstream = tmp_path / "upstream"
    first = repository(upstream, {"file": "1\n"})
    git(upstream, "tag", "v1")
    second = commit(upstream, {"file": "2\n"})
    git(upstream, "tag", "-m", "Release", "v2")
    git(upstream, "branch", "v1")
    git(upstream, "branch", "team/main", first)
    git(upstream, "update-ref", "refs/pull/7/head", first)
    wanted = {
        "main": second,
        "v1": first,  # the tag, not the branch of that name
        "refs/heads/v1": second,
        "v2": second,  # what the tag's own object points at
        "team/main": first,
        "refs/pull/7/head": first,
        "HEAD": second,
    }
    found = {ref: look_up(layout, "repo", str(upstream), ref, running) for ref in wanted}
    assert found == wanted
    third = commit(upstream, {"file": "3\n"})
    assert look_up(layout, "repo", str(upstream), "main", running) == third


@pytest.mark.parametrize(
    ("ref", "right"),
    [("v0.27", "did you mean 'v0.2.7'?"), ("x", "give one of upstream's, or a full commit")],
)
def test_a_ref_that_upstream_lacks_is_named(
    tmp_path: Path, layout: Layout, running: Job, ref: str, right: str
) -> None:
    upstream = tmp_path / "upstream"
    repository(upstream, {"file": "1\n"})
    git(upstream, "tag", "v0.2.7")
    with pytest.raises(UserError) as raised:
        look_up(layout, "repo", str(upstream), ref, running)
    assert str(raised.value) == f"{upstream} has no branch or tag '{ref}': {right}"


def test_a_ref_that_cannot_be_looked_up_is_asked_for_again_and_shows_no_password(
    layout: Layout, running: Job, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = "http://someone:hunter2@127.0.0.1:9/repo"
    with pytest.raises(
        UserError, match=r"cannot look up main at http://127\.0\.0\.1:9/repo: "
    ) as e:
        look_up(layout, "repo", url, "main", running)
    assert len(pauses) > 1
    assert "hunter2" not in str(e.value) + running.log_path.read_text()


def test_refs_are_looked_up_as_the_user_has_set_git_up(
    tmp_path: Path, layout: Layout, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = repository(tmp_path / "inside" / "repo", {"file": "1\n"})
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{tmp_path}/inside/"]\n\tinsteadOf = https://forge.test/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert look_up(layout, "repo", "https://forge.test/repo", "main", running) == pin
