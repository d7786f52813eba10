"""What the compatibility report rests on: vLLM's requirements, their closure, the index's word."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pypi_simple import PYPI_SIMPLE_ENDPOINT

from snakedev.base.job import Job
from snakedev.config.model import Config
from snakedev.config.source_facts import SourceIdentity, read_facts
from snakedev.environments.exclusions import read_exclusions
from snakedev.environments.locks import lock_pins
from snakedev.fetch.index_pages import PackageIndex
from snakedev.fetch.indexes import index_url, public_address
from snakedev.reports.compat.availability import OF_THE_INDEX
from snakedev.reports.compat.built import built_here, repacked_here
from snakedev.reports.compat.closure import resolve
from snakedev.reports.compat.rows import CompatRecord, Known, closure_rows, tracked_rows
from snakedev.reports.compat.tracked import read_tracked
from snakedev.store.layout import Layout


def look_up(
    config: Config,
    layout: Layout,
    folder: Path,
    parts: Mapping[str, str | None],
    running: Job,
) -> CompatRecord:
    """Find out what of vLLM's closure can be had.

    ``folder`` holds what vLLM's source asks for, the locks, the exclusions and the list of tracked
    packages; ``parts`` are the repos that may be part of vLLM's wheels here: None where one is,
    else why none is. Raises UserError for a file that is wrong and for an index that does not
    answer.
    """
    settings, origin = config.compat_report, config.origin_of("vllm")
    facts = read_facts(folder, SourceIdentity.pinned("vllm", config.repos["vllm"], origin), origin)
    variants = [v for v in config.configured_variants() if v in OF_THE_INDEX]
    known = Known(
        python=config.interpreter.version,
        locks={v: lock_pins(folder / f"run-{v}.lock") for v in variants},
        built=built_here(config),
        parts=parts,
        exclusions=read_exclusions(folder),
        excluded={v: read_exclusions(folder, f"run-{v}").packages for v in variants},
        tracked=read_tracked(folder),
        repacked=repacked_here(config),
    )
    index = PackageIndex(
        layout.cache / "index",
        running,
        offline=settings.offline,
        torch_index=config.torch_index("cpu"),
    )
    closures = [
        resolve(
            facts.requirements.get(variant, ()),
            variant,
            folder / f"run-{variant}.lock",
            settings.python,
            index,
            running,
            torch_index=config.torch_index(variant),
            offline=settings.offline,
        )
        for variant in variants
    ]
    names = {name for closure in closures for name in closure.packages}
    pages = index.pages(names | {one.project for one in known.tracked})
    rows = tracked_rows(closure_rows(closures, pages, known), pages, known)
    return CompatRecord(
        made=datetime.now(UTC),
        vllm=facts.version,
        python=known.python,
        ordinary=settings.python,
        index=public_address(index_url() or PYPI_SIMPLE_ENDPOINT),
        offline=settings.offline,
        rows=tuple(rows),
    )
