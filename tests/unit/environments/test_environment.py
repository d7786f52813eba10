"""Environments, made for real from small wheels with the Python that runs the tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError
from snakedev.environments import locks
from snakedev.environments.environment import EnvironmentRecord, make_environment, point_view
from snakedev.environments.lock_compiler import compile_locks
from snakedev.store.specs import EnvironmentSpec, WheelInput
from tests.unit.package_index import make_wheel, publish

PYTHON = Path(sys.executable)


@pytest.fixture
def wheels(tmp_path, index):
    publish(index, make_wheel(tmp_path / "wheels", "tool", "1.0", scripts=["tool"]))
    return tmp_path / "wheels"


@pytest.fixture
def spec(tmp_path, wheels, running):
    """A run environment with a tool in it."""
    folder = tmp_path / "envs"
    folder.mkdir()
    (folder / "run-cpu.in").write_text("torch\ntool\n")
    (folder / "exclusions.yaml").write_text("")
    publish(tmp_path / "index", make_wheel(wheels, "left-out", "1.0"))
    compile_locks(folder, {"run-cpu": None}, PYTHON, (), running)
    return spec_of(folder)


def spec_of(folder, *repos):
    return EnvironmentSpec(
        name="run-cpu",
        lock=folder / "run-cpu.lock",
        purpose="run",
        variant="cpu",
        lock_digest=locks.lock_digest(folder / "run-cpu.lock"),
        interpreter={},
        wheels=tuple(WheelInput(repo=repo, variant="any", key="0" * 16) for repo in repos),
        recipe_number=1,
    )


def versions(record):
    return {p.name: (p.version, p.built_here) for p in record.packages}


def test_an_environment_works_where_it_ends_up(spec, running, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
    final = tmp_path / "results" / "run-cpu-key"
    record = make_environment(spec, PYTHON, final, [], running)
    assert record == EnvironmentRecord.read(final / "env.json")
    assert versions(record)["tool"] == ("1.0", False)
    assert record.conflicts == () and record.cuda_toolkit is None and record.bytes > 0
    assert subprocess.check_output([final / "bin" / "tool"], text=True) == "tool 1.0\n"
    assert not list(final.parent.glob(".scratch-*"))
    assert "Installed 4 packages" in running.log_path.read_text()


def test_a_wheel_built_here_replaces_the_locked_one(spec, running, tmp_path, wheels):
    ours = make_wheel(wheels, "tool", "1.0+ours", scripts=["tool"])
    record = make_environment(spec, PYTHON, tmp_path / "results" / "env", [ours], running)
    assert versions(record)["tool"] == ("1.0+ours", True)
    assert versions(record)["torch"] == ("2.11.0", False)


def test_bytecode_is_that_of_an_earlier_environment_where_files_are_the_same(
    spec, running, tmp_path, wheels
):
    results = tmp_path / "results"
    make_environment(spec, PYTHON, results / "run-cpu-1", [], running)
    compileall = [PYTHON, "-m", "compileall", "-q", results / "run-cpu-1"]
    subprocess.run(compileall, check=True)
    ours = make_wheel(wheels, "tool", "1.0+ours", scripts=["tool"])
    make_environment(spec, PYTHON, results / "run-cpu-2", [ours], running)
    (site_packages,) = (results / "run-cpu-2").glob("lib/python*/site-packages")
    compiled = {path.name.split(".")[0] for path in site_packages.rglob("*.pyc")}
    assert "torch" in compiled and "tool" not in compiled
    # Python takes it, and tracebacks name the files where they are
    ask = "import torch; print(torch.__spec__.loader.get_code('torch').co_filename)"
    python = [results / "run-cpu-2/bin/python", "-vc", ask]
    asked = subprocess.run(python, capture_output=True, text=True, check=True)
    source = site_packages / "torch.py"
    assert re.search(rf"cpython-\S+\.pyc matches {source}$", asked.stderr, re.MULTILINE)
    assert asked.stdout.strip() == str(source)


def test_it_is_made_once(spec, running, tmp_path):
    final = tmp_path / "results" / "env"
    first = make_environment(spec, PYTHON, final, [], running)
    spec.lock.unlink()
    assert make_environment(spec, PYTHON, final, [], running) == first


def test_another_hash_is_refused(spec, running, tmp_path):
    text = spec.lock.read_text()
    at = text.index("tool==1.0")
    spec.lock.write_text(text[:at] + "tool==1.0 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(CommandError) as caught:
        make_environment(spec, PYTHON, tmp_path / "results" / "env", [], running)
    assert any("ash mismatch" in line for line in caught.value.tail)
    assert list((tmp_path / "results").iterdir()) == []


def test_what_an_ordinary_python_cannot_have_is_a_line(spec, running, tmp_path):
    spec.lock.write_text("tool==9.0 --hash=sha256:" + "0" * 64 + "\n")
    ordinary = spec.model_copy(update={"python": sys.executable})
    with pytest.raises(
        UserError, match=r"^config\.yaml: bench_report\.python: .* cannot have what"
    ):
        make_environment(ordinary, sys.executable, tmp_path / "results" / "env", [], running)


def test_a_run_environment_that_does_not_fit_together_is_refused(
    spec,
    running,
    tmp_path,
    wheels,
):
    ours = make_wheel(wheels, "main", "1.0", ["needed>=2"])
    with pytest.raises(UserError, match=r"`main` requires `needed>=2`"):
        make_environment(spec, PYTHON, tmp_path / "results" / "env", [ours], running)
    assert list((tmp_path / "results").iterdir()) == []


def test_a_repo_that_is_left_out_may_be_missing(spec, running, tmp_path, wheels):
    ours = make_wheel(wheels, "main", "1.0", ["rusty-part>=1"])
    left_out = {"rusty-part": "this machine has no cargo"}
    record = make_environment(spec, PYTHON, tmp_path / "results" / "env", [ours], running, left_out)
    assert len(record.conflicts) == 1 and "rusty-part" in record.conflicts[0]
    with pytest.raises(UserError, match="rusty-part"):
        make_environment(spec, PYTHON, tmp_path / "results" / "other", [ours], running)


def test_what_its_lock_leaves_out_may_be_missing(spec, running, tmp_path, wheels):
    ours = make_wheel(wheels, "main", "1.0", ["gpu-compiler>=1"])
    exclusions = spec.lock.with_name("exclusions.yaml")
    exclusions.write_text("lock run-cuda:\n  gpu-compiler: {reason: no wheel, without: it}\n")
    with pytest.raises(UserError, match="gpu-compiler"):
        make_environment(spec, PYTHON, tmp_path / "results" / "env", [ours], running)
    exclusions.write_text(
        "lock run-cpu:\n  gpu-compiler: {reason: of no use here, without: nothing}\n"
    )
    record = make_environment(spec, PYTHON, tmp_path / "results" / "env", [ours], running)
    assert len(record.conflicts) == 1 and "gpu-compiler" in record.conflicts[0]
    assert "of no use here" in running.log_path.read_text()


def test_a_wheel_built_here_that_asks_for_what_is_left_out_is_named(
    spec, running, tmp_path, wheels, capsys
):
    ours = make_wheel(wheels, "main", "1.0", ["gpu-compiler>=1"])
    exclusions = spec.lock.with_name("exclusions.yaml")
    exclusions.write_text("gpu-compiler: {reason: of no use here, without: nothing}\n")
    make_environment(
        spec_of(spec.lock.parent, "main"), PYTHON, tmp_path / "results/env", [ours], running
    )
    (said,) = (line for line in capsys.readouterr().err.splitlines() if "gpu-compiler" in line)
    assert said.endswith(
        f"list main under `asked_by` of that in {exclusions} to have it in an extra"
    )


def test_the_view_moves_in_one_step(tmp_path):
    for name in ("env-1", "env-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)
        point_view(tmp_path / "env", tmp_path / name)
        assert (tmp_path / "env" / "name").read_text() == name
