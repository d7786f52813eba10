"""Job: look into the wheel whose kernels are borrowed."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.environments.environment import EnvironmentRecord
from snakedev.fetch.download import DownloadRecord
from snakedev.recipes.registry import borrowed_layout
from snakedev.store.layout import Layout
from snakedev.wheels.upstream_kernels import KernelsRecord, examine, refuse_lacking

if __name__ == "__main__":
    with job("kernels", snakemake.log[0]) as running:
        wheel = DownloadRecord.read(Path(snakemake.input.wheel)).archive
        made = EnvironmentRecord.read(Path(snakemake.input.environment))
        config, variant = check(snakemake.config), snakemake.wildcards.variant
        environment = Layout.of(config).environment(made.name, made.key)
        (torch,) = (package.version for package in made.packages if package.name == "torch")
        own, built_for = snakemake.params.own, snakemake.params.built_for
        kernels = examine(wheel, config, variant, own, torch, environment, running)
        refuse_lacking(borrowed_layout(config, variant), own, kernels, variant, built_for)
        running.say(f"{len(kernels.libraries)} libraries of {wheel.name} serve any Python")
        KernelsRecord(kernels=kernels, wheel=wheel).write(Path(snakemake.output[0]))
