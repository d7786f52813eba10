"""A benchmark run: our build with the GIL off and on, and the stock wheel, in turns.

The measuring programs are in snakedev/inside/bench/ and run inside the run environment; here they
are told what to measure, and what they say becomes a record. What a run has measured part by part
is kept until it is whole, so that one that was killed goes on where it was.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from snakedev import inside
from snakedev.base.cpu import cpu_flags
from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.base.records import Record
from snakedev.config.reports import Prompt, Throughput
from snakedev.environments.run_variables import run_variables
from snakedev.environments.stock import stock_environment
from snakedev.inference.engine import (
    engine_arguments,
    probe_variables,
    request,
    settings,
    toolkit_in,
)
from snakedev.inside.bench.turns import MARK
from snakedev.machine.facts import machine_facts
from snakedev.reports.bench.record import (
    BUSY_SHARE,
    OFF,
    ON,
    STOCK,
    BenchRecord,
    EngineProcess,
    ImportTime,
    Interpreter,
    OfflineResult,
    ScalingPart,
    ScalingPoint,
    ServerLoad,
    ServerProcesses,
    ServerResult,
    is_busy,
    percentiles,
)
from snakedev.store.layout import Layout
from snakedev.store.specs import BenchSpec

MODES: Mapping[str, Mapping[str, str]] = {
    "own process": {},
    "one process": {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
}
"""Where the offline engine runs, with the variables that put it there."""
_PROGRAMS = inside.FOLDER / "bench"
_TIMES = "%Y-%m-%dT%H%M%SZ"
# Several engines are loaded at once, and these prompts need no more.
_KV_CACHE_BYTES = 256 << 20
_PROMPTS = ("The capital of France is", "Once upon a time, there was a little girl who")
# An earlier run is gone on with only while the machine is likely to be as it was.
_UNFINISHED_HOURS = 12


_Contender = dict[str, Any]
"""A name, a Python and variables, as the measuring programs take them."""
_Asking = Callable[[Sequence[_Contender]], tuple[str, dict[str, Any]]]


class Unfinished(Record):
    """What a run has measured that did not come to its end."""

    key: str
    started: str
    load_average: float
    parts: dict[str, Any]
    """What each program wrote."""
    seconds: float = 0.0
    """What that took."""


def run_bench(spec: BenchSpec, layout: Layout, lock: Path, cores: int, running: Job) -> BenchRecord:
    """Measure all parts that the spec asks for, and keep the record in ``layout.bench_records``.

    ``lock`` is the lock of the run environment: a stock wheel is measured with its packages.
    Raises CommandError for a program that failed, UserError where the GIL was not as it should be.
    """
    run = _Run(spec, layout, lock, cores, running)
    record = run.record()
    try:
        refuse_wrong_gil(record)
        name = datetime.fromisoformat(record.started).strftime(_TIMES)
        record.write(layout.bench_records / f"{name}-{spec.variant}.json")
    finally:
        # kept or of no use: nothing is left to go on with
        run.unfinished_file.unlink(missing_ok=True)
    return record


def kept_records(layout: Layout, variant: str) -> list[BenchRecord]:
    """All records of a variant, oldest first; those of an earlier form are passed over."""
    records = []
    for path in sorted(layout.bench_records.glob(f"*Z-{variant}.json")):
        try:
            records.append(BenchRecord.read(path))
        except UserError:
            continue
    return records


class _Run:
    """One run: its contenders, and the parts that are measured."""

    def __init__(self, spec: BenchSpec, layout: Layout, lock: Path, cores: int, running: Job):
        self.spec, self.layout, self.lock = spec, layout, lock
        self.cores, self.running = cores, running
        self.unfinished_file = layout.bench_records / f"unfinished-{spec.variant}.json"
        self.environment = layout.environment(
            spec.environment_name, spec.environment_key
        ).absolute()
        self.model = layout.model(spec.model, spec.model_key).absolute()
        self.engine = engine_arguments(
            self.model, max(spec.settings.prompts, *spec.settings.clients), self._flags()
        ) | {"kv_cache_memory_bytes": _KV_CACHE_BYTES}

    def record(self) -> BenchRecord:
        """Do it all."""
        load = os.getloadavg()[0]
        contenders, without_stock = self._contenders()
        if self.spec.variant != "cpu":
            # all engines are loaded at once
            self.engine["gpu_memory_utilization"] = round(0.9 / len(contenders), 2)
        unfinished = self._begun(load)
        if is_busy(unfinished.load_average, self.cores):
            self.running.say(
                f"warning: the machine was busy when this began (load average "
                f"{unfinished.load_average:.1f}, more than {BUSY_SHARE:.0%} of {self.cores} "
                "cores): figures will be rough"
            )
        programs: dict[str, _Asking] = {
            "threads": self._threads,
            "import": self._import,
            "offline": self._offline,
            "server": self._server,
        }
        for part in self.spec.settings.parts:
            if part in unfinished.parts:
                self.running.say(f"{part}: measured before this run was interrupted")
                continue
            program, asked = programs[part](contenders)
            began = time.monotonic()
            found = self._measure(part, program, asked)
            seconds = unfinished.seconds + time.monotonic() - began
            parts = {**unfinished.parts, part: found}
            unfinished = unfinished.model_copy(update={"parts": parts, "seconds": seconds})
            unfinished.write(self.unfinished_file)
        return self._finished(unfinished, without_stock)

    def _begun(self, load: float) -> Unfinished:
        """What was measured before, where a run of the same was interrupted."""
        now = datetime.now(UTC)
        if self.unfinished_file.is_file():
            try:
                earlier = Unfinished.read(self.unfinished_file)
            except UserError:
                earlier = None
            oldest = now - timedelta(hours=_UNFINISHED_HOURS)
            if earlier and earlier.key == self.spec.key:
                if datetime.fromisoformat(earlier.started) > oldest:
                    return earlier
        started = now.isoformat(timespec="seconds")
        return Unfinished(key=self.spec.key, started=started, load_average=load, parts={})

    def _contenders(self) -> tuple[list[_Contender], str | None]:
        """Who takes turns, and why no stock wheel does."""
        found = [
            self._contender(OFF, self.environment, {"PYTHON_GIL": "0"}),
            self._contender(ON, self.environment, {"PYTHON_GIL": "1"}),
        ]
        wanted = self.spec.settings
        if not wanted.stock:
            return found, "bench_report.stock is false"
        self.running.say("looking for the stock wheel")
        folder = self.layout.stock(self.spec.variant).absolute()
        try:
            stock = stock_environment(
                folder, self.spec.variant, self.spec.version, self.lock, wanted.python
            )
        except UserError as error:
            why = str(error).splitlines()
            self.running.note(str(error))
            self.running.say(f"warning: no stock wheel is measured: {why[0]}")
            return found, "; ".join(why)
        return [*found, self._contender(STOCK, stock, {})], None

    def _contender(self, name: str, environment: Path, variables: Mapping[str, str]) -> _Contender:
        toolkit = toolkit_in(self.environment)
        chosen = settings(self.spec.variant, self.cores, toolkit)
        clean = run_variables(environment, self.layout.cache, gil_off=False)
        return {
            "name": name,
            "python": str(environment / "bin" / "python"),
            "variables": clean | chosen | probe_variables() | dict(variables),
        }

    # What each part's program is, and what it is asked beside rounds and a folder.

    def _threads(self, contenders: Sequence[_Contender]) -> tuple[str, dict[str, Any]]:
        wanted = self.spec.settings
        # on the ordinary Python one thread tells what free-threading costs
        all = [{**one, "single": one["name"] == STOCK} for one in contenders]
        return "scaling", {
            "model": str(self.model),
            "threads": wanted.threads,
            "seconds": wanted.seconds,
            "contenders": all,
        }

    def _import(self, contenders: Sequence[_Contender]) -> tuple[str, dict[str, Any]]:
        return "importing", {"contenders": contenders}

    def _offline(self, contenders: Sequence[_Contender]) -> tuple[str, dict[str, Any]]:
        wanted = self.spec.settings
        timed = Throughput(prompts=wanted.prompts, tokens=wanted.tokens)
        prompts = [Prompt(text=text) for text in _PROMPTS]
        answer = request(prompts, 1, timed, self.model, self.engine)
        return "offline", {
            "answer": json.loads(answer),
            "modes": MODES,
            "contenders": contenders,
        }

    def _server(self, contenders: Sequence[_Contender]) -> tuple[str, dict[str, Any]]:
        wanted = self.spec.settings
        # the server keeps a core free for its front end, as vLLM does by itself
        free = [
            {
                **one,
                "variables": {
                    name: value
                    for name, value in one["variables"].items()
                    if name != "VLLM_CPU_OMP_THREADS_BIND"
                },
            }
            for one in contenders
        ]
        return "serving", {
            "model": str(self.model),
            "arguments": [_option(name, value) for name, value in self.engine.items()],
            "clients": wanted.clients,
            "requests": wanted.requests,
            "input_tokens": wanted.input_tokens,
            "output_tokens": wanted.output_tokens,
            "client": free[0],
            "contenders": free,
        }

    def _measure(self, part: str, program: str, asked: dict[str, Any]) -> Any:
        """What a program finds out."""
        with tempfile.TemporaryDirectory(prefix="snakedev-bench-") as scratch:
            folder = Path(scratch)
            given, result = folder / "request.json", folder / "result.json"
            asked |= {"rounds": self.spec.settings.rounds, "folder": scratch}
            given.write_text(json.dumps(asked), encoding="utf-8")
            variables = run_variables(self.environment, self.layout.cache, gil_off=False)
            try:
                self.running.run(
                    [self.environment / "bin/python", _PROGRAMS / f"{program}.py", given, result],
                    env=variables,
                    cwd=folder,
                    watch=lambda line: self._watch(part, line),
                )
            except CommandError:
                self._keep_logs(part, folder)
                raise
            return json.loads(result.read_bytes())

    def _watch(self, part: str, line: str) -> None:
        if line.startswith(MARK):
            self.running.say(f"{part}: {line.removeprefix(MARK).strip()}")

    def _keep_logs(self, part: str, folder: Path) -> None:
        """Put what the contenders wrote beside the job's log."""
        kept = self.running.log_path.parent / f"{self.spec.variant}-{part}"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for log in folder.glob("*.log"):
            shutil.copy(log, kept)
        self.running.say(f"the logs of those that took turns are in {kept}")

    def _flags(self) -> frozenset[str] | None:
        return cpu_flags() if self.spec.variant == "cpu" else None

    def _finished(self, measured: Unfinished, without_stock: str | None) -> BenchRecord:
        parts, spec = measured.parts, self.spec
        return BenchRecord(
            key=spec.key,
            variant=spec.variant,
            model=spec.model,
            environment_key=spec.environment_key,
            started=measured.started,
            seconds=round(measured.seconds, 1),
            machine=machine_facts(spec.variant),
            cores=self.cores,
            load_average=round(measured.load_average, 2),
            pins=spec.pins,
            settings=spec.settings,
            interpreters=_interpreters(parts.get("threads")),
            without_stock=without_stock,
            threads=_scaling(parts.get("threads")),
            imports=_imports(parts.get("import")),
            offline=_offline_results(parts.get("offline")),
            server=_server_result(parts.get("server")),
            work=spec.work,
        )


def refuse_wrong_gil(record: BenchRecord) -> None:
    """Raise UserError that names whose GIL was not as its name says: its figures mean nothing."""
    seen = [(one.name, one.gil_enabled, "its interpreter") for one in record.interpreters]
    seen += [
        (one.contender, process.gil, process.role)
        for one in (*record.offline, *(record.server.servers if record.server else ()))
        for process in one.processes
    ]
    wrong = [
        f"{name}: the GIL is {'on' if gil else 'off'} in: {role}"
        for name, gil, role in seen
        if gil is not None and gil != (name != OFF)
    ]
    if wrong:
        raise UserError("\n".join(dict.fromkeys(wrong)))


def _option(name: str, value: Any) -> str:
    """An engine's argument as an option of vLLM's server."""
    option = f"--{name.replace('_', '-')}"
    return option if value is True else f"{option}={value}"


def _interpreters(found: Mapping[str, Any] | None) -> tuple[Interpreter, ...]:
    contenders = found["contenders"] if found else {}
    return tuple(Interpreter(name=name, **state) for name, state in contenders.items())


def _scaling(found: Mapping[str, Any] | None) -> tuple[ScalingPart, ...]:
    return tuple(
        ScalingPart(
            name=name,
            unit=part["unit"],
            points=[
                ScalingPoint(contender=contender, threads=int(threads), rates=rates)
                for contender, counts in part["rates"].items()
                for threads, rates in counts.items()
            ],
        )
        for name, part in (found["parts"] if found else {}).items()
    )


def _imports(found: Mapping[str, Any] | None) -> tuple[ImportTime, ...]:
    return tuple(
        ImportTime(
            contender=contender,
            seconds=[one["seconds"] for one in rounds],
            pss=round(median(one["pss"] for one in rounds)),
            rss=round(median(one["rss"] for one in rounds)),
        )
        for contender, rounds in (found or {}).items()
    )


def _offline_results(found: Mapping[str, Any] | None) -> tuple[OfflineResult, ...]:
    return tuple(
        OfflineResult(
            mode=mode,
            contender=contender,
            load_seconds=round(one["load_seconds"], 1),
            tokens_per_second=one["tokens_per_second"],
            processes=[EngineProcess(**process) for process in one["processes"]],
        )
        for mode, contenders in (found or {}).items()
        for contender, one in contenders.items()
    )


def _server_result(found: Mapping[str, Any] | None) -> ServerResult | None:
    if found is None:
        return None
    servers = found["contenders"]
    return ServerResult(
        loads=[
            _server_load(contender, int(clients), rounds)
            for contender, one in servers.items()
            for clients, rounds in one["clients"].items()
        ],
        servers=[
            ServerProcesses(
                contender=contender,
                start_seconds=round(one["start_seconds"], 1),
                processes=[EngineProcess(**process) for process in one["processes"]],
            )
            for contender, one in servers.items()
        ],
        one_process=found["one_process"],
    )


def _server_load(contender: str, clients: int, rounds: Sequence[Mapping[str, Any]]) -> ServerLoad:
    gaps = [itls for one in rounds for itls in one["itls"]]
    return ServerLoad(
        contender=contender,
        clients=clients,
        requests_per_second=[one["requests"] / one["seconds"] for one in rounds],
        tokens_per_second=[one["tokens"] / one["seconds"] for one in rounds],
        ttft=percentiles(ttft for one in rounds for ttft in one["ttfts"]),
        tpot=percentiles(sum(itls) / len(itls) for itls in gaps if itls),
        itl=percentiles(gap for itls in gaps for gap in itls),
    )
