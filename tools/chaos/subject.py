"""The workflow that is harmed, and what must hold of it afterwards."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from snakedev.environments.environment import EnvironmentRecord
from snakedev.sources.intact import tree_differs
from snakedev.sources.source import SourceRecord
from snakedev.wheels.record import WheelRecord
from tests.project import PROJECT
from tests.small_project import GREETER, Project, Result

TARGETS = ("wheelhouse", "env_cpu")
"""What the small workflow is asked for: all that can be made of it."""
# A wheel whose extension says what a source says that its build needs.
_SETUP = """
import os
from setuptools import Extension, setup
with open(os.path.join(os.environ["SNAKEDEV_SOURCE_WORDS"], "greeting.txt")) as file:
    greeting = file.read().strip()
setup(name="greeter", version="1.0", packages=["greeter"],
      ext_modules=[Extension("greeter._greet", ["greeter/_greet.c"],
                             define_macros=[("GREETING", '"%s"' % greeting)])])
"""
GREETING = "hello"
FILES = {
    **GREETER,
    "setup.py": _SETUP,
    "greeter/_greet.c": GREETER["greeter/_greet.c"].replace('"hello"', "GREETING"),
}
# What nothing may leave in a store or beside it.
_HALF_MADE = (".scratch-*", ".doomed-*", "tmp_pack_*", "tmp_obj_*", "shallow.lock", "index.lock")


class Broken(Exception):
    """Something that must hold does not."""


class Subject(Project):
    """A small project whose runs can be harmed."""

    within: tuple[str, ...] = ()
    """The command that runs another one where the harm is, as in a namespace."""
    seen_at = Path("/")
    """Where this process sees the root of that place."""
    variables: dict[str, str] = {}
    limit_seconds = 600
    """A run that takes longer hangs."""

    @property
    def results(self) -> Path:
        """Its results folder, as this process sees it."""
        return self.seen_at / self.folder.relative_to("/") / "results"

    @property
    def shared(self) -> Path:
        """Its store, as this process sees it."""
        store = self.config.get("store")
        return self.seen_at / Path(str(store)).relative_to("/") if store else self.results

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a run; what it says goes into a file."""
        with (self.folder.parent / "said").open("w") as said:
            return subprocess.Popen(
                [*self.within, *self.command(*arguments)],
                cwd=self.folder,
                env=os.environ | self.variables,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def ended(self, run: subprocess.Popen[str]) -> Result:
        """Wait for a run; `Broken` when it does not end."""
        try:
            run.wait(self.limit_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            raise Broken(f"a run did not end within {self.limit_seconds} s") from None
        return Result(run.returncode, (self.folder.parent / "said").read_text(errors="replace"))

    def run(self, *arguments: str, **variables: str) -> Result:
        """Run it to its end."""
        self.variables = {**self.variables, **variables}
        return self.ended(self.start(*arguments))

    def finishes(self, *targets: str) -> Result:
        """Run the command to its end; `Broken` unless it ends well and leaves all as it should."""
        result = self.run(*(targets or TARGETS))
        if result.code != 0:
            raise Broken(f"the same command again failed:\n{_end(result)}")
        require(self)
        if not targets and (said := self.greeting()) != GREETING:
            raise Broken(f"the wheel says {said!r}")
        return result

    def greeting(self) -> str:
        """What the wheel that is installed says."""
        python = self.folder / "results/envs/run-cpu/bin/python"
        words = [*self.within, python, "-c", "import greeter; print(greeter.greet())"]
        return subprocess.run(words, capture_output=True, text=True).stdout.strip()

    def fails(self, *targets: str, saying: str) -> Result:
        """Run to an end that must be a failure which is told in words and not by a traceback."""
        result = self.run(*(targets or TARGETS))
        if result.code == 0:
            raise Broken(f"a run ended well that should have said {saying!r}")
        if saying not in result.text or "Traceback" in result.text:
            raise Broken(f"a run did not say {saying!r} in a line:\n{_end(result)}")
        return result


def require(subject: Subject) -> None:
    """Raise `Broken` unless all that is in a store is what its record says, and nothing is half."""
    results = subject.folder / "results"
    shared = Path(str(subject.config.get("store") or results))
    # git would not find its way through /proc to where the harm is
    command = [*subject.within, sys.executable, "-m", "tools.chaos.subject", shared, results]
    variables = os.environ | {"PYTHONPATH": str(PROJECT)}
    looked = subprocess.run(command, env=variables, cwd=PROJECT, capture_output=True, text=True)
    if looked.returncode:
        raise Broken(looked.stderr[-1000:])
    wrong = [*looked.stdout.splitlines(), *_left_running(subject)]
    if wrong:
        raise Broken("; ".join(wrong))


def wrong_in(shared: Path, results: Path) -> Iterator[str]:
    """What of a store and a results folder is not what its record says, or half-made."""
    for record in shared.glob("wheels/*/*/*/wheel.json"):
        wheel = WheelRecord.read(record)
        if sha256(record.parent / wheel.file) != wheel.sha256:
            yield f"{wheel.file} is not what its record says"
    for record in shared.glob("sources/*/*/source.json"):
        if differs := tree_differs(record.parent / "tree", SourceRecord.read(record).commit):
            yield f"{record.parent}: {differs} is not what its record says"
    for record in results.glob("envs/*-*/env.json"):
        EnvironmentRecord.read(record)
    for home in {shared, results}:
        for folder, folders, names in os.walk(home):
            inner = Path(folder)
            if inner.name == "tree":
                folders.clear()
            for name in (*folders, *names):
                if any(Path(name).match(pattern) for pattern in _HALF_MADE):
                    yield f"{inner / name} is left behind"
        for shelf, record_name in (("wheels/*/*", "wheel.json"), ("sources/*", "source.json")):
            for artifact in home.glob(f"{shelf}/[!.]*"):
                if artifact.is_dir() and not (artifact / record_name).is_file():
                    yield f"{artifact} has no record"


def _left_running(subject: Subject) -> Iterator[str]:
    """Processes at work in a project after its run, which get a moment to end."""
    deadline = time.monotonic() + 5
    while left := list(_at_work(subject.folder)):
        if time.monotonic() > deadline:
            yield from (f"process {one} is left running" for one in left)
            return
        time.sleep(0.1)


def _at_work(folder: Path) -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(folder)
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                yield f"{process.pid} ({' '.join(process.cmdline())[:80]})"
        except psutil.Error:
            continue


def sha256(path: Path) -> str:
    """A file's digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _end(result: Result) -> str:
    lines = [line for line in result.text.splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-25:])


if __name__ == "__main__":
    print(*wrong_in(*map(Path, sys.argv[1:])), sep="\n", end="")
