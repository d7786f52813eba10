"""What wheels ask for, on requirement lines of vLLM's own files."""

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.wheels.requires import rewrite, rewritten
from tests.unit.wheels.small_wheels import METADATA, made
from tests.unit.wheels.tiny import SPEC

EXCLUDED = {
    "fastsafetensors": "fastsafetensors",
    "intel-openmp": None,
    "mistral-common[image]": "video",
    "opencv-python-headless": "video",
    "opentelemetry-exporter-otlp": "otel",
    "pynvvideocodec": "video",
    "torchcodec": "video",
    "triton": None,
}
X86 = 'platform_machine == "x86_64" or platform_machine == "s390x"'


def asked(*lines: str, excluded: dict[str, str | None] = EXCLUDED) -> list[str]:
    backend = canonicalize_name("setuptools")
    return list(map(str, rewritten([Requirement(one) for one in lines], excluded, backend, "3.14")))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        # 0.26.0 and 0.33.0
        ("opencv-python-headless >= 4.13.0", ['opencv-python-headless>=4.13.0; extra == "video"']),
        ("PyNvVideoCodec==2.0.4", ['PyNvVideoCodec==2.0.4; extra == "video"']),
        (
            "mistral_common[image] >= 1.11.6",
            ["mistral_common>=1.11.6", 'mistral_common[image]>=1.11.6; extra == "video"'],
        ),
        ('intel-openmp==2024.2.1; platform_machine == "x86_64"', []),
        (
            'torchcodec >= 0.14; platform_machine != "riscv64" and platform_machine != "ppc64le"',
            [
                'torchcodec>=0.14; (platform_machine != "riscv64" and platform_machine != '
                '"ppc64le") and extra == "video"'
            ],
        ),
        (f"torch==2.11.0+cpu; {X86}", [f"torch==2.11.0; {X86}"]),
        ("nvidia-cutlass-dsl[cu13]==4.8.0", ["nvidia-cutlass-dsl[cu13]==4.8.0"]),
        # 0.33.0
        ('triton @ https://example.org/t-3.8.0+cpu-abi3.whl ; python_version >= "3.12"', []),
        (
            'protobuf == 7.36.1; platform_machine == "s390x"',
            ['protobuf==7.36.1; platform_machine == "s390x"'],
        ),
        # upstream's extras are as upstream has them
        ('mistral_common[audio]; extra == "audio"', ['mistral_common[audio]; extra == "audio"']),
        ('triton>=3; extra == "bench"', ['triton>=3; extra == "bench"']),
        # others
        ("mistral_common[audio,image]; python_version>'3.9'", [
            'mistral_common[audio]; python_version > "3.9"',
            'mistral_common[image]; python_version > "3.9" and extra == "video"',
        ]),
        ("other==1.0+cu130,!=1.0+cpu", ["other!=1.0+cpu,==1.0"]),
        ("other===1.0+cpu", ["other===1.0+cpu"]),
    ],
)  # fmt: skip
def test_a_requirement_as_the_wheel_has_it(line, wanted):
    assert asked(line) == wanted


def test_a_pin_of_the_backend_gives_way_to_a_range_beside_it():
    ranged = "setuptools<81.0.0,>=78.1.1; python_version > '3.11'"
    assert asked(ranged, "setuptools==78.1.1") == [str(Requirement(ranged))]
    assert asked("setuptools==78.1.1") == ["setuptools==78.1.1"]
    elsewhere = "setuptools>=78.1.1; python_version < '3.12'"
    assert asked(elsewhere, "setuptools==78.1.1")[1] == "setuptools==78.1.1"
    # no other package's pin is a matter of the build
    assert asked("numba>=0.60", "numba==0.65.0") == ["numba>=0.60", "numba==0.65.0"]


def test_what_an_extra_asks_for_already_is_there_once():
    lines = ("fastsafetensors >= 0.3.3", 'fastsafetensors>=0.3.3; extra == "fastsafetensors"')
    assert asked(*lines) == [lines[1]]
    both = asked(
        "opentelemetry-exporter-otlp >= 1.27.0",
        'opentelemetry-exporter-otlp>=1.26.0; extra=="otel"',
    )
    assert both == [
        'opentelemetry-exporter-otlp>=1.26.0; extra == "otel"',
        'opentelemetry-exporter-otlp>=1.27.0; extra == "otel"',
    ]


def test_a_wheel_that_asks_for_nothing_of_it_stays_as_it_is(tmp_path, environment, running):
    wheel = made(tmp_path)
    before = wheel.read_bytes()
    spec = SPEC.model_copy(update={"interpreter": {"version": "3.14"}, "excluded": EXCLUDED})
    assert rewrite(wheel, spec, tmp_path, environment, "1577836800", running) == wheel
    assert wheel.read_bytes() == before


def test_a_build_environment_that_cannot_pack_is_said(tmp_path, environment, running):
    wheel = made(tmp_path, metadata=METADATA.replace("needed", "triton"))
    spec = SPEC.model_copy(update={"interpreter": {"version": "3.14"}, "excluded": EXCLUDED})
    with pytest.raises(UserError) as caught:
        rewrite(wheel, spec, tmp_path, environment, "1577836800", running)
    assert str(caught.value) == (
        "tiny: `wheel`, which packs its wheel, is not in envs/build-any.in: name it there and run "
        "`snakemake locks`"
    )
