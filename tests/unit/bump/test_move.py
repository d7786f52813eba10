"""Moves of a pin: what is written, what is said, and that nothing of the user's is touched."""

import hashlib

import pytest
import yaml

from snakedev.base.errors import UserError
from tests.unit.bump.bench import FILES, TEXT, other
from tests.unit.package_index import make_wheel, publish
from tests.unit.repositories import git


def test_a_day_without_news(bench, asked_index):
    bench.publish("0.9", FILES)
    bench.publish("1.1rc1", FILES)
    publish(asked_index, make_wheel(asked_index.with_name("wheels"), "tiny", "1.2"))
    # what is under way is of no matter where nothing is written
    (bench.folder / "mine").write_text("mine\n")
    move = bench.bump()
    assert move.state == "no news" and (move.before, move.after) == ("1.0", "1.0")
    assert [(one.version, one.why) for one in move.passed] == [
        ("1.1rc1", "it is a pre-release"),
        ("1.2", "it has no source distribution whose sha256 the index says"),
    ]
    assert "tiny: no news: nothing that it could be moved to is newer than 1.0" in bench.said
    assert bench.changed == ["mine"]


def test_pin_and_patches_follow(bench):
    before = bench.config
    bench.publish("1.1", other("line 3\n", "line 3\nmore\n", "a.txt"))
    archive = bench.publish("1.2", other("line 3\n", "line 3\nmore\n", "a.txt") | {"c": "1\n"})
    move = bench.bump()
    assert move.state == "moved" and move.after == "1.2"
    assert [step.place for step in move.steps] == ["1.1", "1.2"]
    tried = [[one.verdict for one in step.trial.patches] for step in move.steps]
    assert tried == [["offsets", "clean"], ["offsets", "clean"]]
    assert [patch.outcome for patch in move.replay] == ["unchanged", "unchanged"]
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    old = yaml.safe_load(before)["repos"]["tiny"]["release"]["sha256"]
    assert bench.config == before.replace('"1.0"', '"1.2"').replace(old, digest)
    assert bench.changed == [
        "config.yaml",
        "patches/tiny/0001-Name-a.txt.patch",
        "patches/tiny/series.json",
    ]
    assert bench.bump().state == "no news"


def test_git_undoes_it_and_it_goes_back_and_forth(bench):
    before = bench.config
    bench.publish("1.1", FILES)
    bench.publish("1.2", FILES)
    assert bench.bump().after == "1.2"
    git(bench.folder, "checkout", ".")
    assert bench.config == before
    assert bench.bump("1.1", bump_report={"on_the_way": False}).after == "1.1"
    bench.commit()
    assert bench.bump("1.0").state == "moved"
    assert bench.config == before


def test_a_patch_that_upstream_has_goes(bench):
    bench.publish("1.1", other("line 20\n", "line 20 of a.txt\n", "a.txt"))
    move = bench.bump()
    assert [patch.outcome for patch in move.replay] == ["dropped", "unchanged"]
    assert [path.name for path in bench.patches.glob("*.patch")] == ["0002-Name-b.txt.patch"]


def test_a_conflict_waits_for_a_person(bench):
    bench.publish("1.1", other("line 20\n", "line twenty\n", "a.txt"))
    move = bench.bump()
    assert move.state == "conflict"
    assert "0001-Name-a.txt.patch conflicts with the pin in a.txt" in move.problem
    assert [(patch.outcome, patch.detail) for patch in move.replay] == [
        ("conflict", "a.txt"),
        ("waiting", ""),
    ]
    assert 'version: "1.1"' in bench.config

    # asked again, it says what is under way; another move has to wait
    assert bench.bump().problem == move.problem
    with pytest.raises(UserError, match=r"bump\.tiny: a move to 1\.1 is under way"):
        bench.bump("1.0")

    bench.take_the_patch("a.txt")
    move = bench.bump()
    assert move.state == "moved" and move.problem is None
    assert "going on with the move to 1.1" in bench.said
    assert [patch.outcome for patch in move.replay] == ["merged", "unchanged"]
    assert "-line twenty" in (bench.patches / "0001-Name-a.txt.patch").read_text()


def test_a_conflict_that_is_not_wanted_is_undone_by_git(bench):
    before = bench.config
    bench.publish("1.1", other("line 20\n", "line twenty\n", "a.txt"))
    assert bench.bump().state == "conflict"
    git(bench.folder, "checkout", ".")
    assert bench.config == before and not bench.changed
    git(bench.folder / "work/tiny", "am", "--abort")
    bench.publish("1.2", FILES)
    move = bench.bump()
    assert (move.state, move.after) == ("moved", "1.2")


@pytest.mark.parametrize("name", ["config.yaml", "patches/tiny/0009-Mine.patch", "envs/mine.in"])
def test_what_a_move_would_write_has_to_be_committed(bench, name):
    bench.publish("1.1", FILES)
    (bench.folder / name).parent.mkdir(exist_ok=True)
    with (bench.folder / name).open("a") as file:
        file.write("# mine\n")
    before = bench.config
    with pytest.raises(UserError, match=f"bump.tiny: not committed: {name}: commit or `git stash"):
        bench.bump()
    assert bench.config == before and bench.changed == [name]


def test_edits_in_the_work_folder_have_to_be_committed(bench):
    bench.publish("1.1", FILES)
    bench.bump()
    bench.commit()
    bench.publish("1.2", FILES)
    (bench.folder / "work/tiny/a.txt").write_text(f"mine\n{TEXT}")
    with pytest.raises(UserError, match=r"work/tiny has edits that are not committed \(a\.txt\)"):
        bench.bump()
    assert not bench.changed


def test_a_project_that_git_does_not_have(bench):
    (bench.folder / ".git").rename(bench.folder / "gone")
    bench.publish("1.1", FILES)
    with pytest.raises(UserError, match=r"git does not have this project's config\.yaml"):
        bench.bump()


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("9.9", r"bump\.tiny: the package index has no release 9\.9: its newest is 1\.0"),
        ("main", r"bump\.tiny: 'main' is no release's version, and origin is release"),
    ],
)
def test_what_cannot_be_moved_is_told_in_a_line(bench, wanted, told):
    with pytest.raises(UserError, match=told):
        bench.bump(wanted)
    assert not bench.changed


def test_a_pin_that_another_file_sets_is_not_moved(bench):
    bench.publish("1.1", FILES)
    repos = yaml.safe_load(bench.config)["repos"]
    repos["tiny"]["version"] = "0.5"
    with pytest.raises(UserError, match=r"repos\.tiny is not as config\.yaml has it"):
        bench.bump(repos=repos)
