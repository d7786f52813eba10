"""The trials of the GIL report: each extension module alone, then what vLLM's processes import.

Everything is imported in a fresh process of the run environment, by inference/import_recorder.py.
"""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from packaging.utils import canonicalize_name

from snakedev import inside
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.environments.environment import EnvironmentRecord
from snakedev.environments.run_variables import run_variables
from snakedev.inside.extension_probe import LENDERS
from snakedev.machine import sanitizer
from snakedev.reports.gil.modules import (
    ExtensionModule,
    about_gil,
    entry_points,
    extension_modules,
    project_url,
)
from snakedev.reports.gil.record import EntryTrial, GilRecord, ModuleTrial, OffenderImport, Outcome
from snakedev.store.layout import Layout
from snakedev.store.publish import made_once, published
from snakedev.store.specs import GilSpec

_PROGRAM = inside.FOLDER / "import_recorder.py"
_SEARCH_PATH = "import json, sys; print(json.dumps(sys.path))"
_MODULE_SECONDS, _ENTRY_SECONDS = 180, 600
"""Time limits: what takes longer hangs."""


Ended = Literal["crash", "hang", "failed"]


@dataclass(frozen=True)
class Answer:
    """What a process that imported something has told, however far it came."""

    result: Mapping[str, Any]
    ended: Ended | None
    """How it ended, unless it ended well."""
    detail: str = ""

    @property
    def problem(self) -> str:
        """What was raised, or how the process ended; empty where all went well."""
        return self.detail if self.ended else self.result["problem"] or ""

    @property
    def culprit(self) -> str | None:
        """The extension module that turned the GIL on."""
        if warned := self.result.get("warned"):
            return warned[0]  # CPython itself names it, unless a package silences its warning
        return next((e["name"] for e in self.extensions if e["after"] and not e["before"]), None)

    @property
    def extensions(self) -> Sequence[Mapping[str, Any]]:
        """The extension modules that were loaded, in order."""
        return self.result.get("extensions", ())

    @property
    def seconds(self) -> float | None:
        """What the import took."""
        return round(self.result["seconds"], 2) if "seconds" in self.result else None


def run_gil_trial(spec: GilSpec, layout: Layout, threads: int, running: Job) -> GilRecord:
    """Try a run environment, ``threads`` processes at once, or find the trial in the store."""
    with made_once(layout, spec, GilRecord, running) as record:
        return record or _made(spec, layout, threads, running)


def _made(spec: GilSpec, layout: Layout, threads: int, running: Job) -> GilRecord:
    final = layout.folder(spec)
    environment = layout.environment(spec.environment_name, spec.environment_key).absolute()
    with tempfile.TemporaryDirectory(prefix="snakedev-gil-") as scratch:
        record = Trial(spec, environment, layout.cache, Path(scratch), running).record(threads)
    with published(final) as folder:
        record.write(folder / spec.record_name)
        shutil.copyfile(running.log_path, folder / "gil.log")
    return record


def judged(module: str, answer: Answer) -> tuple[Outcome, str]:
    """What a module did to the GIL as it was imported, and what there is to say of it."""
    if answer.ended is None and answer.culprit == module:
        return "on", answer.problem
    if answer.problem:
        return answer.ended or "failed", answer.problem
    seen = next((e for e in answer.extensions if e["name"] == module), None)
    if seen is None:
        return "unknown", "importing it loaded something else of that name"
    if seen["before"] or seen["after"]:
        return "unknown", f"{answer.culprit} had turned the GIL on before it"
    return "off", ""


class Trial:
    """The trial of one environment."""

    def __init__(self, spec: GilSpec, environment: Path, cache: Path, scratch: Path, running: Job):
        self.spec, self.scratch, self.running = spec, scratch, running
        self.python = environment / "bin" / "python"
        (self.site_packages,) = environment.glob("lib/python*/site-packages")
        self.installed = EnvironmentRecord.read(environment / "env.json")
        self.built_here = {p.name for p in self.installed.packages if p.built_here}
        self.lenders = [name for name in LENDERS if (self.site_packages / name).is_dir()]
        self.variables = {
            off: run_variables(environment, cache, gil_off=off) | sanitizer.QUIET
            for off in (False, True)
        }

    def record(self, threads: int) -> GilRecord:
        """Do it all, ``threads`` processes at once."""
        started, clock = datetime.now(UTC), time.monotonic()
        modules = list(extension_modules(self.site_packages, self._search_path()))
        entries = entry_points(self.spec.variant)
        self.running.say(
            f"importing {len(modules)} extension modules, each in a process of its own"
        )
        pool = ThreadPoolExecutor(threads)
        try:
            # the longest first
            naturals = {
                name: pool.submit(self._ask, {"code": code}, _ENTRY_SECONDS)
                for name, code in entries.items()
            }
            trials = self._told([pool.submit(self._module, one) for one in modules])
            offenders = [trial.module for trial in trials if trial.outcome == "on"]
            tried = pool.map(
                lambda name: self._entry(name, entries[name], naturals[name].result(), offenders),
                entries,
            )
            results = tuple(tried)
        finally:
            pool.shutdown(cancel_futures=True)
        for result in results:
            self.running.say(f"{result.name}: GIL {result.outcome}{_because(result)}")
        versions = {p.name: p.version for p in self.installed.packages}
        return GilRecord(
            key=self.spec.key,
            variant=self.spec.variant,
            environment=self.installed.name,
            python=self.installed.python,
            vllm=versions.get("vllm"),
            entries=results,
            modules=tuple(sorted(trials, key=lambda trial: (trial.distribution, trial.module))),
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - clock, 1),
            work=self.spec.work,
        )

    def _search_path(self) -> list[Path]:
        """Where the interpreter looks for modules, with what `.pth` files add."""
        asked = output([self.python, "-Ic", _SEARCH_PATH], env=self.variables[True])
        return [Path(folder) for folder in json.loads(asked)]

    def _told(self, futures: Sequence["Future[ModuleTrial]"]) -> list[ModuleTrial]:
        """The trials of modules as they end, with a word on how far they are."""
        trials = []
        for future in as_completed(futures):
            trials.append(trial := future.result())
            if trial.outcome == "off":
                self.running.note(f"{trial.module}: off")
            else:
                self.running.say(f"{trial.module}: {trial.outcome}  {trial.detail}".rstrip())
            self.running.status(f"{len(trials)} of {len(futures)} modules")
        return trials

    def _module(self, extension: ExtensionModule) -> ModuleTrial:
        """Import a module alone; with another first where it needs that; by its file where a
        module of its own package turns the GIL on."""
        name, needed = extension.module, None
        answer = self._import(name)
        if judged(name, answer)[0] == "failed":
            for lender in self.lenders:
                lent = self._import(lender, name)
                if not lent.problem:
                    answer, needed = lent, lender
                    break
        outcome, detail = judged(name, answer)
        if outcome == "unknown":
            request = {"module": name, "file": str(self.site_packages / extension.file)}
            alone = self._ask(request | {"describe": name}, _MODULE_SECONDS)
            if judged(name, alone)[0] in ("off", "on"):
                answer, (outcome, detail) = alone, judged(name, alone)
        distribution = extension.distribution
        owner = canonicalize_name(distribution.metadata["Name"])
        return ModuleTrial(
            module=name,
            file=str(extension.file),
            distribution=owner,
            version=distribution.version,
            url=project_url(distribution),
            built_here=owner in self.built_here,
            patches=about_gil(self.spec.patches.get(owner, ())),
            evidence=extension.evidence,
            declares=answer.result.get("declares"),
            outcome=outcome,
            needs=needed,
            seconds=answer.seconds,
            detail=detail,
        )

    def _entry(self, name: str, code: str, natural: Answer, offenders: Sequence[str]) -> EntryTrial:
        """Judge what an entry point did; where the GIL came on, look for all who would do that."""
        on = bool(natural.result.get("gil_enabled"))
        outcome: Outcome = natural.ended or ("failed" if natural.problem else "off")
        return EntryTrial(
            name=name,
            code=code,
            outcome="on" if on else outcome,
            first=natural.culprit,
            offenders=tuple(self._offenders(code, natural, offenders)) if on else (),
            extensions=len(natural.extensions),
            seconds=natural.seconds,
            detail=natural.problem,
        )

    def _offenders(
        self, code: str, natural: Answer, offenders: Sequence[str]
    ) -> Iterator[OffenderImport]:
        """Those that an entry point imports, in the order in which they are loaded.

        From the first of them on the GIL stays on, so the others show only where it is kept off.
        """
        forced = self._ask({"code": code}, _ENTRY_SECONDS, gil_off=True)
        loaded = {e["name"]: e for answer in (natural, forced) for e in answer.extensions}
        importers = {**natural.result["importers"], **forced.result.get("importers", {})}
        for name in dict.fromkeys([natural.culprit, *(n for n in loaded if n in offenders)]):
            if name is None or name not in loaded:
                continue
            package = name.partition(".")[0]
            yield OffenderImport(
                module=name,
                chain=tuple(loaded[name]["chain"]),
                importers=tuple(i for i in importers.get(package, ()) if i != "__main__"),
            )

    def _import(self, *modules: str) -> Answer:
        """Import modules one after the other; the last is the one in question."""
        lines = [f"importlib.import_module({module!r})" for module in modules]
        code = "\n".join(["import importlib", *lines])
        return self._ask({"code": code, "describe": modules[-1]}, _MODULE_SECONDS)

    def _ask(self, request: Mapping[str, str], seconds: int, *, gil_off: bool = False) -> Answer:
        """Have a fresh process do what a request asks."""
        given = self.scratch / f"{uuid4().hex}.json"
        told = given.with_suffix(".result.json")
        given.write_text(json.dumps(request), encoding="utf-8")
        # -P: what lies beside the program is not to be imported
        command: list[str | Path] = [self.python, "-P", "-X", "faulthandler", _PROGRAM, given, told]
        ended: Ended | None = None
        detail = ""
        try:
            output(command, env=self.variables[gil_off], cwd=self.scratch, timeout=seconds)
        except subprocess.TimeoutExpired:
            ended, detail = "hang", f"it did not end within {seconds} seconds"
        except CommandError as error:
            ended, detail = ("crash" if error.code < 0 else "failed"), str(error)
            self.running.note("\n".join([f"{json.dumps(request)}: {error}", *error.tail]))
        result = json.loads(told.read_bytes()) if told.is_file() else {}
        if result and ended:
            detail += ", after the import"
        elif not result and not ended:
            ended, detail = "failed", "it ended the process"
        return Answer(result, ended, detail)


def _because(entry: EntryTrial) -> str:
    if entry.first:
        return f", because of {entry.first}"
    return f": {entry.detail}" if entry.detail else ""
