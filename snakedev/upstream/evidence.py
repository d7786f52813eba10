"""What shows that a patch works: tests of upstream's, and records of ours."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from snakedev.base.git import run_git
from snakedev.base.process import CommandError
from snakedev.base.text import counted
from snakedev.inference.smoke_record import SmokeRecord
from snakedev.reports.tests.record import PASSED, WORDS, TestsRecord
from snakedev.reports.upstream.record import Evidence
from snakedev.sources.patch_file import PatchDetails
from snakedev.upstream.project import Project


def brought(patch: PatchDetails, project: Project) -> tuple[str, ...]:
    """The tests that a patch adds or changes."""
    kept = (change.path for change in patch.changes if change.kind != "removed")
    return tuple(path for path in kept if path.startswith(project.tests))


def wants_a_test(patch: PatchDetails, project: Project) -> bool:
    """Whether upstream's rules ask for a test of what a patch changes."""
    return bool(project.tested) and any(path.startswith(project.tested) for path in patch.files)


def covering(patch: PatchDetails, project: Project, tree: Path) -> tuple[str, ...]:
    """Upstream's tests that name a Python module that a patch changes."""
    modules = {_module(path) for path in patch.files if path.endswith(".py")}
    found: set[str] = set()
    places = [place for place in project.tests if (tree / place).exists()]
    for module in sorted(filter(None, modules)) if places else ():
        try:
            told = run_git(["grep", "-l", "-w", "-F", module, "newest", "--", *places], tree)
        except CommandError:
            continue  # none
        found |= {line.partition(":")[2] for line in told.splitlines()}
    return tuple(sorted(found - set(patch.files)))


def _module(path: str) -> str:
    """A file's name as Python imports it; nothing for one at the top, such as setup.py."""
    parts = PurePosixPath(path).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts) if len(parts) > 1 else ""


def of_smoke_runs(files: Iterable[Path]) -> list[Evidence]:
    """What smoke runs of a stack with the series show."""
    found = []
    for file in files:
        run = SmokeRecord.read(file)
        off = not any(process.gil_enabled for process in run.processes)
        told = f"a smoke run ({run.variant}, {run.model}) {'passed' if run.passed else 'FAILED'}"
        count = counted(len(run.processes), "process", "processes")
        gil = f"the GIL {'off' if off else 'ON'} in {count}"
        found.append(Evidence(what=f"{told}, {gil}", where=str(file)))
    return found


def of_tests(runs: Mapping[Path, TestsRecord], tests: Sequence[str]) -> list[Evidence]:
    """What runs of upstream's tests on a stack with the series came to, in some of their files or
    folders."""
    found = []
    for file, run in runs.items():
        passes = [
            one.outcome in PASSED
            for where in run.files
            for one in where.tests
            if any(PurePosixPath(where.file).is_relative_to(test) for test in tests)
        ]
        if passes:
            told = f"{sum(passes)} of {counted(len(passes), 'test')} pass, {WORDS[run.column]}"
            found.append(Evidence(what=f"{', '.join(tests)}: {told}", where=str(file)))
    return found


def of_stress(
    root: Path, environments: Collection[str], scenarios: Sequence[str]
) -> list[Evidence]:
    """What the newest stress run of each of some scenarios shows, in one of the environments."""
    newest: dict[str, Evidence] = {}
    for file in sorted(root.glob("*/stress.json")):
        record = json.loads(file.read_bytes())
        if record["gil"] != "off" or Path(record["environment"]).name not in environments:
            continue
        for run in record["runs"]:
            if run["scenario"] in scenarios:
                count = sum(run["operations"].values())
                wrong = [one for one in run["findings"] if one["known"] is None]
                told = f"{len(wrong)} FINDINGS" if wrong else "no finding"
                newest[run["scenario"]] = Evidence(
                    what=f"stress scenario {run['scenario']}, GIL off: {told} in "
                    f"{count} operations of {run['threads']} threads",
                    where=str(file),
                )
    return list(newest.values())
