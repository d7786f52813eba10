"""A child of a stress run: `python -X gil=0 -m stress.child REQUEST`, in a run environment.

The request is JSON. Twice a second the child appends a line to its beats, from which the parent
sees whether anything moves; at the end it writes its result. Standard library only.
"""

import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from .findings import Findings
from .scenario import Operation, Scenario, Setting

STACKS = signal.SIGUSR1
"""The signal on which a process writes the Python stacks of all its threads to its log."""
_BEAT_SECONDS = 0.5
_NAP_EVERY, _NAP_SECONDS = 0.05, 0.002
"""The share of operations before which a thread sleeps, and how long at most."""
_THREAD_GROWTH = 16


class Child:
    """One scenario, run for a time."""

    def __init__(self, request: dict[str, Any]):
        self.request = request
        self.findings = Findings()
        self.phase = "set up"
        self.limits: dict[str, float] = {}
        self.counts: list[Counter[str]] = []
        self.doing: list[str] = []
        self.rounds = 0
        self.samples: list[dict[str, Any]] = []
        self.round_sizes: list[tuple[int, int]] = []
        self.stopped = threading.Event()
        self.beats = os.open(request["beats"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def run(self) -> None:
        """Set up, let the threads work, judge, and write the result."""
        beat = threading.Thread(target=self._beat, name="stress-beat", daemon=True)
        beat.start()
        try:
            result = self._tried()
        finally:
            self.stopped.set()
            beat.join()
        # the last look at the GIL
        self._sample()
        result["gil"] = self._gil()
        result["findings"] = self.findings.listed()
        Path(self.request["result"]).write_text(json.dumps(result), encoding="utf-8")

    def _scenario(self) -> Scenario:
        module = importlib.import_module(self.request["module"])
        setting = Setting(Path(self.request["model"]), Path(self.request["scratch"]))
        scenario = module.Stress(setting)
        self.limits = {"set up": scenario.setup_seconds, "run": scenario.limit_seconds}
        return scenario

    def _tried(self) -> dict[str, Any]:
        started = time.monotonic()
        scenario = self._scenario()
        scenario.set_up()
        operations = dict(scenario.operations())
        ready = time.monotonic()
        self._work(scenario, operations, ready + self.request["seconds"])
        worked = time.monotonic()
        self.phase = "finish"
        self._judged("finish", scenario.finish)
        self._judge_growth(scenario)
        processes = self._processes()
        self.phase = "tear down"
        self._judged("tear down", scenario.tear_down)
        return {
            "setup_seconds": round(ready - started, 2),
            "seconds": round(worked - ready, 2),
            "threads": scenario.threads,
            "rounds": self.rounds,
            "operations": dict(sum(self.counts, Counter())),
            "memory": self._memory(),
            "processes": processes,
        }

    def _work(self, scenario: Scenario, operations: dict[str, Operation], end: float) -> None:
        seed, threads = self.request["seed"], scenario.threads
        # all names from the start: the beat reads them while threads count
        self.counts = [Counter(dict.fromkeys(operations, 0)) for _ in range(threads)]
        self.doing = ["" for _ in range(threads)]
        between = Random(f"{seed}/between rounds")
        going = True

        def next_round() -> None:
            """Runs in one thread while all others wait."""
            nonlocal going
            going = time.monotonic() < end
            self.rounds += going
            self.round_sizes.append((_resident(), _thread_count()))
            if going:
                self._judged("between rounds", lambda: scenario.between_rounds(between))

        barrier = threading.Barrier(threads, action=next_round)

        def work(number: int) -> None:
            random = Random(f"{seed}/{number}")
            names = list(operations)
            while True:
                barrier.wait()
                if not going:
                    return
                until = min(time.monotonic() + scenario.round_seconds, end)
                while True:
                    self._operate(number, random, names, operations)
                    if time.monotonic() >= until:
                        break

        workers = [
            threading.Thread(target=work, args=(number,), name=f"stress-{number}")
            for number in range(threads)
        ]
        self.phase = "run"
        # the first operation may be the last thing that this process does
        self._tell()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _operate(
        self, number: int, random: Random, names: list[str], operations: dict[str, Operation]
    ) -> None:
        name = random.choice(names)
        if random.random() < _NAP_EVERY:
            time.sleep(random.random() * _NAP_SECONDS)
        self.doing[number] = name
        self._judged(name, lambda: operations[name](random))
        self.counts[number][name] += 1
        self.doing[number] = ""

    def _judged(self, name: str, operation: Any) -> None:
        try:
            operation()
        except BaseException as error:
            self.findings.add(name, error)

    def _judge_growth(self, scenario: Scenario) -> None:
        """What grows from round to round leaks; the first third of the rounds may fill caches."""
        if len(self.round_sizes) < 6:
            return
        settled = self.round_sizes[len(self.round_sizes) // 3]
        memory, threads = (
            last - first for last, first in zip(self.round_sizes[-1], settled, strict=True)
        )
        if memory > scenario.memory_growth:
            self.findings.note(
                "memory", f"memory grew by {memory >> 20} MiB in {self.rounds} rounds"
            )
        if threads > _THREAD_GROWTH:
            self.findings.note("threads", f"{threads} more threads after {self.rounds} rounds")

    def _memory(self) -> dict[str, int]:
        sizes = [size for size, _ in self.round_sizes] or [_resident()]
        return {"first": sizes[0], "last": sizes[-1], "peak": max(sizes)}

    def _processes(self) -> list[dict[str, Any]]:
        """The GIL of the processes that the scenario started, if vLLM's plugin runs in them."""
        if not (probe := sys.modules.get("snakedev_probe")):
            return []
        kept = ("role", "gil_enabled", "threads")
        try:
            answers = probe.ask(os.environ[probe.VARIABLE])
        except OSError as error:
            self.findings.add("asking processes", error)
            return []
        return [{name: answer[name] for name in kept} for answer in answers]

    def _sample(self) -> dict[str, Any]:
        sample = {
            "phase": self.phase,
            "operations": sum(sum(counts.values()) for counts in list(self.counts)),
            "rounds": self.rounds,
            "doing": dict(Counter(filter(None, list(self.doing)))),
            "resident": _resident(),
            "threads": _thread_count(),
            "gil": _gil_enabled(),
            **({"limits": self.limits} if self.limits else {}),
            "at": time.monotonic(),
            "cpu": time.process_time(),
        }
        self.samples.append(sample)
        return sample

    def _tell(self) -> None:
        """Tell the parent how far this is."""
        os.write(self.beats, (json.dumps(self._sample()) + "\n").encode())

    def _beat(self) -> None:
        while True:
            self._tell()
            if self.stopped.wait(_BEAT_SECONDS):
                return

    def _gil(self) -> dict[str, Any]:
        """How often the GIL was looked at, and whether it was ever on; and the proof that threads
        ran at once: cores that this process kept busy while they worked, on average."""
        working = [sample for sample in self.samples if sample["phase"] == "run"]
        seconds, busy = (
            working[-1][name] - working[0][name] if working else 0.0 for name in ("at", "cpu")
        )
        return {
            "looks": len(self.samples),
            "on": sum(sample["gil"] for sample in self.samples),
            "cores_busy": round(busy / seconds, 2) if seconds > 0 else None,
        }


def _gil_enabled() -> bool:
    return getattr(sys, "_is_gil_enabled", lambda: True)()


def _resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def _thread_count() -> int:
    """Threads of this process, those that Python does not know of too."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def main(request: Path) -> None:
    """Run what a request asks for."""
    faulthandler.enable()
    faulthandler.register(STACKS, all_threads=True)
    asked = json.loads(request.read_bytes())
    if asked["switch_interval"] is not None:
        sys.setswitchinterval(asked["switch_interval"])
    Child(asked).run()


# vLLM starts its processes by importing this module again
if __name__ == "__main__":
    main(Path(sys.argv[1]))
