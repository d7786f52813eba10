"""Users without a name, or without a home folder that can be written."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

from snakedev.base.folders import refuse_unwritable
from snakedev.base.user import settle
from tests.project import PROJECT

_ASKED = ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CACHE_HOME")
NOBODY = 54321


def as_nobody(question: str) -> str:
    """What a Python expression gives for a user without name, home or rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setuid(NOBODY)
            os.write(writing, str(eval(question)).encode())
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as file:
        return file.read()


def settled(cache: Path) -> dict[str, str]:
    settle(cache)
    return {name: os.environ[name] for name in _ASKED if name in os.environ}


@pytest.fixture
def unnamed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing of the user."""
    for name in _ASKED:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@root_only
@pytest.mark.parametrize("home", [None, "", "/", "/nonexistent"])
def test_who_has_no_home_gets_one(tmp_path: Path, unnamed, home: str | None) -> None:
    for folder in [*tmp_path.parents][:-2]:
        folder.chmod(0o755)
    tmp_path.chmod(0o777)
    if home is not None:
        unnamed.setenv("HOME", home)
    answer = eval(as_nobody(f"settled(Path({str(tmp_path)!r}))"))
    assert answer == {"HOME": str(tmp_path / "home"), "USER": str(NOBODY)}
    assert (tmp_path / "home").is_dir()


@root_only
def test_a_home_that_cannot_be_written_is_read(tmp_path: Path, unnamed) -> None:
    for folder in [*tmp_path.parents][:-2]:
        folder.chmod(0o755)
    tmp_path.chmod(0o777)
    unnamed.setenv("HOME", "/usr")
    answer = eval(as_nobody(f"settled(Path({str(tmp_path)!r}))"))
    cache = str(tmp_path / "home/.cache")
    assert answer == {"HOME": "/usr", "USER": str(NOBODY), "XDG_CACHE_HOME": cache}


def test_who_has_all_keeps_it(tmp_path: Path, unnamed) -> None:
    unnamed.setenv("HOME", str(tmp_path))
    unnamed.setenv("USER", "me")
    assert settled(tmp_path / "cache") == {"HOME": str(tmp_path), "USER": "me"}
    assert not (tmp_path / "cache").exists()


def test_each_python_of_the_tools_environment_does_so(tmp_path: Path, unnamed) -> None:
    venv.create(tmp_path / ".venv", symlinks=True)
    (tmp_path / "snakedev").symlink_to(PROJECT / "snakedev")
    (site,) = (tmp_path / ".venv/lib").glob("python3.*/site-packages")
    (site / "user.pth").write_text((PROJECT / "tools/user.pth").read_text())
    code = "import os; print(os.environ['HOME'])"
    command = [tmp_path / ".venv/bin/python", "-c", code]
    unnamed.setenv("HOME", "/nonexistent")
    assert subprocess.check_output(command, text=True).strip() == str(
        tmp_path / "results/cache/home"
    )
    # a clone that lost the file still has its Python
    (tmp_path / "snakedev").unlink()
    assert subprocess.check_output(command, text=True).strip() == "/nonexistent"


def test_a_folder_that_can_be_written_is_fit(tmp_path: Path) -> None:
    (tmp_path / "results/stamps").mkdir(parents=True)
    refuse_unwritable(tmp_path / "results")
    refuse_unwritable(tmp_path / "results/not/made/yet")


@root_only
@pytest.mark.parametrize("whose", ["", "results", "results/stamps"])
def test_a_folder_of_somebody_else_is_one_line(tmp_path: Path, whose: str) -> None:
    for folder in [*tmp_path.parents][:-2]:
        folder.chmod(0o755)
    tmp_path.chmod(0o755)
    made = tmp_path / "clone"
    (made / "results/stamps").mkdir(parents=True)
    for name in {"", "results", "results/stamps"} - {whose}:
        os.chown(made / name, NOBODY, NOBODY)
    root = made / ("absent" if whose == "" else "results")
    said = as_nobody(f"refuse_unwritable(Path({str(root)!r}))")
    folder = made / whose if whose else made
    assert said.startswith(f"UserError: {folder}/: user {NOBODY} cannot write there: user 0 owns")
    assert f"`sudo chown -R {NOBODY} {folder}`" in said and "\n" not in said
