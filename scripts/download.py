"""Job: download the archive of a release pin."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.config.repos import ReleasePin
from snakedev.fetch.download import DownloadRecord, fetch_pin
from snakedev.store.source_specs import SourceSpec

if __name__ == "__main__":
    with job(f"download {snakemake.wildcards.repo}", snakemake.log[0]) as running:
        spec = SourceSpec.read(Path(snakemake.params.spec))
        assert isinstance(spec.pin, ReleasePin)
        archive = fetch_pin(spec.pin, check(snakemake.config), running)
        DownloadRecord(archive=archive).write(Path(snakemake.output[0]))
