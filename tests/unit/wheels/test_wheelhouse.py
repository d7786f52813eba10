"""The wheelhouse: current wheels under their own names, which pip and uv install from it."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from uv import find_uv_bin

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.store.layout import Layout
from snakedev.wheels.record import WheelRecord
from snakedev.wheels.wheelhouse import WheelhouseRecord, write_wheelhouse
from tests.unit.package_index import make_wheel


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "with space" / "results")


Built = Callable[..., WheelRecord]


@pytest.fixture
def built(layout: Layout) -> Built:
    """Put a wheel into the store; its record."""

    def build(repo: str, version: str, key: str = "0" * 16, variant: str = "any") -> WheelRecord:
        folder = layout.wheel(variant, repo, key)
        path = make_wheel(folder, repo, version)
        data = path.read_bytes()
        return WheelRecord(
            key=key,
            repo=repo,
            variant=variant,
            version=version,
            file=path.name,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            tags=("py3-none-any",),
            requires=(),
            origin="release",
            pin={},
            patches=(),
            recipe="setuptools",
            recipe_number=1,
            settings={},
            passed={},
            needs={},
            without={},
            compilers={},
            interpreter={},
            environment="build-any-0",
            network="none",
            paths="fixed",
            gil={},
            device_code={},
            built="2024-01-01T00:00:00+00:00",
            seconds=1.0,
        )

    return build


Write = Callable[..., WheelhouseRecord]


@pytest.fixture
def write(layout: Layout, running: Job) -> Write:
    """Write the wheelhouse of the cpu variant."""
    return lambda *records: write_wheelhouse(layout, "cpu", "key", records, running)


def wheels(house: Path) -> list[str]:
    return sorted(path.name for path in house.glob("*.whl"))


def installed(folder: Path, command: list[str | Path], *arguments: str | Path) -> str:
    """What a wheel's `main` prints, installed into a folder with none of the user's settings."""
    target = folder / "installed"
    clean = {n: v for n, v in os.environ.items() if not n.startswith(("PIP_", "UV_"))}
    done = subprocess.run(
        [*command, *("--quiet", "--target", target), *arguments],
        capture_output=True,
        text=True,
        env={
            **clean,
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(folder / "cache"),
        },
    )
    assert done.returncode == 0, done.stderr
    code = "import main_package; main_package.main()"
    return subprocess.check_output([sys.executable, "-c", code], cwd=target, text=True)


@pytest.fixture
def another_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the tests'."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert Path(folder).stat().st_dev != tmp_path.stat().st_dev
        yield Path(folder)


def test_wheels_of_a_store_on_another_disk_are_copied(
    layout: Layout, write: Write, built: Built, another_disk: Path, running: Job
) -> None:
    record = built("main-package", "1.0")
    near = layout.wheel("any", "main-package", "0" * 16) / record.file
    write(record)
    shown = layout.wheelhouse("cpu") / record.file
    assert shown.samefile(near)
    far = another_disk / "wheels/any/main-package" / ("0" * 16) / record.file
    far.parent.mkdir(parents=True)
    far.write_bytes(near.read_bytes())
    for _ in range(2):
        write_wheelhouse(replace(layout, store=another_disk), "cpu", "key", [record], running)
        assert not shown.samefile(near)
        assert shown.read_bytes() == far.read_bytes()
    assert [path.name for path in shown.parent.glob(".*")] == []


PIP = [sys.executable, "-m", "pip", "install", "--no-cache-dir"]
UV = [find_uv_bin(), "pip", "install", "--offline", "--python", sys.executable]


@pytest.mark.parametrize("command", [PIP, UV], ids=["pip", "uv"])
@pytest.mark.parametrize("by", ["index", "links"])
def test_a_wheel_with_a_local_version_is_installed_from_it(
    tmp_path: Path,
    layout: Layout,
    built: Built,
    write: Write,
    command: list[str | Path],
    by: str,
) -> None:
    write(built("main-package", "1.0+cpu", variant="cpu"), built("other", "2.0"))
    house = layout.wheelhouse("cpu")
    where = {
        "index": ["--index-url", (house / "simple").absolute().as_uri()],
        "links": ["--no-index", "--find-links", house],
    }
    said = installed(tmp_path, command, *where[by], "main-package==1.0+cpu")
    assert said == "main-package 1.0+cpu\n"


def test_wheels_lie_under_their_own_names_as_they_are_in_the_store(
    layout: Layout, built: Built, write: Write
) -> None:
    ours, other = built("main-package", "1.0+cpu", variant="cpu"), built("other", "2.0")
    record = write(ours, other)
    house = layout.wheelhouse("cpu")
    assert wheels(house) == [ours.file, other.file]
    stored = layout.wheel("cpu", "main-package", ours.key) / ours.file
    assert (house / ours.file).read_bytes() == stored.read_bytes()
    assert (house / ours.file).samefile(stored)  # no second copy on the same disk
    assert [(held.repo, held.file, held.sha256) for held in record.wheels] == [
        ("main-package", ours.file, ours.sha256),
        ("other", other.file, other.sha256),
    ]


def test_the_index_names_projects_as_tools_ask_for_them(
    layout: Layout, built: Built, write: Write
) -> None:
    record = built("Main.Package", "1.0")
    write(record)
    simple = layout.wheelhouse("cpu") / "simple"
    assert '<a href="main-package/">' in (simple / "index.html").read_text()
    page = (simple / "main-package" / "index.html").read_text()
    assert f'href="../../{record.file}#sha256={record.sha256}"' in page


def test_a_wheel_that_is_no_longer_current_goes(layout: Layout, built: Built, write: Write) -> None:
    old, other = built("main-package", "1.0", "1" * 16), built("other", "2.0")
    write(old, other)
    new = built("main-package", "1.1", "2" * 16)
    write(new)
    house = layout.wheelhouse("cpu")
    assert wheels(house) == [new.file]
    assert old.file not in (house / "simple" / "main-package" / "index.html").read_text()
    assert not (house / "simple" / "other").exists()
    # the store keeps it: going back builds nothing
    assert (layout.wheel("any", "main-package", old.key) / old.file).is_file()
    write(old, other)
    assert wheels(house) == [old.file, other.file]


def test_another_build_of_the_same_version_takes_its_place(
    layout: Layout, built: Built, write: Write
) -> None:
    old, new = built("other", "2.0", "1" * 16), built("other", "2.0", "2" * 16)
    assert old.file == new.file
    write(old)
    write(new)
    shown = layout.wheelhouse("cpu") / new.file
    assert shown.samefile(layout.wheel("any", "other", new.key) / new.file)
    assert (layout.wheel("any", "other", old.key) / old.file).is_file()


def test_a_variant_without_wheels_has_an_empty_index(layout: Layout, write: Write) -> None:
    assert write().wheels == ()
    house = layout.wheelhouse("cpu")
    assert wheels(house) == []
    assert "<a " not in (house / "simple" / "index.html").read_text()


def test_a_wheel_that_a_disk_has_damaged_is_shown_to_nobody(
    layout: Layout, built: Built, write: Write
) -> None:
    record = built("greeter", "1.0")
    folder = layout.wheel("any", "greeter", record.key)
    wheel = folder / record.file
    data = bytearray(wheel.read_bytes())
    data[20] ^= 1
    wheel.write_bytes(data)
    with pytest.raises(
        UserError, match=rf"was damaged \({re.escape(record.file)}\) and is removed"
    ):
        write(record)
    assert not folder.exists()
    assert wheels(layout.wheelhouse("cpu")) == []
