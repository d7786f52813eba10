"""A patch as a mail, for a repository in which files lie elsewhere."""

import re
from collections.abc import Iterator, Mapping


def moved(mail: bytes, paths: Mapping[str, str]) -> bytes:
    """A mail as `git format-patch` writes it, with the files that it names where ``paths`` put
    them: beginnings of paths, of which the longest counts."""
    if not paths:
        return mail
    places = {old.encode(): new.encode() for old, new in paths.items()}
    longest = b"|".join(re.escape(old) for old in sorted(places, key=len, reverse=True))
    named = re.compile(rb"(?<= )([ab]/|)(" + longest + rb")")
    return b"".join(
        named.sub(lambda found: found[1] + places[found[2]], line) if names_files else line
        for line, names_files in _lines(mail)
    )


def _lines(mail: bytes) -> Iterator[tuple[bytes, bool]]:
    """Its lines, and whether each names files: those of the summary, and those above changes."""
    names_files = False
    for line in mail.splitlines(keepends=True):
        if line == b"---\n" or line.startswith(b"diff --git "):
            names_files = True
        elif line.startswith((b"@@ ", b"GIT binary patch")):
            names_files = False
        yield line, names_files
