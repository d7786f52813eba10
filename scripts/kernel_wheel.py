"""Job: download the wheel whose kernels are borrowed."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.config.repos import WheelPin
from snakedev.fetch.download import DownloadRecord, fetch_wheel
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job("kernels", snakemake.log[0]) as running:
        pin = WheelPin(**snakemake.params.pin)
        folder = Layout.of(check(snakemake.config)).downloads
        archive = fetch_wheel(pin.name, pin.version, pin.sha256, folder, running)
        DownloadRecord(archive=archive).write(Path(snakemake.output[0]))
