"""A small closure of vLLM, and what an index has of it, for tests of the compatibility report."""

from collections.abc import Mapping
from datetime import UTC, datetime

from packaging.version import Version

from snakedev.environments.exclusions import Exclusion, Exclusions
from snakedev.environments.locks import Pin
from snakedev.fetch.index_pages import IndexFile, Page
from snakedev.reports.compat.closure import Closure, Dependency
from snakedev.reports.compat.rows import CompatRecord, Known, closure_rows, tracked_rows
from snakedev.reports.compat.tracked import Tracked

ASKED = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
UPLOADED = datetime(2026, 11, 3, tzinfo=UTC)
OURS, GIL = "cp314-cp314t-manylinux_2_28_x86_64.whl", "cp39-abi3-manylinux_2_28_x86_64.whl"
PURE = "py3-none-any.whl"

FILES = {
    "aiohttp": [f"3.13.3-{OURS}"],
    "child": [f"1.0-{GIL}"],
    "deep-gemm": ["1.0.0.tar.gz"],
    "grpcio": [f"1.76.0-{GIL}"],
    "harmony": [f"0.0.8-{GIL}"],
    "mistral-common": [f"1.13.1-{PURE}"],
    "proto": [f"1.0-{PURE}"],
    "ray": [f"2.50.0-{GIL}"],
    "safetensors": [f"0.8.0-{GIL}", f"0.9.0rc1-{OURS}"],
    "tvm": [f"0.1.10-{OURS}", f"0.1.13-{OURS}"],
}
"""What the index has, by project."""

CLOSURES = {
    "cpu": {
        "aiohttp": ("3.13.3", "vllm"),
        "child": ("1.0", "grpcio"),
        "cubin": ("0.6.14", "vllm"),
        "grpcio": ("1.76.0", "vllm"),
        "harmony": ("0.0.7", "vllm"),
        "mistral-common": ("1.13.1", "vllm"),
        "proto": ("1.0", "grpcio"),
        "safetensors": ("0.8.0", "vllm"),
        "tvm": ("0.1.13", "vllm"),
    },
    "cuda": {"aiohttp": ("3.13.3", "vllm"), "tvm": ("0.1.10", "vllm")},
}
LOCKS = {
    "cpu": {
        "aiohttp": "3.13.3",
        "mistral-common": "1.13.1",
        "safetensors": "0.9.0rc1",
        "tvm": "0.1.13",
    },
    "cuda": {"aiohttp": "3.13.3", "tvm": "0.1.10"},
}
EXCLUSIONS = Exclusions(
    packages={
        "cubin": Exclusion(reason="it is on no index", without="nothing"),
        "grpcio": Exclusion(reason="it has no cp314t wheel", without="tracing"),
        "ray": Exclusion(reason="it has no wheel", without="several machines"),
    },
    extras={("mistral-common", "image"): Exclusion(reason="it needs opencv", without="images")},
)
TRACKED = (
    Tracked(name="ray", project="ray", without="several machines with Ray"),
    Tracked(
        name="mistral-common",
        project="mistral-common",
        without="Mistral's tokenizers",
        note="it is pure",
    ),
    Tracked(name="DeepGEMM", project="deep-gemm", repo="deepgemm", without="products in FP8"),
    Tracked(
        name="pplx-kernels",
        project="pplx-kernels",
        reason="git only",
        without="its backend",
        note="it takes NVSHMEM",
    ),
)


def page(name: str, files: Mapping[str, list[str]] = FILES) -> Page:
    """What the index has of a project."""
    listed = [
        IndexFile(
            name=f"{name.replace('-', '_')}-{rest}",
            version=rest.removesuffix(".tar.gz").split("-")[0],
            kind="sdist" if rest.endswith(".tar.gz") else "wheel",
            requires_python=None,
            yanked=False,
            uploaded=UPLOADED,
        )
        for rest in files.get(name, [])
    ]
    return Page(files=tuple(listed), listed=name in files, asked=ASKED)


def record(
    made: datetime = ASKED,
    files: Mapping[str, list[str]] = FILES,
    locks: Mapping[str, Mapping[str, str]] = LOCKS,
    closures: Mapping[str, Mapping[str, tuple[str, ...]]] = CLOSURES,
    parts: Mapping[str, str | None] | None = None,
    exclusions: Exclusions = EXCLUSIONS,
    own_exclusions: Mapping[str, Mapping[str, Exclusion]] | None = None,
    repacked: Mapping[str, str] | None = None,
    **more: object,
) -> CompatRecord:
    """A report's record of the small closure."""
    known = Known(
        python="3.14",
        locks={
            variant: {name: Pin(Version(text), frozenset()) for name, text in pins.items()}
            for variant, pins in locks.items()
        },
        built={"harmony": ("harmony", "0.0.8")},
        parts={"deepgemm": "it has no release"} if parts is None else parts,
        exclusions=exclusions,
        excluded={
            v: {**exclusions.packages, **(own_exclusions or {}).get(v, {})} for v in closures
        },
        tracked=TRACKED,
        repacked=repacked or {},
    )
    resolved = [
        Closure(variant, {n: Dependency(n, v, tuple(via)) for n, (v, *via) in packages.items()})
        for variant, packages in closures.items()
    ]
    names = {name for packages in closures.values() for name in packages}
    pages = {name: page(name, files) for name in names | {one.project for one in TRACKED}}
    values = {
        "made": made,
        "vllm": "0.26.0",
        "python": "3.14",
        "ordinary": "3.12",
        "index": "https://index.example.org/simple",
        "offline": False,
        "rows": tuple(tracked_rows(closure_rows(resolved, pages, known), pages, known)),
    }
    return CompatRecord(**{**values, **more})
