"""Work folders as they stand: what counts, and what is left alone."""

import hashlib
import json
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.config.repos import GitPin
from snakedev.fetch.mirror import ensure_commit
from snakedev.store.layout import WORK_PREFIX, Layout
from snakedev.store.source_specs import CratesSpec, SourceSpec
from snakedev.store.specs import EnvironmentSpec, WheelInput
from snakedev.workbench.edit import edit
from snakedev.workbench.folder import WorkFolder
from snakedev.workbench.snapshot import make_work_source, snapshot
from tests.unit.repositories import git, repository

FILES = {
    "setup.py": "print()\n",
    "tiny/__init__.py": "",
    "tiny/a.py": "value = 1\n",
    "tiny/data.txt": "data\n",
    "csrc/generate.py": "print()\n",
    "src/lib.rs": "fn main() {}\n",
    "Cargo.toml": "[package]\n",
    ".gitignore": "*.log\n",
    "kept.log": "tracked all the same\n",
}


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "results")


@pytest.fixture
def spec(tmp_path, layout, running):
    upstream = tmp_path / "upstream"
    pin = GitPin(url=str(upstream), commit=repository(upstream, FILES))
    ensure_commit(layout, "tiny", pin.url, pin.commit, False, running)
    return SourceSpec(
        repo="tiny", origin="git", pin=pin, pin_identity={"commit": pin.commit}, version="1.0"
    )


@pytest.fixture
def work(tmp_path, layout, spec, running):
    edit(spec, layout, None, tmp_path / "work/tiny", running)
    return WorkFolder(tmp_path / "work/tiny", "tiny")


def state(folder: Path) -> dict[str, str]:
    """Every file of a repository's own folder, by digest."""
    files = [path for path in (folder / ".git").rglob("*") if path.is_file()]
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_an_untouched_folder_is_its_commit(work, layout):
    assert snapshot(work, layout).tree == git(work.path, "rev-parse", "HEAD^{tree}")


def test_what_is_not_committed_counts_and_what_is_ignored_does_not(work, layout):
    before = snapshot(work, layout)
    (work.path / "made.log").write_text("of no matter\n")
    (work.path / "tiny/__pycache__").mkdir()
    (work.path / "tiny/__pycache__/a.pyc").write_text("of no matter\n")
    assert snapshot(work, layout) == before
    (work.path / "csrc/fresh.c").write_text("int x;\n")
    untracked = snapshot(work, layout)
    assert untracked.compiled != before.compiled
    (work.path / "kept.log").write_text("tracked, and changed\n")
    assert snapshot(work, layout).compiled != untracked.compiled


def test_the_folder_s_index_and_objects_are_not_touched(work, layout):
    (work.path / "tiny/a.py").write_text("value = 2\n")
    (work.path / "setup.py").write_text("print(1)\n")
    git(work.path, "add", "setup.py")
    before = state(work.path)
    snapshot(work, layout)
    assert state(work.path) == before


@pytest.mark.parametrize(
    ("file", "compiled", "crates"),
    [
        ("tiny/a.py", False, False),
        ("tiny/data.txt", True, False),
        ("setup.py", True, False),
        ("csrc/generate.py", True, False),
        ("src/lib.rs", True, False),
        ("Cargo.toml", True, True),
    ],
)
def test_what_an_edit_builds_again(work, layout, file, compiled, crates):
    before = snapshot(work, layout)
    (work.path / file).write_text("changed\n")
    after = snapshot(work, layout)
    assert after.tree != before.tree
    assert (after.compiled != before.compiled) is compiled
    assert (after.crates != before.crates) is crates


def test_committing_changes_nothing(work, layout):
    (work.path / "setup.py").write_text("print(1)\n")
    before = snapshot(work, layout)
    git(work.path, "commit", "--quiet", "--all", "-m", "Print")
    assert snapshot(work, layout) == before


def test_a_conflict_that_no_session_explains_is_refused(work, layout):
    (work.path / "setup.py").write_text("print(1)\n")
    git(work.path, "stash", "--quiet")
    (work.path / "setup.py").write_text("print(2)\n")
    git(work.path, "commit", "--quiet", "--all", "-m", "Print")
    with pytest.raises(Exception, match="returned non-zero"):
        git(work.path, "stash", "pop")
    with pytest.raises(UserError, match=r"work/tiny: not merged: setup\.py"):
        snapshot(work, layout)


def test_a_source_is_a_checkout_of_the_snapshot_that_needs_nothing_else(
    work, layout, spec, running
):
    (work.path / "tiny/a.py").write_text("value = 2\n")
    (work.path / "csrc/fresh.c").write_text("int x;\n")
    found = snapshot(work, layout)
    wanted = spec.model_copy(update={"work": found.compiled, "work_tree": found.tree})
    # what is edited after the plan was made is for the next run
    (work.path / "csrc/fresh.c").write_text("int y;\n")
    record = make_work_source(wanted, layout, work.path, running)
    folder = layout.source("tiny", wanted.key)
    assert folder.parts[-4:-1] == ("work", "sources", "tiny")
    assert (folder / "tree/csrc/fresh.c").read_text() == "int x;\n"
    assert record.tree == found.tree
    assert set(record.patches[0].files) == {"csrc/fresh.c", "tiny/a.py"}
    assert not (folder / "tree/.git/objects/info/alternates").exists()
    assert git(folder / "tree", "status", "--porcelain") == ""
    assert json.loads((folder / "source.json").read_text())["commit"] == record.commit


def test_what_stems_from_a_work_folder_has_a_key_that_says_so(spec):
    work = spec.model_copy(update={"work": "0" * 16, "work_tree": "1" * 40})
    assert work.key.startswith(WORK_PREFIX)
    assert not spec.key.startswith(WORK_PREFIX)
    assert work.model_copy(update={"work_tree": "2" * 40}).key == work.key
    crates = CratesSpec(repo="tiny", source_key=work.key, subdirectory=".")
    assert crates.key.startswith(WORK_PREFIX)

    def environment(key):
        wheel = WheelInput(repo="tiny", variant="any", key=key)
        return EnvironmentSpec(
            name="run-cpu",
            lock_digest="0",
            interpreter={},
            wheels=(wheel,),
            recipe_number=1,
            lock=Path("envs/run-cpu.lock"),
            purpose="run",
            variant="cpu",
        )

    assert environment(crates.key).from_work
    assert not environment(spec.key).from_work
