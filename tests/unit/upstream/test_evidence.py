"""What covers a patch: records of stress runs, and upstream's tests."""

import json

from snakedev.reports.tests import record as records
from snakedev.sources.patch_file import PatchDetails
from snakedev.upstream.evidence import covering, of_stress, of_tests
from snakedev.upstream.project import Project
from tests.unit.repositories import git, repository


def _run(root, name, environment, gil, operations):
    run = {"scenario": "registries", "threads": 8, "operations": operations, "findings": []}
    record = {"gil": gil, "environment": f"results/envs/{environment}", "runs": [run]}
    (root / name).mkdir(parents=True)
    (root / name / "stress.json").write_text(json.dumps(record))


def test_the_newest_stress_run_of_the_same_environment_counts(tmp_path):
    _run(tmp_path, "1", "run-cpu-now", "off", {"load": 5})
    _run(tmp_path, "2", "run-cpu-now", "off", {"load": 7, "find": 1})
    _run(tmp_path, "3", "run-cpu-now", "on", {"load": 9})
    _run(tmp_path, "4", "run-cpu-before", "off", {"load": 9})
    (seen,) = of_stress(tmp_path, ["run-cpu-now"], ["registries"])
    told = "stress scenario registries, GIL off: no finding in 8 operations of 8 threads"
    assert (seen.what, seen.where) == (told, str(tmp_path / "2/stress.json"))
    assert of_stress(tmp_path, ["run-cpu-now"], ["other"]) == []


def test_tests_that_name_a_changed_module_cover_it(tmp_path):
    tests = {"tests/a.py": "import tiny.io\n", "tests/b.py": "import tiny.iou\n"}
    repository(tmp_path / "tree", {"tiny/io.py": "", "setup.py": "", **tests})
    git(tmp_path / "tree", "branch", "newest")
    said = {"name": "1", "subject": "s", "author": "a", "body_sha256": "", "changes": ()}
    files = ("tiny/io.py", "setup.py")
    patch = PatchDetails.model_validate(said | {"files": files, "date": None, "message": ""})
    project = Project(url="x", tests=("tests/", "gone/"))
    assert covering(patch, project, tmp_path / "tree") == ("tests/a.py",)


def test_runs_of_upstream_s_tests_count_by_file_and_folder(tmp_path):
    def ran(name, *outcomes):
        return records.TestFile(
            file=name,
            tests=tuple(
                records.OneTest(test=f"{name}::test_{n}", outcome=outcome, seconds=0)
                for n, outcome in enumerate(outcomes)
            ),
        )

    files = [
        ran("tests/core/a.py", "passed", "xfailed", "failed"),
        ran("tests/core/deep/b.py", "passed"),
        ran("tests/cores/c.py", "passed"),
        ran("tests/d.py", "hung"),
    ]
    record = records.TestsRecord(
        key="k", variant="cpu", repo="tiny", column="free", version="1", python="3.14", threads=1,
        files=tuple(files), started="now", seconds=1,
    )  # fmt: skip
    runs = {tmp_path / "tests.json": record}
    seen = of_tests(runs, ["tests/core"])
    assert [one.what for one in seen] == ["tests/core: 3 of 4 tests pass, GIL off"]
    (seen,) = of_tests(runs, ["tests/core/a.py", "tests/d.py"])
    assert seen.what == "tests/core/a.py, tests/d.py: 2 of 4 tests pass, GIL off"
    assert of_tests(runs, ["tests/e.py"]) == []
