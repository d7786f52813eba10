"""JSON schemas of what people edit and other tools read, in schemas/: each has an entry in MODELS.

Run `python -m snakedev.schemas` after a change of a model; a test keeps the files current.
"""

import json
from pathlib import Path

from pydantic import BaseModel

from snakedev.config.model import Config
from snakedev.inference.smoke_record import SmokeRecord
from snakedev.reports.bench.page import BenchReportRecord
from snakedev.reports.compat.page import CompatReportRecord
from snakedev.reports.gil.page import GilReportRecord
from snakedev.reports.patches.page import PatchReportRecord
from snakedev.wheels.record import WheelRecord

FOLDER = Path(__file__).parents[1] / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    # config.yaml, which editors check while it is written
    "config": Config,
    # wheel.json beside each wheel: what it was built from and how
    "wheel": WheelRecord,
    # results/smoke/VARIANT/MODEL.json: answers, timings, GIL state and versions of a smoke run
    "smoke": SmokeRecord,
    # results/reports/NAME.json: what the page of the name shows, as data
    "bench": BenchReportRecord,
    "compat": CompatReportRecord,
    "gil": GilReportRecord,
    "patches": PatchReportRecord,
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
