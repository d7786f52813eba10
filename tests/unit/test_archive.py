"""Archives are unpacked into their folder, or not at all."""

import io
import tarfile

import pytest

from scripts.archive import unpack
from scripts.errors import UserError


def archive(path, *members: tuple[str, dict]) -> None:
    """A tar file of members: a name, and attributes of its header."""
    with tarfile.open(path, "w:gz") as tar:
        for name, attributes in members:
            info = tarfile.TarInfo(name)
            data = attributes.pop("data", b"")
            for key, value in attributes.items():
                setattr(info, key, value)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_the_top_level_folder_is_stripped_and_modes_are_kept(tmp_path):
    archive(
        tmp_path / "a.tar.gz",
        ("a-1.0", {"type": tarfile.DIRTYPE, "mode": 0o755}),
        ("a-1.0/run.sh", {"data": b"x", "mode": 0o755}),
        ("a-1.0/sub/file", {"data": b"y", "mode": 0o644}),
        ("a-1.0/link", {"type": tarfile.SYMTYPE, "linkname": "sub/file"}),
        ("a-1.0/hard", {"type": tarfile.LNKTYPE, "linkname": "a-1.0/sub/file"}),
    )
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert (tmp_path / "out/run.sh").stat().st_mode & 0o100
    assert (tmp_path / "out/link").read_bytes() == (tmp_path / "out/hard").read_bytes() == b"y"


@pytest.mark.parametrize(
    "member",
    [
        ("a/../../outside", {"data": b"x"}),
        ("a/link", {"type": tarfile.SYMTYPE, "linkname": "../../outside"}),
        ("a/link", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("a/null", {"type": tarfile.CHRTYPE}),
    ],
)
def test_what_leads_outside_is_refused(tmp_path, member):
    archive(tmp_path / "bad.tar.gz", ("a/ok", {"data": b"x"}), member)
    with pytest.raises(UserError, match=r"bad\.tar\.gz: refused"):
        unpack(tmp_path / "bad.tar.gz", tmp_path / "deep" / "out")
    assert not (tmp_path / "outside").exists()


def test_several_top_level_folders_and_broken_files_are_named(tmp_path):
    archive(tmp_path / "two.tar.gz", ("a/x", {}), ("b/x", {}))
    with pytest.raises(UserError, match="2 top-level entries"):
        unpack(tmp_path / "two.tar.gz", tmp_path / "out")
    (tmp_path / "cut.tar.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(UserError, match="not a readable archive"):
        unpack(tmp_path / "cut.tar.gz", tmp_path / "out")
