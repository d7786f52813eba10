"""JSON schemas of the configuration and the records, written to schemas/ for other tools.

Run `python -m snakedev.schemas` after a change of a model; a test keeps the files current.
"""

import json
from pathlib import Path

from pydantic import BaseModel

from snakedev.config.model import Config
from snakedev.environments.environment import EnvironmentRecord
from snakedev.inference.model import ModelRecord
from snakedev.interpreter.provide import InterpreterRecord
from snakedev.machine.probe import Machine
from snakedev.reports.bench.page import BenchReportRecord
from snakedev.reports.compat.page import CompatReportRecord
from snakedev.reports.gil.page import GilReportRecord
from snakedev.reports.patches.page import PatchReportRecord
from snakedev.sources.crates import CratesRecord
from snakedev.sources.source import SourceRecord
from snakedev.store.roots import Root
from snakedev.wheels.record import WheelRecord
from snakedev.wheels.wheelhouse import WheelhouseRecord
from tools.stress.record import StressRecord

FOLDER = Path(__file__).parents[1] / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    "bench": BenchReportRecord,
    "compat": CompatReportRecord,
    "config": Config,
    "crates": CratesRecord,
    "env": EnvironmentRecord,
    "gil": GilReportRecord,
    "interpreter": InterpreterRecord,
    "machine": Machine,
    "model": ModelRecord,
    "patches": PatchReportRecord,
    "root": Root,
    "source": SourceRecord,
    "stress": StressRecord,
    "wheel": WheelRecord,
    "wheelhouse": WheelhouseRecord,
}


def texts() -> dict[str, str]:
    """The schema files' contents by file name."""
    return {
        f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=2) + "\n"
        for name, model in MODELS.items()
    }


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
