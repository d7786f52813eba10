"""Job: show the current wheels of a variant under their own names, with an index."""

from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.store.layout import Layout
from snakedev.store.publish import shown
from snakedev.wheels.record import WheelRecord
from snakedev.wheels.wheelhouse import write_wheelhouse

if __name__ == "__main__":
    variant, key = snakemake.wildcards.variant, snakemake.wildcards.key
    stamp = Path(snakemake.output[0])
    with job(f"wheelhouse {variant}", snakemake.log[0]) as running, shown(stamp):
        records = [WheelRecord.read(Path(path)) for path in snakemake.input.wheels]
        layout = Layout.of(check(snakemake.config))
        if layout.working:
            raise UserError(
                "a wheelhouse holds wheels for others, and the Python files in a wheel of a work "
                "folder are not up to date: commit, export, and run without `work`"
            )
        record = write_wheelhouse(layout, variant, key, records, running)
        record.write(layout.wheelhouse(variant) / "wheelhouse.json")
