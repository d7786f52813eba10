"""What is looked at before a run: what its jobs need, and nothing else."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.machine.probe import Machine, Tool
from snakedev.plan.needs import require
from snakedev.plan.plan import Plan
from tests.unit.default_config import CPU_WHEEL
from tests.unit.plan.default_plan import MACHINE, plan

FULL = Path("/proc")  # a file system that never has room
VLLM = ("wheel", {"repo": "vllm", "variant": "cpu", "key": "0" * 16})
SAFETENSORS = ("wheel", {"repo": "safetensors", "variant": "any", "key": "0" * 16})
DEEPGEMM = {"repos__vllm__external_projects__deepgemm": {"origin": "git"}}
BORROWED = {"variants__cpu__kernels": "upstream", "repos__vllm__kernels__cpu": CPU_WHEEL}


def said(made: Plan, *jobs) -> list[str]:
    try:
        require(made.buildable, jobs)
    except UserError as error:
        return str(error).splitlines()
    return []


def machine(gxx: str = "12.2.0", *without: str, **refused: str) -> Machine:
    """The fixed machine with this version of g++."""
    tools = MACHINE.tools | {
        "cxx": Tool(path=Path("/usr/bin/g++"), identity=f"g++ {gxx} x86_64-linux-gnu")
    }
    tools = {name: tool for name, tool in tools.items() if name not in (*without, *refused)}
    return MACHINE.model_copy(update={"tools": tools, "refused": refused})


def test_only_what_is_compiled_asks_for_a_compiler(tmp_path):
    bare = plan(machine("12.2.0", "cc", "cxx"), root=tmp_path)
    for rule in ("source", "download", "patch_trial", "environment", "prune", "locks"):
        wildcards = {"repo": "vllm", "name": "build-cpu", "key": "0" * 16}
        assert said(bare, (rule, wildcards)) == []
    (line,) = said(bare, ("interpreter", {}))
    assert line.startswith("a C compiler is missing: ")
    (line,) = said(bare, VLLM, SAFETENSORS, VLLM)
    assert line.startswith("a C++ compiler (g++ 12.2 or later) is missing: ")


@pytest.mark.parametrize(
    ("gxx", "settings", "variant", "least"),
    [
        ("11.4.0", {}, "cpu", "12.2"),
        ("12.2.0", {}, "cpu", None),
        ("11.4.0", {}, "cuda", None),
        ("11.2.0", {}, "cuda", "11.3"),
        ("12.2.0", DEEPGEMM, "cuda", "13"),
        ("13.1.0", DEEPGEMM, "cuda", None),
        ("11.4.0", BORROWED, "cpu", None),
        ("10.2.1", BORROWED, "cpu", "11.3"),
    ],
)
def test_vllm_s_own_bounds_are_looked_at(tmp_path, monkeypatch, gxx, settings, variant, least):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("snakedev.machine.preflight.LIBRARIES", {"libnuma": "libc.so.6"})
    made = plan(machine(gxx), root=tmp_path, **settings)
    lines = said(made, ("wheel", {"repo": "vllm", "variant": variant}))
    if least is None:
        assert lines == []
    else:
        (line,) = lines
        assert line.startswith(
            f"vllm ({variant}) needs g++ {least} or later, and /usr/bin/g++ is {gxx}: "
        )
    # no other package asks for one
    assert said(made, SAFETENSORS) == []


def test_what_is_wrong_with_a_variable_is_said_where_it_is_used(tmp_path):
    wrong = plan(machine(cudahostcxx="CUDAHOSTCXX: no", make="unused"), root=tmp_path)
    assert said(wrong, VLLM) == []
    assert said(wrong, ("wheel", {"repo": "vllm", "variant": "cuda"})) == ["CUDAHOSTCXX: no"]


def test_rocm_s_compiler_is_looked_for(tmp_path):
    toolkit = {"variants__rocm": {"architectures": ["gfx942"], "toolkit": str(tmp_path)}}
    made = plan(root=tmp_path, registries__torch_rocm="https://example.org", **toolkit)
    job = ("wheel", {"repo": "vllm", "variant": "rocm"})
    (line,) = said(made, job)
    assert line.startswith(f"variants.rocm.toolkit: {tmp_path} has no bin/hipcc")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/hipcc").touch()
    assert said(made, job) == []


def test_what_is_removed_needs_no_room(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    made = plan(machine("12.2.0", "cc", "cxx"), root=FULL)
    for target in ("prune", "prune_now"):
        assert said(made, (target, {})) == []


def test_each_place_has_room_for_what_is_made_there(tmp_path):
    store = ("source", {"repo": "vllm"})
    results = ("environment", {"name": "run-cpu"})
    for root, shared, full in ((FULL, tmp_path, FULL), (tmp_path, FULL, FULL)):
        made = plan(root=root, store=str(shared))
        full_one = results if root == FULL else store
        (line,) = said(made, full_one)
        assert line.startswith(f"{full}/: 0.0 GB are free, and this run needs about ")
        assert "`snakemake prune_now` removes what no configuration reaches" in line
        assert said(made, store if full_one == results else results) == []


def test_what_environments_of_one_variant_share_is_counted_once():
    made = plan(root=FULL)
    run, build, other = (("environment", {"name": n}) for n in ("run-cpu", "build-cpu", "run-cuda"))
    (one,), (both,), (all_three,) = (
        said(made, *jobs) for jobs in ((run,), (run, build), (run, build, other))
    )
    assert "needs about 6.0 GB" in one
    assert "needs about 6.5 GB" in both
    assert "needs about 12.5 GB" in all_three
