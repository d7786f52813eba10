"""What a spec is: everything that goes into an artifact, and the key that names it."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, ClassVar

from pydantic import Field

from snakedev.base.records import Record

WORK_PREFIX = "work-"
"""What the key of an artifact begins with that stems from a work folder: it lies under
results/work, never in the store."""

_KEY_DIGITS = 16


def digest(value: Any) -> str:
    """A short hash of a JSON value, the same on every machine (16 hex digits of sha256)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


class Spec(Record):
    """What goes into an artifact.

    Fields marked with `beside_key` do not enter the key; those marked with `key_when_set` do when
    they are set. The key of what stems from a work folder says so.
    """

    kind: ClassVar[str]
    """What names it among stamps and specs."""
    shelf: ClassVar[str] = ""
    """The folder of the store for artifacts of this kind; none for what is only a record."""
    record_name: ClassVar[str] = ""
    """The record that a whole artifact holds."""
    shared: ClassVar[bool] = True
    """Whether it lies in the store, where others share it."""
    remote: ClassVar[bool] = False
    """Whether machines share it by the network, too."""
    judged: ClassVar[bool] = False
    """Whether its record says if it `passed`; one that did not is as good as none."""

    places: ClassVar[str] = "*"
    """What `place` looks like, as a glob."""

    @property
    def place(self) -> str:
        """What it is of, as a folder under its kind."""
        raise NotImplementedError

    @classmethod
    def folder(cls, place: str, key: str) -> PurePosixPath:
        """Where an artifact of this kind lies, relative to the store."""
        return PurePosixPath(cls.shelf, place, key)

    @property
    def key(self) -> str:
        """The short hash that names the artifact."""
        outside = set()
        for name, info in type(self).model_fields.items():
            marks = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            if marks.get("beside_key") or (marks.get("key_when_set") and not getattr(self, name)):
                outside.add(name)
        key = digest({"kind": self.kind, **self.model_dump(mode="json", exclude=outside)})
        return f"{WORK_PREFIX}{key}" if self.from_work else key

    @property
    def from_work(self) -> bool:
        """Whether it is made from a work folder, or from something that is."""
        return any(key.startswith(WORK_PREFIX) for key in self._made_from())

    def _made_from(self) -> Iterable[str]:
        """The keys of what it is made from."""
        return ()


def key_when_set(**options: Any) -> Any:
    """A field that enters the key only when it is set: without it, the key is as it ever was."""
    return Field(json_schema_extra={"key_when_set": True}, **options)


def beside_key(**options: Any) -> Any:
    """A field that the job needs and that does not change what it makes."""
    return Field(json_schema_extra={"beside_key": True}, **options)
