"""Job: make a virtual environment from a lock and the wheels built here."""

from pathlib import Path

from snakedev.base.job import job
from snakedev.config.read import check
from snakedev.environments.editable import WorkInput
from snakedev.environments.environment import make_environment
from snakedev.store.layout import Layout
from snakedev.store.specs import EnvironmentSpec
from snakedev.wheels.record import WheelRecord, sound_wheel

if __name__ == "__main__":
    with job(f"environment {snakemake.wildcards.name}", snakemake.log[0]) as running:
        config = check(snakemake.config)
        layout = Layout.of(config)
        spec = EnvironmentSpec.read(Path(snakemake.params.spec))
        wheels = {}
        for wheel in spec.wheels:
            stored = layout.wheel(wheel.variant, wheel.repo, wheel.key)
            wheels[wheel.repo] = sound_wheel(stored, WheelRecord.read(stored / "wheel.json"))
        work = [
            WorkInput(wheels[repo], Path(places["source"]), Path(places["folder"]))
            for repo, places in snakemake.params.editable.items()
            if repo in wheels
        ]
        final = layout.environment(spec.name, spec.key)
        record = make_environment(
            spec,
            spec.python or layout.python.absolute(),
            final,
            list(wheels.values()),
            running,
            snakemake.params.left_out,
            config.torch_index(spec.variant),
            work,
        )
        record.write(Path(snakemake.output[0]))
