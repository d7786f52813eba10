"""Job: look into the wheel whose kernels are borrowed."""

from pathlib import Path

from scripts.borrowed import KernelsRecord, refuse_architectures
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
        kernels = examine(wheel, WheelPin(**snakemake.params.pin), torch, environment, running)
        refuse_architectures(kernels, snakemake.params.architectures)
        running.say(f"{len(kernels.libraries)} libraries of {wheel.name} serve any Python")
        KernelsRecord(kernels=kernels, wheel=wheel).write(Path(snakemake.output[0]))
