"""The project as its tools see it: where it lies, and what its configuration asks for."""

from pathlib import Path

from snakedev.base.yaml_file import read_yaml
from snakedev.config.read import check
from snakedev.plan.plan import Plan
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout

PROJECT = Path(__file__).parents[1]


def current_plan() -> Plan:
    """The plan of config.yaml."""
    checked = check(read_yaml(PROJECT / "config.yaml"))
    return Plan(checked, Artifacts(Layout.of(checked)), PROJECT)
