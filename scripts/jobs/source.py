"""Job: apply a patch series to a pin."""

from pathlib import Path

from scripts.config import check
from scripts.download import DownloadRecord
from scripts.job import job
from scripts.layout import Layout
from scripts.source import make_source
from scripts.specs import SourceSpec

if __name__ == "__main__":
    with job(f"source {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(snakemake.params.spec))
        archive = None
        if spec.origin == "release":
            archive = DownloadRecord.read(Path(snakemake.input.pin)).archive
        record = make_source(spec, Layout.of(check(snakemake.config)), archive, running)
        record.write(Path(snakemake.output[0]))
