"""Job: look into the wheel whose kernels are borrowed."""

from pathlib import Path

from scripts.borrowed import KernelsRecord, refuse_lacking
from scripts.config import WheelPin, check
from scripts.download import DownloadRecord
from scripts.environment import EnvironmentRecord
from scripts.job import job
from scripts.kernels import examine
from scripts.layout import Layout

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
