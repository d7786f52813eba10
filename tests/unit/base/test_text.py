"""Words for messages."""

from snakedev.base.text import counted


def test_counts_have_their_words() -> None:
    assert [counted(count, "file") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [counted(count, "patch", "patches") for count in (1, 25)] == ["1 patch", "25 patches"]
