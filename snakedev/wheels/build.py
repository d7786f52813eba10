"""Building one wheel: PEP 517, without isolation, in a persistent build tree, network cut off.

The tree of a repo is kept from build to build and moved from source to source by git, which
touches only the files that differ, so a compiler runs only where something changed. What is
packed always starts clean. The wheel is checked before it is published.
"""

import hashlib
import math
import re
import shutil
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from uv import find_uv_bin

from snakedev.base.capacity import parallel_jobs
from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.base.process import CommandError
from snakedev.config.model import Build
from snakedev.machine import buildlock, fitness, jobserver, remote_cache
from snakedev.machine.probe import Machine
from snakedev.machine.sandbox import Sandbox, permitted
from snakedev.sources.external_projects import read_build
from snakedev.sources.intact import require_objects, require_tree
from snakedev.sources.source import SourceRecord
from snakedev.store.layout import Layout
from snakedev.store.publish import found, published
from snakedev.store.specs import WheelSpec
from snakedev.wheels import check, device_code, repack, requires
from snakedev.wheels import tree as build_tree
from snakedev.wheels import variables as build_variables
from snakedev.wheels.record import WheelPatch, WheelRecord
from snakedev.wheels.upstream_kernels import KernelsRecord, unpack


def build_wheel(
    spec: WheelSpec,
    layout: Layout,
    machine: Machine,
    cores: int,
    settings: Build,
    running: Job,
    kernels: KernelsRecord | None = None,
    finished: Path | None = None,
    *,
    given_gb: float = math.inf,
) -> WheelRecord:
    """Build a wheel and publish it with its record, or find it in the store.

    ``kernels`` are those that the spec says are borrowed, ``finished`` is the wheel that a recipe
    repacks; ``given_gb`` is the memory that the job may use.
    As many compilations run at once as there are ``cores`` and memory, fewer while the run's job
    server gives other builds a share. Raises UserError when the result is not what was asked for,
    CommandError when the build fails; either leaves nothing in the store.
    """
    final = layout.folder(spec)
    if record := found(final / spec.record_name, WheelRecord, running):
        return record
    fitness.refuse_others(spec.compilers, machine, socket.gethostname())
    source_folder = layout.source(spec.repo, spec.source_key)
    source = SourceRecord.read(source_folder / "source.json")
    shared = (layout.build(spec.variant, spec.repo) / spec.tree_key).resolve()
    folder = build_tree.place(settings.trees, shared)
    fixed_paths = permitted(fixed_paths=True)
    if not fixed_paths:
        # a tree that was configured in one of its two places cannot go on in the other
        folder /= "real-paths"
    by_nvcc = spec.variant == "cuda"
    memory_gb = settings.memory_per_nvcc_job_gb if by_nvcc else settings.memory_per_job_gb
    jobs = parallel_jobs(cores, memory_gb, given_gb=given_gb)
    with ExitStack() as held:
        # beside other machines' builds too; who held it may have made the wheel
        held.enter_context(buildlock.held(folder, running, shared))
        if record := found(final / spec.record_name, WheelRecord, running):
            return record
        scratch = held.enter_context(published(final))
        held.enter_context(
            jobserver.joined(layout.jobserver, folder / "jobs", jobs, running, memory_gb)
        )
        cache = held.enter_context(remote_cache.reached(settings.compiler_cache_remote, running))
        checkout = source_folder / "tree"
        try:
            tree = build_tree.move(folder / "tree", checkout, spec.subdirectory, running)
        except CommandError:
            require_objects(source_folder)
            raise
        for need, key in spec.needs.items():
            needed = layout.source(need, key)
            require_tree(needed, SourceRecord.read(needed / "source.json").commit)
        for repo, reason in spec.without.items():
            running.say(f"without {repo}: {reason}")
        if kernels is not None:
            own = run_git(["ls-tree", "-r", "--name-only", "-z", "HEAD"], checkout).split("\0")
            changed = (file for patch in source.patches for file in patch.files)
            _unpack_kernels(kernels, frozenset(own).union(changed), folder / "kernels", running)
        environment = layout.environment(spec.environment_name, spec.environment_key).resolve()
        sandbox = _sandbox(folder, settings, fixed_paths=fixed_paths)
        places = build_variables.place(spec, layout, folder, environment, sandbox)
        variables = build_variables.make(
            spec,
            layout,
            machine,
            places,
            jobs,
            nvcc_threads=settings.nvcc_threads,
            compiler_cache=settings.compiler_cache,
            remote_cache=cache,
        )
        # a build script of a crate may call a make that is too old for such a job server
        flags = "MAKEFLAGS" if spec.crates_key is None else "CARGO_MAKEFLAGS"
        variables[flags] = jobserver.make_flags(places.folder / "jobs", jobs)
        wheel = requires.rewrite(
            repack.repack(spec, finished, places, variables, running)
            if finished
            else _run(spec, places, variables, running),
            spec,
            tree / spec.subdirectory,
            environment,
            variables["SOURCE_DATE_EPOCH"],
            running,
        )
        device = _expected_device_code(spec, tree, environment)
        checked = check.check(
            wheel,
            spec.repo,
            spec.version,
            environment,
            running,
            device,
            abi=spec.abi,
            declared=spec.declared if finished else None,
        )
        if spec.sanitizer is not None:
            check_instrumented(spec, checked.instrumented, running)
        record = _record(spec, source, kernels, sandbox, checked, wheel, running)
        shutil.copyfile(wheel, scratch / wheel.name)
        shutil.copyfile(running.log_path, scratch / "build.log")
        record.write(scratch / spec.record_name)
        shutil.rmtree(folder / "kernels", ignore_errors=True)
    # another workflow may have published first: what is there counts
    record = WheelRecord.read(final / "wheel.json")
    running.say(f"{record.file} in {record.seconds:.0f} s")
    return record


class BuildOutput:
    """Watches a build's output, and says how far ninja or cargo is."""

    def __init__(self, running: Job):
        self._running, self._crates = running, 0

    def __call__(self, line: str) -> None:
        if match := re.match(r"\[(\d+)/(\d+)\]", line.strip()):
            self._running.status(f"{match[1]} of {match[2]} compilations")
        elif match := re.match(r"\s*Compiling (\S+ \S+)", line):
            self._crates += 1
            self._running.status(f"crate {self._crates}: {match[1]}")


def check_instrumented(spec: WheelSpec, instrumented: Mapping[str, bool], running: Job) -> None:
    """Say which extensions the interpreter's sanitizer does not see.

    Raises UserError where it sees none of those that were compiled from C or C++ here.
    """
    plain = [name for name, seen in instrumented.items() if not seen]
    if not plain:
        return
    if spec.instruments and spec.kernels is None and len(plain) == len(instrumented):
        raise UserError(
            f"{spec.repo}: not one of its extensions was compiled with ThreadSanitizer: its build "
            f"does not heed CFLAGS and CXXFLAGS"
        )
    reason = "" if spec.instruments else ": Rust's stable compiler has no sanitizers"
    running.say(f"ThreadSanitizer does not see {', '.join(plain)}{reason}")


def _unpack_kernels(
    taken: KernelsRecord, in_source: frozenset[str], folder: Path, running: Job
) -> None:
    """Lay out the kernels of a finished wheel for a build."""
    shutil.rmtree(folder, ignore_errors=True)
    unpack(taken.wheel, taken.kernels, in_source, folder)
    names = ", ".join(library.name for library in taken.kernels.libraries)
    running.say(f"not compiled, but from {taken.kernels.file}: {names}")
    for member, reason in taken.kernels.left_out.items():
        running.say(f"without {member}: {reason}")


def _sandbox(folder: Path, settings: Build, *, fixed_paths: bool) -> Sandbox:
    """What the build runs in: its folders at fixed paths and no network, as far as that goes."""
    mount_point = folder / "root"
    mount_point.mkdir(exist_ok=True)
    cut_network = settings.network == "none" and permitted(cut_network=True)
    return Sandbox(mount_point, fixed_paths=fixed_paths, cut_network=cut_network)


def _run(
    spec: WheelSpec, places: build_variables.Places, variables: Mapping[str, str], running: Job
) -> Path:
    """Run the build; returns the wheel that it made."""
    made = places.real_folder / "dist"
    shutil.rmtree(made, ignore_errors=True)
    build: list[str | Path] = [
        find_uv_bin(),
        *("build", "--wheel", "--no-build-isolation", "--no-config", "--offline"),
        *("--python", places.environment / "bin" / "python"),
        *("--out-dir", places.folder / "dist"),
        places.tree / spec.subdirectory,
    ]
    try:
        command = places.sandbox.command(*build)
        running.run(command, env=variables, cwd=places.real_folder, watch=BuildOutput(running))
    except CommandError as error:
        raise CommandError(list(map(str, build)), error.code, error.tail, error.why) from None
    wheels = sorted(made.glob("*.whl"))
    if len(wheels) != 1:
        raise UserError(f"{spec.repo}: the build made {len(wheels)} wheels where one is due")
    return wheels[0]


def _expected_device_code(
    spec: WheelSpec, tree: Path, environment: Path
) -> device_code.Expected | None:
    """What device code a wheel for GPUs should have, by its build files."""
    if spec.variant not in ("cuda", "rocm") or not spec.architectures:
        return None
    by_library: dict[str, frozenset[str]] = {}
    for file in (tree / spec.subdirectory).glob("build/temp.*/build.ninja"):
        by_library |= device_code.by_target(file)
    embedded = device_code.embedded_by_clang
    if spec.variant == "cuda":
        cuobjdump = device_code.find_cuobjdump(environment, spec.toolkit)
        embedded = partial(device_code.embedded, cuobjdump=cuobjdump)
    own = read_build(tree / spec.subdirectory).extensions.get(spec.variant, ())
    return device_code.Expected(embedded, by_library, spec.architectures, frozenset(own))


def _record(
    spec: WheelSpec,
    source: SourceRecord,
    kernels: KernelsRecord | None,
    sandbox: Sandbox,
    checked: check.CheckedWheel,
    wheel: Path,
    running: Job,
) -> WheelRecord:
    """What is recorded of a wheel that is as it should be."""
    data = wheel.read_bytes()
    return WheelRecord(
        key=spec.key,
        repo=spec.repo,
        variant=spec.variant,
        version=checked.version,
        file=wheel.name,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        tags=checked.tags,
        requires=checked.requires,
        origin=source.origin,
        pin=source.pin,
        patches=tuple(
            WheelPatch(name=patch.name, subject=subject)
            for patch in source.patches
            for subject in patch.subjects
        ),
        recipe=spec.recipe,
        recipe_number=spec.recipe_number,
        settings=spec.settings,
        passed=spec.passed,
        needs=spec.needs,
        without=spec.without,
        compilers=spec.compilers,
        interpreter=spec.interpreter,
        environment=f"{spec.environment_name}-{spec.environment_key}",
        network="none" if sandbox.cut_network else "open",
        paths="fixed" if sandbox.fixed_paths else "real",
        borrowed=kernels.kernels if kernels else None,
        gil=checked.gil,
        device_code=checked.device_code,
        instrumented=checked.instrumented if spec.sanitizer is not None else {},
        built=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(running.seconds, 1),
    )
