"""What keys of config.yaml ask of each other, and what a plan asks of its inputs."""

import graphlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from packaging.version import InvalidVersion, Version

from snakedev.base.errors import UserError
from snakedev.config.explain import one_of
from snakedev.config.model import Config, Cpu
from snakedev.config.repos import Interpreter
from snakedev.plan.plan import Plan
from snakedev.plan.sources import Sources
from snakedev.recipes.registry import KERNEL_LAYOUTS, RECIPES, borrowed_layout
from snakedev.sources import patch_file
from snakedev.wheels import kernel_patches
from snakedev.wheels.upstream_kernels import refuse_lacking


def refuse(config: Config, source: str = "config.yaml") -> None:
    """Raise UserError with one line for each thing in which keys do not fit together.

    ``source`` names the files that the configuration comes from.
    """
    problems = [
        *_interpreter(config.interpreter),
        *_references(config),
        *_origins(config),
        *_kernels(config),
    ]
    if problems:
        raise UserError("\n".join(f"{source}: {line}" for line in problems))


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
            right = one_of(repo.recipe, sorted(RECIPES))
            problems.append(f"repos.{name}.recipe: there is no recipe '{repo.recipe}': {right}")
        for need in repo.build_needs:
            if need not in config.repos:
                right = one_of(need, repos)
                problems.append(f"repos.{name}.build_needs: there is no repo '{need}': {right}")
    if config.variants.rocm is not None and config.registries.torch_rocm is None:
        problems.append(
            "variants.rocm: the package index has no torch for ROCm: name an index that has it in "
            "registries.torch_rocm, such as PyTorch's ROCm wheel index"
        )
    for variant in config.smoke.variants:
        if variant not in variants:
            right = one_of(variant, variants)
            problems.append(f"smoke.variants: '{variant}' is not under variants: {right}")
    for model in config.smoke.models:
        if model not in config.models:
            problems.append(f"smoke.models: there is no model '{model}': {one_of(model, models)}")
    for variant in config.bench_report.variants:
        # the default names cpu, whether or not there is such a variant
        if variant not in variants and "variants" in config.bench_report.model_fields_set:
            right = one_of(variant, variants)
            problems.append(f"bench_report.variants: '{variant}' is not under variants: {right}")
    benched = config.bench_report.model
    if benched is not None and benched not in config.models:
        right = one_of(benched, models)
        problems.append(f"bench_report.model: there is no model '{benched}': {right}")
    for name in config.patch_report.refs:
        if name not in config.repos:
            right = one_of(name, repos)
            problems.append(f"patch_report.refs.{name}: there is no repo '{name}': {right}")
        elif config.repos[name].git is None and any(
            not config.repos[name].may_release(ref) for ref in config.patch_report.refs[name]
        ):
            problems.append(
                f"patch_report.refs.{name}: the repo has no git pin to look refs up with: give "
                f"repos.{name}.git.url and repos.{name}.git.commit, or versions of its release"
            )
        elif not config.has_pin(name):
            problems.append(
                f"patch_report.refs.{name}: the repo has no release to build from: set its origin "
                f"to git"
            )
    for name in config.work:
        if name not in config.repos:
            problems.append(f"work: there is no repo '{name}': {one_of(name, repos)}")
        elif not config.repos[name].enabled:
            problems.append(f"work: '{name}' is not built: set repos.{name}.enabled: true")
    problems += _cycles(config)
    return problems


def _cycles(config: Config) -> list[str]:
    """A circle of repos that need each other to build, if there is one."""
    needs = {name: repo.build_needs for name, repo in config.repos.items()}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1]
        shown = " needs ".join(f"'{name}'" for name in reversed(circle))
        return [f"repos.{circle[-1]}.build_needs: a circle: {shown}: take one of them out"]
    return []


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
        released = repo.release if origin == "release" else None
        if released and released.kind == "sdist" and not _alike(repo.version, released.version):
            problems.append(
                f"repos.{name}.version: {repo.version} is not repos.{name}.release.version "
                f"({released.version}), and its wheel would have another version than its source: "
                f"set both to the same, or take release.version out"
            )
        if origin == "release" and repo.git and repo.release and repo.release.commit:
            if repo.git.commit != repo.release.commit:
                problems.append(
                    f"repos.{name}.git.commit: {repo.git.commit} is not the commit of release "
                    f"{repo.release.version} ({repo.release.commit}), and origin is release: set "
                    f"repos.{name}.origin: git to build that commit, or put the release's back"
                )
    return problems


def _alike(wheel: str, release: str) -> bool:
    """Whether a release gives wheels of a version, which may have a label of its own behind a +."""
    try:
        return Version(wheel.partition("+")[0]) == Version(release.partition("+")[0])
    except InvalidVersion:
        return wheel == release


def _kernels(config: Config) -> Iterator[str]:
    """What stands against taking kernels from finished wheels."""
    for name, repo in config.repos.items():
        layout = KERNEL_LAYOUTS.get(repo.recipe)
        if layout is None and repo.kernels:
            yield (
                f"repos.{name}.kernels: recipe {repo.recipe} has no kernels that a finished wheel "
                f"could give: take it out"
            )
        if layout is None or not repo.enabled:
            continue
        for variant in layout.other_sources:
            parts = layout.parts(variant, repo.build_needs)
            settings = getattr(config.variants, variant)
            if settings is not None and settings.kernels == "upstream":
                yield from _against_upstream(config, name, variant, parts)


def _against_upstream(
    config: Config, name: str, variant: str, parts: Sequence[str]
) -> Iterator[str]:
    """What stands against taking a repo's kernels for a variant from its finished wheel."""
    repo, settings = config.repos[name], getattr(config.variants, variant)
    pin = config.borrowed(variant) if config.borrower(variant) == name else None
    key = f"variants.{variant}.kernels"
    otherwise = f"set {key}: source"
    if pin is None:
        yield (
            f"{key}: upstream takes the kernels from a wheel of {repo.version}, and none is named: "
            f"where an index has one, give name, version and sha256 under "
            f"repos.{name}.kernels.{variant}; or {otherwise}"
        )
        return
    if isinstance(settings, Cpu) and not settings.onednn:
        yield (
            f"variants.cpu.onednn: false has no effect on {key}: upstream, whose kernels have "
            f"oneDNN in them: set it to true, or {otherwise}"
        )
    if pin.version != repo.version:
        yield (
            f"repos.{name}.kernels.{variant}.version: {pin.version} is not repos.{name}.version "
            f"({repo.version}), and kernels fit their own version only: name the wheel of "
            f"{repo.version}, or {otherwise}"
        )
    released = repo.release.commit if repo.release else None
    if config.origin_of(name) == "git" and repo.git and released not in (None, repo.git.commit):
        yield (
            f"repos.{name}.git.commit: {repo.git.commit} is not the commit of release "
            f"{repo.version} ({released}), whose kernels {key}: upstream takes: "
            f"put that back, or {otherwise}"
        )
    for part in config.work:
        if part in parts:
            yield (
                f"work: '{part}' is in the kernels that {key}: upstream takes as they are: "
                f"{otherwise}, or take it off the list"
            )


def require_inputs(plan: Plan, *, with_locks: bool, with_facts: bool = True) -> None:
    """Raise UserError for every patch series, lock and file of what is known of a source that no
    plan can be made from."""
    config, sources, buildable = plan.config, plan.sources, plan.buildable
    environments = {f"run-{variant}" for variant in config.configured_variants()}
    for repo, entry in config.repos.items():
        if entry.enabled and (environment := sources.recipe(repo).environment):
            variants = buildable.variants_of(repo)
            environments |= {environment.format(variant=variant) for variant in variants}
    checks: list[tuple[Callable[[Any], object], Iterable[object]]] = [
        (partial(_kernel_patches, sources), kernel_patches.behind(config)),
        (partial(_variant, plan), config.configured_variants() if with_locks else ()),
        (sources.pinned_source, [name for name in config.repos if config.has_pin(name)]),
        (sources.require_facts, sources.with_facts() if with_facts else ()),
        (plan.wheels.check_lock, sorted(environments) if with_locks else ()),
        (buildable.require_locked, buildable.wheel_repos() if with_locks else ()),
    ]
    problems = []
    for check, arguments in checks:
        for argument in arguments:
            try:
                check(argument)
            except UserError as error:
                problems.append(str(error))
    if problems:
        raise UserError("\n".join(dict.fromkeys(problems)))


def require_work(sources: Sources) -> None:
    """Raise UserError for every work folder that the run cannot build from."""
    _ = sources.work
    if lines := [line for repo in sources.config.work for line in _kernel_edits(sources, repo)]:
        raise UserError("\n".join(lines))


def _variant(plan: Plan, variant: str) -> None:
    """Raise UserError where a variant's toolkit, GPU architectures or kernels do not fit."""
    if variant == "cuda":
        _ = plan.buildable.cuda
    built_for = plan.buildable.built_for(variant)
    if known := plan.wheels.known_kernels(variant):
        layout = borrowed_layout(plan.config, variant)
        assert layout is not None
        refuse_lacking(layout, plan.wheels.own_kernels(variant), known, variant, built_for)


def _kernel_patches(sources: Sources, behind: kernel_patches.Behind) -> None:
    """Raise UserError for patches that kernels which are not compiled here would lack."""
    origin = sources.config.origin_of(behind.repo)
    series = patch_file.series(sources.project / "patches" / behind.repo, origin)
    shown = ((os.path.relpath(path, sources.project), patch_file.contents(path)) for path in series)
    if lines := [*behind.patch_problems(shown)]:
        raise UserError("\n".join(lines))


def _kernel_edits(sources: Sources, repo: str) -> Iterator[str]:
    """What a work folder changes of kernels that are not compiled here."""
    behind = [one for one in kernel_patches.behind(sources.config) if one.repo == repo]
    if not behind:
        return
    work = sources.opened_work_folder(repo)
    commits = [(f"{work}: {patch.name}", patch.data) for patch in work.patches]
    edited = work.uncommitted()
    for one in behind:
        yield from one.patch_problems(commits)
        yield from one.edit_problems(str(work), edited)
