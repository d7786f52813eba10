"""Running upstream's own tests of a repo in one column of the report.

Tests run in sessions of pytest, in workers of pytest-xdist that load what they test once: one that
crashes is replaced, and costs one test. What is known of a file is kept in the cache, so that a run
that was stopped goes on, and a larger selection runs only what is added.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from snakedev import inside
from snakedev.base.capacity import parallel_jobs
from snakedev.base.file_lock import held
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.base.records import write_text
from snakedev.environments.run_variables import run_variables
from snakedev.environments.stock_packages import (
    NoStockWheelError,
    StockWheel,
    add_stock_wheels,
    stock_packages,
)
from snakedev.reports.tests.hub import hub_cache
from snakedev.reports.tests.log import Session, read_session
from snakedev.reports.tests.record import TestFile, TestsRecord
from snakedev.reports.tests.selection import copied, excepted, sessions
from snakedev.store.layout import Layout
from snakedev.store.publish import found, published
from snakedev.store.spec import digest
from snakedev.store.tests_spec import TestsSpec

_GIL = {"gil": "1", "free": "0", "threads": "0"}
_ASK = "import platform, importlib.metadata as m; print(platform.python_version(), m.version({!r}))"
# What timeout ends with where the time was over.
_TIMED_OUT = 124
_KILL_AFTER = 30
_RESTARTS = 1000
# what the log of reports has once for each test
_ENDED = b'"when": "teardown"'
# pytest looks for these on the command line alone, not in a file of arguments
_PLUGINS = ("-p", "no:cacheprovider", "-p", "snakedev_files")


def run_tests(spec: TestsSpec, layout: Layout, cores: int, running: Job) -> TestsRecord:
    """Run the tests that a spec asks for, or find them in the store.

    Raises UserError where the configuration names what the source has not, CommandError where no
    test could be run.
    """
    final = layout.folder(spec)
    if record := found(final / spec.record_name, TestsRecord, running):
        return record
    started, clock = datetime.now(UTC), time.monotonic()
    files: tuple[TestFile, ...] = ()
    python, version, without, wheel = "", spec.version, "", StockWheel(spec.repo)
    try:
        environment, wheel = _environment(spec, layout, running)
    except NoStockWheelError as error:
        running.say(without := str(error))
    else:
        asked: list[str | Path] = [environment / "bin/python", "-IBc", _ASK.format(wheel.package)]
        python, version = output(asked, timeout=60).split()
        with tempfile.TemporaryDirectory(prefix="snakedev-tests-") as scratch:
            run = _Run(spec, layout, environment, Path(scratch), cores, running)
            run.variables |= wheel.variables
            files = run.files()
    record = TestsRecord(
        key=spec.key,
        variant=spec.variant,
        repo=spec.repo,
        column=spec.column,
        version=version,
        built=spec.repo in spec.built,
        python=python,
        without=without,
        about=wheel.about,
        threads=spec.threads,
        files=files,
        left_out=spec.suite.left_out,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
        work=spec.work,
    )
    with published(final) as folder:
        record.write(folder / spec.record_name)
        shutil.copyfile(running.log_path, folder / "tests.log")
    return record


def _environment(spec: TestsSpec, layout: Layout, running: Job) -> tuple[Path, StockWheel]:
    """Where a column's tests run, and the wheel that they test.

    Raises NoStockWheelError where there is no stock wheel to test.
    """
    if spec.environment_key:
        environment = layout.environment(spec.environment_name, spec.environment_key)
        return environment.absolute(), StockWheel(spec.repo)
    running.say("looking for the stock wheel")
    folder = layout.stock_packages(spec.variant).absolute()
    versions = {**spec.built, spec.repo: spec.version}
    # one for the runs of all repos
    with held(folder.with_suffix(".lock"), lambda: running.say("waiting for another run")):
        environment = stock_packages(folder, spec.locks, spec.built, spec.stock["python"])
        return environment, add_stock_wheels(environment, spec.repo, spec.variant, versions)


class _Run:
    """One run: the copied tests, and what is known of them from earlier runs."""

    def __init__(
        self,
        spec: TestsSpec,
        layout: Layout,
        environment: Path,
        scratch: Path,
        cores: int,
        running: Job,
    ):
        self.spec, self.suite, self.running = spec, spec.suite, running
        self.python, self.scratch = environment / "bin/python", scratch
        self.place = f"repos.{spec.repo}.tests"
        tree = layout.source(spec.repo, spec.source_key) / "tree"
        self.folder = copied(spec.suite, tree, scratch / "source", self.place)
        self.workers = parallel_jobs(cores, spec.suite.memory_gb)
        threads = max(1, cores // self.workers)
        variables = run_variables(environment, layout.cache, gil_off=False)
        # what does not follow from the tests alone is the same for all workers
        variables |= {"OMP_NUM_THREADS": str(threads), "PYTHONHASHSEED": "0"}
        variables["PYTHONPATH"] = str(inside.FOLDER / "testing")
        if spec.suite.variables.get("HF_HUB_OFFLINE") != "0":
            # nothing that an earlier run has fetched
            variables |= hub_cache(scratch / "huggingface", spec.suite.hub)
        if gil := _GIL.get(spec.column):
            variables["PYTHON_GIL"] = gil
        self.variables = variables | spec.suite.variables
        changing = {"paths", "left_out", "minutes", "memory_gb", "quick"}
        identity = spec.model_dump(mode="json", exclude={"locks", "built", "environment_name"})
        identity["suite"] = {k: v for k, v in identity["suite"].items() if k not in changing}
        self.kept = layout.cache.absolute() / "tests" / digest(identity)

    def files(self) -> tuple[TestFile, ...]:
        """All files of the suite with their tests."""
        asked = sessions(self.suite, self.folder, self.place)
        known: dict[str, TestFile] = {}
        self._recover(asked)
        for session in asked:
            for file, names in session.items():
                if (kept := self._record(file, names)).is_file():
                    known[file] = TestFile.read(kept)
        count = sum(map(len, asked))
        if known:
            self.running.say(f"{len(known)} of {count} files are known from an earlier run")
        for number, session in enumerate(asked, 1):
            left = {file: names for file, names in session.items() if file not in known}
            if left:
                self.running.say(
                    f"session {number} of {len(asked)}: {_listed(left)}, "
                    f"{min(self.workers, len(left))} at once"
                )
                known |= self._session(left)
        return tuple(known[file] for session in asked for file in session)

    def _session(self, asked: Mapping[str, Sequence[str]]) -> dict[str, TestFile]:
        """Run a session; files that it did not come to, each in one of its own."""
        session, code = self._pytest(asked)
        done = {file: session.file(file) for file in asked}
        if session.finished:
            return self._keep(asked, done)
        whole = session.whole
        if code == _TIMED_OUT:
            why = f"the session took longer than {self.suite.minutes} minutes"
            late = {f: one.model_copy(update={"problem": why}) for f, one in done.items()}
            kept = {file: one for file, one in done.items() if file in whole}
            return {**late, **self._keep(asked, kept)}
        kept = self._keep(asked, {file: one for file, one in done.items() if file in whole})
        for file, names in asked.items():
            if file in kept:
                continue
            if len(asked) > 1:
                self.running.say(f"the session ended with status {code}: {file} alone")
                kept |= self._session({file: names})
            else:
                why = f"pytest ended with status {code}: see the log"
                problem = done[file].problem or why
                kept |= self._keep(
                    asked, {file: done[file].model_copy(update={"problem": problem})}
                )
        return kept

    def _pytest(self, asked: Mapping[str, Sequence[str]]) -> tuple[Session, int]:
        """Run pytest; what it told of the tests, and the status that it ended with."""
        self.kept.mkdir(parents=True, exist_ok=True)
        log, given = self.kept / "session.jsonl", self.scratch / "arguments.txt"
        log.unlink(missing_ok=True)
        names = {file: self._record(file, names).name for file, names in asked.items()}
        write_text(log.with_suffix(".json"), json.dumps(names))
        given.write_text("".join(f"{word}\n" for word in self._arguments(asked)), encoding="utf-8")
        said: list[str] = []
        told = ended = 0

        def status() -> str:
            nonlocal told
            before = told
            told = log.read_bytes().count(_ENDED) if log.is_file() else 0
            return f"{told} tests so far" if told != before else ""

        command: list[str | Path] = [
            "timeout",
            "--signal=INT",
            f"--kill-after={_KILL_AFTER}",
            str(self.suite.minutes * 60),
            self.python,
            "-m",
            "pytest",
            *_PLUGINS,
            f"--report-log={log}",
            # a file is one worker's
            f"--numprocesses={min(self.workers, len(asked))}",
            f"@{given}",
        ]
        try:
            with self.running.telling(status):
                self.running.run(command, env=self.variables, cwd=self.folder, watch=said.append)
        except CommandError as error:
            ended = error.code
        return read_session(log, said), ended

    def _arguments(self, asked: Mapping[str, Sequence[str]]) -> Iterable[str]:
        """What pytest is told, a word in a line."""
        yield from (
            "-q",
            "--rootdir=.",
            # pytest's own place is the user's, where it also removes what earlier sessions left
            f"--basetemp={self.scratch / 'tmp'}",
            "--dist=loadfile",
            f"--max-worker-restart={_RESTARTS}",
            "--continue-on-collection-errors",
            f"--timeout={self.suite.seconds}",
            # ends the process that hangs, whatever it hangs in
            "--timeout-method=thread",
            # where not even a thread can do that
            f"-ofaulthandler_timeout={self.suite.seconds + _KILL_AFTER}",
            "-ofaulthandler_exit_on_timeout=true",
            "--tb=short",
        )
        if self.spec.threads > 1:
            # what cannot run in threads is left out by pytest-run-parallel itself, with the reason
            yield from (f"--parallel-threads={self.spec.threads}", "--skip-thread-unsafe=True")
        for file, names in asked.items():
            yield from (f"--deselect={test}" for test in excepted(file, self.suite.left_out))
            yield from names

    def _keep(
        self, asked: Mapping[str, Sequence[str]], done: Mapping[str, TestFile]
    ) -> dict[str, TestFile]:
        """Remember what is known of files that were run."""
        for file, tests in done.items():
            tests.write(self._record(file, asked[file]))
        return dict(done)

    def _record(self, file: str, names: Sequence[str]) -> Path:
        """Where a file's tests are remembered, of what is asked for of it."""
        return self.kept / f"{digest([file, *names, excepted(file, self.suite.left_out)])}.json"

    def _recover(self, asked: Sequence[Mapping[str, Sequence[str]]]) -> None:
        """Remember what a session that was killed has come to."""
        log, of = self.kept / "session.jsonl", self.kept / "session.json"
        if not (log.is_file() and of.is_file()):
            return
        session, names = read_session(log), json.loads(of.read_bytes())
        for files in asked:
            for file in files.keys() & session.whole:
                record = self._record(file, files[file])
                # what was asked for of the file may have been something else
                if names.get(file) == record.name and not record.is_file():
                    self._keep(files, {file: session.file(file)})


def _listed(asked: Mapping[str, object]) -> str:
    first, *others = asked
    return f"{first} and {len(others)} more files" if others else first
