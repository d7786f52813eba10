"""Running other programs: output into a log, everything stopped when the job stops."""

import ctypes
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None, use_errno=True)
_TAIL_LINES = 30
_FAILURE_LINES = 20
_LINE_LENGTH = 300


class CommandError(Exception):
    """A program ended with a failure; carries its exit code and the last lines of its output."""

    def __init__(self, command: Sequence[str], code: int, tail: Sequence[str]):
        self.command, self.code, self.tail = list(command), code, list(tail)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        super().__init__(f"{Path(self.command[0]).name} ended with {how}")


class FirstFailure:
    """Watches the output of compilers, and keeps what went wrong first."""

    def __init__(self) -> None:
        self.failure: list[str] = []
        """The first failed command's lines, from the one that says so on; none if none did."""

    def __call__(self, line: str) -> None:
        if self.failure or re.match(
            r"FAILED: |error(\[E\d+\])?: |\S+:\d+:\d+: (fatal )?error: ", line
        ):
            if len(self.failure) < _FAILURE_LINES:
                self.failure.append(line.rstrip("\n")[:_LINE_LENGTH])


def die_with_parent(sig: int = signal.SIGKILL) -> None:
    """Ask the kernel to signal this process when its parent ends, however it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, sig)


def run(
    command: Sequence[str | Path],
    *,
    log: IO[str],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    watch: Callable[[str], None] | None = None,
) -> None:
    """Run a program with its merged output appended to ``log``, line by line.

    ``env`` is the whole environment (the caller's own when None); ``watch`` sees every line, for
    progress. The program gets a session of its own, which is killed when this call is left by
    an exception, so that Ctrl-C never leaves a compiler running.
    Raises CommandError when the program fails, FileNotFoundError when there is none.
    """
    words = [str(word) for word in command]
    log.write(f"$ {' '.join(words)}\n")
    log.flush()
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    process = subprocess.Popen(
        words,
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            log.write(line)
            log.flush()
            tail.append(line.rstrip("\n"))
            if watch is not None:
                watch(line)
        code = process.wait()
    except BaseException:
        kill_group(process.pid)
        process.wait()
        raise
    if code != 0:
        raise CommandError(words, code, tail)


def output(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    timeout: float | None = None,
) -> str:
    """What a quick program prints on standard output, stripped.

    Raises CommandError with its error output when it fails, FileNotFoundError when there is none,
    subprocess.TimeoutExpired when it takes longer than ``timeout`` seconds.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env=None if env is None else dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
    )
    if done.returncode != 0:
        raise CommandError(words, done.returncode, (done.stdout + done.stderr).splitlines())
    return done.stdout.strip()


def kill_group(pgid: int) -> None:
    """Kill a process group, if there is one."""
    try:
        os.killpg(pgid, signal.SIGKILL)
    except ProcessLookupError:
        pass
