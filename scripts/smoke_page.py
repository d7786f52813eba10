"""Job: write the smoke report, and show the current runs under their own names."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.environments.environment import EnvironmentRecord
from snakedev.inference.smoke_record import SmokeRecord
from snakedev.reports.smoke.page import Reported, write_report
from snakedev.store.layout import Layout
from snakedev.wheels.record import WheelRecord

if __name__ == "__main__":
    with job("smoke report", snakemake.log[0]) as running:
        given = snakemake.input
        wheels = dict.fromkeys(given.wheels)
        reported = Reported(
            runs=[SmokeRecord.read(Path(path)) for path in given.smoke],
            wheels=[WheelRecord.read(Path(path)) for path in wheels],
            environments=[EnvironmentRecord.read(Path(path)) for path in given.environments],
            left_out=snakemake.params.left_out,
            skipped=snakemake.params.skipped,
        )
        html, csv = Path(snakemake.output.html), Path(snakemake.output.csv)
        record = write_report(reported, snakemake.params.key, html, csv)
        for run in reported.runs:
            run.write(Layout.of(check(snakemake.config)).smoke_view(run.variant, run.model))
        record.write(Path(snakemake.output.record))
        running.say(f"see {html}")
