"""The base of an image, from Debian packages that are made on the spot."""

import shutil

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.fetch.debian import DebianPackages
from snakedev.images.base import CERTIFICATES, HOME, base_entries
from snakedev.images.base_lock import SERVING, read_base
from tests.debian_package import make_deb, small_base

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="reads Debian packages")


def unpacked(folder, files):
    deb = make_deb(folder, "some", "1", files)
    return {entry.path: entry for entry in base_entries([folder / deb.file])}


def test_files_lie_where_a_merged_usr_has_them(tmp_path):
    entries = unpacked(tmp_path, {"bin/sh": b"1", "lib/x86/libc.so": b"2", "usr/bin/env": b"3"})
    assert entries["usr/bin/sh"].content == b"1" and entries["usr/lib/x86/libc.so"].content == b"2"
    assert {entries[name].link for name in ("bin", "lib64")} == {"usr/bin", "usr/lib64"}
    assert "bin/sh" not in entries and entries["usr/bin/env"].content == b"3"


def test_pages_for_people_are_left_out_and_copyrights_kept(tmp_path):
    doc = "usr/share/doc/some"
    files = {f"{doc}/copyright": b"mine", f"{doc}/changelog": b"-", "usr/share/man/man1/a": b"-"}
    entries = unpacked(tmp_path, files)
    assert {p for p in entries if p.startswith("usr/share") and entries[p].content} == {
        f"{doc}/copyright"
    }
    assert b"Version: 1" in entries["var/lib/dpkg/status.d/some"].content


def test_certificates_are_one_file_in_the_order_of_their_names(tmp_path):
    folder = "usr/share/ca-certificates/mozilla"
    entries = unpacked(tmp_path, {f"{folder}/b.crt": b"B", f"{folder}/a.crt": b"A\n"})
    assert entries[CERTIFICATES[1:]].content == b"A\nB\n"


def test_nothing_runs_as_another_and_whoever_runs_has_a_home(tmp_path):
    deb = make_deb(tmp_path, "some", "1", {"usr/bin/su": b"1"})
    tree = tmp_path / ".some"
    (tree / "usr/bin/su").chmod(0o4755)
    deb = make_deb(tmp_path, "some", "1", {})
    entries = {entry.path: entry for entry in base_entries([tmp_path / deb.file])}
    assert entries["usr/bin/su"].mode == 0o755
    assert entries[HOME[1:]].mode == entries["tmp"].mode == 0o1777
    assert b"vllm:x:1000:1000" in entries["etc/passwd"].content


def test_what_is_no_package_is_told(tmp_path):
    (tmp_path / "some_1_all.deb").write_bytes(b"no package")
    with pytest.raises(UserError, match=r"some_1_all\.deb: not a Debian package"):
        list(base_entries([tmp_path / "some_1_all.deb"]))


@pytest.fixture
def debian(tmp_path):
    with job("test", tmp_path / "log") as running:
        yield DebianPackages(
            tmp_path / "results/downloads/debian", running, "http://127.0.0.1:9/debian"
        )


def test_packages_that_are_there_are_not_asked_for(tmp_path, debian):
    lock = small_base(tmp_path)
    assert (
        read_base(tmp_path / "envs", SERVING, "trixie", ["libc6", "dash"]) == lock
        and lock.libc == "2.99"
    )
    files = debian.pinned(lock.packages, lock.suites, "snakemake image_lock")
    assert [file.name for file in files] == [deb.file for deb in lock.packages]
