"""What a wheel says of itself."""

import re
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

from snakedev.base.errors import UserError

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")


def read_metadata(wheel: Path) -> Metadata:
    """A wheel's METADATA, validated; raises UserError that names what does not parse."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            # those in folders of the package are of what it has vendored
            names = [n for n in archive.namelist() if _METADATA.fullmatch(n)]
            data = archive.read(names[0]) if len(names) == 1 else b""
    except zipfile.BadZipFile as error:
        raise UserError(f"{wheel.name}: not a readable wheel: {error}") from None
    if len(names) != 1:
        raise UserError(f"{wheel.name}: it holds {len(names)} METADATA files where one is due")
    try:
        # no validation of fields that a newer metadata version knows and this library may not
        metadata = Metadata.from_email(data, validate=False)
        # each is validated when it is asked for
        _ = metadata.name, metadata.version, metadata.requires_dist
    except Exception as error:
        raise UserError(f"{wheel.name}: METADATA: {error}") from None
    return metadata
