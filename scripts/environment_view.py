"""Job: point an environment's plain name to the current one, and say how to use it."""

import shlex
import sys

from snakedev.base.job import job
from snakedev.base.terminal import write_lines
from snakedev.config.read import check
from snakedev.environments.environment import EnvironmentRecord, point_view
from snakedev.machine.sanitizer import run_variables
from snakedev.store.layout import Layout

if __name__ == "__main__":
    with job(f"env_{snakemake.params.variant}", snakemake.log[0]) as running:
        config, name = check(snakemake.config), snakemake.params.name
        layout = Layout.of(config)
        view = layout.environment_view(name)
        point_view(view, layout.environment(name, snakemake.params.key))
        variables = run_variables(view)
        if snakemake.params.variant in config.smoke.force_gil_off:
            variables["PYTHON_GIL"] = "0"
        if toolkit := EnvironmentRecord.read(view / "env.json").cuda_toolkit:
            # for FlashInfer, which compiles its kernels with nvcc when they are first called
            variables["CUDA_HOME"] = f"{view.absolute()}/{toolkit}"
        # a plain sh does not tell a script that it reads where that lies: uv's takes SCRIPT_PATH
        script = shlex.quote(f"{view.absolute()}/bin/activate")
        line = f"SCRIPT_PATH={script} && . {script} && unset SCRIPT_PATH"
        if variables:
            assigned = (f"{name}={shlex.quote(value)}" for name, value in variables.items())
            line += f" && export {' '.join(assigned)}"
        write_lines(sys.stdout, [line])
