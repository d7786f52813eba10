"""What a patch's message says of its way upstream, and the message that upstream gets."""

import re
from typing import get_args

from snakedev.base.errors import UserError
from snakedev.config.explain import one_of
from snakedev.reports.upstream.record import Note, Status
from snakedev.sources.patch_file import BUILD_ONLY, PatchDetails
from snakedev.wheels.kernel_patches import MARK

STATUS = "Upstream-Status"
_TITLE, _AFTER, _SCENARIO, _TODAY = "Upstream-Title", "Depends-On", "Scenario", "Upstream"
_COVERED = "Covered-By"
_OURS = (STATUS, _TITLE, _AFTER, _SCENARIO, _COVERED, _TODAY, MARK, BUILD_ONLY)
_LINE = re.compile(rf"^({'|'.join(_OURS)}): ", re.MULTILINE)
_VALUE = re.compile(r"([\w-]+)(?: \[(.*)\])?")
# those that mean nothing without what stands in brackets
_TOLD = ("Submitted", "Backport", "Inactive-Upstream", "Inappropriate")


def read_note(path: str, patch: PatchDetails) -> Note:
    """What a patch says of its way upstream; ``path`` is what an error line calls it.

    Raises UserError for a status that is none.
    """
    told: dict[str, list[str]] = {mark: [] for mark in _OURS}
    rest = []
    for paragraph in re.split(r"\n\s*\n", patch.message):
        if not _LINE.match(paragraph):
            rest.append(paragraph)
            continue
        parts = _LINE.split(paragraph)[1:]
        for mark, text in zip(parts[::2], parts[1::2], strict=True):
            told[mark].append(" ".join(text.split()))
    status, reason = _status(path, told[STATUS])
    return Note(
        status=status,
        reason=reason,
        title=next(iter(told[_TITLE]), patch.subject),
        depends_on=next(iter(told[_AFTER]), None),
        scenarios=_listed(told[_SCENARIO]),
        covered_by=_listed(told[_COVERED]),
        upstream="\n\n".join(told[_TODAY]),
        message="\n\n".join(rest).strip(),
    )


def _listed(lines: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for text in lines for name in text.split(","))


def _status(path: str, lines: list[str]) -> tuple[Status | None, str]:
    if not lines:
        return None, ""
    if len(lines) > 1:
        raise UserError(f"{path}: {STATUS} stands there {len(lines)} times: once is right")
    known: tuple[Status, ...] = get_args(Status)
    match = _VALUE.fullmatch(lines[0])
    word = next((one for one in known if match and one == match[1]), None)
    if match is None or word is None:
        given = lines[0].split()[0]
        raise UserError(f"{path}: {STATUS}: '{lines[0]}' is none: {one_of(given, known)}")
    if word in _TOLD and not match[2]:
        raise UserError(f"{path}: {STATUS}: {word} says why or where in brackets: {word} [...]")
    return word, match[2] or ""
