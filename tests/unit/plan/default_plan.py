"""The plan of the default configuration on a machine that is always the same."""

from dataclasses import replace
from pathlib import Path

import yaml

from snakedev.config.read import check
from snakedev.machine.probe import Machine, Tool
from snakedev.plan.plan import Plan
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout
from tests.project import PROJECT

MACHINE = Machine(
    watched={},
    tools={
        name: Tool(path=Path(f"/usr/bin/{name}"), identity=f"{name} 1")
        for name in ("cc", "cxx", "rustc", "cargo", "make")
    },
    rust_toolchain=None,
    libc="glibc-2.36",
    isa="avx2",
    gpus=(),
)


def plan(
    machine: Machine = MACHINE,
    root: str | Path = "/nowhere",
    project: Path = PROJECT,
    *,
    elsewhere: bool = False,
    **overrides: object,
) -> Plan:
    """The default configuration's plan on a given machine, with dotted keys set; ``elsewhere`` for
    jobs on other machines."""
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    values["variants"]["cpu"] = {"isa": "native", "onednn": True}
    for path, value in overrides.items():
        place = values
        *parents, last = path.split("__")
        for part in parents:
            place = place[part.replace("_", "-") if part.replace("_", "-") in place else part]
        place[last] = value
    config = check(values)
    layout = replace(Layout.of(config), root=Path(root))
    return Plan(config, Artifacts(layout), project, machine=machine, elsewhere=elsewhere)
