"""What a project's files mean for a free-threaded Python."""

from datetime import UTC, datetime

import pytest

from snakedev.fetch.index_pages import IndexFile, Page
from snakedev.reports.compat.availability import Availability, accepted_tags, judge

ASKED = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
UPLOADED = datetime(2026, 11, 1, tzinfo=UTC)
LINUX = "manylinux_2_28_x86_64"


def file(name: str, **more: object) -> IndexFile:
    """A file of the project `thing`, from the rest of its name."""
    version = name.removesuffix(".tar.gz").split("-")[0]
    kind = "sdist" if name.endswith(".tar.gz") else "wheel"
    values = {"requires_python": ">=3.9", "yanked": False, "uploaded": UPLOADED, **more}
    return IndexFile(name=f"thing-{name}", version=version, kind=kind, **values)


def page(*names: str | IndexFile) -> Page:
    files = (file(name) if isinstance(name, str) else name for name in names)
    return Page(files=tuple(files), listed=True, asked=ASKED)


def judged(version: str | None, *names: str | IndexFile) -> Availability:
    return judge(page(*names), version, "3.14")


def test_a_free_threaded_interpreter_takes_its_own_abi_and_none():
    taken = {str(tag) for tag in accepted_tags("3.14")}
    assert {f"cp314-cp314t-{LINUX}", "py3-none-any", f"py3-none-{LINUX}"} <= taken
    assert not any("abi3" in tag or "-cp314-" in tag or "cp313t" in tag for tag in taken)


@pytest.mark.parametrize(
    ("files", "state", "shown"),
    [
        (["1.0-py3-none-any.whl"], "pure", "1.0-py3-none-any.whl"),
        (["1.0-py2.py3-none-any.whl", "1.0.tar.gz"], "pure", "1.0-py2.py3-none-any.whl"),
        ([f"1.0-py3-none-{LINUX}.whl"], "no abi", f"1.0-py3-none-{LINUX}.whl"),
        (
            [f"1.0-cp314-cp314-{LINUX}.whl", f"1.0-cp314-cp314t-{LINUX}.whl"],
            "free-threaded",
            f"1.0-cp314-cp314t-{LINUX}.whl",
        ),
        # as pip takes it: the wheel with binaries before the one without
        (
            ["1.0-py3-none-any.whl", f"1.0-cp314-cp314t-{LINUX}.whl"],
            "free-threaded",
            f"1.0-cp314-cp314t-{LINUX}.whl",
        ),
        # what is there for a GIL does not hide the wheel of no ABI
        (["1.0-py3-none-any.whl", f"1.0-cp314-cp314-{LINUX}.whl"], "pure", "1.0-py3-none-any.whl"),
        ([f"1.0-cp39-abi3-{LINUX}.whl", "1.0.tar.gz"], "gil", f"1.0-cp39-abi3-{LINUX}.whl"),
        (
            ["1.0-cp314-cp314t-win_amd64.whl", "1.0-cp314-cp314t-macosx_11_0_arm64.whl"],
            "none",
            None,
        ),
        (["1.0-cp314-cp314t-musllinux_1_2_x86_64.whl", "1.0.tar.gz"], "source", "1.0.tar.gz"),
        (["1.0.tar.gz"], "source", "1.0.tar.gz"),
        ([], "none", None),
    ],
)
def test_what_there_is_at_the_version(files, state, shown):
    found = judged("1.0", *files)
    assert (found.state, found.file) == (state, shown and f"thing-{shown}")
    assert found.installable == (state in ("pure", "no abi", "free-threaded"))
    assert found.uploaded == (UPLOADED if shown else None)


def test_wheels_of_other_abis_are_named_the_widest_first():
    names = [f"1.0-cp{p}-cp{p}-{LINUX}.whl" for p in ("310", "39")]
    found = judged("1.0", *names, f"1.0-cp38-abi3-{LINUX}.whl", f"0.9-cp27-cp27mu-{LINUX}.whl")
    assert found.state == "gil" and found.abis == ("abi3", "cp39", "cp310")


def test_wheels_of_other_abis_of_another_version_show_what_kind_of_project_it_is():
    found = judged("2.0", "2.0.tar.gz", f"1.0-cp39-abi3-{LINUX}.whl")
    assert (found.state, found.abis) == ("gil", ("abi3",))


def test_a_wheel_of_another_version_only():
    ours, abi3 = f"cp314-cp314t-{LINUX}.whl", f"cp39-abi3-{LINUX}.whl"
    files = [f"0.8.0-{abi3}", f"0.9.0rc1-{ours}", f"0.9.0rc2-{ours}"]
    found = judged("0.8.0", *files)
    assert found.state == "elsewhere" and not found.installable
    assert found.final is None and found.pre.version == "0.9.0rc2"
    assert found.file == f"thing-0.8.0-{abi3}"

    later = judged("0.8.0", *files, f"0.9.0-{ours}", f"0.8.5-{ours}")
    assert later.final.version == "0.9.0" and later.final.file == f"thing-0.9.0-{ours}"
    assert later.pre is None  # it is older than the release


def test_a_pre_release_that_is_newer_than_the_release_is_named_beside_it():
    ours = f"cp314-cp314t-{LINUX}.whl"
    found = judged("1.0", "1.0.tar.gz", f"0.9-{ours}", f"1.1b1-{ours}")
    assert (found.final.version, found.pre.version) == ("0.9", "1.1b1")


def test_what_was_yanked_counts_at_its_own_version_only():
    yanked = file(f"1.1-cp314-cp314t-{LINUX}.whl", yanked=True)
    assert judged("1.1", yanked).state == "free-threaded"
    assert judged("1.0", f"1.0-cp39-abi3-{LINUX}.whl", yanked).state == "gil"


def test_a_file_for_other_pythons_does_not_count():
    old = file("1.0-py3-none-any.whl", requires_python="<3.14")
    odd = file("1.0-py3-none-any.whl", requires_python="three")
    assert judged("1.0", old).state == "none"
    assert judged("1.0", odd).state == "pure"


def test_without_a_version_the_newest_release_counts():
    found = judged(None, "1.0.tar.gz", "1.1-py3-none-any.whl", f"2.0rc1-cp314-cp314t-{LINUX}.whl")
    assert (found.state, found.file) == ("pure", "thing-1.1-py3-none-any.whl")


def test_a_project_that_no_index_has():
    found = judge(Page(files=(), listed=False, asked=ASKED), "1.0", "3.14")
    assert (found.state, found.listed) == ("none", False)


def test_names_that_cannot_be_read_are_passed_over():
    odd = IndexFile("thing-latest.whl", None, "wheel", None, False, None)
    wrong = IndexFile("thing-1.0.whl", "1.0", "wheel", None, False, None)
    assert judged("1.0", odd, wrong, "1.0-py3-none-any.whl").state == "pure"
