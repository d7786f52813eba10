"""Job: fail when a check of a smoke run failed; such a run is made again by the next command."""

from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.base.records import write_text
from snakedev.inference.smoke_record import SmokeRecord, verdict

if __name__ == "__main__":
    with job("verdict", snakemake.log[0]) as running:
        runs = {Path(path): SmokeRecord.read(Path(path)) for path in snakemake.input.smoke}
        try:
            verdict(list(runs.values()))
        except UserError:
            for path, run in runs.items():
                if not run.passed:
                    path.unlink()
            raise
        write_text(Path(snakemake.output[0]), '{"passed": true}\n')
        running.conclude("every check passed")
