"""A machine that a job was not planned for is refused in a line."""

import socket
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.machine.fitness import refuse_others, require
from tests.unit.plan.default_plan import MACHINE

HOST = socket.gethostname()
PLANNED = {name: tool.identity for name, tool in MACHINE.tools.items()} | {"libc": MACHINE.libc}


def test_the_planned_compilers_are_taken() -> None:
    refuse_others(PLANNED | {"cuda": "13.0"}, MACHINE, HOST)


def test_others_are_refused_with_both_names() -> None:
    planned = PLANNED | {"cc": "gcc 12.2.0", "libc": "glibc-2.41", "nvcc": "nvcc 13\nof today"}
    with pytest.raises(UserError) as raised:
        refuse_others(planned, MACHINE, "node7")
    told = "have the same on all machines, or plan where those that build are"
    assert str(raised.value).splitlines() == [
        f"planned for gcc 12.2.0, and node7 has cc 1: {told}",
        f"planned for glibc-2.41, and node7 has glibc-2.36: {told}",
        f"planned for nvcc 13, and node7 has none: {told}",
    ]


def test_what_runs_needs_its_instruction_set_and_its_gpu(tmp_path: Path) -> None:
    node, head = tmp_path / "machines/node.json", tmp_path / "machine.json"
    require(node, head, "cpu", ("avx2", "avx512", "amx"))
    assert node.is_file() and not head.exists()
    with pytest.raises(UserError, match=f"^cpu cannot run here: it is built for neon, and {HOST} "):
        require(node, head, "cpu", ("neon",))
    with pytest.raises(UserError, match=r"^rocm cannot run here: .* has no AMD GPU that answers$"):
        require(head, head, "rocm", ("gfx942",))
    assert not head.exists()
