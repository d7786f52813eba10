"""The typed model of config.yaml: what to build, checked before the DAG is made.

Nothing here touches the network or the results; `check` of snakedev/config/read.py makes it from
a file's values. The JSON schema in schemas/config.schema.json is written from these models.
"""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    StringConstraints,
)

from snakedev.config.fields import (
    VARIANTS,
    BuildTrees,
    CacheUrl,
    CudaArchitectures,
    GitRef,
    HomePath,
    Isa,
    Kernels,
    Name,
    Origin,
    RemoteUrl,
    RocmArchitectures,
    Section,
    Toolkit,
    Variant,
    a_folder,
    comma_separated,
    with_settings,
)
from snakedev.config.reports import BenchReport, BumpReport, CompatReport, PatchReport, Smoke
from snakedev.config.repos import (
    GitPin,
    Interpreter,
    Model,
    ReleasePin,
    Repo,
    WheelPin,
)
from snakedev.config.upstream_tests import TestReport


class Registries(Section):
    """Package registries other than the ones that this machine's own tools are set to."""

    debian: HttpUrl | None = None
    """A Debian mirror (null: the one in this machine's apt configuration)."""
    torch: HttpUrl | None = None
    """An index that serves torch for the cpu variant, such as PyTorch's CPU wheel index; no CUDA
    toolkit is fetched then. Run `snakemake locks` after a change."""
    torch_rocm: HttpUrl | None = None
    """An index that serves torch for the rocm variant, such as PyTorch's ROCm wheel index; that
    variant needs it. Run `snakemake locks` after a change."""


class Build(Section):
    """How wheels are built; nothing here is part of a key."""

    memory_per_job_gb: Annotated[float, Field(gt=0)] = 2.5
    """Memory to count for one C++ compilation, in GB; with the cores, it limits parallel jobs."""
    memory_per_nvcc_job_gb: Annotated[float, Field(gt=0)] = 8.0
    """Memory to count for one compilation by nvcc, in GB."""
    nvcc_threads: Annotated[int, Field(ge=1)] = 1
    """Threads of one nvcc, which compile for several architectures at once."""
    trees: BuildTrees | None = None
    """A folder of each machine's own disk for checkouts and object files, where results/ lies on a
    network disk, on which compiling is slow (null: results/build). Variables such as `$USER` are
    those of the machine that builds. Nothing prunes it."""
    compiler_cache: bool = True
    """Whether what CMake compiles of C and C++ goes through ccache (in results/cache/ccache), and
    CPython where it is built from source; what setuptools or Rust compiles does not."""
    compiler_cache_remote: CacheUrl | None = None
    """A compiler cache that machines share: `file:/folder`, `redis://host:port` or
    `redis+unix:/socket` (null: none). What is not in ccache's own folder is looked up there."""
    network: Literal["none", "open"] = "none"
    """`none` builds in an empty network namespace where the kernel permits that."""


class Cpu(Section):
    """Settings of the cpu variant."""

    isa: Isa = "native"
    """Instruction sets to compile: `native` (this machine's best), `all` (portable), or a list."""
    onednn: bool = True
    """Whether oneDNN's matrix products are built in."""
    numa: bool = False
    """Whether memory can be bound to NUMA nodes; needs libnuma and its headers on the machine."""
    kernels: Kernels = "source"
    """Where vLLM's CPU kernels come from: `source` compiles them; `upstream` takes them from the
    wheel under `repos.vllm.kernels`, which has them for every instruction set, with oneDNN and
    NUMA, and compiles only what touches Python. It needs libnuma on the machine."""


class Cuda(Section):
    """Settings of the cuda variant."""

    architectures: CudaArchitectures = "native"
    """GPU architectures to compile for: `native` (this machine's GPUs), or a list such as
    `["8.9", "9.0a"]`: 7.5 T4 and RTX 20, 8.0 A100, 8.6 A10, A40 and RTX 30, 8.7 Jetson Orin, 8.9
    L4, L40 and RTX 40, 9.0a H100 and H200, 10.0 B200 and B300, 11.0 Jetson Thor, 12.0 RTX 50 and
    RTX PRO."""
    kernels: Kernels = "source"
    """Where vLLM's CUDA kernels come from: `source` compiles them; `upstream` takes them from the
    wheel under `repos.vllm.kernels`, which has them for many architectures, and compiles only what
    touches Python."""
    toolkit: Toolkit | None = None
    """A CUDA toolkit's folder on this machine, such as /usr/local/cuda-13.0 (null: the one from
    package registries)."""


class Rocm(Section):
    """Settings of the rocm variant."""

    architectures: RocmArchitectures = "native"
    """GPU architectures to compile for: `native` (this machine's GPUs), or a list such as
    `[gfx90a, gfx942]`: gfx90a MI200, gfx942 MI300, gfx950 MI350, gfx1030 RX 6800 and 6900, gfx1100
    RX 7900, gfx1201 RX 9070."""
    toolkit: Toolkit | None = None
    """ROCm's folder on this machine (null: /opt/rocm)."""


class Variants(Section):
    """Settings of each variant that is built."""

    cpu: Annotated[Cpu | None, BeforeValidator(with_settings)] = None
    cuda: Annotated[Cuda | None, BeforeValidator(with_settings)] = None
    rocm: Annotated[Rocm | None, BeforeValidator(with_settings)] = None


DebianPackage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]+$")]


class Image(Section):
    """The base of container images; run `snakemake image_lock` after a change."""

    suite: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")] = "trixie"
    """Debian's suite that its packages come from. Its C library must not be older than this
    machine's, which the wheels built here need."""
    packages: tuple[DebianPackage, ...] = (
        *("base-files", "ca-certificates", "coreutils", "dash", "libc-bin", "libc6", "libgcc-s1"),
        *("libgomp1", "libnuma1", "libstdc++6", "netbase", "util-linux", "zlib1g"),
    )
    """Debian's packages in it; what these need comes with them."""
    workflow_packages: tuple[DebianPackage, ...] = (
        *("apt", "base-files", "bash", "ca-certificates", "coreutils", "dash", "debianutils"),
        *("debian-archive-keyring", "diffutils", "dpkg", "findutils", "g++", "git", "grep"),
        *("gzip", "hostname", "libc-bin", "make", "mawk", "mount", "netbase", "patch", "procps"),
        *("python3-venv", "sed", "tar", "util-linux", "xz-utils"),
    )
    """Debian's packages in the image that holds the workflow, `snakemake image_workflow`."""


class Config(Section):
    """The whole of config.yaml."""

    origin: Origin = "release"
    """Where sources come from: releases of package registries, or git."""
    store: Annotated[HomePath, AfterValidator(a_folder)] | None = None
    """Another folder for sources, crates, wheels, models, smoke results and GIL trials, such as one
    on a network disk that several people share (null: results/)."""
    store_remote: RemoteUrl | None = None
    """A store in a cloud, on a web server or in a folder, that wheels and smoke results are taken
    from before they would be made: an s3, gs, az, https or file URL (null: none)."""
    store_remote_write: bool = False
    """Whether what is made here is put into it, too."""
    work: Annotated[tuple[Name, ...], BeforeValidator(comma_separated)] = ()
    """Repos that are built and run straight from work/<repo>, with edits that are not committed;
    what is made of them lies under results/work."""
    interpreter: Interpreter = Interpreter()
    registries: Registries = Registries()
    build: Build = Build()
    variants: Variants
    repos: dict[Name, Repo]
    models: dict[Name, Model]
    smoke: Smoke
    image: Image = Image()
    bump: dict[Name, GitRef] = {}
    """Which pins `snakemake bump` moves, and where to: `newest` (the newest release that can run
    here), a release's version, or for origin git a branch, a tag or a full commit. Of none, it is
    vLLM's, to its newest release."""
    bump_report: BumpReport = BumpReport()
    patch_report: PatchReport = PatchReport()
    compat_report: CompatReport = CompatReport()
    bench_report: BenchReport = BenchReport()
    test_report: TestReport = TestReport()

    @property
    def has_tests(self) -> bool:
        """Whether there is a repo whose own tests can be run."""
        return any(repo.tests for repo in self.repos.values())

    def origin_of(self, name: str) -> Origin:
        """The origin that a run uses for a repo."""
        return self.repos[name].origin or self.origin

    def has_pin(self, name: str) -> bool:
        """Whether a repo has a pin of the origin that a run uses for it. One that is only a part of
        others' builds may lack it; they do without it then."""
        repo = self.repos[name]
        return (repo.git if self.origin_of(name) == "git" else repo.release) is not None

    def pin_of(self, name: str) -> GitPin | ReleasePin:
        """The pin that a run uses for a repo that has one."""
        repo = self.repos[name]
        pin = repo.git if self.origin_of(name) == "git" else repo.release
        assert pin is not None
        return pin

    def borrower(self, variant: str) -> str | None:
        """The repo whose kernels a variant takes from a finished wheel; None where all are
        compiled."""
        settings = getattr(self.variants, variant, None)
        if getattr(settings, "kernels", "source") == "source":
            return None
        having = (n for n, repo in self.repos.items() if repo.enabled and variant in repo.kernels)
        return next(having, None)

    def borrowed(self, variant: str) -> WheelPin | None:
        """The wheel that a variant takes kernels from; None for one that compiles them."""
        borrower = self.borrower(variant)
        pins = self.repos[borrower].kernels.items() if borrower else ()
        return next((pin for name, pin in pins if name == variant), None)

    def torch_index(self, variant: Variant | None) -> str | None:
        """The index that a variant's torch comes from, where that is not the usual one.

        What is built for no variant alone (None) takes the usual one's.
        """
        chosen = {"cpu": self.registries.torch, "rocm": self.registries.torch_rocm}.get(
            variant or ""
        )
        return str(chosen) if chosen else None

    def configured_variants(self) -> tuple[Variant, ...]:
        """The variants that have settings, in the order of VARIANTS."""
        return tuple(v for v in VARIANTS if getattr(self.variants, v) is not None)
