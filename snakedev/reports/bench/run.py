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
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from snakedev import inside
from snakedev.base.cpu import cpu_flags
from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.base.records import Record
from snakedev.environments.run_variables import run_variables
from snakedev.environments.stock import stock_environment
from snakedev.inference.engine import engine_arguments, probe_variables, settings, toolkit_in
from snakedev.inside.bench.turns import MARK
from snakedev.machine.facts import machine_facts
from snakedev.reports.bench.record import BUSY_SHARE, OFF, ON, STOCK, BenchRecord, is_busy, keep
from snakedev.reports.bench.requests import PROGRAMS, Contender, part_request
from snakedev.reports.bench.results import part_results, refuse_wrong_gil
from snakedev.store.layout import Layout
from snakedev.store.specs import BenchSpec, WheelInput
from snakedev.wheels.record import WheelRecord, sound_wheel

_FOLDER = inside.FOLDER / "bench"
# Several engines are loaded at once, and these prompts need no more.
_KV_CACHE_BYTES = 256 << 20
# An earlier run is gone on with only while the machine is likely to be as it was.
_UNFINISHED_HOURS = 12


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
        keep(record, layout.bench_records)
    finally:
        # kept or of no use: nothing is left to go on with
        run.unfinished_file.unlink(missing_ok=True)
    return record


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
        self.engine = engine_arguments(self.model, spec.settings.prompts, self._flags()) | {
            "kv_cache_memory_bytes": _KV_CACHE_BYTES
        }

    def record(self) -> BenchRecord:
        """Do it all."""
        load = os.getloadavg()[0]
        built = self._built_stock()
        contenders, without_stock = self._contenders(built)
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
        for part in self.spec.settings.parts:
            if part in unfinished.parts:
                self.running.say(f"{part}: measured before this run was interrupted")
                continue
            began = time.monotonic()
            parts = {**unfinished.parts, part: self._measured(part, contenders)}
            seconds = unfinished.seconds + time.monotonic() - began
            unfinished = unfinished.model_copy(update={"parts": parts, "seconds": seconds})
            unfinished.write(self.unfinished_file)
        return self._finished(unfinished, without_stock, built)

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

    def _built_stock(self) -> WheelRecord | None:
        """The stock wheel that was built here, if one was asked for."""
        if (wanted := self.spec.stock) is None:
            return None
        return WheelRecord.read(self._stock_folder(wanted) / "wheel.json")

    def _stock_folder(self, wanted: WheelInput) -> Path:
        return self.layout.wheel(wanted.variant, wanted.repo, wanted.key)

    def _contenders(self, built: WheelRecord | None) -> tuple[list[Contender], str | None]:
        """Who takes turns, and why no stock wheel does."""
        ours = [
            self._contender(OFF, self.environment, {"PYTHON_GIL": "0"}),
            self._contender(ON, self.environment, {"PYTHON_GIL": "1"}),
        ]
        wanted = self.spec.settings
        if not wanted.stock:
            return ours, "bench_report.stock is false"
        self.running.say("looking for the stock wheel")
        folder = self.layout.stock(self.spec.variant).absolute()
        wheel = None
        if built is not None and self.spec.stock is not None:
            wheel = sound_wheel(self._stock_folder(self.spec.stock), built)
        try:
            stock = stock_environment(
                folder, self.spec.variant, self.spec.version, self.lock, wanted.python, wheel
            )
        except UserError as error:
            why = " ".join(line.strip() for line in str(error).splitlines())
            self.running.say(f"warning: no stock wheel is measured: {why}")
            return ours, why
        return [*ours, self._contender(STOCK, stock, {})], None

    def _contender(self, name: str, environment: Path, variables: Mapping[str, str]) -> Contender:
        toolkit = toolkit_in(self.environment)
        chosen = settings(self.spec.variant, self.cores, toolkit)
        clean = run_variables(environment, self.layout.cache, gil_off=False)
        return {
            "name": name,
            "python": str(environment / "bin" / "python"),
            "variables": clean | chosen | probe_variables() | dict(variables),
        }

    def _measured(self, part: str, contenders: list[Contender]) -> Any:
        """What the program of a part finds out."""
        wanted = part_request(part, self.spec.settings, self.model, self.engine, contenders)
        program = _FOLDER / f"{PROGRAMS[part]}.py"
        with tempfile.TemporaryDirectory(prefix="snakedev-bench-") as scratch:
            folder = Path(scratch)
            given, result = folder / "request.json", folder / "result.json"
            given.write_text(json.dumps({**wanted, "folder": scratch}), encoding="utf-8")
            variables = run_variables(self.environment, self.layout.cache, gil_off=False)
            try:
                self.running.run(
                    [self.environment / "bin/python", program, given, result],
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

    def _finished(
        self, measured: Unfinished, without_stock: str | None, built: WheelRecord | None
    ) -> BenchRecord:
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
            without_stock=without_stock,
            stock_patches=tuple(patch.name for patch in built.patches) if built else None,
            work=spec.work,
            **part_results(parts),
        )
