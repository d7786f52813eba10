"""Job: look into the wheel whose kernels are borrowed."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.config.repos import WheelPin
from snakedev.environments.environment import EnvironmentRecord
from snakedev.fetch.download import DownloadRecord
from snakedev.store.layout import Layout
from snakedev.wheels.upstream_kernels import KernelsRecord, examine, refuse_lacking

if __name__ == "__main__":
    with job("kernels", snakemake.log[0]) as running:
        wheel = DownloadRecord.read(Path(snakemake.input.wheel)).archive
        made = EnvironmentRecord.read(Path(snakemake.input.environment))
        environment = Layout.of(check(snakemake.config)).environment(made.name, made.key)
        (torch,) = (package.version for package in made.packages if package.name == "torch")
        pin, variant = WheelPin(**snakemake.params.pin), snakemake.wildcards.variant
        kernels = examine(wheel, pin, variant, torch, environment, running)
        refuse_lacking(kernels, variant, snakemake.params.asked)
        running.say(f"{len(kernels.libraries)} libraries of {wheel.name} serve any Python")
        KernelsRecord(kernels=kernels, wheel=wheel).write(Path(snakemake.output[0]))
