"""The CPU: its instruction sets."""

import pytest

from snakedev.base.cpu import best_isa, cpu_flags, flags_in

AVX2 = "fpu sse4_2 avx avx2 fma"
AVX512 = f"{AVX2} avx512f avx512bw avx512dq avx512vl"
AMX = f"{AVX512} avx512_bf16 amx_bf16 amx_tile amx_int8"


def cpuinfo(flags: str, cores: int = 2) -> str:
    """/proc/cpuinfo of a machine with these flags."""
    core = f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: {flags}\nbugs\t\t: spectre\n\n"
    return core * cores


@pytest.mark.parametrize(
    ("flags", "isa"),
    [
        ("fpu sse2", "none"),
        ("avx avx2", "none"),  # without fma
        (AVX2, "avx2"),
        (f"{AVX2} avx512f", "avx2"),  # vLLM needs more of AVX-512 than its base
        (AVX512, "avx512"),
        (f"{AVX512} avx512_bf16", "avx512"),
        (AMX, "amx"),
        (f"{AVX2} amx_tile_extended", "avx2"),
    ],
)
def test_the_best_complete_instruction_set_counts(flags: str, isa: str) -> None:
    assert best_isa(flags_in(cpuinfo(flags))) == isa


@pytest.mark.parametrize("text", ["", "processor\t: 0\nFeatures\t: fp asimd bf16\n"])
def test_a_cpu_of_another_kind_has_none(text: str) -> None:
    assert best_isa(flags_in(text)) == "none"


def test_this_machines_own_text_is_understood() -> None:
    assert best_isa(cpu_flags()) in ("none", "avx2", "avx512", "amx")
