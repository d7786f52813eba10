"""Compiling locks from what pinned sources ask for: all of them or none."""

import sys
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.config.source_facts import SourceFacts, facts_file
from snakedev.environments import locks
from snakedev.environments.lock_compiler import compile_locks
from tests.unit.package_index import make_wheel, publish

WHY = "{reason: no wheel, without: nothing}"
EXCLUSIONS = f"left-out: {WHY}\n"


@pytest.fixture
def folder(tmp_path, index):
    """A folder of `.in` files that add nothing, for the cpu variant."""
    folder = tmp_path / "envs"
    folder.mkdir()
    for name in ("run-cpu", "build-cpu", "build-any"):
        (folder / f"{name}.in").touch()
    (folder / "exclusions.yaml").write_text(EXCLUSIONS)
    wheels = tmp_path / "wheels"
    publish(index, make_wheel(wheels, "tool", "1.0", ["inner; extra == 'more'"]))
    publish(index, make_wheel(wheels, "tool", "2.0", ["inner; extra == 'more'"]))
    publish(index, make_wheel(wheels, "builder", "3.0"))
    publish(index, make_wheel(wheels, "inner", "1.0"))
    publish(index, make_wheel(wheels, "inner", "2.0rc1"))
    return folder


def facts(run=("torch", "tool<2"), build=("torch==2.11.0", "builder")):
    return SourceFacts(
        repo="vllm",
        version="1.0",
        sha256="2" * 64,
        requirements={"cpu": tuple(run), "cuda": ("nothing-of-cpu",)},
        build_requirements={"cpu": tuple(build)},
    )


def compiled(folder, running, known, *names, **options):
    wanted = dict.fromkeys(names or ("run-cpu", "build-cpu", "build-any"))
    return compile_locks(folder, wanted, Path(sys.executable), [known], running, **options)


def versions(folder, name):
    return {n: str(pin.version) for n, pin in locks.lock_pins(folder / f"{name}.lock").items()}


def test_locks_hold_what_the_source_asks_for(folder, running):
    assert compiled(folder, running, facts()) == ["run-cpu", "build-cpu", "build-any"]
    torch = {"needed": "1.0", "torch": "2.11.0"}
    assert versions(folder, "run-cpu") == torch | {"tool": "1.0"}
    assert versions(folder, "build-cpu") == torch | {"builder": "3.0"}
    assert versions(folder, "build-any") == {}
    assert SourceFacts.read(facts_file(folder, "vllm")) == facts()
    for name in ("run-cpu", "build-cpu", "build-any"):
        locks.check_lock(folder, name)
    # a source that asks for something else is another input, of the locks that it is for
    facts(run=("torch", "tool")).write(facts_file(folder, "vllm"))
    with pytest.raises(UserError, match=r"run-cpu\.lock does not fit run-cpu\.in, vllm\.source\."):
        locks.check_lock(folder, "run-cpu")
    locks.check_lock(folder, "build-cpu")
    locks.check_lock(folder, "build-any")


def test_what_the_source_asks_for_binds_what_a_lock_held(folder, running):
    """A pin is kept only as long as the source's own bounds permit it."""
    compiled(folder, running, facts(run=("tool",)))
    assert versions(folder, "run-cpu")["tool"] == "2.0"
    assert compiled(folder, running, facts(run=("tool<2",))) == ["run-cpu"]
    assert versions(folder, "run-cpu")["tool"] == "1.0"


def test_an_addition_may_take_what_the_source_alone_would_not(folder, running):
    """As the pre-release that is the only one with a wheel."""
    (folder / "run-cpu.in").write_text("inner==2.0rc1\n")
    compiled(folder, running, facts(run=("inner>=0.6",)))
    assert versions(folder, "run-cpu")["inner"] == "2.0rc1"


def test_what_runs_has_the_torch_that_it_was_built_with(folder, running, index, tmp_path):
    publish(index, make_wheel(tmp_path / "wheels", "torch", "2.12.0"))
    compiled(folder, running, facts(run=("torch",)))
    assert versions(folder, "run-cpu")["torch"] == "2.11.0"


def test_an_excluded_extra_is_not_asked_for(folder, running):
    asked = facts(run=("tool[more,other]",))
    (folder / "exclusions.yaml").write_text(f"{EXCLUSIONS}tool[more]: {WHY}\n")
    compiled(folder, running, asked)
    assert "inner" not in versions(folder, "run-cpu")
    assert locks.lock_pins(folder / "run-cpu.lock")["tool"].extras == {"other"}
    (folder / "exclusions.yaml").write_text(EXCLUSIONS)
    with pytest.raises(UserError, match="run `snakemake locks`"):
        locks.check_lock(folder, "run-cpu")


def test_what_the_source_takes_from_an_address_is_left_out_or_refused(folder, running):
    asked = facts(run=("inner @ https://me:hunter2@example.org/inner-9-py3-none-any.whl", "tool"))
    with pytest.raises(UserError) as caught:
        compiled(folder, running, asked)
    said = str(caught.value)
    assert said.startswith(f"{folder}/vllm.source.json (requirements.cpu): 'inner' is to come")
    assert "exclusions.yaml" in said and "hunter2" not in said and "\n" not in said
    (folder / "exclusions.yaml").write_text(f"{EXCLUSIONS}inner: {WHY}\n")
    compiled(folder, running, asked)
    assert versions(folder, "run-cpu").keys() == {"needed", "tool", "torch"}


def test_a_lock_names_what_of_the_exclusions_it_does_without(folder, running):
    (folder / "exclusions.yaml").write_text(f"{EXCLUSIONS}ray: {WHY}\nTool: {WHY}\n")
    compiled(folder, running, facts())
    heads = {
        name: (folder / f"{name}.lock").read_text().splitlines()[2:3]
        for name in ("run-cpu", "build-cpu", "build-any")
    }
    assert heads["run-cpu"] == ["# without: left-out, tool"]
    assert heads["build-cpu"] == ["# without: left-out"]
    assert heads["build-any"] == []


def test_an_exclusion_rewrites_only_the_locks_that_it_touches(folder, running):
    compiled(folder, running, facts())
    (folder / "exclusions.yaml").write_text(f"{EXCLUSIONS}builder: {WHY}\n")
    locks.check_lock(folder, "run-cpu")
    locks.check_lock(folder, "build-any")
    with pytest.raises(UserError, match=r"build-cpu\.lock does not fit"):
        locks.check_lock(folder, "build-cpu")
    assert compiled(folder, running, facts()) == ["build-cpu"]
    # and taken back, it touches the same
    (folder / "exclusions.yaml").write_text(EXCLUSIONS)
    locks.check_lock(folder, "run-cpu")
    assert compiled(folder, running, facts()) == ["build-cpu"]
    assert "builder" in versions(folder, "build-cpu")


def test_all_failures_are_told_at_once_and_nothing_is_written(folder, running):
    compiled(folder, running, facts())
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    (folder / "build-any.in").write_text("# one that is there\nneeded\n\ntool==7\n")
    before["build-any.in"] = (folder / "build-any.in").read_bytes()
    with pytest.raises(UserError) as caught:
        compiled(folder, running, facts(run=("torch", "gone-package>=1", "tool"), build=("tool",)))
    first, second, last = str(caught.value).splitlines()
    run = f"{folder}/vllm.source.json (requirements.cpu) 'gone-package>=1': run-cpu.lock has no"
    assert first.startswith(run)
    assert second.startswith(f"{folder}/build-any.in:4 'tool==7': build-any.lock has no solution")
    assert f"{folder}/exclusions.yaml" in first
    assert last == f"no lock in {folder} was changed"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_lock_of_tests_adds_to_that_of_runs(folder, running, index, tmp_path):
    publish(index, make_wheel(tmp_path / "wheels", "tester", "1.0", ["tool", "helper"]))
    publish(index, make_wheel(tmp_path / "wheels", "helper", "1.0"))
    (folder / "test-cpu.in").write_text("-r run-cpu.in\ntester\n")
    (folder / "run-cpu.in").touch()
    # the lock of runs has tool 1.0, though tests alone would have 2.0
    assert compiled(folder, running, facts(), "run-cpu", "test-cpu") == ["run-cpu", "test-cpu"]
    assert versions(folder, "test-cpu") == {"helper": "1.0", "tester": "1.0"}
    locks.check_lock(folder, "test-cpu")
    # both are compiled anew where the first changes
    assert compiled(folder, running, facts(run=("torch",)), "run-cpu", "test-cpu") != []
    assert versions(folder, "test-cpu") == {"helper": "1.0", "tester": "1.0", "tool": "2.0"}
    with (folder / "run-cpu.lock").open("a") as lock:
        lock.write("more==1.0\n")
    with pytest.raises(UserError, match=r"test-cpu\.lock does not fit .*run-cpu\.lock"):
        locks.check_lock(folder, "test-cpu")
