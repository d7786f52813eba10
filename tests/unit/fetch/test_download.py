"""Downloads from a package index on loopback that breaks off, refuses and lies like real ones."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.config.read import check
from snakedev.config.repos import ReleasePin
from snakedev.fetch.download import DownloadRecord, fetch_release, fetch_wheel, fetched_release
from snakedev.store.layout import Layout
from tests.unit.default_config import DEFAULT
from tests.unit.fetch.small_index import NAME, PIN, SDIST, SHA256, SmallIndex


def fetch(folder: Path, running: Job, pin: ReleasePin = PIN) -> Path:
    return fetch_release(pin, folder, None, running)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_release_is_downloaded_under_its_own_name(
    small_index: SmallIndex, tmp_path: Path, running: Job
) -> None:
    archive = fetch(tmp_path / "downloads", running)
    assert archive.name == NAME
    assert archive.read_bytes() == SDIST
    assert files_in(tmp_path / "downloads") == [NAME]


def test_what_is_there_is_not_asked_for_again(
    small_index: SmallIndex, tmp_path: Path, running: Job
) -> None:
    first = fetch(tmp_path / "downloads", running)
    small_index.asked.clear()
    assert fetch(tmp_path / "downloads", running) == first
    assert small_index.asked == []


def test_an_archive_that_was_damaged_on_disk_is_fetched_again(
    small_index: SmallIndex, tmp_path: Path, running: Job
) -> None:
    fetch(tmp_path / "downloads", running).write_bytes(b"damaged")
    assert fetch(tmp_path / "downloads", running).read_bytes() == SDIST


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()])
def test_a_source_is_not_made_of_a_damaged_download(
    small_index: SmallIndex,
    tmp_path: Path,
    running: Job,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path], object],
) -> None:
    monkeypatch.chdir(tmp_path)
    config = check(DEFAULT)
    stamp, folder = tmp_path / "stamp.json", Layout.of(config).downloads
    archive = fetch(folder, running)
    DownloadRecord(archive=archive).write(stamp)
    small_index.asked.clear()
    assert fetched_release(stamp, PIN, config, running) == archive
    assert small_index.asked == []
    harm(archive)
    assert fetched_release(stamp, PIN, config, running).read_bytes() == SDIST
    assert f"{archive} is damaged or gone: fetching it once more" in running.log_path.read_text()


def test_the_pinned_one_of_several_files_is_taken(
    small_index: SmallIndex, tmp_path: Path, running: Job
) -> None:
    wheel = b"a wheel, as far as a download is concerned"
    small_index.files |= {
        "tiny-0.9.tar.gz": b"an older release",
        "tiny-1.0-cp311-cp311-linux_x86_64.whl": b"for another Python",
        "tiny-1.0-py3-none-any.whl": wheel,
    }
    sha256 = hashlib.sha256(wheel).hexdigest()
    found = fetch_wheel("tiny", "1.0", sha256, tmp_path / "downloads", running)
    assert (found.name, found.read_bytes()) == ("tiny-1.0-py3-none-any.whl", wheel)
    assert fetch(tmp_path / "downloads", running).name == NAME


def test_a_wheel_is_a_release_too(small_index: SmallIndex, tmp_path: Path, running: Job) -> None:
    wheel = b"a wheel, as far as a download is concerned"
    small_index.files["tiny-1.0-py3-none-any.whl"] = wheel
    pin = PIN.model_copy(update={"sha256": hashlib.sha256(wheel).hexdigest()})
    with pytest.raises(UserError, match=r"tiny 1\.0: the package index has no sdist"):
        fetch(tmp_path / "downloads", running, pin)
    pin = pin.model_copy(update={"kind": "wheel", "folder": "tiny"})
    assert fetch(tmp_path / "downloads", running, pin).read_bytes() == wheel


def test_other_contents_than_announced_are_refused_with_both_digests(
    small_index: SmallIndex, tmp_path: Path, running: Job
) -> None:
    small_index.files[NAME] = b"spoilt"
    small_index.digests[NAME] = SHA256
    with pytest.raises(UserError) as raised:
        fetch(tmp_path / "downloads", running)
    spoilt = hashlib.sha256(b"spoilt").hexdigest()
    assert str(raised.value) == f"{NAME}: its sha256 is {spoilt}, pinned is {SHA256}"
    assert files_in(tmp_path / "downloads") == []


def test_a_pin_that_the_index_does_not_have_is_named_with_what_it_has(
    small_index: SmallIndex, tmp_path: Path, running: Job
) -> None:
    other = PIN.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(UserError, match=rf"tiny 1\.0: .* sdist .* {'0' * 64}; it has {SHA256}"):
        fetch(tmp_path / "downloads", running, other)
    newer = PIN.model_copy(update={"version": "2.0"})
    with pytest.raises(UserError, match=r"tiny 2\.0: .* it has no sdist of this version"):
        fetch(tmp_path / "downloads", running, newer)
    nowhere = PIN.model_copy(update={"name": "unheard-of"})
    with pytest.raises(UserError, match="unheard-of: the package index has no such project"):
        fetch(tmp_path / "downloads", running, nowhere)
    assert files_in(tmp_path / "downloads") == []


@pytest.mark.parametrize("failing", ["page_failures", "file_failures"])
def test_a_busy_index_is_asked_again_after_growing_pauses(
    small_index: SmallIndex, tmp_path: Path, running: Job, pauses: list[float], failing: str
) -> None:
    getattr(small_index, failing).extend([503, 503, 503])
    assert fetch(tmp_path / "downloads", running).read_bytes() == SDIST
    assert len(pauses) == 3
    assert pauses == sorted(pauses) and pauses[0] < pauses[-1]
    assert running.log_path.read_text().count("HTTP status 503; trying again") == 3


def test_a_dropped_connection_is_taken_up_where_it_broke(
    small_index: SmallIndex, tmp_path: Path, running: Job, pauses: list[float]
) -> None:
    small_index.cut_after = [2_500_000, 0]
    assert fetch(tmp_path / "downloads", running).read_bytes() == SDIST
    first, *later = small_index.transfers
    assert first is None
    assert len(later) == 2 and None not in later
    assert "going on after" in running.log_path.read_text()


@pytest.mark.parametrize("ranges", [True, False])
def test_what_a_killed_run_has_fetched_is_used(
    small_index: SmallIndex, tmp_path: Path, running: Job, ranges: bool
) -> None:
    small_index.ranges = ranges
    part = tmp_path / "downloads" / SHA256 / f"{NAME}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(SDIST[:1_000_000])
    assert fetch(tmp_path / "downloads", running).read_bytes() == SDIST
    assert small_index.transfers == ["bytes=1000000-"]
    assert files_in(tmp_path / "downloads") == [NAME]


def test_a_transfer_that_was_killed_at_its_very_end_is_complete(
    small_index: SmallIndex, tmp_path: Path, running: Job
) -> None:
    part = tmp_path / "downloads" / SHA256 / f"{NAME}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(SDIST)
    assert fetch(tmp_path / "downloads", running).read_bytes() == SDIST


@pytest.mark.parametrize("left", [b"\0" * 1_000_000, SDIST + b"more"])
def test_a_part_that_does_not_fit_is_no_reason_to_fail(
    small_index: SmallIndex, tmp_path: Path, running: Job, left: bytes
) -> None:
    part = tmp_path / "downloads" / SHA256 / f"{NAME}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    assert fetch(tmp_path / "downloads", running).read_bytes() == SDIST


def test_an_archives_own_compression_is_left_alone(
    small_index: SmallIndex, tmp_path: Path, running: Job
) -> None:
    small_index.calls_gzip_an_encoding = True
    packed = gzip.compress(b"a source")
    small_index.files[NAME] = packed
    pin = PIN.model_copy(update={"sha256": hashlib.sha256(packed).hexdigest()})
    assert fetch(tmp_path / "downloads", running, pin).read_bytes() == packed


@pytest.mark.parametrize(
    ("failing", "status"), [("page_failures", 503), ("page_failures", 429), ("file_failures", 503)]
)
def test_an_index_that_stays_away_is_one_clear_line(
    small_index: SmallIndex,
    tmp_path: Path,
    running: Job,
    pauses: list[float],
    failing: str,
    status: int,
) -> None:
    getattr(small_index, failing).extend([status] * 100)
    with pytest.raises(UserError) as raised:
        fetch(tmp_path / "downloads", running)
    text = str(raised.value)
    assert text.startswith("tiny 1.0 (sdist): the package index did not answer after")
    assert f"HTTP status {status}" in text
    assert "check the network" in text
    assert "\n" not in text


def test_an_index_that_is_not_there_is_one_clear_line(
    small_index: SmallIndex,
    tmp_path: Path,
    running: Job,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    with pytest.raises(UserError, match=r"tiny 1\.0 \(sdist\): .* did not answer .*Connection"):
        fetch(tmp_path / "downloads", running)
