"""The committed schemas are those of the models, and the default configuration fits its own."""

import json

import jsonschema
import yaml

from snakedev.schemas import FOLDER, texts
from tests.project import PROJECT


def test_the_schemas_are_current():
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert written == texts(), "run `python -m snakedev.schemas`"


def test_the_default_configuration_fits_its_schema():
    schema = json.loads((FOLDER / "config.schema.json").read_text(encoding="utf-8"))
    config = PROJECT / "config.yaml"
    jsonschema.validate(yaml.safe_load(config.read_text(encoding="utf-8")), schema)
