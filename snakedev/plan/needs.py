"""What the jobs of a run need of this machine: tools, libraries, room on disks."""

from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.folders import for_code, for_sockets, taken_apart
from snakedev.environments import locks
from snakedev.machine import preflight
from snakedev.machine.sandbox import permitted
from snakedev.plan import images
from snakedev.plan.buildable import Buildable
from snakedev.recipes.recipe import lacking_toolkit
from snakedev.recipes.registry import borrowed_layout

Jobs = Collection[tuple[str, Mapping[str, str]]]
"""Rules, each with the wildcards of a job."""

_RUN = {"smoke", "gil_trial", "bench_run"}
_REMOVE = {"prune", "prune_now"}
# Bytes that an artifact takes, as measured for the default configuration and rounded up. In the
# store, or in results/ where there is none beside it:
_STORED = {"source": 0.3e9, "crates": 0.5e9, "model": 0.6e9, "wheel": 0.2e9}
# In results/:
_IMAGE, _WORKFLOW_IMAGE = 3.5e9, 1e9
_INTERPRETER, _TREE, _HEAVY_TREE = 0.4e9, 0.2e9, 3e9
# An environment with torch's libraries, one without, and one whose packages uv has in its cache, of
# which environments are hard links: those of a variant share nearly all.
_TORCH, _SMALL, _LINKED = 6e9, 0.5e9, 0.5e9


def require(buildable: Buildable, jobs: Jobs) -> None:
    """Raise UserError with a line for each thing that this machine lacks for what is to run."""
    rules = {rule for rule, _ in jobs}
    if lines := [
        *preflight.missing(
            buildable.machine,
            _tools(buildable, jobs),
            _libraries(buildable) if rules & {"wheel", *_RUN} else {},
            buildable.gxx(_wheels(jobs)),
            git=not only_removes(jobs),
        ),
        *_toolkits(buildable, jobs),
        *([line] if rules & {"image", "workflow_image"} and (line := images.lacking()) else []),
        *_folders(buildable, rules),
        *_room(buildable, jobs),
    ]:
        raise UserError("\n".join(dict.fromkeys(lines)))


def only_removes(jobs: Jobs) -> bool:
    """Whether jobs only remove what is there."""
    return {rule for rule, _ in jobs} <= _REMOVE


def _tools(buildable: Buildable, jobs: Jobs) -> Iterator[str]:
    """The tools that jobs start."""
    for rule, wildcards in jobs:
        if rule == "interpreter":
            from_source = buildable.config.interpreter.from_source
            yield from ("cc", "cxx", "make") if from_source else ("cc",)
        elif rule == "crates":
            yield "cargo"
        elif rule == "wheel":
            yield from ("cc", *buildable.tools(wildcards["repo"], wildcards["variant"]))


def _libraries(buildable: Buildable) -> dict[str, str]:
    """The libraries of the machine that borrowed kernels load."""
    return {
        library: preflight.LIBRARIES[library]
        for variant in buildable.config.configured_variants()
        if (layout := borrowed_layout(buildable.config, variant))
        for library in layout.libraries.get(variant, ())
    }


def _wheels(jobs: Jobs) -> Iterator[tuple[str, str]]:
    return ((w["repo"], w["variant"]) for rule, w in jobs if rule == "wheel")


def _toolkits(buildable: Buildable, jobs: Jobs) -> Iterator[str]:
    for repo, variant in _wheels(jobs):
        if line := lacking_toolkit(variant, buildable.target(repo, variant).toolkit):
            yield line


def _folders(buildable: Buildable, rules: Set[str]) -> Iterator[str]:
    """What is wrong with where the clone lies, and with where scratch files do."""
    folder = buildable.sources.layout.root.resolve()
    letter = taken_apart(folder) if "wheel" in rules else None
    if letter and not permitted(fixed_paths=True):
        yield (
            f"{str(folder)!r} has {letter!r}, which takes compilers' flags apart, and this machine "
            f"permits no user namespaces, in which builds see other paths: permit them, or move "
            f"the clone"
        )
    for needed, find in (({"wheel", "interpreter"}, for_code), (_RUN, for_sockets)):
        if rules & needed:
            try:
                find()
            except UserError as error:
                yield str(error)


def _room(buildable: Buildable, jobs: Jobs) -> list[str]:
    """A line for each disk with too little room for what is to be made."""
    layout = buildable.sources.layout
    needed: dict[Path, float] = {layout.root: 0.0, layout.shared: 0.0}
    begun = set[str]()
    for rule, wildcards in jobs:
        needed[layout.shared] += _STORED.get(rule, 0)
        if rule == "interpreter":
            needed[layout.root] += _INTERPRETER
        elif rule == "image":
            needed[layout.root] += _IMAGE
        elif rule == "workflow_image":
            needed[layout.root] += _WORKFLOW_IMAGE
        elif rule == "environment":
            name = wildcards["name"]
            kind = name.partition("-")[2]
            linked = kind in begun or any(layout.root.glob(f"envs/*-{kind}-*"))
            full = _TORCH if locks.LOCKS[name].variant else _SMALL
            needed[layout.root] += _LINKED if linked else full
            begun.add(kind)
        elif rule == "wheel":
            heavy = buildable.sources.recipe(wildcards["repo"]).heavy
            needed[layout.root] += _HEAVY_TREE if heavy else _TREE
    return preflight.too_full(
        needed,
        "`snakemake prune_now` removes what no configuration reaches, and "
        f"{layout.cache} and {layout.downloads} may be deleted, too",
    )
