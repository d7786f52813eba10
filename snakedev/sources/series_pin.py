"""The pins that a patch series was made on, in patches/<repo>/series.json.

An export writes it, and the merge on another pin takes from it where the files are that the patches
were made from. It is part of no key.
"""

from pathlib import Path
from typing import get_args

from pydantic import Field

from snakedev.base.errors import UserError
from snakedev.base.records import Record, write_text
from snakedev.config.fields import Origin
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.indexes import public_address
from snakedev.sources.patch_file import SERIES_RECORD, series
from snakedev.store.source_specs import PinnedSpec


class SeriesPin(Record):
    """A pin, and what else decides which files a series is applied to."""

    version: str
    version_files: dict[str, str] = Field(default={}, exclude_if=lambda given: not given)
    pin: GitPin | ReleasePin


class SeriesRecord(Record):
    """series.json: by origin, the pin that the patches were last exported on."""

    release: SeriesPin | None = None
    git: SeriesPin | None = None


def read_pins(patches: Path) -> dict[Origin, SeriesPin]:
    """The pins that a repo's folder of patches names; none where it does not say.

    Raises UserError for a record that cannot be read.
    """
    path = patches / SERIES_RECORD
    if not path.is_file():
        return {}
    try:
        record = SeriesRecord.read(path)
    except UserError as error:
        mend = "an export writes it; `git checkout` it, or remove it"
        raise UserError(f"{error}: {mend}") from None
    known = {origin: getattr(record, origin) for origin in get_args(Origin)}
    return {origin: pin for origin, pin in known.items() if pin is not None}


def write_pin(patches: Path, spec: PinnedSpec) -> bool:
    """Record the pin that a series is on; returns whether that is another than before.

    Another origin's is kept while there are patches for that origin alone.
    """
    path = patches / SERIES_RECORD
    if not series(patches, spec.origin):
        path.unlink(missing_ok=True)
        return False
    pin = spec.pin
    if isinstance(pin, GitPin):
        pin = pin.model_copy(update={"url": public_address(pin.url)})
    made = SeriesPin(version=spec.version, version_files=spec.version_files, pin=pin)
    known = read_pins(patches)
    kept = {origin: pin for origin, pin in known.items() if any((patches / origin).glob("*.patch"))}
    record = SeriesRecord.model_validate({**kept, spec.origin: made})
    text = record.model_dump_json(indent=2, exclude_defaults=True) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    return known.get(spec.origin) != made
