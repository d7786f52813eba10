"""What the threads of a child found, each once. Standard library only."""

import re
import threading
import traceback
from typing import Any

from .scenario import Finding

_MESSAGE, _TRACEBACK = 500, 6000
_FOUND_LIMIT = 20
"""Different findings of one child; after that it only counts."""


class Findings:
    """What threads found, each once, with how often it was seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, ...], dict[str, Any]] = {}

    def add(self, operation: str, error: BaseException) -> None:
        """Note an exception that came out of an operation."""
        kind = error.kind if isinstance(error, Finding) else "exception"
        text = str(error) if isinstance(error, Finding) else f"{type(error).__name__}: {error}"
        # numbers and texts differ from one time to the next, the place does not
        shape = re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "…", text)[:80]
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        with self._lock:
            key = (operation, kind, shape, place)
            if key not in self._found and len(self._found) >= _FOUND_LIMIT:
                key = (operation, kind)
            found = self._found.setdefault(
                key,
                {
                    "kind": kind,
                    "operation": operation,
                    "message": text[:_MESSAGE],
                    "stack": "".join(traceback.format_exception(error))[-_TRACEBACK:],
                    "count": 0,
                },
            )
            found["count"] += 1

    def note(self, kind: str, message: str) -> None:
        """Note what came of no operation."""
        with self._lock:
            self._found[kind, message] = {
                "kind": kind,
                "operation": "",
                "message": message,
                "stack": "",
                "count": 1,
            }

    def listed(self) -> list[dict[str, Any]]:
        """All of them, in the order in which they were first seen."""
        with self._lock:
            return [dict(found) for found in self._found.values()]
