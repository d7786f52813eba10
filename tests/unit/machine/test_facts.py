"""What a record says of the machine."""

import pytest

from snakedev.machine.facts import machine_facts

ONE = "NVIDIA H100 80GB HBM3, 81559 MiB, 580.159.04"


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """Makes an nvidia-smi that answers to one question."""

    def write(*lines):
        program = tmp_path / "nvidia-smi"
        shown = "".join(f"echo '{line}'\n" for line in lines)
        program.write_text(
            "#!/bin/sh\n"
            '[ "$1" = "--query-gpu=name,memory.total,driver_version" ] || exit 6\n' + shown
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return write


def test_gpus_are_named_with_their_number_and_driver(answers):
    answers(ONE)
    facts = machine_facts("cuda")
    assert facts["gpu"] == "NVIDIA H100 80GB HBM3, 81559 MiB"
    assert facts["driver"] == "580.159.04"
    answers(ONE, ONE)
    assert machine_facts("cuda")["gpu"] == "2 x NVIDIA H100 80GB HBM3, 81559 MiB"


def test_a_machine_without_gpus_names_none(answers):
    answers("No devices were found")
    assert {"cpu", "cores", "memory", "system", "libc"} == machine_facts("cuda").keys()
    answers(ONE)
    assert "gpu" not in machine_facts("cpu")
