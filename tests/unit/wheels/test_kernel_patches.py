"""Patches beside borrowed kernels: those that would take no effect are refused."""

import pytest

from snakedev.recipes.vllm import KERNELS
from snakedev.wheels.kernel_patches import Behind
from tests.project import PROJECT
from tests.unit.default_config import DEFAULT

PATCH = """From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A. Tester <tester@example.org>
Date: Mon, 1 Jan 2024 00:00:00 +0000
Subject: [PATCH] Change something

Why.
{said}
---
 x | 1 +

"""


def patch(*files: str, said: str = "") -> bytes:
    diffs = [
        f"diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n@@ -0,0 +1 @@\n+x\n"
        for file in files
    ]
    return (PATCH.format(said=said) + "".join(diffs)).encode()


def refused(*files: str, variant: str = "cuda", repo: str = "vllm", said: str = "") -> list[str]:
    series = [("patches/x/0001-x.patch", patch(*files, said=said))]
    behind = Behind(repo, variant, KERNELS, is_part=repo != "vllm")
    return [*behind.patch_problems(series)]


@pytest.mark.parametrize(
    "file",
    [
        "csrc/libtorch_stable/activation_kernels.cu",
        "csrc/core/scalar_type.hpp",
        "csrc/libtorch_stable/moe/marlin_moe_wna16/generate_kernels.py",
        "cmake/external_projects/flashmla.cmake",
        "CMakeLists.txt",
    ],
)
def test_a_patch_of_what_the_kernels_are_compiled_from_is_one_line(file: str) -> None:
    (line,) = refused("vllm/envs.py", file)
    assert line == (
        f"patches/x/0001-x.patch: it changes {file}, which variants.cuda.kernels: upstream does "
        f"not compile: set that to source, or, if the kernels stay the same, say why in the "
        f"patch's message: `Kernels-unchanged: …`"
    )


@pytest.mark.parametrize(
    "file",
    [
        "vllm/model_executor/models/llama.py",
        "setup.py",
        "csrc/fs_io.cpp",
        "csrc/cpu/attention.cpp",
        "csrc/rocm/attention.cu",
        "cmake/cpu_extension.cmake",
    ],
)
def test_a_patch_of_anything_else_takes_effect(file: str) -> None:
    assert refused(file) == []


def test_of_a_project_inside_the_kernels_every_file_counts() -> None:
    assert refused("flash_attn/cute/interface.py", repo="vllm-flash-attn")


def test_a_patch_may_say_why_the_kernels_stay_the_same() -> None:
    file = "csrc/core/registration.h"
    assert refused(file, said="\nKernels-unchanged: it is what `import` calls.") == []
    assert refused(file, said="\nKernels-unchanged:")
    # what stands in the diff is not said in the message
    data = patch(file) + b"+Kernels-unchanged: no\n"
    assert [*Behind("vllm", "cuda", KERNELS).patch_problems([("x.patch", data)])]


def test_edits_of_a_work_folder_count_too() -> None:
    edited = ["vllm/envs.py", "csrc/ops.h"]
    behind = Behind("vllm", "cuda", KERNELS)
    (line,) = behind.edit_problems("work/vllm", edited)
    assert line.startswith("work/vllm: csrc/ops.h: edited, and variants.cuda.kernels: upstream")
    assert not [*behind.edit_problems("work/vllm", edited[:1])]


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("csrc/cpu/cpu_attn.cpp", True),
        ("csrc/moe/dynamic_4bit_int_moe_cpu.cpp", True),
        ("cmake/cpu_extension.cmake", True),
        ("CMakeLists.txt", True),
        ("csrc/spinloop.cpp", False),
        ("csrc/libtorch_stable/activation_kernels.cu", False),
        ("csrc/activation_kernels.cu", False),
        ("csrc/type_convert.cuh", False),
        ("csrc/torch_bindings.cpp", True),
        ("vllm/platforms/cpu.py", False),
    ],
)
def test_for_cpus_other_files_count(file: str, counts: bool) -> None:
    lines = refused(file, variant="cpu")
    assert len(lines) == counts
    assert not counts or "which variants.cpu.kernels: upstream does not compile" in lines[0]


@pytest.mark.parametrize("variant", DEFAULT["repos"]["vllm"]["kernels"])
def test_patches_of_ours_that_touch_such_files_say_why(variant: str) -> None:
    series = [(path.name, path.read_bytes()) for path in (PROJECT / "patches/vllm").glob("*.patch")]
    behind = Behind("vllm", variant, KERNELS)
    assert series and not [*behind.patch_problems(series)]
    assert behind.deciding(["csrc/core/registration.h"])
