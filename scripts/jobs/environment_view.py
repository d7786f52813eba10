"""Job: point an environment's plain name to the current one, and say how to use it."""

from scripts.config import check
from scripts.environment import EnvironmentRecord, point_view
from scripts.job import job
from scripts.layout import Layout

if __name__ == "__main__":
    with job(f"env_{snakemake.params.variant}", snakemake.log[0]) as running:
        layout, name = Layout.of(check(snakemake.config)), snakemake.params.name
        view = layout.environment_view(name)
        point_view(view, layout.environment(name, snakemake.params.key))
        line = f"source {view.absolute()}/bin/activate && export PYTHON_GIL=0"
        if toolkit := EnvironmentRecord.read(view / "env.json").cuda_toolkit:
            # for FlashInfer, which compiles its kernels with nvcc when they are first called
            line += f" CUDA_HOME={view.absolute()}/{toolkit}"
        print(line)
