"""Job: write the smoke report, and show the current runs under their own names."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.environments.environment import EnvironmentRecord
from snakedev.inference.smoke_record import SmokeRecord
from snakedev.reports.smoke.page import Reported, write_report
from snakedev.store.layout import Layout
from snakedev.store.publish import shown
from snakedev.wheels.record import WheelRecord

if __name__ == "__main__":
    with job("smoke report", snakemake.log[0]) as running, shown(Path(snakemake.output[0])):
        given = snakemake.input
        wheels = dict.fromkeys(given.wheels)
        reported = Reported(
            runs=[SmokeRecord.read(Path(path)) for path in given.smoke],
            wheels=[WheelRecord.read(Path(path)) for path in wheels],
            environments=[EnvironmentRecord.read(Path(path)) for path in given.environments],
            left_out=snakemake.params.left_out,
            skipped=snakemake.params.skipped,
        )
        layout, key = Layout.of(check(snakemake.config)), snakemake.wildcards.key
        for run in reported.runs:
            run.write(layout.smoke_view(run.variant, run.model))
        write_report(reported, key, layout.reports)
        running.conclude(f"see {layout.reports / 'smoke.html'}")
