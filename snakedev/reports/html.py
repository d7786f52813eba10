"""What the report pages share: the templates, and numbers and times as a reader takes them in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TIMES = "\N{MULTIPLICATION SIGN}"


def render(template: str, page: Mapping[str, Any]) -> str:
    """A whole page as HTML, from a template of this folder; raises for a value it lacks."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"size": size, "duration": duration, "when": when, "day": day}
    return environment.get_template(template).render(page=page)


def size(count: int) -> str:
    """Bytes for a reader: `22.2 MB`, `1.43 GB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            value = count / factor
            return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    """Seconds for a reader: `48 s`, `12 min 30 s`, `1 h 04 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def when(moment: str) -> str:
    """An ISO time for a reader, in UTC."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC")


def day(moment: datetime) -> str:
    """The day of a time for a reader, where its writer was."""
    return moment.strftime("%-d %B %Y")


def listed(words: Sequence[str]) -> str:
    """Words as a reader lists them: `one, two and three`."""
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]


def spread(values: Sequence[float], form: str, *, before: str = "", after: str = "") -> str:
    """The median, with the lowest and the highest round in brackets."""
    told = f"{before}{form.format(median(values))}{after}"
    if len(values) == 1:
        return told
    return f"{told} ({form.format(min(values))} to {form.format(max(values))})"


def times(ratio: float) -> str:
    """How many times as much, with the sign."""
    return f"{TIMES}{ratio:.2f}"


def rate(value: float) -> str:
    """Units in a second, in three digits."""
    factor, letter = next((one for one in ((1e6, " M"), (1e3, " k")) if value >= one[0]), (1, ""))
    shown = value / factor
    return f"{shown:.{2 if shown < 10 else 1 if shown < 100 else 0}f}{letter}"
