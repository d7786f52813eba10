"""The patch workbench, on real repositories: nothing of the user's is lost, nothing is guessed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.mirror import ensure_commit
from snakedev.sources import patch_file as series_files
from snakedev.sources.patch_file import body_digest
from snakedev.sources.source import make_source
from snakedev.store.layout import Layout
from snakedev.store.specs import SourceSpec
from snakedev.workbench.edit import edit
from snakedev.workbench.export import export
from snakedev.workbench.folder import WorkFolder
from tests.unit.repositories import git, repository

LINES = "".join(f"line {number}\n" for number in range(40))


class Bench:
    """A small upstream with a series of three patches, and a work folder for it."""

    def __init__(self, tmp_path: Path, running, origin: str):
        self.tmp, self.running, self.origin = tmp_path, running, origin
        self.layout = Layout(tmp_path / "results")
        self.upstream, self.patches = tmp_path / "upstream", tmp_path / "patches/tiny"
        self.folder = tmp_path / "work/tiny"
        self.version_files = {}
        # ignored by upstream's own rules, and part of it all the same
        files = {"a.txt": LINES, "b.txt": LINES, ".gitignore": "*.log\n", "kept.log": "kept\n"}
        self.pin = repository(self.upstream, files)
        self.say("a.txt", "line 3", "ONE", "Say one")
        self.say("a.txt", "line 20", "TWO", "[Core] Say two")
        self.say("b.txt", "line 3", "THREE", "Say three")
        git(self.upstream, "format-patch", "-q", "-o", self.patches, self.pin)
        git(self.upstream, "reset", "--quiet", "--hard", self.pin)

    def say(self, file, old, new, message, folder=None):
        """Commit a replacement of text."""
        folder = folder or self.upstream
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(f"{old}\n", f"{new}\n", 1))
        git(folder, "commit", "--quiet", "--all", "-m", message)
        return git(folder, "rev-parse", "HEAD")

    @property
    def files(self) -> tuple[Path, ...]:
        return series_files.series(self.patches, self.origin)

    @property
    def spec(self) -> SourceSpec:
        if self.origin == "git":
            pin = GitPin(url=str(self.upstream), commit=self.pin)
        else:
            pin = ReleasePin(name="tiny", version=self.pin[:8], sha256="0" * 64)
        return SourceSpec(
            repo="tiny",
            origin=self.origin,
            pin=pin,
            pin_identity=pin.model_dump(exclude={"url"}),
            version=self.pin[:8],
            version_files=self.version_files,
            patches=self.files,
            patch_bodies=tuple(map(body_digest, self.files)),
        )

    @property
    def archive(self) -> Path | None:
        """The release of the pin, or its commit in the mirror."""
        if self.origin == "git":
            ensure_commit(self.layout, "tiny", str(self.upstream), self.pin, False, self.running)
            return None
        path = self.tmp / "tiny.tar.gz"
        git(self.upstream, "archive", "--prefix=tiny/", "-o", path, self.pin)
        return path

    def edit(self) -> str:
        edit(self.spec, self.layout, self.archive, self.folder, self.running)
        return self.said()

    def export(self) -> str:
        export(self.spec, self.folder, self.patches, self.running)
        return self.said()

    def source(self):
        return make_source(self.spec, self.layout, self.archive, self.running)

    def said(self) -> str:
        return self.running.log_path.read_text()

    def git(self, *arguments) -> str:
        return git(self.folder, *arguments)

    def subjects(self) -> list[str]:
        return self.git("log", "--reverse", "--format=%s", "pin..HEAD").splitlines()

    def snapshot(self) -> dict[str, bytes]:
        return {str(f.relative_to(self.patches)): f.read_bytes() for f in self.files}


@pytest.fixture(params=["git", "release"])
def either(request, tmp_path, running) -> Bench:
    """A bench of each origin."""
    return Bench(tmp_path, running, request.param)


@pytest.fixture
def bench(tmp_path, running) -> Bench:
    return Bench(tmp_path, running, "release")


@pytest.fixture
def git_bench(tmp_path, running) -> Bench:
    return Bench(tmp_path, running, "git")


def test_the_work_folder_is_the_source_with_the_series_as_commits(either):
    said = either.edit()
    assert re.search(r"work/tiny is ready, on \w+ \w+ with 3 commits", said)
    source = either.source()
    assert either.git("rev-parse", "HEAD^{tree}") == source.tree
    assert either.git("rev-parse", "pin^{tree}") == source.base_tree
    assert either.git("branch", "--show-current") == "series"
    assert either.git("status", "--porcelain") == ""
    assert either.subjects() == ["Say one", "[Core] Say two", "Say three"]
    upstream = git(either.upstream, "log", "-3", "--reverse", "--format=%an %ae %ad", "HEAD@{1}")
    assert either.git("log", "--reverse", "--format=%an %ae %ad", "pin..HEAD") == upstream
    # whose name stands on the user's commits is for the user's own settings to say
    assert "user." not in either.git("config", "--local", "--list")
    # nothing elsewhere is needed for it
    assert not (either.folder / ".git/objects/info/alternates").exists()
    shutil.rmtree(either.layout.root)
    either.git("fsck", "--strict")


def test_a_version_that_upstream_leaves_out_is_below_the_series(git_bench):
    git_bench.version_files = {"b.txt": r"^(line 39)$"}
    git_bench.edit()
    assert len(git_bench.subjects()) == 3
    assert (git_bench.folder / "b.txt").read_text().endswith(f"{git_bench.pin[:8]}\n")
    git_bench.export()
    assert git_bench.source().tree == git_bench.git("rev-parse", "HEAD^{tree}")


def test_edit_and_export_without_a_change_change_nothing(either):
    either.edit()
    either.export()
    before, key, head = either.snapshot(), either.spec.key, either.git("rev-parse", "HEAD")
    either.edit()
    either.export()
    assert either.snapshot() == before
    assert (either.spec.key, either.git("rev-parse", "HEAD")) == (key, head)
    shutil.rmtree(either.folder)
    either.edit()
    either.export()
    assert either.snapshot() == before


def test_a_commit_becomes_a_patch_and_the_source_is_what_the_folder_is(bench):
    bench.edit()
    bench.export()
    before = bench.snapshot()
    bench.say("b.txt", "line 30", "FOUR", "Say four", bench.folder)
    assert "does not hold them" in bench.edit()
    bench.export()
    after = bench.snapshot()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"0004-Say-four.patch"}
    assert bench.source().tree == bench.git("rev-parse", "HEAD^{tree}")
    assert "4 commits: edit and commit there" in bench.edit()


def test_patches_of_one_origin_go_back_there_and_those_of_the_other_stay(either):
    other = "release" if either.origin == "git" else "git"
    (either.patches / either.origin).mkdir(parents=True)
    (either.patches / other).mkdir()
    files = sorted(either.patches.glob("*.patch"))
    files[0].rename(either.patches / either.origin / files[0].name)
    (either.patches / other / "0009-other.patch").write_bytes(b"of no use here\n")
    either.edit()
    either.git("rebase", "--quiet", "--exec", "git commit --quiet --amend -m Reworded", "HEAD~1")
    either.export()
    assert sorted(either.snapshot()) == [
        "0002-Core-Say-two.patch",
        "0003-Reworded.patch",
        f"{either.origin}/0001-Say-one.patch",
    ]
    assert (either.patches / other / "0009-other.patch").read_bytes() == b"of no use here\n"


def test_uncommitted_edits_are_neither_exported_nor_overwritten(bench):
    bench.edit()
    bench.export()
    (bench.folder / "a.txt").write_text("mine\n")
    (bench.folder / "new.txt").write_text("mine too\n")
    (bench.folder / "ignored.log").write_text("of no matter\n")
    with pytest.raises(UserError, match=r"work/tiny: a\.txt, new\.txt are not committed: commit"):
        bench.export()
    assert "not committed: a.txt, new.txt" in bench.edit()
    bench.pin = bench.say("b.txt", "line 30", "MOVED", "Go on")
    with pytest.raises(UserError, match=r"edits that are not committed \(a\.txt, new\.txt\)"):
        bench.edit()
    assert (bench.folder / "a.txt").read_text() == "mine\n"


def test_unexported_commits_hold_the_folder_where_it_is(bench):
    bench.edit()
    bench.say("b.txt", "line 30", "FOUR", "Say four", bench.folder)
    head = bench.git("rev-parse", "HEAD")
    bench.pin = bench.say("b.txt", "line 35", "MOVED", "Go on")
    with pytest.raises(UserError, match=r"another pin of tiny.*not exported \(Say four") as caught:
        bench.edit()
    with pytest.raises(UserError, match=r"config\.yaml names another pin of tiny: run `snakemake"):
        bench.export()
    assert bench.git("rev-parse", "HEAD") == head
    # the way out that the message names
    way = re.search(r"set them aside: `(.+?)`", str(caught.value))[1]
    subprocess.run(["bash", "-c", way], cwd=bench.tmp, check=True)
    bench.edit()
    bench.git("cherry-pick", "mine")
    bench.export()
    assert (bench.patches / "0004-Say-four.patch").exists()


def test_patches_that_changed_elsewhere_are_taken_up_and_never_undone(bench):
    bench.edit()
    bench.export()
    last = bench.files[-1]
    last.write_bytes(last.read_bytes().replace(b"+THREE", b"+DREI!"))
    with pytest.raises(UserError, match=r"has changed since work/tiny was made from it"):
        bench.export()
    assert "made again from the patches as they are now" in bench.edit()
    assert "DREI!" in (bench.folder / "b.txt").read_text()
    assert bench.git("branch", "--list", "earlier/*") != ""

    # with commits of the user's own, which of the two counts is not for us to say
    bench.say("b.txt", "line 30", "FOUR", "Say four", bench.folder)
    last.write_bytes(last.read_bytes().replace(b"+DREI!", b"+TROIS"))
    with pytest.raises(UserError, match=r"no longer what work/tiny was made from.*Say four"):
        bench.edit()


def test_a_renamed_patch_file_is_the_same_series(bench):
    bench.edit()
    bench.export()
    head = bench.git("rev-parse", "HEAD")
    bench.files[0].rename(bench.patches / "0001-otherwise.patch")
    bench.edit()
    bench.export()
    assert bench.git("rev-parse", "HEAD") == head
    assert "0001-otherwise.patch" in bench.snapshot()


def test_an_exported_folder_moves_to_another_pin_by_itself(either):
    either.edit()
    either.export()
    tip = either.git("rev-parse", "HEAD")
    # beside the hunks, so that only a three-way merge can place them
    either.pin = either.say("a.txt", "line 5", "UPSTREAM", "Go on")
    said = either.edit()
    assert "what it was is on the branch earlier/" in said
    branch = re.search(r"earlier/\S+", said)[0]
    assert either.git("rev-parse", branch) == tip
    assert either.subjects() == ["Say one", "[Core] Say two", "Say three"]
    text = (either.folder / "a.txt").read_text()
    assert "ONE\nline 4\nUPSTREAM\n" in text
    either.export()
    assert either.source().tree == either.git("rev-parse", "HEAD^{tree}")


def test_a_patch_that_upstream_has_taken_is_dropped_by_name(bench):
    bench.edit()
    bench.export()
    bench.say("a.txt", "line 20", "TWO", "Say two, differently worded")
    bench.pin = bench.say("b.txt", "line 30", "MORE", "Go on")
    said = bench.edit()
    assert re.search(r"dropped 0002-Core-Say-two.patch: \w+ \w+ has that change", said)
    assert bench.subjects() == ["Say one", "Say three"]
    assert "removed 0002-Core-Say-two.patch" in bench.export()
    assert sorted(bench.snapshot()) == ["0001-Say-one.patch", "0003-Say-three.patch"]


def conflict(bench):
    """Move the pin to where the second patch conflicts."""
    bench.pin = bench.say("a.txt", "line 20", "ZWEI", "Say it in German")
    with pytest.raises(UserError) as caught:
        bench.edit()
    return str(caught.value)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_conflict_stops_as_git_does_and_goes_on_by_itself(either, fresh):
    either.edit()
    either.export()
    either.source()
    if fresh:
        shutil.rmtree(either.folder)
    said = conflict(either)
    assert "work/tiny: 0002-Core-Say-two.patch conflicts with the pin in a.txt" in said
    assert "1 of the patches are on it, 2 wait" in said
    assert "<<<<<<<" in (either.folder / "a.txt").read_text()
    for act in (either.edit, either.export):
        with pytest.raises(UserError, match="a git am is in progress: mend the files"):
            act()

    text = (either.folder / "a.txt").read_text()
    text = re.sub(r"<<<<<<<.*?>>>>>>>[^\n]*\n", "TWO\n", text, flags=re.DOTALL)
    (either.folder / "a.txt").write_text(text)
    either.git("add", "a.txt")
    either.git("am", "--continue")
    assert either.subjects() == ["Say one", "[Core] Say two", "Say three"]
    assert "does not hold them: `snakemake export_tiny`" in either.edit()
    either.export()
    assert either.source().tree == either.git("rev-parse", "HEAD^{tree}")
    assert "THREE" in (either.folder / "b.txt").read_text()


def test_a_conflict_without_the_files_to_merge_with_says_so(bench):
    assert "are not here to merge with" in conflict(bench)
    assert bench.subjects() == ["Say one"]
    bench.git("am", "--abort")
    with pytest.raises(UserError, match="not all on its pin: run `snakemake edit_tiny`"):
        bench.export()
    with pytest.raises(UserError, match="are not here to merge with"):
        bench.edit()


def test_a_skipped_patch_is_gone_and_an_aborted_replay_begins_again(bench):
    bench.edit()
    bench.export()
    conflict(bench)
    bench.git("am", "--abort")
    with pytest.raises(UserError, match="not all on its pin: run `snakemake edit_tiny`"):
        bench.export()
    with pytest.raises(UserError, match=r"conflicts with the pin in a\.txt"):
        bench.edit()
    bench.git("am", "--skip")
    bench.export()
    assert sorted(bench.snapshot()) == ["0001-Say-one.patch", "0003-Say-three.patch"]
    # the last one that waits may be the one to go
    bench.pin = bench.say("b.txt", "line 3", "DREI", "Go on in German")
    with pytest.raises(UserError, match=r"0003-Say-three\.patch conflicts"):
        bench.edit()
    bench.git("am", "--skip")
    assert "ready" in bench.edit()
    bench.export()
    assert sorted(bench.snapshot()) == ["0001-Say-one.patch"]


def test_going_back_to_the_earlier_pin_finds_the_earlier_series(bench):
    bench.edit()
    bench.export()
    first, tree = bench.pin, bench.git("rev-parse", "HEAD^{tree}")
    bench.pin = bench.say("a.txt", "line 5", "UPSTREAM", "Go on")
    bench.edit()
    bench.pin = first
    bench.edit()
    assert bench.git("rev-parse", "HEAD^{tree}") == tree


def test_what_somebody_else_put_there_is_left_alone(bench):
    bench.folder.mkdir(parents=True)
    (bench.folder / "mine").write_text("mine")
    with pytest.raises(UserError, match=r"was not made by `snakemake edit_tiny`: move it"):
        bench.edit()
    assert (bench.folder / "mine").exists()


def test_a_missing_folder_is_one_line(bench):
    with pytest.raises(
        UserError, match=r"^work/tiny is not there: run `snakemake edit_tiny` first$"
    ):
        bench.export()


def undated(snapshot):
    """Patches without the moment at which the test made their commits."""
    return {n: re.sub(rb"^Date: .*$", b"", d, flags=re.MULTILINE) for n, d in snapshot.items()}


def test_a_user_who_signs_and_converts_line_ends_gets_the_same(git_bench, monkeypatch):
    """The user's settings apply to what the user does, and to nothing that is done here."""
    home = git_bench.tmp / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\nname = Somebody\nemail = somebody@example.org\n"
        "[core]\nautocrlf = true\nexcludesFile = ~/ignored\n[commit]\ngpgSign = true\n"
        "[gpg]\nprogram = false\n[diff]\nnoprefix = true\n[format]\nsignOff = true\n"
    )
    (home / "ignored").write_text("*.swp\n")
    (git_bench.tmp / "plain").mkdir()
    plain = Bench(git_bench.tmp / "plain", git_bench.running, "git")
    plain.edit()
    plain.export()
    monkeypatch.setenv("HOME", str(home))
    git_bench.edit()
    (git_bench.folder / "a.swp").write_text("an editor's")
    git_bench.export()
    assert undated(git_bench.snapshot()) == undated(plain.snapshot())
    assert "not committed" not in git_bench.edit()


def test_only_the_packed_part_of_an_upstream_is_copied(git_bench):
    """A work folder holds the pin once, not the history of whatever lent files to it."""
    git_bench.edit()
    commits = git_bench.git("rev-list", "--all", "--count")
    assert commits == "4"


def test_an_edit_that_was_killed_between_two_steps_is_mended(git_bench, monkeypatch):
    git_bench.edit()
    git_bench.export()
    git_bench.pin = git_bench.say("a.txt", "line 5", "UPSTREAM", "Go on")
    from snakedev.workbench import edit as workbench

    real = workbench.run_git

    def killed(arguments, *more):
        if arguments[0] == "checkout" and "-B" in arguments:
            raise KeyboardInterrupt
        return real(arguments, *more)

    monkeypatch.setattr(workbench, "run_git", killed)
    with pytest.raises(KeyboardInterrupt):
        git_bench.edit()
    monkeypatch.setattr(workbench, "run_git", real)
    with pytest.raises(UserError, match="not all on its pin"):
        git_bench.export()
    git_bench.edit()
    assert "UPSTREAM" in (git_bench.folder / "a.txt").read_text()
    assert WorkFolder(git_bench.folder, "tiny").on_the_pin
