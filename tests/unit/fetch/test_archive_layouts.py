"""Source archives in all layouts that tar, pip or uv take; of the others, one line says why."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.fetch.archive import unpack

Entry = tuple[str, dict[str, object]]
LINK = {"type": tarfile.SYMTYPE}
HARD = {"type": tarfile.LNKTYPE}
FOLDER = {"type": tarfile.DIRTYPE, "mode": 0o755}


def tarred(path: Path, *entries: Entry, **how: object) -> Path:
    """A tar file of these members: names, and attributes with data."""
    with tarfile.open(path, str(how.pop("mode", "w:gz")), **how) as tar:  # type: ignore[call-overload]
        for name, attributes in entries:
            info = tarfile.TarInfo(name)
            data = bytes(attributes.get("data", b""))  # type: ignore[arg-type, call-overload]
            for key, value in attributes.items():
                if key != "data":
                    setattr(info, key, value)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, *entries: tuple[str, bytes, int]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return path


def found(archive: Path, tmp_path: Path) -> dict[str, bytes]:
    """The files of an unpacked archive."""
    out = tmp_path / "out"
    unpack(archive, out)
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


X: dict[str, object] = {"data": b"x"}


@pytest.mark.parametrize(
    "entries",
    [
        (("./", FOLDER), ("./a-1/", FOLDER), ("./a-1/x", X), ("./a-1/s/y", X)),
        (("./a-1/x", X), ("./a-1/s/y", X)),
        (("a-1//x", X), ("a-1/./s/y", X)),
        (("/a-1/x", X), ("/a-1/s/y", X)),
        (("._a-1", X), ("a-1/x", X), ("a-1/s/y", X)),
        (("./._a-1", X), ("./a-1/x", X), ("./a-1/s/y", X), ("./.DS_Store", X)),
        (("a-1/x", X), ("a-1/s/y", X), ("__MACOSX/a-1/._x", X)),
        (("pax_global_header", X), ("a-1/x", X), ("a-1/s/y", X)),
        (("a-1/x", X), ("a-1/s", FOLDER), ("a-1/s/y", {**HARD, "linkname": "a-1/x"})),
        (("./a-1/x", X), ("./a-1/s/y", {**HARD, "linkname": "./a-1/x"})),
        (("a-1/x", X), ("a-1/s/y", {**LINK, "linkname": "../x"})),
        (("a-1/x", {"data": b"earlier"}), ("a-1/x", X), ("a-1/s/y", X)),
    ],
)
def test_a_tar_file_gives_what_is_in_its_folder(tmp_path: Path, entries: tuple[Entry, ...]) -> None:
    archive = tarred(tmp_path / "a-1.tar.gz", *entries)
    assert found(archive, tmp_path) == {"x": b"x", "s/y": b"x"}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_long_and_foreign_names_are_kept(tmp_path: Path, form: int, mode: str) -> None:
    name = f"{'long/' * 60}grüße.txt"
    path = tmp_path / "a-1.tar"
    archive = tarred(path, (f"a-1/{name}", X), mode=mode, format=form)
    assert found(archive, tmp_path) == {name: b"x"}


def test_apple_files_inside_the_folder_are_part_of_it(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a-1.tar.gz", ("a-1/x", X), ("a-1/._x", X))
    assert found(archive, tmp_path) == {"x": b"x", "._x": b"x"}


@pytest.mark.parametrize("prefix", ["a-1/", "./a-1/"])
def test_a_zip_file_is_a_source_archive_too(tmp_path: Path, prefix: str) -> None:
    archive = zipped(
        tmp_path / "a-1.zip",
        (prefix, b"", stat.S_IFDIR | 0o755),
        (f"{prefix}x", b"x", 0o100644),
        (f"{prefix}s/run", b"y", 0o100755),
        (f"{prefix}empty/", b"", stat.S_IFDIR | 0o755),
        ("__MACOSX/._x", b"", 0),
    )
    assert found(archive, tmp_path) == {"x": b"x", "s/run": b"y"}
    assert os.access(tmp_path / "out/s/run", os.X_OK)
    assert (tmp_path / "out/empty").is_dir()


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        (
            (("setup.py", X), ("a/__init__.py", X), ("PKG-INFO", X)),
            "it has 3 top-level entries (PKG-INFO, a, setup.py), and a source archive has one "
            "folder that holds all",
        ),
        ((("x", X),), "its one top-level entry, x, is no folder"),
        ((("a", {**LINK, "linkname": "b"}),), "its one top-level entry, a, is no folder"),
        ((), "it has 0 top-level entries, and a source archive has one folder that holds all"),
        ((("a/x", {**HARD, "linkname": "a/gone"}),), "refused: 'x' is a hard link to nothing"),
        ((("a/x", X), ("a/x/y", X)), "refused: 'x/y': Not a directory"),
        ((("a/x/y", X), ("a/x", X)), "refused: 'x': Is a directory"),
        (((f"a/{'n' * 300}", X),), f"refused: '{'n' * 300}': File name too long"),
        ((("a/f", {"type": tarfile.FIFOTYPE}),), "refused: 'f' is a special file"),
        ((("a/l", {**LINK, "linkname": "/etc"}),), "refused: 'l' is a link to an absolute path"),
    ],
)
def test_what_a_tar_file_may_not_be_is_one_line(
    tmp_path: Path, entries: tuple[Entry, ...], why: str
) -> None:
    with pytest.raises(UserError) as raised:
        unpack(tarred(tmp_path / "a.tar.gz", *entries), tmp_path / "out")
    assert str(raised.value) == f"a.tar.gz: {why}"


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ((("a/l", b"x", stat.S_IFLNK | 0o777),), "refused: 'a/l' is neither a file nor a folder"),
        ((("a/../../x", b"x", 0o644),), "refused: 'a/../../x' leads outside"),
        ((("a/x", b"x", 0), ("a/x/y", b"x", 0)), "refused: 'a/x/y': File exists"),
        (
            (("a/x", b"", 0), ("b/x", b"", 0)),
            "it has 2 top-level entries (a, b), and a source archive has one folder that holds all",
        ),
    ],
)
def test_what_a_zip_file_may_not_be_is_one_line(
    tmp_path: Path, entries: tuple[tuple[str, bytes, int], ...], why: str
) -> None:
    with pytest.raises(UserError) as raised:
        unpack(zipped(tmp_path / "a.zip", *entries), tmp_path / "out")
    assert str(raised.value) == f"a.zip: {why}"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip", "nothing", "zst", "empty"])
def test_what_is_damaged_or_of_another_kind_is_one_line(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.tar"
    noise = bytes(range(256)) * 4096 + os.urandom(1 << 16)
    if mode == "zip":
        zipped(path, ("a/x", noise, 0o644))
    elif mode in ("nothing", "zst", "empty"):
        path.write_bytes({"zst": b"\x28\xb5\x2f\xfd" + noise, "empty": b""}.get(mode, b"<html>"))
    else:
        tarred(path, ("a/x", {"data": noise}), mode=mode)
    data = path.read_bytes()
    for cut in (data[: len(data) // 2], data[:700] + b"\0\xff" * 9 + data[718:]):
        path.write_bytes(cut)
        try:
            unpack(path, tmp_path / "out")
        except UserError as error:
            assert str(error).startswith("a.tar: not a readable archive: ")
            assert "\n" not in str(error)
        else:
            assert mode == "w", "a plain tar file has no checksum of what its files hold"
