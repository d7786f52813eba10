"""Job: have branches and drafts of patches for upstream, and write the upstream report."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.bump.target import Places
from snakedev.config.read import check
from snakedev.fetch.index_pages import PackageIndex
from snakedev.plan.sources import Sources
from snakedev.reports.tests.record import TestsRecord
from snakedev.reports.upstream.page import headline, others, write_report
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout
from snakedev.upstream.kit import Ran, kits_there, make_kit

if __name__ == "__main__":
    wanted = snakemake.params
    with job("upstream", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout = Layout.of(config)
        sources = Sources(config, Artifacts(layout), Path(wanted.project))
        index = PackageIndex(layout.cache / "index", running, offline=False)
        places = Places(config, layout, index, running)
        for repo, (smokes, environments) in wanted.ran.items():
            tests = {file: TestsRecord.read(file) for file in map(Path, wanted.tests[repo])}
            ran = Ran(tuple(map(Path, smokes)), tests, tuple(environments))
            make_kit(places, sources, repo, ran)
        kits = kits_there(layout, sources.patched)
        write_report(kits, layout.reports)
        running.conclude(f"{headline(kits)} {others(kits)}See {layout.reports / 'upstream.html'}")
