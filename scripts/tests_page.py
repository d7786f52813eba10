"""Job: write the report on upstream's tests; a difference that is not known fails it."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.reports.tests.known import read_known
from snakedev.reports.tests.page import headline, refuse_differences, write_report
from snakedev.reports.tests.record import TestsRecord
from snakedev.store.layout import Layout
from snakedev.store.publish import shown

if __name__ == "__main__":
    with job("tests report", snakemake.log[0]) as running, shown(Path(snakemake.output[0])):
        runs = [TestsRecord.read(Path(path)) for path in snakemake.input.runs]
        folder = Layout.of(check(snakemake.config)).reports
        file = Path(snakemake.params.known)
        key = snakemake.wildcards.key
        record = write_report(runs, read_known(file), key, folder)
        for one in record.vanished:
            running.say(f"{one}: it passes: take it out of {file}")
        running.conclude(f"{headline(record)} See {folder / 'tests.html'}")
        refuse_differences(record, file)
