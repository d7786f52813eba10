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
_WHY_LINES = 20
_LINES_BEFORE, _LINES_BEHIND = 3, 8
_LINE_LENGTH = 1000
# Whoever speaks: `a.c:1:2: error: …`, `ValueError: …`, `CMake Error at …:`, `error[E0308]: …`,
# `c++: fatal error: …`, `ptxas fatal   : …`, a linker's `undefined reference`, ninja's `FAILED: …`.
_FAILURE = re.compile(
    r"failed: |undefined reference|(error|exception|fatal)(\[E\d+\])?( at .*)?\s*:(\s|$)",
    re.IGNORECASE,
)


class CommandError(Exception):
    """A program ended with a failure.

    ``code`` is its exit code, ``tail`` the last lines of its output, ``why`` those that a person
    is shown: the first that tells of an error, with what stands around it, and the last.
    """

    def __init__(
        self, command: Sequence[str], code: int, tail: Sequence[str], why: Sequence[str] = ()
    ):
        self.command, self.code, self.tail = list(command), code, list(tail)
        self.why = list(why or tail[-_WHY_LINES:])
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        super().__init__(f"{Path(self.command[0]).name} ended with {how}")


class _Output:
    """What is kept of a program's output for the case that it fails.

    What went wrong first may stand far above the end: other compilers go on, and what called them
    tells where in its own code that was.
    """

    def __init__(self) -> None:
        self._number = 0
        self._last: deque[tuple[int, str]] = deque(maxlen=_TAIL_LINES)
        self._first: list[tuple[int, str]] = []
        self._end: int | None = None

    def add(self, text: str) -> None:
        """Look at the next line."""
        line = text.rstrip("\n")
        self._number += 1
        if self._end is None and _FAILURE.search(line):
            # ninja tells the command behind this; what stands before it is of others
            before = 0 if line.startswith("FAILED: ") else _LINES_BEFORE
            self._first = list(self._last)[max(0, len(self._last) - before) :]
            self._end = self._number + _LINES_BEHIND
        if self._end is not None and self._number <= self._end:
            self._first.append((self._number, line))
        self._last.append((self._number, line))

    def error(self, command: Sequence[str], code: int) -> CommandError:
        """The failure of the program whose output this was."""
        chosen = dict(self._first)
        for number, line in reversed(self._last):
            if len(chosen) == _WHY_LINES:
                break
            chosen[number] = line
        why: list[str] = []
        for number, line in sorted(chosen.items()):
            if why and number - 1 not in chosen:
                why.append("…")
            why.append(line[:_LINE_LENGTH])
        return CommandError(command, code, [line for _, line in self._last], why)


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
    said = _Output()
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
            said.add(line)
            if watch is not None:
                watch(line)
        code = process.wait()
    except BaseException:
        kill_group(process.pid)
        process.wait()
        raise
    if code != 0:
        raise said.error(words, code)


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
