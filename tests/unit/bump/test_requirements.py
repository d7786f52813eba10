"""What a move of vLLM's pin asks for: differences, torch, exclusions and locks."""

from pathlib import Path

import pytest
import yaml

from snakedev.config.source_facts import SourceFacts, SourceIdentity
from snakedev.environments.exclusions import read_exclusions
from snakedev.environments.locks import of_variants
from snakedev.sources.source_facts import read_source
from tests.project import PROJECT
from tests.unit.bump.bench import FILES, BumpBench
from tests.unit.package_index import make_wheel, publish

PYPROJECT = '[build-system]\nrequires = ["needed"]\nbuild-backend = "setuptools.build_meta"\n'


def vllm(*common: str, torch: str = "2.11.0") -> dict[str, str]:
    """A source that asks for torch and for other packages."""
    return {
        **FILES,
        "pyproject.toml": PYPROJECT,
        "requirements/common.txt": "".join(f"{line}\n" for line in common),
        "requirements/cpu.txt": f"-r common.txt\ntorch=={torch}+cpu\n",
        "vllm/_version.py": "__commit_id__ = commit_id = 'g0123456ab'\n",
    }


def leave_out(bench: BumpBench, *names: str) -> None:
    """Have entries in exclusions.yaml, and these packages on the index."""
    entries = (f"{name}:\n  reason: it has no wheel\n  without: nothing\n" for name in names)
    (bench.folder / "envs/exclusions.yaml").write_text("# why\n" + "".join(entries))
    bench.commit()
    for name in names:
        publish(bench.index, make_wheel(bench.index.with_name("wheels"), name, "1.0"))


def wheel_for(index: Path, name: str, version: str, tag: str) -> None:
    """Publish a wheel for some Python alone."""
    made = make_wheel(index.with_name("tagged"), name, version)
    publish(index, made.rename(made.with_name(made.name.replace("py3-none-any", tag))))


@pytest.fixture
def moving(tmp_path, index, running, monkeypatch):
    """A project that builds a small vLLM, on an index with torch."""
    python = PROJECT / "results/interpreter"
    if not python.exists():
        pytest.skip("no interpreter: `snakemake interpreter`")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    folder = tmp_path / "project"
    (folder / "results").mkdir(parents=True)
    (folder / "results/interpreter").symlink_to(python)
    envs = folder / "envs"
    envs.mkdir()
    (envs / "exclusions.yaml").write_text(
        "# why\nleft-out:\n  reason: it has no wheel\n  without: nothing\n"
    )
    for lock in of_variants(["cpu"]):
        (envs / f"{lock.name}.in").write_text("needed\n")
        (envs / f"{lock.name}.lock").write_text("")
    monkeypatch.chdir(folder)
    files = vllm("needed>=1")
    identity = SourceIdentity(repo="tiny", version="1.0", sha256="0" * 64)
    upstream = tmp_path / "tree"
    for name, text in files.items():
        (upstream / name).parent.mkdir(parents=True, exist_ok=True)
        (upstream / name).write_text(text)
    facts = read_source(upstream, identity)
    bench = BumpBench(folder, index, running, files=files, recipe="vllm")
    pinned = yaml.safe_load(bench.config)["repos"]["tiny"]["release"]["sha256"]
    facts.model_copy(update={"sha256": pinned}).write(envs / "tiny.source.json")
    bench.commit()
    return bench


def test_what_came_and_went_is_told_and_the_locks_follow(moving):
    leave_out(moving, "left-out", "lean-json")
    uses = {
        "app/serve.py": "import os\n\n    import lean_json.inner\n",
        "app/more.py": "lean_json\n",
    }
    moving.publish("1.1", vllm("needed>=1", "lean-json"))
    moving.publish("1.2", vllm("lean-json", "lean-json; python_version > '3'") | uses)
    move = moving.bump()
    assert move.state == "moved", move.problem
    first, second = move.steps
    assert [(one.what, one.before, one.after) for one in first.requirements] == [
        ("lean-json", None, "lean-json")
    ]
    assert [(one.what, one.before, one.after) for one in second.requirements] == [
        ("needed", "needed>=1", None)
    ]
    known = SourceFacts.read(moving.folder / "envs/tiny.source.json")
    assert known.version == "1.2" and known.requirements["cpu"][-1] == "torch==2.11.0"
    assert move.by_hand == (
        "tiny asks for lean-json since 1.1, and envs/exclusions.yaml leaves it out: see that it is "
        "done without in app/serve.py",
    )
    assert not move.exclusions
    assert {"config.yaml", "envs/run-cpu.lock", "envs/tiny.source.json"} <= {*moving.changed}


def test_a_wheel_that_the_locks_have_in_another_version_is_told(moving):
    path = moving.folder / "config.yaml"
    values = yaml.safe_load(path.read_text())
    wheel = {"kind": "wheel", "name": "needed", "version": "0.9", "sha256": "0" * 64}
    stands = {"recipe": "repack", "version": "0.9", "origin": "release", "release": wheel}
    values["repos"]["needed"] = stands
    path.write_text(yaml.safe_dump(values))
    moving.commit()
    moving.publish("1.1", vllm("needed>=1"))
    *_, told = moving.bump().by_hand
    assert told.startswith("config.yaml: repos.needed.version: 0.9 would stand for needed 1.")


def test_an_exclusion_that_nothing_asks_for_any_more_is_told_once(moving):
    leave_out(moving, "left-out", "lean-json")
    moving.publish("1.1", vllm("needed>=1"))
    assert not moving.bump().by_hand
    moving.commit()
    moving.publish("1.2", vllm("needed>=1", "lean-json"))
    moving.publish("1.3", vllm("needed>=1"))
    moving.bump("1.2")
    moving.commit()
    assert moving.bump().by_hand == ("envs/exclusions.yaml: nothing asks for lean-json any more",)


def test_a_release_whose_torch_has_no_wheel_is_passed_over(moving, index):
    wheel_for(index, "torch", "2.12.0", "cp314-cp314-manylinux_2_28_x86_64")
    moving.publish("1.1", vllm("needed>=1"))
    moving.publish("1.2", vllm("needed>=1", torch="2.12.0"))
    move = moving.bump()
    assert move.after == "1.1"
    (passed,) = move.passed
    assert (passed.version, passed.why) == (
        "1.2",
        "it asks for torch==2.12.0, of which the index has no wheel for free-threaded Python 3.14",
    )


def test_what_has_no_wheel_is_proposed_to_be_left_out(moving, index):
    publish(index, make_wheel(index.with_name("wheels"), "left-out", "1.0"))
    wheel_for(index, "fast", "1.0", "cp310-abi3-manylinux_2_28_x86_64")
    wheel_for(index, "deep", "1.0", "cp312-cp312-manylinux_2_28_x86_64")
    publish(index, make_wheel(index.with_name("wheels"), "between", "1.0", ["deep"]))
    publish(index, make_wheel(index.with_name("wheels"), "pure", "1.0"))
    address = "triton @ https://example.org/triton-3.8.0-cp312-abi3-linux_x86_64.whl"
    asked = ["fast", "between", "pure", address, "nowhere; sys_platform == 'win32'"]
    moving.publish("1.1", vllm(*asked))
    move = moving.bump()
    assert move.state == "moved", move.problem
    assert {one.package: one.asked_by for one in move.exclusions} == {
        "deep": ("between",),
        "fast": ("vllm",),
        "triton": ("vllm",),
    }
    assert "its wheels (1.0) are for abi3, none for free-threaded 3.14" in {
        one.reason for one in move.exclusions
    }
    written = read_exclusions(moving.folder / "envs").packages
    assert {*written} == {"left-out", "deep", "fast", "triton"}
    text = (moving.folder / "envs/exclusions.yaml").read_text()
    assert text.startswith("# why\nleft-out:\n")
    assert "\n\n# proposed by `snakemake bump` for tiny 1.1: look at each" in text
    assert "envs/exclusions.yaml: nothing asks for left-out any more" not in move.by_hand


def test_locks_that_do_not_fit_wait_for_a_person(moving):
    (moving.folder / "envs/run-cpu.in").write_text("nothing-like-it\n")
    moving.commit()
    moving.publish("1.1", vllm("needed>=1"))
    move = moving.bump()
    assert move.state == "locks"
    assert "run-cpu.in:1 'nothing-like-it': run-cpu.lock has no solution" in move.problem
    (moving.folder / "envs/run-cpu.in").write_text("needed\n")
    move = moving.bump()
    assert move.state == "moved" and move.problem is None
