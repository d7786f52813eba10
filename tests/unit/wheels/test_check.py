"""The check of a finished wheel, on small wheels that have one thing wrong with them."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.wheels.check import CheckedWheel
from tests.unit.wheels.small_wheels import BINARY, METADATA, SELF, check, made, refused


def test_a_good_pure_wheel_passes(tmp_path: Path, environment: Path, running: Job) -> None:
    assert check(made(tmp_path), "tiny", "1.0", environment, running) == CheckedWheel(
        version="1.0",
        tags=("py3-none-any",),
        requires=("needed>=1",),
        gil={},
        device_code={},
        instrumented={},
    )


def test_a_good_binary_wheel_passes(
    tmp_path: Path, environment: Path, running: Job, library: bytes
) -> None:
    members = {"tiny/native.so": library, "tiny.libs/libother.so": b"of an auditwheel repair"}
    found = check(made(tmp_path, BINARY, **members), "tiny", "1.0", environment, running)
    assert found.tags == (f"{SELF}-{SELF}-linux_x86_64",)
    assert found.gil == {"tiny.native": "library"}


def test_a_wheel_for_python_2_and_3_is_for_any_machine_too(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = made(tmp_path, "tiny-1.0-py2.py3-none-any.whl")
    assert check(wheel, "tiny", "1.0", environment, running).gil == {}


@pytest.mark.parametrize(
    ("name", "version", "file"),
    [
        ("Tiny.Name", "1.0", "tiny_name-1.0-py3-none-any.whl"),
        ("tiny", "1.0.0", "tiny-1.0-py3-none-any.whl"),
        ("tiny", "1.0+cpu", "tiny-1.0+cpu-py3-none-any.whl"),
    ],
)
def test_names_and_versions_may_be_spelt_differently(
    tmp_path: Path, environment: Path, running: Job, name: str, version: str, file: str
) -> None:
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    check(made(tmp_path, file, metadata), name, version, environment, running)


@pytest.mark.parametrize(
    "tag",
    [
        "cp314-cp314-linux_x86_64",
        "cp313-cp313t-linux_x86_64",
        "cp310-abi3-linux_x86_64",
        "cp314-cp314t-macosx_11_0_arm64",
        "cp314-cp314t-linux_armv7l",
        "py3-none-win_amd64",
        "cp313-none-linux_x86_64",
    ],
)
def test_a_tag_for_another_interpreter_or_system_is_named(
    tmp_path: Path, environment: Path, running: Job, tag: str
) -> None:
    with pytest.raises(UserError) as raised:
        check(
            made(tmp_path, f"tiny-1.0-{tag}.whl"), "tiny", "1.0", environment, running, abi="cp314t"
        )
    reason = str(raised.value).partition(": ")[2]
    assert reason == f"the tag {tag} is not one of cp314t on linux"


def test_another_projects_wheel_is_named(tmp_path: Path, environment: Path, running: Job) -> None:
    reason = refused(made(tmp_path, "other-1.0-py3-none-any.whl"), environment, running)
    assert reason == "this is a wheel of other, not of tiny"


@pytest.mark.parametrize("version", ["1.1", "0.0.0", "1.0+local", "1.0.dev1"])
def test_another_version_is_named(
    tmp_path: Path, environment: Path, running: Job, version: str
) -> None:
    reason = refused(made(tmp_path, f"tiny-{version}-py3-none-any.whl"), environment, running)
    assert reason == f"its version is {version} where config.yaml says 1.0"


@pytest.mark.parametrize("name", ["tiny-1.0.whl", "tiny-one-py3-none-any.whl"])
def test_a_name_that_is_no_wheels_is_refused(
    tmp_path: Path, environment: Path, running: Job, name: str
) -> None:
    assert "nvalid wheel filename" in refused(made(tmp_path, name), environment, running)


def test_a_pure_wheel_with_an_extension_is_refused(
    tmp_path: Path, environment: Path, running: Job, library: bytes
) -> None:
    wheel = made(tmp_path, **{"tiny/native.cpython-314t-x86_64-linux-gnu.so": library})
    assert refused(wheel, environment, running) == (
        "tagged for any machine, but it holds tiny.native"
    )


def test_an_extension_that_does_not_load_is_named(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = made(tmp_path, BINARY, **{"tiny/native.so": b"not a shared object"})
    reason = refused(wheel, environment, running)
    assert reason.startswith("tiny/native.so does not load: ")


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (METADATA.replace("needed>=1", "needed >> 1"), "needed >> 1"),
        (METADATA.replace("1.0", "one"), "one"),
        (METADATA.replace("tiny", "not a name"), "not a name"),
        (METADATA.replace("Name: tiny\n", ""), "name"),
        ("", "name"),
    ],
    ids=["requirement", "version", "name", "no name", "nothing"],
)
def test_metadata_that_do_not_parse_are_named(
    tmp_path: Path, environment: Path, running: Job, metadata: str, said: str
) -> None:
    reason = refused(made(tmp_path, metadata=metadata), environment, running)
    assert "METADATA" in reason and said in reason


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (METADATA.replace("Name: tiny", "Name: other"), "other 1.0"),
        (METADATA.replace("1.0", "1.1"), "tiny 1.1"),
    ],
    ids=["name", "version"],
)
def test_metadata_of_something_else_are_named(
    tmp_path: Path, environment: Path, running: Job, metadata: str, said: str
) -> None:
    # pip and uv refuse such a wheel, but only when it is installed
    reason = refused(made(tmp_path, metadata=metadata), environment, running)
    assert "METADATA" in reason and said in reason


def test_fields_of_a_newer_metadata_version_are_no_reason_to_refuse(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    metadata = METADATA.replace("2.1", "9.9") + "New-Field: something\n"
    assert check(made(tmp_path, metadata=metadata), "tiny", "1.0", environment, running)


def test_a_wheel_without_metadata_or_with_two_is_refused(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    reason = refused(made(tmp_path, metadata=None), environment, running)
    assert reason == "it holds 0 METADATA files where one is due"
    reason = refused(made(tmp_path, **{"x-1.dist-info/METADATA": METADATA}), environment, running)
    assert reason == "it holds 2 METADATA files where one is due"


def test_a_wheel_that_was_cut_off_is_refused(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = made(tmp_path)
    wheel.write_bytes(wheel.read_bytes()[:-30])
    assert "not a readable wheel" in refused(wheel, environment, running)


def test_a_wheel_that_installers_refuse_is_refused(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = made(tmp_path, **{"tiny-1.0.dist-info/WHEEL": "Wheel-Version: 9.0\n"})
    assert refused(wheel, environment, running).startswith("it cannot be installed: ")


def test_a_wheel_for_one_free_threaded_python_does_not_fit_another(
    tmp_path: Path, environment: Path, running: Job
) -> None:
    wheel = made(tmp_path, "tiny-1.0-cp314-cp314t-linux_x86_64.whl")
    with pytest.raises(UserError, match="the tag cp314-cp314t-linux_x86_64 is not one of cp315t"):
        check(wheel, "tiny", "1.0", environment, running, abi="cp315t")
