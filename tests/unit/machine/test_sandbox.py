"""The sandbox of a build: fixed paths for its folders, the machine around them, no network."""

import subprocess

import pytest

from snakedev.machine.sandbox import Sandbox, permitted


@pytest.fixture
def sandbox(tmp_path):
    """A sandbox with fixed paths, on machines that permit them."""
    if not permitted(fixed_paths=True):
        pytest.skip("this kernel permits no mount namespaces")
    (tmp_path / "root").mkdir()
    return Sandbox(tmp_path / "root", fixed_paths=True, cut_network=False)


def run(sandbox, folder, *command):
    """What a command prints that runs in a sandbox, in a folder of the machine."""
    words = sandbox.command(*command)
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_folder_is_at_its_fixed_path_and_writes_reach_the_real_one(sandbox, tmp_path):
    build = tmp_path / "some where/build"
    build.mkdir(parents=True)
    seen = sandbox.place("build", build)
    assert str(seen) == "/snakedev/build"
    run(sandbox, build, "touch", seen / "made")
    assert (build / "made").is_file()


def test_a_build_works_in_the_fixed_path_of_its_folder(sandbox, tmp_path):
    sandbox.place("build", tmp_path)
    assert run(sandbox, tmp_path, "pwd", "-P") == "/snakedev/build\n"
    # elsewhere, the machine is as it was
    assert run(sandbox, "/usr", "pwd", "-P") == "/usr\n"


def test_a_file_takes_the_place_of_another_in_the_sandbox_only(sandbox, tmp_path):
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    (folder / "file").write_text("real")
    other.write_text("replaced")
    seen = sandbox.place("folder", folder)
    sandbox.place("folder/file", other)
    assert run(sandbox, folder, "cat", seen / "file") == "replaced"
    assert (folder / "file").read_text() == "real"


def test_two_names_may_show_one_folder(sandbox, tmp_path):
    (tmp_path / "file").write_text("x")
    one, two = sandbox.place("one", tmp_path), sandbox.place("two", tmp_path)
    assert run(sandbox, tmp_path, "cat", one / "file", two / "file") == "xx"


def test_nothing_of_the_sandbox_stays(sandbox, tmp_path):
    run(sandbox, tmp_path, "true")
    assert list((tmp_path / "root").iterdir()) == []


def test_an_exit_status_comes_through(sandbox, tmp_path):
    done = subprocess.run(sandbox.command("sh", "-c", "exit 7"), cwd=tmp_path)
    assert done.returncode == 7


def test_where_paths_are_real_compilers_are_told_the_fixed_ones(tmp_path):
    sandbox = Sandbox(tmp_path, fixed_paths=False, cut_network=False)
    assert sandbox.place("build", tmp_path) == tmp_path
    assert sandbox.maps("-ffile-prefix-map") == f"-ffile-prefix-map={tmp_path}=/snakedev/build"
    assert sandbox.command("make", "all") == ["make", "all"]
