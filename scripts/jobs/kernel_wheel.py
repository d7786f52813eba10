"""Job: download the wheel whose kernels are borrowed."""

from pathlib import Path

from scripts.config import WheelPin, check
from scripts.download import DownloadRecord, fetch_wheel
from scripts.job import job
from scripts.layout import Layout

if __name__ == "__main__":
    with job("kernels", snakemake.log[0]) as running:
        pin = WheelPin(**snakemake.params.pin)
        folder = Layout.of(check(snakemake.config)).downloads
        archive = fetch_wheel(pin.name, pin.version, pin.sha256, folder, running)
        DownloadRecord(archive=archive).write(Path(snakemake.output[0]))
