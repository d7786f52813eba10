"""Job: write the smoke report."""

from pathlib import Path

from scripts.environment import EnvironmentRecord
from scripts.job import job
from scripts.smoke_record import SmokeRecord
from scripts.smoke_report import write_report
from scripts.wheel import WheelRecord

if __name__ == "__main__":
    with job("smoke report", snakemake.log[0]) as running:
        record = write_report(
            snakemake.params.key,
            [SmokeRecord.read(Path(path)) for path in snakemake.input.smoke],
            [WheelRecord.read(Path(path)) for path in snakemake.input.wheels],
            [EnvironmentRecord.read(Path(path)) for path in snakemake.input.environments],
            snakemake.params.left_out,
            Path(snakemake.output.html),
            Path(snakemake.output.csv),
        )
        record.write(Path(snakemake.output.record))
        running.say(f"{snakemake.output.html}: {'passed' if record.passed else 'FAILED'}")
