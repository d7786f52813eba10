"""What an interpreter with ThreadSanitizer must show: the ordinary one, with ThreadSanitizer's
runtime loaded into it, reports the races of extensions that are compiled for it."""

import subprocess
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.interpreter import checks
from snakedev.machine.compilers import find_compiler

VERSION = "3.14"


@pytest.fixture
def running(tmp_path):
    """A job with a log of its own."""
    with (tmp_path / "job.log").open("w", encoding="utf-8") as file:
        yield Job("test", file, tmp_path / "job.log")


@pytest.fixture
def preloaded(tmp_path, python) -> Path:
    """The free-threaded interpreter with the compiler's runtime of ThreadSanitizer in it."""
    question = [*find_compiler("cc"), "-print-file-name=libtsan.so"]
    runtime = Path(subprocess.check_output(question, text=True).strip()).resolve()
    if not runtime.is_file():
        pytest.skip("the compiler's runtime of ThreadSanitizer is no library of its own")
    program = tmp_path / "python3.14t"
    program.write_text(f'#!/bin/sh\nLD_PRELOAD="{runtime}" exec "{python}" "$@"\n')
    program.chmod(0o755)
    return program


def test_an_interpreter_that_reports_a_race_is_accepted(preloaded, running):
    _, seen = checks.check(preloaded, VERSION, running, sanitized=True)
    source = checks.RACE.read_text(encoding="utf-8").splitlines()
    said, _, line = seen["sanitizer"].rpartition(":")
    assert said == "a data race is reported, at race.c"
    assert "counter++" in source[int(line) - 1]


def test_one_that_reports_none_is_not(python, running):
    with pytest.raises(UserError, match="not accepted: sanitizer: two threads wrote one variable"):
        checks.check(python, VERSION, running, sanitized=True)
    assert "sanitizer" not in checks.check(python, VERSION, running)[1]
