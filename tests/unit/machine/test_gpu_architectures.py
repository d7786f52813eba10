"""GPU architectures: one spelling, one line for every other, and what runs where."""

import re

import pytest

from snakedev.base.errors import UserError
from snakedev.machine.gpu_architectures import checked, resolve, runs_on, torch_arch_list
from snakedev.machine.gpu_names import CUDA_ARCHITECTURES, CUDA_GPUS, ROCM_GPUS
from snakedev.machine.probe import Gpu


def complaint(platform: str, value: object) -> str:
    with pytest.raises(ValueError) as caught:
        checked(platform, value)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def nvidia(*capabilities: str) -> tuple[Gpu, ...]:
    return tuple(Gpu(vendor="nvidia", name=f"GPU {c}", architecture=c) for c in capabilities)


def amd(*names: str) -> tuple[Gpu, ...]:
    return tuple(Gpu(vendor="amd", name="Instinct", architecture=name) for name in names)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("native", "native"),
        (["9.0a"], ("9.0a",)),
        (("8.9", "8.0"), ("8.0", "8.9")),
        (["12.0", "9.0a", "10.0f", "7.5"], ("7.5", "9.0a", "10.0f", "12.0")),
        ([9.0, 8.0, 10.0], ("8.0", "9.0", "10.0")),  # YAML without quotes
        ([8.9, "9.0a"], ("8.9", "9.0a")),
    ],
)
def test_a_cuda_list_comes_in_its_canonical_order(given: object, meant: object) -> None:
    assert checked("cuda", given) == meant


def test_each_spelling_and_each_usual_name_is_known() -> None:
    assert checked("cuda", list(CUDA_GPUS)) == tuple(CUDA_GPUS)
    assert checked("rocm", list(reversed(ROCM_GPUS))) == tuple(ROCM_GPUS)
    assert {re.sub("[af]$", "", one) for one in CUDA_ARCHITECTURES} == set(CUDA_GPUS)
    for platform, gpus in (("cuda", CUDA_GPUS), ("rocm", ROCM_GPUS)):
        for architecture, names in gpus.items():
            for name in names:
                name = f"{name}80" if re.fullmatch(r"RTX \d0", name) else name
                right = "9.0a" if architecture == "9.0" else architecture
                assert complaint(platform, [name]).startswith(f'write ["{right}"]: ')


@pytest.mark.parametrize(
    ("given", "right"),
    [
        (["sm_90a"], 'write ["9.0a"]: sm_90a is 9.0a here'),
        (["90"], 'write ["9.0"]: 90 is 9.0 here'),
        ([90], 'write ["9.0"]: 90 is 9.0 here'),
        ([8], 'write ["8.0"]: 8 is 8.0 here'),
        ([12], 'write ["12.0"]: 12 is 12.0 here'),
        (["90a"], 'write ["9.0a"]: 90a is 9.0a here'),
        (["9.0A"], 'write ["9.0a"]: '),
        (["compute_80"], 'write ["8.0"]: compute_80 is 8.0 here'),
        (["75-real"], 'write ["7.5"]: '),
        (["8.0+PTX"], 'write ["8.0"]: 8.0+PTX is 8.0 here'),
        (["8.0a"], 'write ["8.0"]: 8.0a is 8.0 here'),  # no such form
        (["10.3a"], 'write ["10.0"]: 10.3a is 10.0 here'),  # what vLLM would build for it
        ([12.1], 'write ["12.0"]: 12.1 is 12.0 here'),
        (["10.1"], 'write ["11.0"]: 10.1 is 11.0 here'),
        (["h100"], 'write ["9.0a"]: h100 is 9.0a here'),
        (["NVIDIA A100-SXM4-80GB"], 'write ["8.0"]: '),
        (["NVIDIA GeForce RTX 4070 Ti"], 'write ["8.9"]: '),
        (["RTX A6000"], 'write ["8.6"]: '),
        (["RTX 6000 Ada Generation"], 'write ["8.9"]: '),
        (["NVIDIA RTX PRO 6000 Blackwell Server Edition"], 'write ["12.0"]: '),
        # a list that mixes spellings
        (
            ["9.0a", "sm_80", "L4"],
            'write ["8.0", "8.9", "9.0a"]: sm_80 is 8.0 here; L4 is 8.9 here',
        ),
        (["9.0", "sm_90a", "90a"], 'write ["9.0a"]: sm_90a is 9.0a here; 90a is 9.0a here'),
        # no list
        ("9.0a", 'write ["9.0a"]'),
        (9.0, 'write ["9.0"]'),
        ("8.9;8.0", 'write ["8.0", "8.9"]'),
        ("8.0 9.0+PTX", 'write ["8.0", "9.0"]: 9.0+PTX is 9.0 here'),
        ("h100, a100", 'write ["8.0", "9.0a"]: h100 is 9.0a here; a100 is 8.0 here'),
        ("RTX 3090", 'write ["8.6"]: RTX 3090 is 8.6 here'),
        # two forms of one architecture, and doubles
        (["9.0", "9.0a"], "9.0 and 9.0a are for the same GPUs, and vLLM would build 9.0a alone"),
        (["10.0f", "10.0"], "10.0 and 10.0f are for the same GPUs, and vLLM would build 10.0f"),
        (["10.0f", "10.0a"], "10.0f and 10.0a are for the same GPUs, and vLLM would build 10.0a"),
        (["8.0", "9.0a", 8.0], "8.0 stands there more than once: keep one"),
        # none at all
        ([], 'not native, or a list of architectures such as ["9.0a"]'),
        ("", 'not native, or a list of architectures such as ["9.0a"]'),
        (None, "not native, or a list of architectures"),
        (True, "not native, or a list of architectures"),
        ({"9.0": 1}, "not native, or a list of architectures"),
        ([["9.0"]], "not native, or a list of architectures"),
        ([True], "not native, or a list of architectures"),
        (["native"], "native stands alone: write native, without a list around it"),
        (["native", "9.0a"], "native stands alone"),
        # none that vLLM knows
        (["9.5"], "9.5 is no architecture that vLLM's kernels are built for: one of 7.5, 8.0, "),
        ([7.0, "9.0a"], "7.0 is no architecture"),
        (["7.2", "5.0", "sm_90"], "7.2 and 5.0 are no architectures"),
        (["RTX 2050"], "RTX 2050 is no architecture"),
        (["RTX 4000"], "RTX 4000 is no architecture"),
        ("the old one", "the old one is no architecture"),
        ([float("nan")], "nan is no architecture"),
        (["gfx942"], "gfx942 is no architecture"),
    ],
)
def test_another_spelling_is_told_the_right_one(given: object, right: str) -> None:
    assert complaint("cuda", given).startswith(right)


def test_the_line_for_an_unknown_architecture_ends_with_an_example() -> None:
    assert complaint("cuda", ["9.5"]).endswith("12.0f, such as 9.0a for H100")
    assert complaint("rocm", ["gfx900"]).endswith("gfx1201, such as gfx942 for MI300")


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("gfx942", 'write ["gfx942"]'),
        (["GFX90A"], 'write ["gfx90a"]: GFX90A is gfx90a here'),
        (["gfx90a:xnack-"], 'write ["gfx90a"]: gfx90a:xnack- is gfx90a here'),
        ([906], 'write ["gfx906"]: 906 is gfx906 here'),
        (["AMD Instinct MI300X"], 'write ["gfx942"]: '),
        (["gfx1201", "RX 7900 XTX"], 'write ["gfx1100", "gfx1201"]: RX 7900 XTX is gfx1100 here'),
        (["gfx942", "gfx942"], "gfx942 stands there more than once: keep one"),
        (["gfx940"], "gfx940 is no architecture"),
        (["9.0a"], "9.0a is no architecture"),
        ([], 'not native, or a list of architectures such as ["gfx942"]'),
    ],
)
def test_rocm_lists_are_checked_in_the_same_way(given: object, right: str) -> None:
    assert complaint("rocm", given).startswith(right)


@pytest.mark.parametrize(
    ("capabilities", "architectures"),
    [
        (["9.0"], ("9.0a",)),  # Hopper has no other form that its kernels can use
        (["9.0", "9.0"], ("9.0a",)),
        (["8.9", "8.6"], ("8.6", "8.9")),
        (["8.7"], ("8.7",)),
        (["10.3"], ("10.0",)),
        (["12.1", "12.0"], ("12.0",)),
        (["7.5"], ("7.5",)),
        (["3.5", "9.0"], ("9.0a",)),  # an old one that drives a screen
    ],
)
def test_native_is_what_the_gpus_run(capabilities: list[str], architectures: tuple) -> None:
    gpus = nvidia(*capabilities)
    assert resolve("cuda", "native", (*gpus, *amd("gfx942"))) == architectures
    for capability in set(capabilities) - {"3.5"}:
        assert runs_on(architectures, capability)


def test_native_for_rocm_is_the_gpus_own_architecture() -> None:
    gpus = (*nvidia("9.0"), *amd("gfx1100", "gfx90a", "gfx90a", "gfx1036"))
    assert resolve("rocm", "native", gpus) == ("gfx90a", "gfx1100")


def test_named_architectures_need_no_gpu() -> None:
    assert resolve("cuda", ("9.0a",), ()) == ("9.0a",)


@pytest.mark.parametrize(
    ("platform", "gpus", "said"),
    [
        (
            "cuda",
            amd("gfx942"),
            "config.yaml: variants.cuda.architectures: native takes this machine's GPUs, and "
            'nvidia-smi shows none: name architectures instead, such as ["9.0a"] for H100',
        ),
        (
            "rocm",
            nvidia("9.0"),
            "config.yaml: variants.rocm.architectures: native takes this machine's GPUs, and "
            'rocminfo shows none: name architectures instead, such as ["gfx942"] for MI300',
        ),
        (
            "cuda",
            nvidia("7.0", "6.1", "7.0"),
            "config.yaml: variants.cuda.architectures: native finds GPU 7.0 (7.0) and "
            "GPU 6.1 (6.1), and vLLM's kernels are built for: one of 7.5, ",
        ),
        (
            "rocm",
            amd("gfx1036"),
            "config.yaml: variants.rocm.architectures: native finds Instinct (gfx1036), and vLLM's",
        ),
    ],
)
def test_native_without_a_gpu_is_one_line(platform: str, gpus: tuple[Gpu, ...], said: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve(platform, "native", gpus)
    assert str(caught.value).startswith(said)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("architectures", "runs", "not_on"),
    [
        (["8.0"], ["8.0", "8.6", "8.9"], ["7.5", "9.0", "8.7"]),  # Tegra is a world of its own
        (["8.7"], ["8.7"], ["8.6", "8.9"]),
        (["8.9"], ["8.9"], ["8.0", "8.6", "9.0"]),
        (["8.6", "9.0a"], ["8.6", "8.9", "9.0"], ["8.0", "10.0"]),
        (["9.0"], ["9.0"], ["8.9", "10.0"]),
        (["9.0a"], ["9.0"], ["10.0", "12.0"]),
        (["10.0"], ["10.0", "10.3"], ["9.0", "11.0", "12.0"]),
        (["10.0f"], ["10.0", "10.3"], ["11.0", "12.0"]),
        (["10.0a"], ["10.0"], ["10.3"]),
        (["12.0"], ["12.0", "12.1"], ["10.0", "1.2"]),
        (["12.0a"], ["12.0"], ["12.1"]),
        (["gfx90a", "gfx942"], ["gfx90a", "gfx942"], ["gfx908", "gfx950", "9.0", "9.4"]),
        (["9.0"], [], ["gfx900"]),
        ([], [], ["9.0", "gfx942"]),
    ],
)
def test_what_runs_where(architectures: list[str], runs: list[str], not_on: list[str]) -> None:
    assert [gpu for gpu in runs if not runs_on(architectures, gpu)] == []
    assert [gpu for gpu in not_on if runs_on(architectures, gpu)] == []


def test_torch_takes_a_list_with_semicolons() -> None:
    assert torch_arch_list(checked("cuda", ["9.0a", "8.0"])) == "8.0;9.0a"
    assert torch_arch_list(("gfx942",)) == "gfx942"
