"""What is run and reported."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
)

from snakedev.config.fields import (
    BenchLoad,
    BenchPart,
    Count,
    GitRef,
    GpuName,
    Name,
    Section,
    Variant,
    expanded,
)


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
    gpus: tuple[GpuName, ...] = ()
    """The GPUs of the machines that a cluster's jobs run on, by compute capability, such as
    `["9.0"]` for H100, or AMD's names, such as `[gfx942]` (empty: those of this machine). They
    decide which variants such a run smokes, and are what `native` stands for."""
    force_gil_off: tuple[Variant, ...] = ("rocm",)
    """Variants whose stack still needs PYTHON_GIL=0, for smoke runs and for the line that activates
    their environment. The others run without it, and a run in which a module turns the GIL on
    fails."""
    max_tokens: Annotated[int, Field(ge=1)] = 32
    prompts: Annotated[tuple[Prompt, ...], Field(min_length=1)]
    throughput: Throughput = Throughput()


class PatchReport(Section):
    """What `snakemake patch_report` looks at beside the pins."""

    refs: dict[Name, tuple[GitRef, ...]] = {}
    """By repo: versions of its release's package on the package index, and branches, tags, full ref
    names or full commits of its git repository, on which its patches are tried too."""


class BumpReport(Section):
    """How `snakemake bump` goes about it."""

    on_the_way: bool = True
    """Whether each release between the pin and the one that is moved to is looked at, too: the
    series is tried on it, and what came with it is told of it."""


class CompatReport(Section):
    """How `snakemake compat_report` asks."""

    python: Annotated[str, StringConstraints(pattern=r"^3\.\d+$")] = "3.12"
    """The ordinary Python on which vLLM's requirements are resolved, as `3.12`."""
    offline: bool = False
    """Whether the package index is not asked: what it said last is in results/cache/index."""


class ServerBench(Section):
    """What the server's part of `snakemake bench_report` measures, and how long."""

    loads: Annotated[tuple[BenchLoad, ...], Field(min_length=1)] = (
        "short",
        "structured",
        "embeddings",
    )
    """What clients ask for: `single` is one client, the others are 16 for each core, at most 256,
    with very short answers, with answers in JSON of a schema, and with texts to embed; `images`
    are 8 for each core, with a picture each for a small vision model with random weights."""
    rounds: Count = 3
    """Rounds, in each of which every server is started, put under each load, and ended."""
    seconds: Annotated[float, Field(gt=0)] = 5.0
    """How long a load takes in a round, about."""
    api_servers: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2)
    """API server processes (`--api-server-count`) of the stock wheel, or of our build with the GIL
    on where there is none: what free threading is measured against."""
    loops: tuple[Count, ...] = (1, 2)
    """Event loops of a server of ours that is one process with its engine, with the GIL off."""


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
    throughput, and the server under load."""
    rounds: Count = 5
    """Rounds of each but the server, in which the contenders take turns; the median counts."""
    seconds: Annotated[float, Field(gt=0)] = 1.0
    """How long a round of threads takes."""
    threads: Count | None = None
    """Threads at most (null: the machine's cores, twice as many where they are few)."""
    prompts: Count = 16
    """Prompts of an offline round, answered at once."""
    tokens: Count = 64
    """New tokens for each of them."""
    server: ServerBench = ServerBench()
    stock: bool | Literal["built"] = True
    """Whether the stock wheel of the same vLLM on an ordinary Python is measured beside ours:
    the package index's, or one `built` here from the same pin, of our patches with those alone
    that say that it needs them to be built (`Build-only:`)."""
    python: Annotated[str, StringConstraints(min_length=1), AfterValidator(expanded)] | None = None
    """That Python: a version such as `3.12`, or a path (null: the one that runs Snakemake)."""
