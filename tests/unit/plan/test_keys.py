"""Keys: what changes them, and what does not."""

import json
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.machine.probe import Gpu, Machine, Tool
from snakedev.plan.checks import require_inputs
from snakedev.plan.plan import Plan
from snakedev.store.source_specs import SourceSpec
from snakedev.store.spec import digest
from snakedev.wheels.upstream_kernels import BorrowedKernels, KernelLibrary, KernelsRecord
from tests.project import PROJECT
from tests.unit.default_config import CPU_WHEEL, VERSION
from tests.unit.plan.default_plan import MACHINE, plan


def keys(made: Plan) -> dict[str, str]:
    """The keys of all wheels and of the run environment."""
    wheels = {
        r: made.wheels.wheel(r, made.buildable.variant_of(r, "cpu")).key
        for r in made.buildable.wheel_repos()
    }
    return wheels | {"environment": made.wheels.run_environment("cpu").key}


def rust_repos(made: Plan) -> set[str]:
    """The repos whose wheels are compiled by rustc."""
    return {r for r in made.buildable.wheel_repos() if "rustc" in made.sources.recipe(r).tools}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after.get(name)}


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


def test_job_counts_memory_and_caches_change_no_key():
    other = plan(build__memory_per_job_gb=8.0, build__compiler_cache=False, build__network="open")
    assert keys(plan()) == keys(other)


def test_the_provider_of_the_interpreter_changes_no_key():
    assert keys(plan()) == keys(plan(interpreter__provider="registry"))


def test_a_sanitizer_changes_the_key_of_all_that_runs_on_the_interpreter():
    before, after = plan(), plan(interpreter__sanitizer="thread")
    assert changed(keys(before), keys(after)) == set(keys(before))
    assert (
        before.wheels.build_environment("build-any").key
        != after.wheels.build_environment("build-any").key
    )
    assert (
        before.reports.smoke("cpu", "smollm2-135m").key
        != after.reports.smoke("cpu", "smollm2-135m").key
    )
    # sources and models are the same files
    assert before.sources.source("vllm").key == after.sources.source("vllm").key
    assert before.reports.model("smollm2-135m").key == after.reports.model("smollm2-135m").key


def test_only_builds_of_c_and_c_plus_plus_are_instrumented():
    made = plan(interpreter__sanitizer="thread", repos__xgrammar__enabled=True)
    seen = {
        r: made.wheels.wheel(r, made.buildable.variant_of(r, "cpu")).instruments
        for r in made.buildable.wheel_repos()
    }
    assert seen == {name: name not in rust_repos(made) for name in seen}
    assert seen["vllm"] and seen["xgrammar"] and not seen["safetensors"]
    assert not plan().wheels.wheel("vllm", "cpu").instruments


@pytest.mark.parametrize(
    ("asked", "stands"),
    [
        ({}, True),
        ({"interpreter__git__ref": "v3.14.10"}, False),
        ({"interpreter__sanitizer": None}, False),
        ({"interpreter__sanitizer": None, "interpreter__provider": "registry"}, False),
        ({"interpreter__version": "3.15"}, False),
    ],
)
def test_an_interpreter_stands_for_what_it_was_built_from(tmp_path, asked, stands):
    built = {"interpreter__sanitizer": "thread", "interpreter__git__ref": "v3.14.9"}
    made = plan(root=tmp_path, **built | asked)
    home = tmp_path / "interpreter-3.14t-thread"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python3.14t").touch()
    record = {"version": "3.14.9", "provider": "source", "ref": "v3.14.9", "executable": "x"}
    (home / "interpreter.json").write_text(json.dumps(record))
    assert made.sources.interpreter_stamp().is_file() == stands


def test_a_setting_of_the_variant_changes_what_sees_it():
    assert changed(keys(plan()), keys(plan(variants__cpu__onednn=False))) == {"vllm", "environment"}
    assert changed(keys(plan()), keys(plan(variants__cpu__isa="all"))) == {"vllm", "environment"}


def test_native_is_the_set_that_this_machine_has():
    named = plan(variants__cpu__isa=["avx2"])
    assert keys(plan()) == keys(named)
    better = MACHINE.model_copy(update={"isa": "amx"})
    assert changed(keys(plan()), keys(plan(better))) == {"vllm", "environment"}


def test_a_compiler_changes_the_wheels_that_use_it():
    tools = MACHINE.tools | {"rustc": Tool(path=Path("/usr/bin/rustc"), identity="rustc 2")}
    newer = plan(MACHINE.model_copy(update={"tools": tools}))
    assert changed(keys(plan()), keys(newer)) == {
        "oss-harmony",
        "outlines-core",
        "safetensors",
        "environment",
    }


def test_what_nvcc_calls_is_in_the_key_of_what_it_compiles():
    other = {"cudahostcxx": Tool(path=Path("/usr/bin/g++-13"), identity="g++-13 13.2")}
    machine = MACHINE.model_copy(update={"tools": MACHINE.tools | other})

    def wheels(machine, **settings):
        made = plan(machine, **settings)
        return [made.wheels.wheel("vllm", variant) for variant in ("cpu", "cuda")]

    before, after = wheels(MACHINE), wheels(machine)
    assert before[0].key == after[0].key and before[1].key != after[1].key
    assert after[1].compilers == before[1].compilers | {"cudahostcxx": "g++-13 13.2"}
    # it compiles nothing where the kernels are another wheel's
    borrowed = {"variants__cuda__kernels": "upstream"}
    assert wheels(MACHINE, **borrowed) == wheels(machine, **borrowed)


def test_what_vllm_builds_with_is_in_its_key():
    other = plan(repos__onednn__release__sha256="0" * 64)
    assert changed(keys(plan()), keys(other)) == {"vllm", "environment"}
    assert keys(plan(variants__cpu__onednn=False)) == keys(
        plan(variants__cpu__onednn=False, repos__onednn__release__sha256="0" * 64)
    )


def test_what_a_build_needs_by_way_of_another_is_in_its_key():
    chain = {"repos__onednn__build_needs": ["xgrammar"], "repos__xgrammar__enabled": False}
    before = plan(**chain)
    assert set(before.wheels.wheel("vllm", "cpu").needs) == {"onednn", "xgrammar"}
    assert "xgrammar" in before.buildable.repos
    after = plan(**chain, repos__xgrammar__release__sha256="0" * 64)
    assert changed(keys(before), keys(after)) == {"vllm", "environment"}


def test_a_machine_without_cargo_leaves_rust_repos_out_and_says_so():
    tools = {name: tool for name, tool in MACHINE.tools.items() if name not in ("rustc", "cargo")}
    without = plan(MACHINE.model_copy(update={"tools": tools}))
    whole = plan()
    rust = rust_repos(whole)
    assert {"oss-harmony", "outlines-core", "safetensors"} <= rust
    assert set(without.buildable.wheel_repos()) == set(whole.buildable.wheel_repos()) - rust
    assert "vllm" in without.buildable.wheel_repos()
    assert without.buildable.left_out["safetensors"] == "this machine has no rustc and no cargo"


def test_what_a_required_repo_lacks_is_said_all_at_once(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    bare = plan(MACHINE.model_copy(update={"tools": {}}))
    with pytest.raises(UserError) as caught:
        bare.wheels.wheel("vllm", "cpu")
    lines = str(caught.value).splitlines()
    assert [line.split(" is missing")[0] for line in lines] == [
        "git",
        "a C++ compiler (g++ 12.2 or later)",
    ]


def test_a_variable_that_names_no_compiler_leaves_no_repo_out():
    tools = {name: tool for name, tool in MACHINE.tools.items() if name != "cc"}
    line = "CC: there is no program nowhere: name a C compiler"
    made = plan(MACHINE.model_copy(update={"tools": tools, "refused": {"cc": line}}))
    assert "safetensors" in made.buildable.wheel_repos() and not made.buildable.left_out
    with pytest.raises(UserError) as caught:
        made.wheels.wheel("safetensors", "any")
    assert str(caught.value) == line


def with_opencv(machine: Machine = MACHINE) -> Plan:
    """The default plan with opencv-python-headless."""
    return plan(machine, repos__opencv_python_headless__enabled=True)


def test_opencv_is_built_with_its_decoders_where_debian_is_at_hand(monkeypatch):
    monkeypatch.setattr("snakedev.fetch.debian.lacking", lambda: "")
    made = with_opencv()
    assert not made.buildable.left_out
    wheel = made.wheels.wheel("opencv-python-headless", "any")
    assert set(wheel.needs) == {"ffmpeg", "nasm"}
    assert {"ffmpeg", "nasm"} <= set(made.buildable.repos)
    assert {"ffmpeg", "nasm"}.isdisjoint(made.wheels.vllm_parts())


def test_opencv_is_left_out_where_there_is_no_debian_or_no_make(monkeypatch):
    monkeypatch.setattr("snakedev.fetch.debian.lacking", lambda: "apt-get")
    reason = "it needs ffmpeg's source from Debian, and here is no apt-get"
    assert with_opencv().buildable.left_out == {"opencv-python-headless": reason}
    tools = {name: tool for name, tool in MACHINE.tools.items() if name != "make"}
    made = with_opencv(MACHINE.model_copy(update={"tools": tools}))
    assert made.buildable.left_out == {"opencv-python-headless": "this machine has no make"}
    assert "opencv-python-headless" not in made.wheels.built_versions("cpu")
    assert "ffmpeg" not in made.buildable.repos


def tiny(**release: str) -> Plan:
    """The default plan with a small release in the place of tokenizers."""
    pin = {"name": "tiny", "version": "1.0", "sha256": "0" * 64, **release}
    repo = {"recipe": "maturin", "version": "1.0", "origin": "release", "release": pin}
    return plan(repos__tokenizers=repo)


def test_a_pin_without_a_folder_has_the_keys_of_before_there_were_folders():
    made = tiny()
    assert made.sources.source("tokenizers").pin_identity == {
        "kind": "sdist",
        "name": "tiny",
        "version": "1.0",
        "sha256": "0" * 64,
        "commit": None,
        "subdirectory": ".",
    }
    assert made.sources.pin_key("tokenizers") == "5c3e3292059a4bd1"


def test_the_folder_of_a_wheel_is_part_of_its_source():
    one, other = (tiny(kind="wheel", folder=folder).sources.source("tokenizers") for folder in "ab")
    assert one.pin_identity["folder"] == "a"
    assert one.key != other.key


def test_a_source_that_no_build_needs_is_not_used():
    used = plan(
        variants={"cpu": {"isa": "native", "onednn": False}}, smoke__variants=["cpu"]
    ).buildable.repos
    assert not {"onednn", "cutlass"} & set(used)


def test_another_gpu_changes_the_wheels_with_device_code_and_no_other():
    before, after = plan(), plan(variants__cuda__architectures=["8.0"])
    assert keys(before) == keys(after)
    cuda = [made.wheels.run_environment("cuda").wheels for made in (before, after)]
    assert [w.repo for w in set(cuda[0]) - set(cuda[1])] == ["vllm"]


def test_a_build_for_gpus_does_without_what_only_a_forge_has():
    release = plan().wheels.wheel("vllm", "cuda")
    assert set(release.needs) == {"cutlass"}
    assert release.settings["VLLM_CUTLASS_SRC_DIR"] == "${SNAKEDEV_SOURCE_CUTLASS}"
    assert release.settings["VLLM_EXTERNAL_LEFT_OUT"].split(";")[-1] == "vllm_flash_attn"
    assert release.without["vllm-flash-attn"] == "it has no release: `origin: git` builds it"
    built = plan(repos__vllm__external_projects={"vllm_flash_attn": {"origin": "git"}})
    spec = built.wheels.wheel("vllm", "cuda")
    assert set(spec.needs) == {"cutlass", "vllm-flash-attn"}
    assert "vllm_flash_attn" not in spec.settings["VLLM_EXTERNAL_LEFT_OUT"]
    assert spec.settings["VLLM_FLASH_ATTN_SRC_DIR"] == "${SNAKEDEV_SOURCE_VLLM_FLASH_ATTN}"


def upstream(**overrides: object) -> Plan:
    """The plan with vLLM's own kernels."""
    return plan(variants__cuda__kernels="upstream", **overrides)


def test_with_borrowed_kernels_the_wheel_they_come_from_is_in_the_key():
    keys = {
        made.wheels.wheel("vllm", "cuda").key
        for made in (
            upstream(),
            upstream(variants__cuda__architectures=["7.5", "8.9"]),
            upstream(repos__cutlass__release__sha256="0" * 64),
        )
    }
    assert len(keys) == 1
    other = upstream(repos__vllm__kernels__cuda__sha256="0" * 64).wheels.wheel("vllm", "cuda")
    assert other.key not in keys
    assert plan().wheels.wheel("vllm", "cuda").key not in keys


def test_with_borrowed_kernels_nothing_is_compiled_for_a_gpu():
    spec = upstream().wheels.wheel("vllm", "cuda")
    assert spec.settings["VLLM_BORROWED_KERNELS"] == "${SNAKEDEV_KERNELS}"
    assert "TORCH_CUDA_ARCH_LIST" not in spec.settings
    assert spec.needs == {} and spec.without == {}
    # another wheel of the same version than the one that is compiled
    assert spec.version == f"{VERSION}+cu130.upstream"


def test_kernels_for_cpus_may_be_borrowed_too():
    borrowed = {"variants__cpu__kernels": "upstream", "repos__vllm__kernels__cpu": CPU_WHEEL}
    made = plan(**borrowed, variants__cpu__isa=["avx2"])
    spec = made.wheels.wheel("vllm", "cpu")
    assert spec.version == f"{VERSION}+cpu.upstream" and spec.needs == {} and spec.without == {}
    # all instruction sets come with them
    other = plan(**borrowed, variants__cpu__isa="all")
    assert (
        other.wheels.wheel("vllm", "cpu").key == spec.key != plan().wheels.wheel("vllm", "cpu").key
    )
    # and the cuda variant has its own
    assert made.wheels.wheel("vllm", "cuda").key == plan().wheels.wheel("vllm", "cuda").key


def test_the_pin_of_kernels_that_are_compiled_changes_no_key():
    assert (
        plan(repos__vllm__kernels={}).wheels.wheel("vllm", "cuda").key
        == plan().wheels.wheel("vllm", "cuda").key
    )


def test_what_the_borrowed_kernels_lack_is_refused_before_anything_is_built(tmp_path):
    made = upstream(root=tmp_path, variants__cuda__architectures=["9.0a", "11.0"])
    require_inputs(made, with_locks=True)
    library = KernelLibrary(member="vllm/_C_stable_libtorch.abi3.so", device_code=("sm_90a",))
    kernels = BorrowedKernels(
        name="vllm",
        version="0.26.0",
        sha256="0" * 64,
        file="vllm.whl",
        libraries=(library,),
        left_out={},
    )
    record = KernelsRecord(kernels=kernels, wheel=Path("vllm.whl"))
    record.write(made.wheels.kernels_stamp("cuda"))
    with pytest.raises(UserError, match=r"architectures: 11\.0: _C_stable_libtorch of vllm.whl is"):
        require_inputs(made, with_locks=True)


def test_a_patch_that_borrowed_kernels_would_lack_is_refused(tmp_path):
    (tmp_path / "envs").symlink_to(PROJECT / "envs")
    patch = tmp_path / "patches/vllm/0001-x.patch"
    patch.parent.mkdir(parents=True)
    diff = (
        "diff --git a/csrc/ops.h b/csrc/ops.h\n--- a/csrc/ops.h\n+++ b/csrc/ops.h\n"
        "@@ -1 +1 @@\n-x\n+y\n"
    )
    patch.write_text(f"From: A <a@example.org>\nSubject: x\n\n---\n{diff}")
    require_inputs(plan(project=tmp_path), with_locks=True)
    with pytest.raises(UserError, match=r"^patches/vllm/0001-x.patch: it changes csrc/ops"):
        require_inputs(upstream(project=tmp_path), with_locks=True)


def test_a_toolkit_of_another_cuda_version_is_refused(tmp_path):
    for folder in ("bin", "include"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin/nvcc").touch(mode=0o755)
    header = tmp_path / "include/cuda.h"
    header.write_text("#define CUDA_VERSION 13000\n")
    own = plan(variants__cuda__toolkit=str(tmp_path)).wheels.wheel("vllm", "cuda")
    assert own.toolkit == tmp_path and own.key == plan().wheels.wheel("vllm", "cuda").key
    header.write_text("#define CUDA_VERSION 12080\n")
    with pytest.raises(UserError) as raised:
        require_inputs(plan(variants__cuda__toolkit=str(tmp_path)), with_locks=True)
    assert str(raised.value).startswith(
        f"variants.cuda.toolkit: {tmp_path} is CUDA 12.8, and torch 2.14.0 is built with CUDA 13.0"
    )
    header.unlink()
    with pytest.raises(UserError, match="is no CUDA toolkit"):
        plan(variants__cuda__toolkit=str(tmp_path)).wheels.wheel("vllm", "cuda")


def test_native_without_a_gpu_is_refused_before_anything_is_built():
    with pytest.raises(UserError, match="architectures: native takes this machine"):
        require_inputs(plan(variants__cuda__architectures="native"), with_locks=True)


def test_a_variant_is_run_where_its_gpu_is():
    assert plan().buildable.skipped == {"cuda": "this machine has no NVIDIA GPU that answers"}
    assert [spec.variant for spec in plan().reports.smokes()] == ["cpu"]

    def on(architecture: str) -> Plan:
        gpu = Gpu(vendor="nvidia", name="NVIDIA X", architecture=architecture)
        return plan(MACHINE.model_copy(update={"gpus": (gpu,)}))

    assert [spec.variant for spec in on("9.0").reports.smokes()] == ["cpu", "cuda"]
    assert (
        on("8.9").buildable.skipped["cuda"]
        == "it is built for 9.0a, and this machine has NVIDIA X (8.9)"
    )


def test_only_variants_that_need_it_run_with_the_gil_forced_off():
    model = "smollm2-135m"
    made = plan()
    assert not any(made.reports.smoke(one, model).gil_forced for one in ("cpu", "cuda"))
    forced = plan(smoke__force_gil_off=["cpu"])
    assert forced.reports.smoke("cpu", model).gil_forced
    assert forced.reports.smoke("cpu", model).key != made.reports.smoke("cpu", model).key
    assert keys(forced) == keys(made)


def test_a_gil_trial_is_of_the_environment_alone():
    made, other = plan(), plan(smoke__max_tokens=5, smoke__force_gil_off=["cpu"])
    (trial,) = made.reports.gils()
    assert (trial.variant, trial.environment_key) == ("cpu", made.wheels.run_environment("cpu").key)
    assert other.reports.gil("cpu").key == trial.key
    assert made.reports.gil_page_key() == other.reports.gil_page_key()
    assert plan(variants__cpu__onednn=False).reports.gil("cpu").key != trial.key
    assert made.layout.folder(trial) in set(made.reached())
    assert "0004-Declare-that-vLLM-s-extensions-do-not-need-the-GIL.patch" in {
        path.name for path in trial.patches["vllm"]
    }


@pytest.mark.parametrize("lost", [None, "html", "csv", "json"])
def test_a_report_is_shown_only_where_all_of_its_files_are(tmp_path, lost):
    made = plan(root=tmp_path)
    stamp = made.reports.gil_view()
    for path in (stamp, *(made.layout.reports / f"gil.{kind}" for kind in ("html", "csv", "json"))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if lost:
        (made.layout.reports / f"gil.{lost}").unlink()
    assert made.reports.gil_view() == stamp
    assert stamp.is_file() == (lost is None)


def test_a_mirrors_address_is_not_part_of_a_source():
    spec = plan(origin="release").sources.source("vllm")
    moved = spec.model_copy(update={"pin": spec.pin.model_copy(update={"name": "other"})})
    assert isinstance(moved, SourceSpec)
    assert moved.key == spec.key


def test_a_spec_is_read_back_as_it_was(tmp_path):
    spec = plan().wheels.wheel("vllm", "cpu")
    spec.write(tmp_path / "spec.json")
    assert type(spec).read(tmp_path / "spec.json").key == spec.key
