"""Running a scenario in a child process: watching it, ending it where it hangs, its findings."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from snakedev.base.process import die_with_parent, kill_group
from tools.stress.child import STACKS
from tools.stress.record import GilWatch, Memory, ProcessGil, ScenarioRun, StressFinding

_LOOK_SECONDS = 0.5
_SAID_EVERY_SECONDS = 30
_STACK_SECONDS, _GDB_SECONDS = 3, 60
_END_SECONDS = 90
"""How long the end of a scenario may take: judging, and ending what it started."""
_STACK_LINES = 120
_TAIL_LINES = 30
# faulthandler's first line, and what it writes for a signal of the kind that ends a process
_FATAL = re.compile(r"^(Fatal Python error: |python\S*: .*Assertion )", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """A scenario to run, and how."""

    scenario: str
    module: str
    """The module that holds it, as a child imports it."""
    seed: int
    seconds: float
    """How long the threads work, after the set-up."""
    command: str
    gil: bool = False


@dataclass(frozen=True)
class Place:
    """Where children run: an interpreter, a model, and a folder for what they write."""

    python: Path
    model: Path
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)


class Trial:
    """One scenario in one child."""

    def __init__(self, task: Task, place: Place, say: Callable[[str], None]):
        self.task, self.place, self.say = task, place, say
        self.folder = place.folder / task.scenario
        self.log = place.folder / f"{task.scenario}.log"
        self.beats, self.result = self.folder / "beats", self.folder / "result.json"
        self.beat: dict[str, Any] = {}
        self.looks = self.on = 0
        self._read_to = 0
        self.hang: StressFinding | None = None

    def run(self) -> ScenarioRun:
        """Start the child, watch it to its end, and say what came of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "scratch").mkdir(parents=True)
        request = self.folder / "request.json"
        asked = {
            "module": self.task.module,
            "model": str(self.place.model),
            "scratch": str(self.folder / "scratch"),
            "beats": str(self.beats),
            "result": str(self.result),
            "seed": self.task.seed,
            "seconds": self.task.seconds,
            # threads change places a thousand times as often where the GIL holds them up
            "switch_interval": 5e-6 if self.task.gil else None,
        }
        request.write_text(json.dumps(asked), encoding="utf-8")
        gil = f"gil={int(self.task.gil)}"
        command = [self.place.python, "-X", gil, "-P", "-m", "stress.child", request]
        with self.log.open("w", encoding="utf-8") as log:
            log.write(f"$ {self.task.command}\n$ {' '.join(map(str, command))}\n")
            log.flush()
            child = subprocess.Popen(
                command,
                env=dict(self.place.variables),
                cwd=self.folder / "scratch",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
            try:
                code = self._watch(child)
            finally:
                kill_group(child.pid)
                child.wait()
        told = json.loads(self.result.read_bytes()) if self.result.is_file() else {}
        run = self._judged(code, told)
        shutil.rmtree(self.folder, ignore_errors=True)
        return run

    def _watch(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for the child's end; where nothing moves for too long, look at it and end it."""
        moved, said = time.monotonic(), time.monotonic()
        seen: tuple[Any, ...] = ()
        while True:
            with suppress(subprocess.TimeoutExpired):
                return child.wait(_LOOK_SECONDS)
            self._read_beats()
            now = time.monotonic()
            if (state := self._state()) != seen:
                moved, seen = now, state
            if now - said > _SAID_EVERY_SECONDS:
                said = now
                self.say(f"{self._phase}: {self.beat.get('operations', 0)} operations")
            limit = self._limits()[self._phase]
            if now - moved > limit:
                self._hung(child, limit)
                return -signal.SIGKILL

    @property
    def _phase(self) -> str:
        return self.beat.get("phase", "set up")

    def _state(self) -> tuple[Any, ...]:
        """What changes as long as the child gets on."""
        return self._phase, self.beat.get("operations"), self.beat.get("rounds")

    def _limits(self) -> dict[str, float]:
        ends = {"finish": _END_SECONDS, "tear down": _END_SECONDS}
        # the child tells what its scenario allows as soon as it has loaded it
        allowed = self.beat.get("limits", {"set up": 240, "run": 60})
        return {**allowed, **ends}

    def _read_beats(self) -> None:
        if not self.beats.is_file():
            return
        with self.beats.open("rb") as file:
            file.seek(self._read_to)
            lines = file.read().split(b"\n")
        # the last line may be half written
        self._read_to += sum(len(line) + 1 for line in lines[:-1])
        for line in lines[:-1]:
            self.beat = json.loads(line)
            self.looks += 1
            self.on += self.beat["gil"]

    def _hung(self, child: subprocess.Popen[bytes], limit: float) -> None:
        """Have every process of the child write its stacks, and keep what they say."""
        doing = ", ".join(f"{name} in {n}" for name, n in self.beat.get("doing", {}).items())
        where = f"nothing ended for {limit:.0f} s in {self._phase}"
        self.say(f"{where}: writing stacks")
        begin = self.log.stat().st_size
        processes = [
            child.pid,
            *(p.pid for p in psutil.Process(child.pid).children(recursive=True)),
        ]
        for pid in filter(_catches_stacks, processes):
            with suppress(ProcessLookupError):
                os.kill(pid, STACKS)
        time.sleep(_STACK_SECONDS)
        stacks = _lines(self.log, begin)
        with self.log.open("a", encoding="utf-8") as log:
            for pid in processes:
                log.writelines(_native_stacks(pid))
        self.hang = StressFinding(
            kind="deadlock",
            operation=doing,
            message=where,
            stack="\n".join(stacks[:_STACK_LINES]),
            count=1,
        )

    def _judged(self, code: int, told: Mapping[str, Any]) -> ScenarioRun:
        self._read_beats()
        findings = [StressFinding(**found) for found in told.get("findings", ())]
        findings.extend(self._ending(code, told))
        gil = told.get("gil") or {"looks": self.looks, "on": self.on, "cores_busy": None}
        processes = tuple(ProcessGil(**one) for one in told.get("processes", ()))
        if not self.task.gil:
            findings.extend(_gil_findings(gil, processes))
        return ScenarioRun(
            scenario=self.task.scenario,
            seed=self.task.seed,
            command=self.task.command,
            log=str(self.log),
            threads=told.get("threads"),
            setup_seconds=told.get("setup_seconds"),
            seconds=told.get("seconds"),
            rounds=told.get("rounds", self.beat.get("rounds", 0)),
            operations=told.get("operations", {"all": self.beat.get("operations", 0)}),
            memory=Memory(**told["memory"]) if "memory" in told else None,
            gil=GilWatch(**gil),
            processes=processes,
            findings=tuple(findings),
        )

    def _ending(self, code: int, told: Mapping[str, Any]) -> Iterator[StressFinding]:
        """What the child's own end says: a hang, a signal, or a failure before its result."""
        if self.hang is not None:
            yield self.hang
            return
        lines = _lines(self.log)
        if code < 0:
            name = signal.Signals(-code).name
            doing = ", ".join(self.beat.get("doing", {}))
            yield StressFinding(
                kind="crash",
                operation=doing,
                message=f"{name} in {self._phase}",
                stack="\n".join(fatal_stack(lines)),
                count=1,
            )
        elif code != 0 or not told:
            yield StressFinding(
                kind="exception",
                operation=self._phase,
                message=lines[-1] if lines else "",
                stack="\n".join(lines[-_TAIL_LINES:]),
                count=1,
            )


def fatal_stack(lines: Sequence[str]) -> list[str]:
    """The lines that faulthandler wrote as a process crashed; the last ones where it wrote none."""
    begins = [number for number, line in enumerate(lines) if _FATAL.match(line)]
    return list(lines[begins[0] :][:_STACK_LINES] if begins else lines[-_TAIL_LINES:])


def _gil_findings(
    gil: Mapping[str, Any], processes: Sequence[ProcessGil]
) -> Iterator[StressFinding]:
    if gil["on"] or not gil["looks"]:
        message = f"it was on in {gil['on']} of {gil['looks']} looks"
        yield StressFinding(kind="gil", operation="", message=message, stack="", count=1)
    for process in processes:
        if process.gil_enabled:
            message = f"it is on in the {process.role}"
            yield StressFinding(kind="gil", operation="", message=message, stack="", count=1)


def _lines(path: Path, begin: int = 0) -> list[str]:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace").splitlines()


def _catches_stacks(pid: int) -> bool:
    """Whether a process has a handler for STACKS: without one, the signal would end it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(caught and int(caught[1], 16) >> (STACKS - 1) & 1)


def _native_stacks(pid: int) -> Iterator[str]:
    """The native stacks of a process, where there is a gdb that may look at it."""
    if not (gdb := shutil.which("gdb")):
        return
    command = [gdb, "-batch", "-nx", "-p", str(pid), "-ex", "thread apply all bt"]
    with suppress(subprocess.TimeoutExpired, OSError):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GDB_SECONDS,
        )
        yield f"native stacks of process {pid}:\n"
        yield done.stdout
