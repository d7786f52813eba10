"""Sources, made for real: from archives and git repositories, the same for everybody."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.mirror import ensure_commit
from snakedev.sources.patch_file import body_digest
from snakedev.sources.source import SourceRecord, make_source
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec
from tests.unit.release import archive_of
from tests.unit.repositories import commit, git, repository

GREET = 'int main() {\n  puts("hello");\n  return 0;\n}\n'
FILES = {
    "greet.c": GREET,
    "Cargo.toml": '[package]\nname = "tiny"\nversion = "0.0.0"\n\n[dependencies]\nversion = "1"\n',
    "windows.txt": b"one\r\ntwo\r\n",
    "unix.bat": "rem $Id$\n",
    ".gitattributes": "*.txt text=auto\n*.bat text eol=crlf ident\n",
    ".gitignore": "ignored/\n",
    "ignored/file": "part of the release all the same\n",
    "trailing.py": "x = 1   \n\n\n",
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "results")


def patch_of(
    folder: Path, name: str, old: str, new: str, file: str = "greet.c", text: str = GREET
) -> Path:
    """A patch, as git writes it, that replaces text in a file."""
    work = folder / f"work-{name}"
    repository(work, {file: text})
    assert old in text
    commit(work, {file: text.replace(old, new)})
    git(work, "commit", "--amend", "--quiet", "-m", f"Apply {name}\n\nFor a reason.")
    path = folder / f"{name}.patch"
    path.write_text(git(work, "format-patch", "-1", "--stdout") + "\n")
    return path


def spec_of(pin: GitPin | ReleasePin, *patches: Path, **more: Any) -> SourceSpec:
    return SourceSpec(
        repo="tiny",
        origin="git" if isinstance(pin, GitPin) else "release",
        pin=pin,
        pin_identity=pin.model_dump(exclude={"url"}),
        version="1.0",
        patches=patches,
        patch_bodies=tuple(map(body_digest, patches)),
        **more,
    )


RELEASE = ReleasePin(name="tiny", version="1.0", sha256="0" * 64)
Make = Callable[..., SourceRecord]


@pytest.fixture
def release(tmp_path: Path, layout: Layout, running: Job) -> Make:
    """Make a source from the release, with patches and settings."""

    def make(*patches: Path, **more: Any) -> SourceRecord:
        archive = archive_of(tmp_path / "downloads", more.pop("files", FILES))
        return make_source(spec_of(RELEASE, *patches, **more), layout, archive, running)

    return make


def from_git(
    layout: Layout, url: str, pin: str, running: Job, *patches: Path, **more: Any
) -> SourceRecord:
    """Make a source from a repository's commit, mirrored first."""
    submodules = more.pop("submodules", False)
    chosen = GitPin(url=url, commit=pin, submodules=submodules)
    ensure_commit(layout, "tiny", url, pin, submodules, running)
    return make_source(spec_of(chosen, *patches, **more), layout, None, running)


def tree_of(layout: Layout, record: SourceRecord) -> Path:
    return layout.source("tiny", record.key) / "tree"


def subjects(tree: Path) -> list[str]:
    """The subjects of a source's commits, the first one first."""
    return git(tree, "log", "--reverse", "--format=%s").splitlines()


def store(layout: Layout) -> list[Path]:
    """What lies in the store of the repo's sources."""
    return list((layout.root / "sources" / "tiny").glob("*"))


def test_a_release_and_its_patches_are_a_clean_checkout(
    tmp_path: Path, layout: Layout, release: Make
) -> None:
    hi = patch_of(tmp_path, "0001-say-hi", "hello", "hi")
    said = GREET.replace("hello", "hi")
    one = patch_of(tmp_path, "0002-return-one", "return 0", "return 1", text=said)
    record = release(hi, one)
    tree = tree_of(layout, record)
    assert (tree / "greet.c").read_text() == GREET.replace("hello", "hi").replace("0", "1")
    assert subjects(tree) == ["tiny 1.0 (release)", "Apply 0001-say-hi", "Apply 0002-return-one"]
    assert git(tree, "log", "-1", "--format=%an <%ae>") == "A. Tester <tester@example.org>"
    assert git(tree, "status", "--porcelain") == ""
    assert git(tree, "rev-parse", "HEAD") == record.commit
    assert git(tree, "rev-parse", "HEAD^{tree}") == record.tree
    assert git(tree, "rev-parse", "HEAD~2^{tree}") == record.base_tree
    assert [(p.name, p.subject) for p in record.patches] == [
        ("0001-say-hi.patch", "Apply 0001-say-hi"),
        ("0002-return-one.patch", "Apply 0002-return-one"),
    ]
    assert record == SourceRecord.read(tree.with_name("source.json"))


def test_every_file_of_a_release_is_there_as_it_was(layout: Layout, release: Make) -> None:
    tree = tree_of(layout, release())
    for name, content in FILES.items():
        data = content if isinstance(content, bytes) else content.encode()
        assert (tree / name).read_bytes() == data
    assert os.access(tree / "run.sh", os.X_OK) and not os.access(tree / "greet.c", os.X_OK)
    assert os.readlink(tree / "link") == "greet.c"
    assert {"run.sh", "link", *FILES} == set(git(tree, "ls-files").splitlines())


def test_a_commit_and_its_submodules_are_one_tree(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    inner, upstream = tmp_path / "inner", tmp_path / "upstream"
    inner_pin = repository(inner, {"inner.c": "int inner;\n", "deep/er": "x\n"})
    commit(inner, {"inner.c": "int later;\n"})
    repository(upstream, FILES)
    pin = commit(upstream, submodules={"third_party/inner": ("../inner", inner_pin)})
    patch = patch_of(
        tmp_path, "0001-x", "inner", "patched", "third_party/inner/inner.c", "int inner;\n"
    )
    record = from_git(layout, str(upstream), pin, running, patch, submodules=True)
    tree = tree_of(layout, record)
    assert (tree / "third_party/inner/inner.c").read_text() == "int patched;\n"
    assert (tree / "third_party/inner/deep/er").read_text() == "x\n"
    assert (tree / "ignored/file").is_file()
    assert git(tree, "status", "--porcelain", "--ignored") == ""
    assert not list(tree.rglob(".index-*"))
    assert record.pin["commit"] == pin

    listed = from_git(layout, str(upstream), pin, running, patch, submodules=("third_party/inner",))
    assert listed.tree == record.tree
    without = from_git(layout, str(upstream), pin, running)
    assert not (tree_of(layout, without) / "third_party/inner/inner.c").exists()


def test_a_release_and_a_commit_of_the_same_files_have_the_same_tree(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    upstream = tmp_path / "upstream"
    repository(upstream, {**FILES, "run.sh": ""})
    git(upstream, "update-index", "--chmod=+x", "run.sh")
    (upstream / "link").symlink_to("greet.c")
    git(upstream, "add", "link")
    pin = commit(upstream)
    cloned = from_git(layout, str(upstream), pin, running)
    archive = archive_of(tmp_path / "downloads", FILES)
    released = make_source(spec_of(RELEASE), layout, archive, running)
    assert cloned.key != released.key
    assert cloned.base_tree == released.base_tree == git(upstream, "rev-parse", "HEAD^{tree}")


_HOSTILE = """
[user]
    name = Somebody Else
    email = else@example.org
    signingkey = 0000
[core]
    autocrlf = true
    safecrlf = true
    hooksPath = {home}/hooks
    excludesFile = {home}/ignore
    attributesFile = {home}/attributes
    fileMode = false
    whitespace = trailing-space
[commit]
    gpgSign = true
[gpg]
    program = /bin/false
[apply]
    whitespace = fix
[am]
    threeWay = true
[init]
    defaultBranch = trunk
    templateDir = {home}/template
[i18n]
    commitEncoding = ISO-8859-1
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Turn this process's user into one with settings that would change every commit."""

    def apply() -> None:
        home = tmp_path / "home"
        for folder in ("hooks", "template/hooks"):
            (home / folder).mkdir(parents=True)
            for hook in ("pre-commit", "commit-msg", "applypatch-msg", "pre-applypatch"):
                (home / folder / hook).write_text("#!/bin/sh\nexit 1\n")
                (home / folder / hook).chmod(0o755)
        (home / "ignore").write_text("*.py\n")
        (home / "attributes").write_text("* text eol=crlf\n")
        (home / ".gitconfig").write_text(_HOSTILE.format(home=home))
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
        monkeypatch.setenv("TZ", "Asia/Kathmandu")
        monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-02-03T04:05:06Z")
        monkeypatch.setenv("GIT_COMMITTER_NAME", "Somebody Else")
        monkeypatch.setenv("GIT_DIR", str(home / "nowhere"))
        monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.autocrlf=true'")

    return apply


def test_a_release_gives_the_same_commits_for_everybody(
    tmp_path: Path, running: Job, hostile: Callable[[], None]
) -> None:
    patch = patch_of(tmp_path, "0001-x", "x = 1   ", "x = 2   ", "trailing.py", "x = 1   \n\n\n")
    archive = archive_of(tmp_path / "downloads", FILES)
    spec = spec_of(RELEASE, patch)
    mine = make_source(spec, Layout(tmp_path / "mine"), archive, running)
    hostile()
    previous = os.umask(0o077)
    try:
        theirs = make_source(spec, Layout(tmp_path / "deep" / "theirs"), archive, running)
    finally:
        os.umask(previous)
    assert theirs == mine
    tree = tree_of(Layout(tmp_path / "deep" / "theirs"), theirs)
    assert (tree / "windows.txt").read_bytes() == b"one\r\ntwo\r\n"
    assert (tree / "trailing.py").read_bytes() == b"x = 2   \n\n\n"


def test_a_commit_gives_the_same_commits_for_everybody(
    tmp_path: Path, running: Job, hostile: Callable[[], None]
) -> None:
    inner_pin = repository(tmp_path / "inner", {"inner.py": "1\n"})
    upstream = tmp_path / "upstream"
    repository(upstream, FILES)
    pin = commit(upstream, submodules={"inner": ("../inner", inner_pin)})
    patch = patch_of(tmp_path, "0001-x", "hello", "hi")
    found = []
    for folder in (tmp_path / "mine", tmp_path / "deep" / "theirs"):
        layout = Layout(folder)
        found.append(from_git(layout, str(upstream), pin, running, patch, submodules=True))
        hostile() if len(found) == 1 else None
    assert found[0] == found[1]


def test_a_patch_that_does_not_apply_is_named_with_its_file_and_hunk(
    tmp_path: Path, layout: Layout, release: Make
) -> None:
    fits = patch_of(tmp_path, "0001-say-hi", "hello", "hi")
    stale = patch_of(
        tmp_path, "0002-say-hey", "bonjour", "hey", text=GREET.replace("hello", "bonjour")
    )
    never = patch_of(tmp_path, "0003-return-one", "return 0", "return 1")
    with pytest.raises(UserError) as raised:
        release(fits, stale, never)
    first, *rest = str(raised.value).splitlines()
    assert first.startswith(f"{stale} does not apply: ")
    assert "greet.c" in first
    assert '-  puts("bonjour");' in rest and '+  puts("hey");' in rest
    assert "0003-return-one" not in str(raised.value)
    assert store(layout) == []


def test_only_the_hunks_that_found_no_place_are_shown(
    tmp_path: Path, layout: Layout, release: Make
) -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    other = text.replace("line 30", "line thirty")
    patch = patch_of(tmp_path, "0001-x", "line 3", "LINE 3", "long.txt", other)
    with pytest.raises(UserError) as raised:
        release(patch, files={**FILES, "long.txt": text})
    lines = str(raised.value).splitlines()
    assert "-line thirty" not in lines  # it is context there, and in no change
    assert "-line 31" in lines
    assert "-line 3" not in lines
    assert store(layout) == []


def test_a_patch_for_a_file_that_is_not_there_is_named(
    tmp_path: Path, layout: Layout, release: Make
) -> None:
    patch = patch_of(tmp_path, "0001-x", "a", "b", "no/such.c", "a\n")
    with pytest.raises(UserError, match=r"0001-x\.patch does not apply: no/such\.c"):
        release(patch)
    assert store(layout) == []


def test_a_patch_that_was_cut_off_is_named(tmp_path: Path, layout: Layout, release: Make) -> None:
    patch = patch_of(tmp_path, "0001-say-hi", "hello", "hi")
    text = patch.read_text()
    patch.write_text(text[: text.index("+  puts")])
    with pytest.raises(UserError, match=r"0001-say-hi\.patch does not apply: corrupt patch"):
        release(patch)
    assert store(layout) == []


def test_a_patch_of_windows_line_ends_keeps_them(
    tmp_path: Path, layout: Layout, release: Make
) -> None:
    work = tmp_path / "work"
    repository(work, {"windows.txt": b"one\r\ntwo\r\n"})
    commit(work, {"windows.txt": b"one\r\nthree\r\n"})
    patch = tmp_path / "0001-three.patch"
    git(work, "format-patch", "-1", "--output", patch)
    tree = tree_of(layout, release(patch))
    assert (tree / "windows.txt").read_bytes() == b"one\r\nthree\r\n"


VERSION = {"Cargo.toml": r'^version = "(0\.0\.0)"'}


def test_version_files_get_the_version(tmp_path: Path, layout: Layout, running: Job) -> None:
    upstream = tmp_path / "upstream"
    pin = repository(upstream, FILES)
    record = from_git(layout, str(upstream), pin, running, version_files=VERSION)
    tree = tree_of(layout, record)
    assert (tree / "Cargo.toml").read_text() == FILES["Cargo.toml"].replace("0.0.0", "1.0")
    assert subjects(tree) == ["tiny 1.0 (git)", "Set the version to 1.0"]
    assert record.base_tree == git(upstream, "rev-parse", "HEAD^{tree}")
    assert record.tree != record.base_tree


def test_nothing_but_the_version_changes_in_a_version_file(layout: Layout, release: Make) -> None:
    windows = b'[package]\r\nversion = "0.0.0"\r\nname = "tiny"\r\n'
    record = release(files={**FILES, "Cargo.toml": windows}, version_files=VERSION)
    found = (tree_of(layout, record) / "Cargo.toml").read_bytes()
    assert found == windows.replace(b"0.0.0", b"1.0")


@pytest.mark.parametrize(
    "files",
    [
        {"Cargo.toml": r'^version = "(9\.9\.9)"'},
        {"Cargo.toml": r"^version"},
        {"Cargo.toml": r'^version = "0(\.9)?'},
        {"setup.cfg": "version = (.*)"},
    ],
)
def test_a_version_file_without_a_place_for_the_version_is_named(
    layout: Layout, release: Make, files: dict[str, str]
) -> None:
    (name,) = files
    with pytest.raises(UserError, match=f"version_files: {name} has no place"):
        release(version_files=files)
    assert store(layout) == []


def test_a_folder_of_a_wheel_and_a_commit_of_the_same_files_have_the_same_tree(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    archive = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        for name, content in FILES.items():
            wheel.writestr(f"tiny/data/tiny/{name}", content)
        wheel.writestr("tiny/__init__.py", "not part of the source\n")
    pin = RELEASE.model_copy(update={"kind": "wheel", "folder": "tiny/data/tiny"})
    patch = patch_of(tmp_path, "0001-say-hi", "hello", "hi")
    record = make_source(spec_of(pin, patch), layout, archive, running)
    upstream = tmp_path / "upstream"
    cloned = from_git(layout, str(upstream), repository(upstream, FILES), running)
    assert record.base_tree == cloned.base_tree
    assert (record.pin["kind"], record.pin["folder"]) == ("wheel", "tiny/data/tiny")
    assert (tree_of(layout, record) / "greet.c").read_text() == GREET.replace("hello", "hi")


def test_a_folder_that_the_wheel_lacks_leaves_nothing(
    tmp_path: Path, layout: Layout, running: Job
) -> None:
    archive = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("tiny/greet.c", GREET)
    pin = RELEASE.model_copy(update={"kind": "wheel", "folder": "tiny/data"})
    with pytest.raises(UserError, match=r"release\.folder: there is no folder 'tiny/data' in it"):
        make_source(spec_of(pin), layout, archive, running)
    assert store(layout) == []


def test_an_unsafe_archive_leaves_nothing(layout: Layout, release: Make) -> None:
    with pytest.raises(UserError, match="refused"):
        release(files={"../../outside": "x"})
    assert store(layout) == []


def test_a_source_is_made_once(tmp_path: Path, layout: Layout, running: Job) -> None:
    archive = archive_of(tmp_path / "downloads", FILES)
    first = make_source(spec_of(RELEASE), layout, archive, running)
    archive.unlink()
    assert make_source(spec_of(RELEASE), layout, archive, running) == first


def test_a_password_in_the_address_is_not_recorded(
    tmp_path: Path, layout: Layout, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = repository(tmp_path / "inside" / "tiny", FILES)
    url = "https://someone:hunter2@forge.test/tiny"
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[url "{tmp_path}/inside/"]\n\tinsteadOf = https://someone:hunter2@forge.test/\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    record = from_git(layout, url, pin, running)
    assert record.pin["url"] == "https://forge.test/tiny"
    assert "hunter2" not in (layout.source("tiny", record.key) / "source.json").read_text()
