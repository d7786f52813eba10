"""A stress run: scenarios one after the other, their record, and what a person reads of it."""

import os
import platform
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from snakedev.base.capacity import available_cores
from snakedev.base.errors import UserError
from snakedev.base.process import CommandError, output
from snakedev.environments.run_variables import run_variables
from snakedev.inference.engine import probe_variables, settings
from snakedev.reports.html import duration
from tools.stress.record import (
    KnownFinding,
    ScenarioRun,
    StressFinding,
    StressRecord,
    judged,
    unseen,
)
from tools.stress.trial import Place, Task, Trial

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parents[1]
SCENARIOS: Mapping[str, float] = {
    "zmq_sockets": 1,
    "prometheus": 1,
    "chat_templates": 1,
    "safetensors_files": 1,
    "kv_files": 1,
    "structured_output": 2,
    "tokenizer": 2,
    "tokenizer_settings": 1,
    "sampling_params": 2,
    "renderer": 2,
    "mm_cache": 2,
    "registries": 2,
    "cpu_kernels": 1,
    "compilers": 2,
    "triton_hashes": 1,
    "triton_kernels": 2,
    "triton_native": 2,
    "imports": 3,
    "llm_in_process": 4,
    "llm_process": 4,
    "llm_without_lock": 4,
    "server": 5,
    "server_in_process": 5,
}
"""In the order in which they run, what loads an engine last; each with its share of the time, of
which slow operations need more."""
_NEEDS = {"triton_hashes": "triton", "triton_kernels": "triton", "triton_native": "triton"}
"""The package that a scenario is about, where that is not vLLM."""
_SHOWN = 160
"""Characters of a finding's message on the terminal; the record has more."""
_PRINT = (
    "import platform, sys, sysconfig; "
    "print(platform.python_version(), sysconfig.get_config_var('Py_GIL_DISABLED') or 0, "
    "sysconfig.get_path('purelib'), sep='\\n')"
)
_PACKAGES = (
    "vllm",
    "torch",
    "triton",
    "transformers",
    "tokenizers",
    "safetensors",
    "xgrammar",
    "llguidance",
    "outlines-core",
    "msgspec",
    "pyzmq",
    "pydantic-core",
    "numpy",
    "numba",
    "prometheus-client",
    "jinja2",
    "fastapi",
    "uvloop",
)


@dataclass(frozen=True)
class Request:
    """What a run is asked for."""

    environment: Path
    model: Path
    scenarios: Sequence[str]
    seed: int
    minutes: float
    """How long threads work, all scenarios together; their set-ups come on top."""
    gil: bool = False

    def command(self, scenario: str) -> str:
        """What runs one scenario again, with the same choices."""
        words = ["python", "-m", "tools.stress", scenario, "--seed", str(self.seed)]
        words += ["--environment", _shown(self.environment), "--model", _shown(self.model)]
        words += ["--minutes", f"{self.minutes * self.share(scenario):.2f}"]
        return shlex.join(words + (["--gil", "on"] if self.gil else []))

    def share(self, scenario: str) -> float:
        """The part of the time that is a scenario's."""
        return SCENARIOS[scenario] / sum(SCENARIOS[name] for name in self.scenarios)


@dataclass(frozen=True)
class Installed:
    """What an environment's interpreter says of itself."""

    python: str
    packages: dict[str, str]


def installed(python: Path) -> Installed:
    """Look at an environment; raises UserError where it has no free-threaded Python."""
    try:
        version, free_threaded, folder = output([python, "-c", _PRINT]).splitlines()
    except (CommandError, OSError, ValueError) as error:
        raise UserError(
            f"{python} does not run ({error}): make an environment with `snakemake env_cpu`, or "
            "name the folder of one with --environment"
        ) from None
    if free_threaded != "1":
        raise UserError(f"{python} is an ordinary Python {version}: name a free-threaded one")
    named = ((canonicalize_name(one.metadata["Name"]), one) for one in distributions(path=[folder]))
    found: dict[str, str] = {name: one.version for name, one in named}
    return Installed(version, {name: found[name] for name in _PACKAGES if name in found})


def fitting(request: Request, has: Installed, say: Callable[[str], None]) -> Request:
    """What of a request an environment can run; raises UserError where that is nothing."""
    needs = {name: _NEEDS.get(name, "vllm") for name in request.scenarios}
    lacking = dict.fromkeys(need for need in needs.values() if need not in has.packages)
    for need in lacking:
        left_out = ", ".join(name for name in needs if needs[name] == need)
        say(f"without {left_out}: {_shown(request.environment)} has no {need}")
    if lacking.keys() == set(needs.values()):
        raise UserError(
            f"{_shown(request.environment)} has no {' and no '.join(lacking)}: name the folder of "
            f"a run environment that has with --environment"
        )
    return replace(request, scenarios=[n for n, need in needs.items() if need not in lacking])


def stress(
    request: Request,
    known: Sequence[KnownFinding],
    folder: Path,
    cache: Path,
    say: Callable[[str], None],
) -> StressRecord:
    """Run the scenarios, each in a fresh child, and keep the record after each of them.

    What was found is in ``folder``/stress.json and the logs beside it. Raises UserError where the
    environment cannot be used.
    """
    python = request.environment.absolute() / "bin" / "python"
    has = installed(python)
    request = fitting(request, has, say)
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(python, request.model.absolute(), folder.absolute(), _variables(request, cache))
    started, clock = datetime.now(UTC), time.monotonic()
    runs: list[ScenarioRun] = []

    def record() -> StressRecord:
        return StressRecord(
            started=started.isoformat(timespec="seconds"),
            seed=request.seed,
            minutes=request.minutes,
            gil="on" if request.gil else "off",
            environment=_shown(request.environment),
            python=has.python,
            packages=has.packages,
            machine={"cores": str(available_cores()), "system": platform.platform()},
            runs=tuple(runs),
            unseen=unseen(runs, known),
            seconds=round(time.monotonic() - clock, 1),
        )

    for name in request.scenarios:
        task = Task(
            scenario=name,
            module=f"stress.scenarios.{name}",
            seed=request.seed,
            seconds=request.minutes * 60 * request.share(name),
            command=request.command(name),
            gil=request.gil,
        )
        run = Trial(task, place, lambda line, name=name: say(f"{name}: {line}")).run()
        run = run.model_copy(update={"findings": judged(name, run.findings, known)})
        runs.append(run)
        record().write(folder / "stress.json")
        for line in told(run):
            say(line)
    return record()


def told(run: ScenarioRun) -> list[str]:
    """What came of a scenario, for a person."""
    count = sum(run.operations.values())
    worked = "" if run.seconds is None else f" in {duration(run.seconds)}, {run.rounds} rounds"
    loaded = "" if run.setup_seconds is None else f", set-up {duration(run.setup_seconds)}"
    busy = run.gil.cores_busy if run.gil else None
    cores = "" if busy is None else f", {busy:.1f} cores busy"
    lines = [f"{run.scenario}: {run.outcome}: {count} operations{worked}{loaded}{cores}"]
    for finding in run.findings:
        lines.append(f"  {_finding(finding)}")
    if run.outcome == "found":
        lines += [f"  log: {run.log}", f"  again: {run.command}"]
    return lines


def summary(record: StressRecord) -> list[str]:
    """The end of a run, for a person."""
    outcomes = [run.outcome for run in record.runs]
    total = sum(sum(run.operations.values()) for run in record.runs)
    looks = sum(run.gil.looks for run in record.runs if run.gil)
    on = sum(run.gil.on for run in record.runs if run.gil)
    lines = [
        f"{len(outcomes)} scenarios, {total} operations in {duration(record.seconds)}, "
        f"seed {record.seed}: {outcomes.count('clean')} clean, {outcomes.count('known')} with "
        f"known findings, {outcomes.count('found')} with others",
        f"the GIL was on in {on} of {looks} looks",
    ]
    lines += [f"not seen this time: {one.scenario}: {one.document}" for one in record.unseen]
    return lines


def chosen(names: Iterable[str]) -> list[str]:
    """The scenarios that a person names, all when none; raises UserError for an unknown one."""
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in SCENARIOS:
            raise UserError(
                f"there is no scenario {name}: the scenarios are {', '.join(SCENARIOS)}"
            )
    return wanted or list(SCENARIOS)


def _finding(finding: StressFinding) -> str:
    where = f" in {finding.operation}" if finding.operation else ""
    times = f" ({finding.count} times)" if finding.count > 1 else ""
    known = f"known, {finding.known}: " if finding.known else ""
    message = finding.message.partition("\n")[0]
    shown = message if len(message) <= _SHOWN else f"{message[:_SHOWN]}…"
    return f"{known}{finding.kind}{where}{times}: {shown}"


def _variables(request: Request, cache: Path) -> dict[str, str]:
    """What a child sees: the variables of a smoke run, and this package's folder to import from."""
    found = run_variables(request.environment, cache, gil_off=False)
    # an engine computes on one core, so that the threads around it have others
    found |= settings("cpu", 1, None) | probe_variables()
    # where it has no process of its own, vLLM binds nothing
    found["OMP_NUM_THREADS"] = "1"
    paths = [str(FOLDER.parent), str(FOLDER / "plugin"), str(PROJECT), found["PYTHONPATH"]]
    found["PYTHONPATH"] = os.pathsep.join(paths)
    found["VLLM_PLUGINS"] += ",stress_stacks"
    # an engine's other processes take it from here
    found["PYTHON_GIL"] = str(int(request.gil))
    found["VLLM_LOGGING_LEVEL"] = "WARNING"
    return found


def _shown(path: Path) -> str:
    """A path as a person would write it in the project's folder."""
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)
