"""How each kind of repo is built.

A recipe names the build environment, the compilers that enter the wheel's key, and the variables
that its build sees. Raise a recipe's ``number`` whenever the way of building changes: it is part
of every key made with it. snakedev/recipes/lock.py keeps that from being forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snakedev.machine.gpu_architectures import resolve, torch_arch_list

if TYPE_CHECKING:
    from packaging.version import Version

    from snakedev.config.model import Config
    from snakedev.machine.probe import Machine

DEFAULT_ROCM = Path("/opt/rocm")
ANY = "any"
"""The variant of a wheel without device code: built once, installed in all."""

RECIPE_NUMBERS = {
    "source": 1,
    "crates": 1,
    "environment": 2,
    "model": 1,
    "smoke": 3,
    "gil": 1,
    "patches": 1,
    "kernels": 1,
}
"""The recipe numbers of the other keyed artifacts, raised by hand in the same way."""

CPU_ISAS = ("avx2", "avx512", "amx")
"""The instruction sets that vLLM has a CPU extension for, each; a wheel for one of them is smaller
and takes a third of the time."""


@dataclass(frozen=True)
class Target:
    """What a wheel is built for, where and with what."""

    variant: str
    config: Config
    machine: Machine
    cuda: Version | None
    """The CUDA version of the torch that a variant for NVIDIA GPUs is built against."""


def _no_settings(target: Target) -> dict[str, str]:
    return {}


def _nothing_left_out(target: Target) -> dict[str, str | None]:
    return {}


@dataclass(frozen=True)
class Recipe:
    """One way of building a wheel."""

    number: int
    environment: str | None = "build-any"
    """The locked build environment, `{variant}` filled in; None for a repo that is only a source
    in another's build."""
    tools: tuple[str, ...] = ("cc", "cxx")
    """Compilers of results/machine.json whose identity enters the key."""
    per_variant: bool = False
    """Whether the repo has device code, so that each variant gets a wheel of its own."""
    heavy: bool = False
    """Whether its build takes so long that it should begin before others."""
    settings: Callable[[Target], dict[str, str]] = _no_settings
    """Variables of a variant's build; all of them enter the key."""
    left_out: Callable[[Target], dict[str, str | None]] = _nothing_left_out
    """Repos of `build_needs` that a variant's build does without, with the reason; None for one
    that it has no use for."""


CUDA_PARTS = {
    "cutlass": ("VLLM_CUTLASS_SRC_DIR", "${}", None),
    # its folder is the Python package inside triton's repository
    "triton-kernels": (
        "TRITON_KERNELS_SRC_DIR",
        "${}/python/triton_kernels/triton_kernels",
        "triton_kernels",
    ),
    "deepgemm": ("DEEPGEMM_SRC_DIR", "${}", "deepgemm"),
    "fmha-sm100": ("FMHA_SM100_SRC_DIR", "${}", "fmha_sm100"),
    "flashmla": ("FLASH_MLA_SRC_DIR", "${}", "flashmla"),
    "qutlass": ("QUTLASS_SRC_DIR", "${}", "qutlass"),
    "tml-fa4": ("TML_FA4_SRC_DIR", "${}", "tml_fa4"),
    "flash-attention": ("VLLM_FLASH_ATTN_SRC_DIR", "${}", "vllm_flash_attn"),
}
"""What vLLM's CUDA build takes in from other repos: by the repo, the variable that names its folder
(${} stands for that), and the name under which vLLM builds without it (CUTLASS it always needs)."""

KERNEL_PARTS = {"cpu": ("onednn",), "cuda": tuple(CUDA_PARTS)}
"""By variant whose kernels may come from a finished wheel: the repos that are in them besides
vLLM."""


def cpu_isas(config: Config, machine: Machine) -> tuple[str, ...]:
    """The instruction sets that the cpu variant is for, `native` and `all` resolved."""
    cpu = config.variants.cpu
    assert cpu is not None
    return {"all": CPU_ISAS, "native": (machine.isa,)}.get(cpu.isa, cpu.isa)


def _vllm_settings(target: Target) -> dict[str, str]:
    settings = {
        "VLLM_TARGET_DEVICE": target.variant,
        "VLLM_BUILD_RUST": "0",
        # where compiled objects are kept from build to build; .deps of the source tree is not
        "FETCHCONTENT_BASE_DIR": "${tree}/build/temp.deps",
    }
    own = {"cpu": _vllm_cpu_settings, "cuda": _vllm_cuda_settings, "rocm": _vllm_rocm_settings}
    return settings | own[target.variant](target)


def _vllm_cpu_settings(target: Target) -> dict[str, str]:
    cpu = target.config.variants.cpu
    assert cpu is not None
    if target.config.borrowed("cpu"):
        return _borrowed_settings(target, "cpu")
    settings = {
        "VLLM_VERSION_OVERRIDE": f"{target.config.repos['vllm'].version}+cpu",
        "VLLM_CPU_ISA": ";".join(cpu_isas(target.config, target.machine)),
        "VLLM_CPU_ONEDNN": "ON" if cpu.onednn else "OFF",
        "VLLM_CPU_NUMA": "ON" if cpu.numa else "OFF",
        "VLLM_CPU_TCMALLOC": "",
    }
    if cpu.onednn:
        settings["FETCHCONTENT_SOURCE_DIR_ONEDNN"] = "${SNAKEDEV_SOURCE_ONEDNN}"
    return settings


def _vllm_cuda_settings(target: Target) -> dict[str, str]:
    assert target.cuda is not None
    label = f"cu{target.cuda.major}{target.cuda.minor}"
    if target.config.borrowed("cuda"):
        return _borrowed_settings(target, label)
    without = _vllm_left_out(target)
    settings = {
        "VLLM_VERSION_OVERRIDE": f"{target.config.repos['vllm'].version}+{label}",
        "TORCH_CUDA_ARCH_LIST": torch_arch_list(_cuda_architectures(target)),
        "VLLM_EXTERNAL_LEFT_OUT": ";".join(
            name for repo, (_, _, name) in CUDA_PARTS.items() if name and repo in without
        ),
    }
    for repo, (variable, folder, _) in CUDA_PARTS.items():
        if repo not in without:
            source = "${SNAKEDEV_SOURCE_" + repo.upper().replace("-", "_") + "}"
            settings[variable] = folder.replace("${}", source)
    return settings


def _borrowed_settings(target: Target, label: str) -> dict[str, str]:
    """Those of a build that takes its kernels from a finished wheel."""
    return {
        "VLLM_VERSION_OVERRIDE": f"{target.config.repos['vllm'].version}+{label}.upstream",
        "VLLM_BORROWED_KERNELS": "${SNAKEDEV_KERNELS}",
    }


def _vllm_rocm_settings(target: Target) -> dict[str, str]:
    rocm = target.config.variants.rocm
    assert rocm is not None
    architectures = resolve("rocm", rocm.architectures, target.machine.gpus)
    return {
        "VLLM_VERSION_OVERRIDE": f"{target.config.repos['vllm'].version}+rocm",
        "PYTORCH_ROCM_ARCH": torch_arch_list(architectures),
        "ROCM_PATH": str(rocm.toolkit or DEFAULT_ROCM),
        # the only one of them that a build for ROCm takes in, from a forge
        "VLLM_EXTERNAL_LEFT_OUT": "triton_kernels",
    }


def _cuda_architectures(target: Target) -> tuple[str, ...]:
    assert target.config.variants.cuda is not None
    asked = target.config.variants.cuda.architectures
    return resolve("cuda", asked, target.machine.gpus)


def _vllm_left_out(target: Target) -> dict[str, str | None]:
    config = target.config
    if config.borrowed(target.variant):
        # kernels.py says of each library of the wheel whether it is taken
        return dict.fromkeys(["onednn", *CUDA_PARTS])
    if target.variant == "cpu":
        cpu = config.variants.cpu
        without: dict[str, str | None] = dict.fromkeys(CUDA_PARTS)
        return without if cpu and cpu.onednn else without | {"onednn": "variants.cpu.onednn is off"}
    if target.variant == "rocm":
        return dict.fromkeys(["onednn", *CUDA_PARTS])
    without = {"onednn": None} | {
        repo: "it has no release: `origin: git` builds it"
        for repo in CUDA_PARTS
        if repo not in config.repos or not config.has_pin(repo)
    }
    blackwell = any(name.startswith(("10.", "11.")) for name in _cuda_architectures(target))
    if blackwell and config.origin_of("cutlass") == "release":
        # a kernel for 10.x and 11.x; see patches/vllm/0014-…
        without["CUTLASS MLA"] = "cutlass's release lacks its headers: `origin: git` builds it"
    return without


# What vLLM uses of cv2: colours, resizing, files of images, and video, decoded from memory.
_OPENCV_OPTIONS = {
    "BUILD_LIST": "core,imgproc,imgcodecs,videoio,python3,python_bindings_generator",
    # a free-threaded Python has no limited API
    "PYTHON3_LIMITED_API": "OFF",
    # what vLLM's CPU kernels need at least; OpenCV refuses to be imported on less
    "CPU_BASELINE": "AVX2",
    "CPU_DISPATCH": "",
    # whatever else the machine has stays out, so that the wheel is the same everywhere
    **dict.fromkeys(
        (
            *("ADE", "AVIF", "EIGEN", "FLATBUFFERS", "GSTREAMER", "IPP", "ITT", "JASPER"),
            *("JPEGXL", "LAPACK", "OPENCL", "OPENEXR", "OPENJPEG", "OPENMP", "PROTOBUF", "TBB"),
            *("TIFF", "V4L", "VA", "VA_INTEL", "VTK", "WEBP", "1394"),
        ),
        None,
    ),
    "BUILD_JPEG": "ON",
    "BUILD_PNG": "ON",
    "BUILD_ZLIB": "ON",
    "BUILD_OPENEXR": "OFF",
    "ENABLE_CCACHE": "OFF",
    "ENABLE_PRECOMPILED_HEADERS": "OFF",
    "BUILD_JAVA": "OFF",
    # by whatever assembler the machine has
    "ENABLE_LIBJPEG_TURBO_SIMD": "OFF",
    # what else would differ in cv2.getBuildInformation(); the version is that of git's commit
    "BUILD_INFO_SKIP_TIMESTAMP": "ON",
    "BUILD_INFO_SKIP_SYSTEM_VERSION": "ON",
    "OPENCV_VCSVERSION": "unknown",
}

# No part of FFmpeg under the GPL; its encoder and muxers write the videos of vLLM's benchmarks.
_FFMPEG_COMPONENTS = {
    "decoder": "h264,hevc,vp8,vp9,mpeg1video,mpeg2video,mpeg4,mjpeg,gif,rawvideo",
    "demuxer": "mov,matroska,avi,gif,mpegts,mpegps,h264,hevc,m4v,ivf",
    "parser": "h264,hevc,vp8,vp9,mpegvideo,mpeg4video,mjpeg,gif",
    "bsf": "vp9_superframe_split,h264_mp4toannexb,hevc_mp4toannexb,mpeg4_unpack_bframes,"
    "extract_extradata",
    "encoder": "mpeg4",
    "muxer": "mov,mp4",
    "protocol": "file",
}


def _opencv_settings(target: Target) -> dict[str, str]:
    defined = (
        f"-DWITH_{name}=OFF" if value is None else f"-D{name}={value}"
        for name, value in _OPENCV_OPTIONS.items()
    )
    ffmpeg = (
        *("--enable-pic", "--disable-all", "--disable-autodetect", "--disable-debug"),
        *("--disable-doc", "--disable-programs", "--enable-pthreads"),
        *("--enable-avcodec", "--enable-avformat", "--enable-swscale"),
        *(f"--enable-{kind}={names}" for kind, names in _FFMPEG_COMPONENTS.items()),
    )
    return {
        "SKBUILD_CONFIGURE_OPTIONS": " ".join(defined),
        # the source is a git checkout of ours: its version and submodules stay as they are
        "OPENCV_PYTHON_SKIP_GIT_COMMANDS": "1",
        "OPENCV_PYTHON_FFMPEG_SOURCE": "${SNAKEDEV_SOURCE_FFMPEG}",
        "OPENCV_PYTHON_FFMPEG_OPTIONS": " ".join(ffmpeg),
        "OPENCV_PYTHON_NASM_SOURCE": "${SNAKEDEV_SOURCE_NASM}",
    }


RECIPES: dict[str, Recipe] = {
    "setuptools": Recipe(number=2),
    "scikit-build-core": Recipe(number=2, heavy=True),
    # crates may hold C++, as those of tokenizers do
    "maturin": Recipe(number=2, tools=("cc", "cxx", "rustc")),
    "opencv": Recipe(
        number=1,
        environment="build-opencv",
        # FFmpeg and nasm are built by make
        tools=("cc", "cxx", "make"),
        heavy=True,
        settings=_opencv_settings,
    ),
    "vllm": Recipe(
        number=2,
        environment="build-{variant}",
        per_variant=True,
        heavy=True,
        settings=_vllm_settings,
        left_out=_vllm_left_out,
    ),
    "source": Recipe(number=1, environment=None, tools=()),
}
