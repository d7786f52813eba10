"""JSON schemas of the configuration and the records, written to schemas/ for other tools.

Run `python -m scripts.schemas` after a change of a model; a test keeps the files current.
"""

import json
from pathlib import Path

from pydantic import BaseModel

from scripts.bench_report import BenchReportRecord
from scripts.compat_report import CompatReportRecord
from scripts.config import Config
from scripts.crates import CratesRecord
from scripts.environment import EnvironmentRecord
from scripts.gil_report import GilReportRecord
from scripts.interpreter.provide import InterpreterRecord
from scripts.machine import Machine
from scripts.model import ModelRecord
from scripts.patch_report import PatchReportRecord
from scripts.roots import Root
from scripts.source import SourceRecord
from scripts.stress_record import StressRecord
from scripts.wheel import WheelRecord
from scripts.wheelhouse import WheelhouseRecord

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
