"""Archives are unpacked into their folder, or not at all."""

import io
import stat
import tarfile
import zipfile

import pytest

from snakedev.base.errors import UserError
from snakedev.fetch.archive import unpack, unpack_folder


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


def wheel(path, *members: tuple[str, bytes, int]) -> None:
    """A zip file of members: a name, contents and a mode."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archived:
        for name, data, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archived.writestr(info, data)


def files(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_one_folder_of_a_wheel_is_unpacked_with_its_prefix_stripped(tmp_path):
    wheel(
        tmp_path / "a.whl",
        ("a/__init__.py", b"", 0o644),
        ("a/data/source/include/x.h", b"x", 0o100644),
        ("a/data/source/run.sh", b"run", 0o100755),
        ("a/data/source/plain", b"no mode", 0),
        ("a/data/source-2/y.h", b"y", 0o100644),
        ("a/data/source/empty/", b"", stat.S_IFDIR | 0o755),
        ("a-1.0.dist-info/RECORD", b"", 0o100664),
    )
    out = tmp_path / "out"
    unpack_folder(tmp_path / "a.whl", "a/data/source", out)
    assert files(out) == ["include/x.h", "plain", "run.sh"]
    assert (out / "include/x.h").read_bytes() == b"x"
    assert (out / "empty").is_dir()
    executable = {name for name in files(out) if (out / name).stat().st_mode & 0o111}
    assert executable == {"run.sh"}


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("a/data/../../../outside", 0o644, "leads outside"),
        ("/a/data/outside", 0o644, "leads outside"),
        ("elsewhere/../../outside", 0o644, "leads outside"),
        ("a/data/link", stat.S_IFLNK | 0o777, "neither a file nor a folder"),
        ("a/data/null", stat.S_IFCHR | 0o666, "neither a file nor a folder"),
    ],
)
def test_what_leads_outside_a_wheel_is_refused_and_named(tmp_path, name, mode, said):
    wheel(tmp_path / "bad.whl", ("a/data/ok", b"x", 0o644), (name, b"../../outside", mode))
    with pytest.raises(UserError) as raised:
        unpack_folder(tmp_path / "bad.whl", "a/data", tmp_path / "deep" / "out")
    assert str(raised.value).startswith(f"bad.whl: refused: '{name}' ")
    assert said in str(raised.value)
    assert files(tmp_path) == ["bad.whl"]


@pytest.mark.parametrize(
    ("folder", "instead"),
    [
        ("a/data/sorce", "a/data has other, source"),
        ("a/sata/source", "a has data"),
        ("b", "it has a, a-1.0.dist-info"),
        ("a/data/source/x.h", "a/data/source has no folders"),
    ],
)
def test_a_folder_that_a_wheel_lacks_is_named_with_what_is_there(tmp_path, folder, instead):
    wheel(
        tmp_path / "a.whl",
        ("a/data/source/x.h", b"", 0o644),
        ("a/data/other/x.h", b"", 0o644),
        ("a-1.0.dist-info/RECORD", b"", 0o644),
    )
    with pytest.raises(UserError) as raised:
        unpack_folder(tmp_path / "a.whl", folder, tmp_path / "out")
    expected = f"a.whl: release.folder: there is no folder '{folder}' in it: {instead}"
    assert str(raised.value) == expected


def test_a_wheel_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "no.whl").write_bytes(b"PK nothing")
    wheel(tmp_path / "empty.whl")
    wheel(tmp_path / "damaged.whl", ("a/x", bytes(range(256)), 0o644))
    data = bytearray((tmp_path / "damaged.whl").read_bytes())
    data[40] ^= 0xFF
    (tmp_path / "damaged.whl").write_bytes(data)
    for name in ("no.whl", "damaged.whl"):
        with pytest.raises(UserError, match=f"{name}: not a readable archive"):
            unpack_folder(tmp_path / name, "a", tmp_path / "out")
    with pytest.raises(UserError, match=r"empty\.whl: .* it has no folders"):
        unpack_folder(tmp_path / "empty.whl", "a", tmp_path / "out")
