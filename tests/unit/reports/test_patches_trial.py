"""Patch series tried on real repositories: what each verdict says, and what follows from it."""

import base64
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.mirror import ensure_commit
from snakedev.reports.patches.record import Conflict, Offset, PatchTrialRecord
from snakedev.reports.patches.trial import make_trial
from snakedev.sources.patch_file import body_digest
from snakedev.store.layout import Layout
from snakedev.store.source_specs import PinnedSpec, SourceSpec
from snakedev.store.specs import PatchTrialSpec
from tests.unit.release import archive_of
from tests.unit.repositories import commit, git, repository

LINES = [f"line {number}\n" for number in range(1, 41)]
FILES = {"a.txt": "".join(LINES), "b.txt": "".join(LINES), "logo.bin": bytes(range(256))}


def lines(**changed: str) -> str:
    """The text of a.txt with lines changed: `l5="five"`; an empty one is left out."""
    new = {int(name[1:]): f"{text}\n" if text else "" for name, text in changed.items()}
    return "".join(new.get(number, line) for number, line in enumerate(LINES, 1))


class Upstream:
    """A repository with a pin, the series that is written for it, and what came after."""

    def __init__(self, folder: Path, layout: Layout, running: Job):
        self.url, self.layout, self.running = folder / "upstream", layout, running
        self.pin = repository(self.url, FILES)
        self.series: list[Path] = []
        self._written = folder / "patches"
        self._written.mkdir()
        git(self.url, "branch", "series")

    def patch(self, name: str, *commands: tuple[str, ...], **files: str | bytes) -> Path:
        """Write the next patch of the series: git commands, then files' content by stem."""
        git(self.url, "checkout", "--quiet", "series")
        for command in commands:
            git(self.url, *command)
        suffixes = {"logo": "logo.bin"}
        commit(self.url, {suffixes.get(n, f"{n}.txt"): text for n, text in files.items()})
        git(self.url, "commit", "--amend", "--quiet", "-m", f"Say {name}\n\nBecause.")
        path = self._written / f"{len(self.series) + 1:04}-{name}.patch"
        git(self.url, "format-patch", "-1", "--zero-commit", f"--output={path}")
        self.series.append(path)
        git(self.url, "checkout", "--quiet", "main")
        return path

    def moves_on(self, **files: str | bytes) -> str:
        """Commit on upstream's main branch; returns the commit."""
        git(self.url, "checkout", "--quiet", "main")
        return commit(self.url, {f"{name}.txt": text for name, text in files.items()})

    def spec(self, ref: str | None = None, **more: object) -> PatchTrialSpec:
        pin = GitPin(url=str(self.url), commit=self.pin)
        shared = {
            "repo": "tiny",
            "origin": "git",
            "pin": pin,
            "version": "1.0",
            "patches": tuple(self.series),
            **more,
        }
        identity = pin.model_dump(exclude={"url"})
        source = SourceSpec(
            **shared,
            pin_identity=identity,
            patch_bodies=tuple(map(body_digest, self.series)),
        )
        trial = PatchTrialSpec(
            **shared,
            pin_identity={"ref": ref} if ref else identity,
            patch_files=tuple((path.name, body_digest(path)) for path in self.series),
            written_for=source if ref else None,
            written_for_key=source.key if ref else None,
            recipe_number=1,
            ref=ref,
        )
        return trial.at(ref) if ref and not trial.moves else trial

    def tried(self, ref: str | None = None, **more: object) -> PatchTrialRecord:
        """Try the series on the pin or a ref."""
        ensure_commit(self.layout, "tiny", str(self.url), self.pin, False, self.running)
        record = make_trial(
            self.spec(ref, **more), self.layout, lambda _: None, self.running, lambda *_: None
        )
        assert not list((self.layout.cache / "patches").iterdir())
        return record


@pytest.fixture
def upstream(tmp_path: Path, running: Job) -> Upstream:
    return Upstream(tmp_path, Layout(tmp_path / "results"), running)


def verdicts(record: PatchTrialRecord) -> list[str]:
    return [tried.verdict for tried in record.patches]


def test_a_series_written_for_the_pin_is_clean(upstream: Upstream) -> None:
    upstream.patch("five", a=lines(l5="five"))
    upstream.patch("six", a=lines(l5="five", l6="six"))
    record = upstream.tried()
    assert verdicts(record) == ["clean", "clean"]
    assert record.ref is None and record.pin["commit"] == upstream.pin
    assert record.tree == git(upstream.url, "rev-parse", f"{upstream.pin}^{{tree}}")
    five = record.patches[0]
    assert (five.offsets, five.conflicts, five.three_way, five.without) == ((), (), None, ())
    assert five.patch.message == "Because."


def test_a_pin_that_lists_its_submodules_is_tried(upstream: Upstream, tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner", {"inner.txt": "1\n"})
    upstream.pin = commit(upstream.url, submodules={"inner": ("../inner", inner)})
    pin = GitPin(url=str(upstream.url), commit=upstream.pin, submodules=("inner",))
    ensure_commit(upstream.layout, "tiny", pin.url, pin.commit, pin.submodules, upstream.running)
    assert upstream.tried(pin=pin).pin["submodules"] == ("inner",)


def test_hunks_that_moved_are_told_with_how_far(upstream: Upstream) -> None:
    upstream.patch("both", a=lines(l5="five", l35="thirty-five"), b=lines(l20="twenty"))
    upstream.moves_on(a="new\n" * 3 + lines(l20=""), b=lines(l1=""))
    (tried,) = upstream.tried("main").patches
    assert tried.verdict == "offsets"
    assert tried.offsets == (
        Offset(file="a.txt", hunk=1, lines=3),
        Offset(file="a.txt", hunk=2, lines=2),
        Offset(file="b.txt", hunk=1, lines=-1),
    )
    assert tried.farthest == 3


def test_a_conflict_names_the_file_and_the_hunk(upstream: Upstream) -> None:
    upstream.patch("both", a=lines(l5="five", l35="thirty-five"), b=lines(l20="twenty"))
    upstream.moves_on(a=lines(l35="another"))
    (tried,) = upstream.tried("main").patches
    assert tried.verdict == "conflict" and tried.three_way == "conflicts"
    (conflict,) = tried.conflicts
    assert conflict.file == "a.txt"
    (hunk,) = conflict.hunks
    assert hunk.startswith("@@ -32,7 +32,7 @@")
    assert "-line 35\n+thirty-five\n" in hunk


def test_a_merge_that_resolves_a_conflict_is_told_and_built_upon(upstream: Upstream) -> None:
    upstream.patch("five", a=lines(l5="five"))
    upstream.patch("six", a=lines(l5="five", l6="six"))
    # near enough to break the patch's context, far enough for a merge
    upstream.moves_on(a=lines(l8="eight"))
    first, second = upstream.tried("main").patches
    assert (first.verdict, first.three_way) == ("conflict", "resolves")
    assert first.conflicts[0].file == "a.txt" and first.conflicts[0].hunks
    # the second needs the first's line, and what it was made from: the pin with the first
    assert (second.verdict, second.three_way) == ("conflict", "resolves")
    assert second.without == ()


def test_what_follows_a_conflict_is_tried_without_it(upstream: Upstream) -> None:
    first = upstream.patch("five", a=lines(l5="five"))
    upstream.patch("six", a=lines(l5="five", l6="six"))
    upstream.patch("b", b=lines(l5="five"))
    upstream.moves_on(a=lines(l5="another"))
    found = upstream.tried("main").patches
    assert [tried.verdict for tried in found] == ["conflict", "conflict", "clean"]
    assert found[0].without == ()
    assert found[1].without == (first.name,)
    assert found[2].without == (first.name, upstream.series[1].name)


def test_a_merge_without_what_the_patch_was_made_from_is_impossible(upstream: Upstream) -> None:
    upstream.patch("five", a=lines(l5="five"))
    # nothing in the pin is as a.txt was then
    upstream.pin = upstream.moves_on(a=lines(l8="eight"), b="other\n")
    (tried,) = upstream.tried().patches
    assert (tried.verdict, tried.three_way) == ("conflict", "impossible")
    assert tried.conflicts[0].file == "a.txt"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param({"a": lines(l5="five")}, {"a": lines(l5="five")}, id="as it is"),
        pytest.param({"a": lines(l5="five")}, {"a": "new\n" + lines(l5="five")}, id="moved"),
        pytest.param(
            {"a": lines(l5="five")}, {"a": lines(l5="five", l7="seven")}, id="among other changes"
        ),
        pytest.param({"new": "x\n"}, {"new": "x\n"}, id="a new file"),
    ],
)
def test_what_upstream_has_taken_is_recognised_and_skipped(
    upstream: Upstream, ours: dict[str, str], theirs: dict[str, str]
) -> None:
    upstream.patch("taken", **ours)
    upstream.patch("b", b=lines(l5="five"))
    upstream.moves_on(**theirs)
    taken, after = upstream.tried("main").patches
    assert taken.verdict == "upstream"
    assert (taken.conflicts, taken.three_way) == ((), None)
    assert (after.verdict, after.without) == ("clean", ())


def test_what_is_in_already_is_not_put_in_twice(upstream: Upstream) -> None:
    # the same lines twice: once the patch is in at the first, it fits at the second too
    twice = "".join(LINES[:9]) * 2
    upstream.pin = upstream.moves_on(a=twice)
    git(upstream.url, "branch", "--force", "series", "main")
    upstream.patch("five", a=twice.replace("line 5", "five", 1))
    upstream.moves_on(a=twice.replace("line 5", "five", 1))
    assert verdicts(upstream.tried("main")) == ["upstream"]


def test_a_mode_that_upstream_has_set_is_upstream(upstream: Upstream) -> None:
    upstream.patch("executable", ("update-index", "--chmod=+x", "a.txt"), ("checkout", "a.txt"))
    assert verdicts(upstream.tried()) == ["clean"]
    git(upstream.url, "update-index", "--chmod=+x", "a.txt")
    upstream.moves_on()
    assert verdicts(upstream.tried("main")) == ["upstream"]


def test_binary_content_is_tried_like_text(upstream: Upstream) -> None:
    theirs = bytes(reversed(range(256)))
    upstream.patch("logo", logo=b"\x00ours\xff" * 40)
    (clean,) = upstream.tried().patches
    assert clean.verdict == "clean"
    assert [change.kind for change in clean.patch.changes] == ["binary"]
    git(upstream.url, "checkout", "--quiet", "-b", "other")
    commit(upstream.url, {"logo.bin": theirs})
    (tried,) = upstream.tried("other").patches
    assert (tried.verdict, tried.three_way) == ("conflict", "conflicts")
    (conflict,) = tried.conflicts
    assert conflict.file == "logo.bin" and conflict.hunks == ()
    assert "does not match the current contents" in conflict.reason
    git(upstream.url, "checkout", "--quiet", "-b", "taken", "main")
    commit(upstream.url, {"logo.bin": b"\x00ours\xff" * 40})
    assert verdicts(upstream.tried("taken")) == ["upstream"]


def test_a_rename_is_tried_with_the_lines_that_it_changes(upstream: Upstream) -> None:
    upstream.patch("rename", ("mv", "a.txt", "c.txt"), c=lines(l5="five"))
    (clean,) = upstream.tried().patches
    assert clean.verdict == "clean"
    (change,) = clean.patch.changes
    assert (change.kind, change.path, change.added, change.removed) == ("renamed", "c.txt", 1, 1)
    upstream.moves_on(a="new\n" + lines())
    (moved,) = upstream.tried("main").patches
    assert moved.offsets == (Offset(file="c.txt", hunk=1, lines=1),)
    git(upstream.url, "mv", "a.txt", "d.txt")
    upstream.moves_on()
    (gone,) = upstream.tried("main").patches
    assert gone.verdict == "conflict"
    assert gone.conflicts == (Conflict(file="a.txt", reason="does not exist in index"),)


def test_a_file_that_is_there_already_with_other_content_is_a_conflict(
    upstream: Upstream,
) -> None:
    upstream.patch("new", new="ours\n")
    upstream.moves_on(new="theirs\n")
    (tried,) = upstream.tried("main").patches
    assert tried.verdict == "conflict" and tried.three_way == "conflicts"
    assert tried.conflicts == (Conflict(file="new.txt", reason="already exists in index"),)


def test_windows_line_ends_are_kept(upstream: Upstream) -> None:
    text = "one\r\ntwo\r\n"
    upstream.pin = upstream.moves_on(a=text)
    git(upstream.url, "branch", "--force", "series", "main")
    path = upstream.patch("crlf", a=text.replace("two", "2"))
    assert b"+2\r\n" in path.read_bytes()
    assert verdicts(upstream.tried()) == ["clean"]


def test_a_release_is_tried_from_its_archive(
    tmp_path: Path, upstream: Upstream, running: Job
) -> None:
    upstream.patch("five", a=lines(l5="five"))
    upstream.patch("six", a=lines(l5="five", l6="six"))
    archive = archive_of(tmp_path / "downloads", FILES)
    release = ReleasePin(name="tiny", version="1.0", sha256="0" * 64)
    spec = upstream.spec(origin="release", pin=release)
    record = make_trial(spec, upstream.layout, lambda _: archive, running, lambda *_: None)
    assert verdicts(record) == ["clean", "clean"]
    assert record.pin["name"] == "tiny" and record.origin == "release"

    # and what a merge needs on a ref is found in it
    upstream.moves_on(a=lines(l8="eight"))
    at_pin = upstream.spec("main")
    source = at_pin.written_for.model_copy(update={"origin": "release", "pin": release})
    at_ref = at_pin.model_copy(update={"written_for": source})
    merged = make_trial(at_ref, upstream.layout, lambda _: archive, running, lambda *_: None)
    assert [tried.three_way for tried in merged.patches] == ["resolves", "resolves"]


def test_the_version_is_set_first_and_where_it_cannot_be_that_is_said(upstream: Upstream) -> None:
    upstream.patch("five", a=lines(l5="five"))
    files = {"b.txt": "^line (1)$"}
    set_first = upstream.tried(version_files=files, version="7")
    assert set_first.problem is None and verdicts(set_first) == ["clean"]
    assert set_first.tree != upstream.tried().tree
    upstream.moves_on(b="nothing\n")
    record = upstream.tried("main", version_files=files)
    assert record.problem.startswith("version_files: b.txt has no place that")
    assert verdicts(record) == ["clean"]


def test_a_ref_that_moved_is_tried_anew_and_one_that_stands_is_not(upstream: Upstream) -> None:
    path = upstream.patch("five", a=lines(l5="five"))
    upstream.moves_on(a="new\n" + lines())
    first = upstream.tried("main")
    assert verdicts(first) == ["offsets"] and first.ref == "main"
    again = upstream.tried("main")
    assert again == first
    assert "main is where it was tried before" in upstream.running.log_path.read_text()
    git(upstream.url, "tag", "v1", "-m", "Release")
    assert upstream.tried("v1") == first.model_copy(update={"ref": "v1"})
    moved = upstream.moves_on(a=path.name)
    last = upstream.tried("main")
    assert verdicts(last) == ["conflict"] and last.pin["commit"] == moved


def test_a_full_commit_is_tried_without_asking_for_refs(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.patch("five", a=lines(l5="five"))
    commit_id = upstream.moves_on(a="new\n" + lines())
    first = upstream.tried(commit_id)
    assert verdicts(first) == ["offsets"] and first.ref == commit_id
    upstream.url.rename(upstream.url.with_name("gone"))
    assert upstream.tried(commit_id) == first


def test_a_ref_that_is_not_there_is_named_with_one_that_is(upstream: Upstream) -> None:
    upstream.patch("five", a=lines(l5="five"))
    git(upstream.url, "tag", "v0.27.0")
    with pytest.raises(UserError) as raised:
        upstream.tried("v0.27.1")
    assert str(raised.value) == (
        f"patch_report.refs.tiny: {upstream.url} has no branch or tag 'v0.27.1': "
        "did you mean 'v0.27.0'?"
    )


def test_a_file_that_is_no_patch_is_named(upstream: Upstream) -> None:
    path = upstream.patch("five", a=lines(l5="five"))
    path.write_text(path.read_text().partition("diff --git")[1] + "\n")
    with pytest.raises(UserError, match=rf"{path.name}: "):
        upstream.tried()


@pytest.mark.parametrize("line", ["line 3", "other"])
def test_a_patch_in_an_encoded_mail_fares_as_a_plain_one(upstream: Upstream, line: str) -> None:
    plain = upstream.patch("one", a=lines(l3="three"))
    upstream.moves_on(a=lines(l3=line))
    before = upstream.tried("main")
    head, _, text = plain.read_bytes().partition(b"\n\n")
    how = b"\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8"
    coded = b"\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(text)
    plain.write_bytes(head + how + coded)
    (tried,) = upstream.tried("main").patches
    assert tried.model_copy(update={"patch": before.patches[0].patch}) == before.patches[0]
    assert tried.patch.files == ("a.txt",)


def test_a_file_of_several_commits_is_one_try(upstream: Upstream) -> None:
    first = upstream.patch("one", a=lines(l3="three"))
    second = upstream.patch("two", a=lines(l3="drei"))
    first.write_bytes(first.read_bytes() + second.read_bytes())
    upstream.series.remove(second)
    (tried,) = upstream.tried().patches
    assert tried.verdict == "clean"
    assert tried.patch.subjects == ("Say one", "Say two")


def test_a_ref_that_is_a_version_on_the_index_is_tried_as_a_release(
    tmp_path: Path, upstream: Upstream, running: Job
) -> None:
    upstream.patch("five", a=lines(l5="five"))
    upstream.moves_on(a=lines(l8="eight"))
    git(upstream.url, "tag", "1.1")
    archive = archive_of(tmp_path / "downloads", {**FILES, "a.txt": lines(l30="thirty")})
    release = ReleasePin(name="tiny", version="1.0", sha256="0" * 64, commit="1" * 40)
    ensure_commit(upstream.layout, "tiny", str(upstream.url), upstream.pin, False, running)
    on_git = upstream.spec("1.1")
    given = {"origin": "release", "pin": release, "version": "1.1", "otherwise": on_git}
    spec = on_git.model_copy(update=given)

    def fetch(wanted: PinnedSpec) -> Path | None:
        return archive if wanted.origin == "release" else None

    found = make_trial(spec, upstream.layout, fetch, running, lambda *_: "2" * 64)
    assert (found.origin, found.pin["sha256"], found.place) == ("release", "2" * 64, "release 1.1")
    assert found.pin["version"] == "1.1" and "commit" not in found.pin
    assert verdicts(found) == ["clean"]
    # the index has no such version: it is a tag
    tagged = make_trial(spec, upstream.layout, fetch, running, lambda *_: None)
    assert (tagged.origin, tagged.place, verdicts(tagged)) == ("git", "1.1", ["conflict"])
    alone = spec.model_copy(update={"otherwise": None})
    said = r"^patch_report\.refs\.tiny: tiny has no release 1\.1 on the package index$"
    with pytest.raises(UserError, match=said):
        make_trial(alone, upstream.layout, fetch, running, lambda *_: None)
