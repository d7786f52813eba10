"""What a recipe is told of a wheel's target."""

from pathlib import Path

import pytest
from packaging.version import Version

from snakedev.config.read import check
from snakedev.machine.probe import Gpu, Machine
from snakedev.recipes.recipe import ANY, Target
from tests.unit.default_config import CPU_WHEEL, VERSION, changed

MACHINE = Machine(
    watched={},
    tools={},
    rust_toolchain=None,
    libc="glibc-2.36",
    isa="avx512",
    gpus=(Gpu(vendor="nvidia", name="NVIDIA X", architecture="8.9"),),
)


def target(variant: str, path: str = "origin", value: object = "release") -> Target:
    """vLLM's target, or that of safetensors for `any`, with a key of the configuration set."""
    values = changed(path, value)
    values["repos"]["vllm"]["kernels"]["cpu"] = CPU_WHEEL
    config = check(values)
    repo, cuda = ("safetensors" if variant == ANY else "vllm"), Version("13.0")
    return Target(repo, variant, config, MACHINE, cuda if variant == "cuda" else None)


@pytest.mark.parametrize(
    ("made", "version"),
    [
        (target(ANY), "0.8.0"),
        (target("cpu"), f"{VERSION}+cpu"),
        (target("cpu", "variants/cpu/kernels", "upstream"), f"{VERSION}+cpu.upstream"),
        (target("cuda"), f"{VERSION}+cu130"),
        (target("cuda", "variants/cuda/kernels", "upstream"), f"{VERSION}+cu130.upstream"),
        (target("rocm", "variants/rocm", {}), f"{VERSION}+rocm"),
    ],
)
def test_the_version_of_a_variant_s_wheel_says_which(made, version):
    assert made.version == version


@pytest.mark.parametrize(
    ("made", "architectures"),
    [
        (target(ANY), ()),
        (target("cpu"), ("avx512",)),
        (target("cpu", "variants/cpu/isa", "all"), ("avx2", "avx512", "amx")),
        (target("cpu", "variants/cpu/isa", ["amx"]), ("amx",)),
        (target("cuda"), ("9.0a",)),
        (target("cuda", "variants/cuda/architectures", "native"), ("8.9",)),
        (target("rocm", "variants/rocm", {"architectures": ["gfx942"]}), ("gfx942",)),
    ],
)
def test_architectures_are_those_that_were_asked_for_or_this_machine_has(made, architectures):
    assert made.architectures == architectures


@pytest.mark.parametrize(
    ("made", "toolkit"),
    [
        (target(ANY), None),
        (target("cpu"), None),
        (target("cuda"), None),
        (target("cuda", "variants/cuda/toolkit", "/usr/local/cuda"), Path("/usr/local/cuda")),
        (target("rocm", "variants/rocm", {}), Path("/opt/rocm")),
        (target("rocm", "variants/rocm", {"toolkit": "/srv/rocm"}), Path("/srv/rocm")),
    ],
)
def test_a_toolkit_is_this_machine_s_where_one_is_named_or_rocm(made, toolkit):
    assert made.toolkit == toolkit
