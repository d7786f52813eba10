"""What the Snakefile does before any rule: the configuration, the plan, and one run at a time."""

import difflib
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from snakedev.base.capacity import available_memory_gb, parallel_jobs
from snakedev.base.errors import UserError
from snakedev.base.folders import refuse_unfit, refuse_unwritable
from snakedev.base.run_lock import RunLock
from snakedev.config.external import with_external_projects
from snakedev.config.fields import VARIANTS
from snakedev.config.model import Config
from snakedev.config.read import check, refuse_duplicates, restore_nulls
from snakedev.machine.jobserver import JobServer
from snakedev.plan import checks
from snakedev.plan.answers import Handed
from snakedev.plan.elsewhere import refuse_native
from snakedev.plan.needs import Jobs, only_removes, require
from snakedev.plan.plan import Plan
from snakedev.plan.sources import Sources
from snakedev.sources import patch_file
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout
from snakedev.store.publish import prepare
from snakedev.store.roots import write_root

if TYPE_CHECKING:
    from snakedev.store.remote import RemoteStore

# targets that compile locks
_LOCKS = {"locks", "upgrade_locks", "bump"}
# those that there are of each repo
_FOR_A_REPO = ("edit", "export", "upstream")
# those that are about vLLM; a GIL report can be about other packages, too
_OF_VLLM = {"smoke_report", "compat_report", "gil_report", "bench_report"}


def targets(arguments: Namespace) -> frozenset[str]:
    """The targets of a command line that Snakemake's parser has read.

    In a job's process these are the rules of its jobs.
    """
    return frozenset(arguments.targets) | {job.rulename for job in arguments.target_jobs}


def runs_elsewhere(arguments: Namespace) -> bool:
    """Whether a command line, with its profiles, has jobs run on other machines."""
    return arguments.executor not in (None, "local", "dryrun", "touch")


def refuse_misspelt(asked: Iterable[str], known: Collection[str]) -> None:
    """Raise UserError for a target that is neither a ``known`` name nor a file's path."""
    for target in asked:
        if target in known or os.sep in target or Path(target).exists():
            continue
        near = difflib.get_close_matches(target, known, n=1)
        meant = f"did you mean {near[0]}?" if near else "see `snakemake --list-target-rules`"
        raise UserError(f"{target}: no such target: {meant}")


def load(
    config: dict[str, Any],
    files: list[Path],
    project: Path,
    asked: Collection[str],
    *,
    elsewhere: bool = False,
    used: Callable[[], bool] = bool,
    given: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Plan, RunLock]:
    """Check the configuration that Snakemake put together, and plan the targets ``asked`` for.

    ``elsewhere`` says that jobs run on other machines, ``used`` whether this is a run that makes
    something. ``given`` is what `--config` gave of the configuration. Raises UserError with a line
    for each thing that is wrong.
    """
    for folder in {Path.cwd(), project}:
        refuse_unfit(folder, "the clone's folder")
    refuse_duplicates(files)
    restore_nulls(config, given)
    names = " + ".join(dict.fromkeys(map(os.path.relpath, files))) or "config.yaml"
    checked = with_external_projects(check(config, names), project / "envs")
    checks.refuse(checked, names)
    _refuse_targets(checked, asked)
    layout = Layout.of(checked)
    refuse_unfit(layout.shared, "store")
    if layout.store and (letters := re.search(r"#|;|\$", str(layout.store))):
        raise UserError(
            f"store: {str(layout.store)!r} has '{letters[0]}', which uv reads in a wheel's path as "
            f"a requirement's: name another folder"
        )
    if elsewhere:
        refuse_native(checked, names)
    lock = RunLock(layout.root)
    artifacts = Artifacts(layout, remote=_remote_store(checked, names, used))
    plan = Plan(checked, artifacts, project, run=lock.name, elsewhere=elsewhere)
    # what does not fit must not stop what mends it
    with_locks = _LOCKS.isdisjoint(asked)
    with_facts = with_locks and not any(map(_on_a_moved_pin, asked))
    checks.require_inputs(plan, with_locks=with_locks, with_facts=with_facts)
    for line in patch_file.ignored(project / "patches", checked.repos):
        print(f"warning: {line}", file=sys.stderr)
    # those that mend a work folder must run while it is not ready for a build
    if checked.work and not any(target.startswith(("edit_", "export_")) for target in asked):
        checks.require_work(plan.sources)
    return plan, lock


def _remote_store(config: Config, source: str, used: Callable[[], bool]) -> "RemoteStore | None":
    """Raises UserError where nothing can be put into the remote store, and it is asked for."""
    url, write = config.store_remote, config.store_remote_write
    if url is None and write:
        raise UserError(
            f"{source}: store_remote_write: true puts into a store that is not named: name it in "
            f"store_remote"
        )
    if url is None:
        return None
    if write and url.startswith("https:"):
        raise UserError(
            f"{source}: store_remote_write: true cannot put into {url}: set it to false, or name "
            f"the bucket behind it in store_remote"
        )
    from snakedev.store.remote import RemoteStore

    return RemoteStore(url, write=write, used=used)


def _on_a_moved_pin(target: str) -> bool:
    """Whether a target is for patches, which follow a pin before the locks do."""
    return target == "patch_report" or target.startswith(("edit_", "export_", "upstream_"))


def _refuse_targets(config: Config, asked: Collection[str]) -> None:
    """Raise UserError for a target that the configuration gives nothing to make from."""
    vllm = config.repos.get("vllm")
    smokes = config.smoke.variants and config.smoke.models
    for target in asked or ("smoke_report",):
        kind, _, name = target.partition("_")
        if kind in ("wheels", "env", "image") and name in VARIANTS:
            if name not in config.configured_variants():
                raise UserError(f"{target}: config.yaml has no variants.{name}: describe it there")
        elif target in _OF_VLLM and not (vllm and vllm.enabled):
            if vllm is not None:
                raise UserError(f"{target}: vLLM is not built: set repos.vllm.enabled: true")
            if target == "compat_report" or (target == "smoke_report" and smokes):
                raise UserError(f"{target}: config.yaml has no vLLM: describe it in repos.vllm")
        elif kind in _FOR_A_REPO and name in config.repos and not config.has_pin(name):
            raise UserError(f"{target}: {name} has no release: run it with `--config origin=git`")
        elif kind in _FOR_A_REPO and name == "REPO":
            names = ", ".join(filter(config.has_pin, config.repos))
            raise UserError(f"{target}: put a repo in place of REPO: {names}")


def begin(plan: Plan, lock: RunLock, cores: int, jobs: Jobs, handed: Handed | None = None) -> None:
    """Before the first of ``jobs``: see that they can run, be the only run here, and hand jobs
    their specs, and those on other machines what is ``handed`` to them.

    Raises UserError where something is missing, or another run is at work.
    """
    refuse_unwritable(plan.layout.root)
    if plan.layout.store is not None:
        prepare(plan.layout.store)
    require(plan.buildable, jobs)
    lock.acquire()
    note_reached(plan)
    if not only_removes(jobs):  # that must run where a disk is full, too
        plan.artifacts.write_specs()
        if handed is not None:
            handed.write(plan.layout.plan(lock.name))
        else:
            start_jobserver(plan.config, plan.layout, cores)
    plan.announce()


def note_reached(plan: Plan) -> None:
    """Write down in the store what this workflow reaches there, so that no other one prunes it."""
    try:
        write_root(plan.layout, list(plan.reached()))
    except UserError:
        pass  # without a lock that fits, say, there is no plan: what the last run wrote counts
    except OSError as error:
        print(
            f"warning: {plan.layout.shared}: cannot write down what this workflow reaches there "
            f"({error.strerror}): another one's prune may remove it",
            file=sys.stderr,
        )


def start_jobserver(config: Config, layout: Layout, cores: int) -> None:
    """Share the cores among all builds of this run, as far as memory permits."""
    limit = parallel_jobs(cores, config.build.memory_per_job_gb)
    JobServer(layout.jobserver, limit, available_memory_gb).start()


def end_at_conflicts(sources: Sources, asked: Iterable[str]) -> None:
    """End a run with a status of its own where work folders wait at conflicts.

    Their jobs have done what they can and said so: to Snakemake they did not fail.
    """
    repos = [target.removeprefix("edit_") for target in asked if target.startswith("edit_")]
    if "bump" in asked:
        repos += dict(sources.config.bump) or ["vllm"]
    if not repos:
        return
    # imported only here: it takes its time
    from snakedev.workbench.session import waits

    if waiting := [f"work/{repo}" for repo in repos if waits(sources.work_folder(repo))]:
        wait = "waits at a conflict" if len(waiting) == 1 else "wait at conflicts"
        print(f"{', '.join(waiting)} {wait}", file=sys.stderr)
        sys.exit(1)
