"""The archive of an image, and the bytes of its layers."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from isal import ISAL_VERSION

from snakedev.images.archive import ImageArchive
from snakedev.images.layer import Entry
from tests.container_image import read_image

PLATFORM = {"architecture": "amd64", "os": "linux"}
CONFIG = {"created": "2020-01-01T00:00:00Z", "config": {"Entrypoint": ["run"]}}
LONG = "opt/" + "a-folder-with-a-long-name/" * 8 + "file"


def write(path: Path, *layers: list[Entry]) -> str:
    """Write an archive; returns the image's digest."""
    with ImageArchive(path) as archive:
        for number, entries in enumerate(layers):
            archive.add_layer(f"layer {number}", entries)
        return archive.finish(CONFIG, "localhost/name:1", PLATFORM)


def test_what_is_written_is_an_image(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"#!")
    entries = [
        Entry("usr/bin/program", 0o755, program),
        Entry("bin", link="usr/bin"),
        Entry(LONG, content=b"text"),
        Entry("tmp", mode=0o1777),
    ]
    digest = write(tmp_path / "image.tar", entries, [Entry("etc/name", content=b"x")])
    image = read_image(tmp_path / "image.tar")
    assert image.digest == digest and image.docker["RepoTags"] == ["localhost/name:1"]
    assert image.config["config"] == CONFIG["config"]
    assert image.config["architecture"] == "amd64" and image.config["os"] == "linux"
    assert [step["created_by"] for step in image.config["history"]] == ["layer 0", "layer 1"]
    members = image.members(0)
    assert members["usr/bin/program"].mode == 0o755 and members[LONG].mode == 0o644
    assert members["bin"].issym() and members["bin"].linkname == "usr/bin"
    assert members["usr"].isdir() and members["usr"].mode == 0o755 and members["tmp"].mode == 0o1777
    assert image.read(LONG) == b"text"
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members.values()} == {(0, 0, "", 1577836800)}


def test_order_times_and_places_leave_no_trace(tmp_path):
    digests = set()
    for name, order in (("one", 1), ("another", -1)):
        folder = tmp_path / name
        folder.mkdir()
        paths = [folder / str(number) for number in range(3)]
        for path in paths:
            path.write_text("the same")
            os.utime(path, (order + 5, order + 5))
        entries = [Entry(f"opt/{path.name}", content=path) for path in paths][::order]
        write(folder / "image.tar", entries)
        digests.add((folder / "image.tar").read_bytes())
    assert len(digests) == 1


def test_every_cpu_compresses_to_the_same_bytes(tmp_path):
    # of text that repeats itself, and of what hardly does, in more than one piece
    words = [hashlib.sha256(b"%d" % (number % 5000)).digest() for number in range(100_000)]
    data = b"".join(word.hex().encode() if word[0] < 99 else word for word in words)
    write(tmp_path / "image.tar", [Entry("opt/data", content=data)])
    (digest,) = read_image(tmp_path / "image.tar").layer_digests
    assert (ISAL_VERSION, digest) == (
        "2.32.1",
        "sha256:5742914cadf00794275c670d9ab1489869aa6dcc8a67397720671e666555af9d",
    )


def test_of_two_layers_with_the_same_bytes_one_blob_is_kept(tmp_path):
    layer = [Entry("etc/name", content=b"x" * 100_000)]
    write(tmp_path / "image.tar", layer, [Entry("other", content=b"y")], layer)
    image = read_image(tmp_path / "image.tar")
    assert len(image.layers) == 3 and len(set(image.layer_digests)) == 2


def test_the_last_of_two_entries_with_one_path_counts(tmp_path):
    write(tmp_path / "image.tar", [Entry("a", content=b"1"), Entry("a", content=b"2")])
    image = read_image(tmp_path / "image.tar")
    assert image.read("a") == b"2" and list(image.members(0)) == ["a"]


def test_a_block_that_fails_leaves_the_file_to_its_caller(tmp_path):
    with pytest.raises(FileNotFoundError), ImageArchive(tmp_path / "image.tar") as archive:
        archive.add_layer("layer", [Entry("a", content=tmp_path / "none")])


def test_tar_itself_can_read_it(tmp_path):
    write(tmp_path / "image.tar", [Entry("a", content=b"1")])
    listed = subprocess.run(
        ["tar", "-tf", tmp_path / "image.tar"], check=True, capture_output=True, text=True
    )
    assert listed.stderr == "" and "index.json" in listed.stdout.split()
