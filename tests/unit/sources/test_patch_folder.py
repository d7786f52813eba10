"""Which files are patches of a series, and what is said of all else that lies there."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.sources.patch_file import body_digest, ignored, series

REPOS = ("vllm", "tokenizers")


def laid(tmp_path: Path, *names: str) -> Path:
    """The folder of all series with these files, and with folders whose name ends in /."""
    patches = tmp_path / "patches"
    for name in names:
        path = patches / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text("x\n")
    return patches


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("vllm/0001-x.diff", "a patch is named NAME.patch"),
        ("vllm/0001-x.patch.txt", "a patch is named NAME.patch"),
        ("vllm/0001-x.PATCH", "a patch is named NAME.patch"),
        ("vllm/git/pr.mbox", "a patch is named NAME.patch"),
        ("vllm/.#0001-x.patch", "it is an editor's file"),
        ("vllm/.0001-x.patch.swp", "it is an editor's file"),
        ("vllm/release/._0001-x.patch", "it is an editor's file"),
        ("vllm/0001-x.patch~", "it is an editor's file"),
        ("vllm/0001-x.patch/inside", "it is a folder"),
        ("vllm/git/more.patch/inside", "it is a folder"),
        ("0001-x.patch", "a series is a folder named after its repo"),
        (
            "vlm/0001-x.patch",
            "there is no repo 'vlm': one of tokenizers, vllm (did you mean 'vllm'?)",
        ),
        (
            "vllm/relaese/0001-x.patch",
            "there is no origin 'relaese': one of release, git (did you mean 'release'?)",
        ),
    ],
)
def test_what_no_series_takes_is_said(tmp_path: Path, name: str, why: str) -> None:
    patches = laid(tmp_path, name, "vllm/0002-y.patch", "vllm/git/0003-z.patch")
    (line,) = ignored(patches, REPOS)
    path, _, said = line.partition(" is left out: ")
    assert f"patches/{name}".startswith(path) and said == why
    assert [path.name for path in series(patches / "vllm", "git")] == [
        "0002-y.patch",
        "0003-z.patch",
    ]


def test_of_notes_and_empty_folders_nothing_is_said(tmp_path: Path) -> None:
    notes = ("README.md", "vllm/README", "vllm/notes.md", "vllm/git/.gitkeep", ".gitattributes")
    patches = laid(tmp_path, *notes, "other/", "vllm/x.patch/", "vllm/0001-x.patch")
    assert [*ignored(patches, REPOS)] == []
    assert [*ignored(tmp_path / "none", REPOS)] == []


def test_a_link_to_nothing_is_one_line(tmp_path: Path) -> None:
    patches = laid(tmp_path, "vllm/")
    (patches / "vllm/0001-x.patch").symlink_to("gone")
    (path,) = series(patches / "vllm", "git")
    with pytest.raises(UserError, match=r"vllm/0001-x\.patch: cannot be read: No such file"):
        body_digest(path)
