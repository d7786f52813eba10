"""Unpacking source archives without trusting them."""

import tarfile
from pathlib import Path

from scripts.errors import UserError


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a source archive (.tar.*) into a folder, its one top-level folder stripped.

    Raises UserError, naming the member, for a path or a link that leads out of the folder, for a
    device file, and for an archive without a single top-level folder.
    """
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            tops = {member.name.split("/")[0] for member in members if member.name not in (".", "")}
            if len(tops) != 1:
                raise UserError(f"{archive.name}: it has {len(tops)} top-level entries, not one")
            (top,) = tops
            folder.mkdir(parents=True, exist_ok=True)
            for member in members:
                inner = member.name.removeprefix(top).lstrip("/")
                if member.name in (".", "") or not inner:
                    continue
                if member.islnk():
                    # a hard link names its target from the archive's root
                    member = member.replace(linkname=member.linkname.removeprefix(f"{top}/"))
                # times and owners are not part of a source; 'data' refuses what leads outside
                tar.extract(member.replace(name=inner), folder, filter="data")
    except tarfile.FilterError as error:
        raise UserError(f"{archive.name}: refused: {error}") from None
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive.name}: not a readable archive: {error}") from None
