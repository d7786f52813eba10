"""ThreadSanitizer: what is compiled with it reports races, and a machine without it is told so."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.machine import sanitizer
from snakedev.machine.compilers import find_compiler
from snakedev.machine.sanitizer import FLAGS, LINK_FLAGS, QUIET, SUPPRESSIONS

COMPILER = find_compiler("cc")
LIBRARY = """
static volatile long counter;
void count(long times) { while (times--) counter++; }
"""
DRIVER = """
#include <pthread.h>
#include <stddef.h>
void count(long times);
static void *run(void *argument) { count(100000); return NULL; }
int main(void) {
    pthread_t one, other;
    pthread_create(&one, NULL, run, NULL);
    pthread_create(&other, NULL, run, NULL);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
}
"""


def compiled(folder: Path, flags: str) -> Path:
    """A library with a data race, compiled with some flags."""
    source, library = folder / "counting.c", folder / "libcounting.so"
    source.write_text(LIBRARY)
    subprocess.run(
        [*COMPILER, *flags.split(), "-shared", "-fPIC", source, "-o", library], check=True
    )
    return library


def driven(folder: Path, library: Path, **variables: str) -> subprocess.CompletedProcess:
    """What comes of two threads in the library, in a program in C."""
    source, program = folder / "driver.c", folder / "driver"
    source.write_text(DRIVER)
    subprocess.run(
        [*COMPILER, *FLAGS.split(), source, library, f"-Wl,-rpath,{folder}", "-o", program],
        check=True,
    )
    return subprocess.run([program], capture_output=True, text=True, env=variables)


def environment(folder: Path, **record: object) -> Path:
    """A run environment with an interpreter that has this record, and known races."""
    home = folder / "interpreter"
    for place in (home / "bin", folder / "environment" / "bin", (home / SUPPRESSIONS).parent):
        place.mkdir(parents=True)
    (home / "bin" / "python3.14t").touch()
    (home / "interpreter.json").write_text(json.dumps(record))
    (home / SUPPRESSIONS).write_text("race:count\n")
    (folder / "environment" / "bin" / "python").symlink_to(home / "bin" / "python3.14t")
    return folder / "environment"


def test_this_machine_s_compiler_has_it():
    sanitizer.require_runtime(COMPILER)


def test_only_what_is_compiled_with_it_is_instrumented(tmp_path):
    assert sanitizer.is_instrumented(compiled(tmp_path, FLAGS))
    assert not sanitizer.is_instrumented(compiled(tmp_path, "-g"))


def test_a_race_is_reported_with_file_and_line(tmp_path):
    done = driven(tmp_path, compiled(tmp_path, FLAGS))
    assert done.returncode != 0
    assert "WARNING: ThreadSanitizer: data race" in done.stderr
    assert "counting.c:3" in done.stderr
    # what is not instrumented is not seen
    assert driven(tmp_path, compiled(tmp_path, "-g")).returncode == 0


def test_builds_hear_of_no_race(tmp_path):
    done = driven(tmp_path, compiled(tmp_path, FLAGS), **QUIET)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_hears_of_no_race_that_cpython_knows(tmp_path):
    known = environment(tmp_path / "a folder", sanitizer="thread")
    variables = sanitizer.run_variables(known)
    done = driven(tmp_path, compiled(tmp_path, FLAGS), **variables)
    assert (done.returncode, done.stderr) == (0, "")
    (known.parent / "interpreter" / SUPPRESSIONS).write_text("race:other\n")
    assert driven(tmp_path, compiled(tmp_path, FLAGS), **variables).returncode != 0


def test_the_user_s_own_options_count(tmp_path, monkeypatch):
    monkeypatch.setenv("TSAN_OPTIONS", f"exitcode=7 log_path={tmp_path}/races")
    variables = sanitizer.run_variables(environment(tmp_path, sanitizer="thread"))
    (tmp_path / "interpreter" / SUPPRESSIONS).write_text("")
    done = driven(tmp_path, compiled(tmp_path, FLAGS), **variables)
    assert (done.returncode, done.stderr) == (7, "")
    (log,) = tmp_path.glob("races.*")
    assert "counting.c:3" in log.read_text()


FORKING = """
#include <pthread.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
static void *wait_long(void *argument) { sleep(60); return NULL; }
static void *end(void *argument) { _exit(7); }
int main(void) {
    pthread_t thread;
    int status;
    pthread_create(&thread, NULL, wait_long, NULL);
    pid_t child = fork();
    if (child == 0) {
        pthread_create(&thread, NULL, end, NULL);
        sleep(60);
    }
    waitpid(child, &status, 0);
    _exit(WEXITSTATUS(status));
}
"""


def test_a_process_may_fork_with_threads_at_work_and_start_others(tmp_path):
    source, program = tmp_path / "forking.c", tmp_path / "forking"
    source.write_text(FORKING)
    subprocess.run([*COMPILER, *FLAGS.split(), source, "-o", program], check=True)
    variables = sanitizer.run_variables(environment(tmp_path, sanitizer="thread"))
    for told in (variables, QUIET):
        assert subprocess.run([program], env=told, capture_output=True).returncode == 7
    assert subprocess.run([program], env={}, capture_output=True).returncode != 7


@pytest.mark.parametrize("record", [{}, {"sanitizer": None}])
def test_a_plain_interpreter_is_told_nothing(tmp_path, monkeypatch, record):
    monkeypatch.setenv("TSAN_OPTIONS", "exitcode=7")
    assert sanitizer.run_variables(environment(tmp_path, **record)) == {}


def script(path: Path, text: str) -> Path:
    """A program in the shell's language."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_compiler_without_it_is_named(tmp_path):
    lacking = script(tmp_path / "cc", "echo 'ld: cannot find -ltsan' >&2; exit 1")
    with pytest.raises(UserError) as raised:
        sanitizer.require_runtime([str(lacking)])
    assert str(raised.value).startswith(
        f"interpreter.sanitizer: {lacking} cannot build with {LINK_FLAGS} (ld: cannot find -ltsan)"
    )


def test_an_address_layout_that_the_runtime_cannot_take_is_explained(tmp_path):
    started = tmp_path / "started"
    program = script(
        tmp_path / "program",
        # randomised: the first starts may well succeed
        f"echo >> {started}; [ $(wc -l < {started}) -lt 5 ] && exit 0\n"
        "echo 'FATAL: ThreadSanitizer: unexpected memory mapping 0x5a-0x5b' >&2; exit 66",
    )
    # a compiler whose programs are this one: its last word is where the program should be
    compiler = script(tmp_path / "cc", f'for last; do :; done; cp {program} "$last"')
    with pytest.raises(UserError) as raised:
        sanitizer.require_runtime([str(compiler)])
    message = str(raised.value)
    assert "unexpected memory mapping 0x5a-0x5b" in message and "\n" not in message
    assert "`setarch -R snakemake …`" in message and "vm.mmap_rnd_bits=28" in message


def test_a_runtime_that_does_not_start_for_another_reason_says_its_own(tmp_path):
    program = script(tmp_path / "program", "echo 'ThreadSanitizer: out of memory' >&2; exit 1")
    compiler = script(tmp_path / "cc", f'for last; do :; done; cp {program} "$last"')
    with pytest.raises(UserError, match="does not start: ThreadSanitizer: out of memory"):
        sanitizer.require_runtime([str(compiler)])


def test_without_randomised_addresses_it_starts(tmp_path):
    # what the advice above comes to
    library = compiled(tmp_path, FLAGS)
    driven(tmp_path, library, **QUIET)
    done = subprocess.run(
        ["setarch", "-R", tmp_path / "driver"], env=os.environ | QUIET, capture_output=True
    )
    if done.returncode == 1 and b"personality" in done.stderr:
        pytest.skip("this container does not permit setarch -R")
    assert done.returncode == 0
