"""Figures of the reports: SVG that takes its colours and type from the page it stands in."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

# Colours that stand for the page's variables: an SVG from matplotlib knows no `var()`, so these
# are drawn and then replaced.
_INK, _SOFT, _LINE = "#000001", "#000002", "#000003"
_BARS = ("#000011", "#000012", "#000013", "#000014")
_VARIABLES = {_INK: "ink", _SOFT: "soft", _LINE: "line"} | {
    colour: f"bar{number}" for number, colour in enumerate(_BARS, 1)
}
WIDTHS = {"wide": 9.0, "narrow": 4.4}
"""Inches of a figure on a desk and on a phone; the page shows the one that fits."""
_ROW = 0.36


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart: from where to where, and what is written beside it."""

    label: str
    value: float
    text: str
    start: float = 0.0
    kind: int = 0
    """Which of the bar colours."""


def bars(rows: Sequence[Bar], title: str, unit: str) -> str:
    """Horizontal bars, one a row, each with its label above it when there is little room.

    Returns the HTML of the figure in all WIDTHS; `title` is what is read aloud in its place.
    """
    return "".join(
        f'<div class="{name}">{_drawn(rows, title, unit, width, stacked=name == "narrow")}</div>'
        for name, width in WIDTHS.items()
    )


def _drawn(rows: Sequence[Bar], title: str, unit: str, width: float, *, stacked: bool) -> str:
    step = 1.75 if stacked else 1.0
    with _axes(width, _ROW * step * len(rows) + 0.55, f"{title}{width}") as axes:
        end = max(row.start + row.value for row in rows) or 1.0
        for number, row in enumerate(rows):
            y = number * step
            colour = _BARS[row.kind % len(_BARS)]
            axes.barh(y, row.value, left=row.start, height=0.56, color=colour, linewidth=0)
            if stacked:
                axes.text(0, y - 0.66, row.label, ha="left", va="center", color=_INK)
            inside = row.start + row.value > 0.72 * end and row.start > 0.3 * end
            at = row.start if inside else row.start + row.value
            axes.annotate(
                row.text,
                (at, y),
                xytext=(-6 if inside else 6, 0),
                textcoords="offset points",
                ha="right" if inside else "left",
                va="center",
                color=_INK,
            )
        axes.set_yticks([] if stacked else [number * step for number in range(len(rows))])
        if not stacked:
            axes.set_yticklabels([row.label for row in rows])
        axes.set_ylim((len(rows) - 1) * step + 0.6, -1.15 if stacked else -0.6)
        axes.set_xlim(0, end * (1.3 if stacked else 1.16))
        axes.set_xlabel(unit, loc="left")
        return _svg(axes, title)


@contextmanager
def _axes(width: float, height: float, salt: str) -> Iterator[Axes]:
    style = {
        "svg.fonttype": "none",  # text stays text: it takes the page's font and can be read aloud
        "svg.hashsalt": salt,  # ids must differ between the figures of a page
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.edgecolor": _LINE,
        "axes.labelcolor": _SOFT,
        "xtick.color": _SOFT,
        "ytick.color": _INK,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "axes.grid": True,
        "axes.grid.axis": "x",
        "grid.color": _LINE,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
    }
    with matplotlib.rc_context(style):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        axes.locator_params(axis="x", nbins=5)
        try:
            yield axes
        finally:
            plt.close(figure)


def _svg(axes: Axes, title: str) -> str:
    """The figure as an SVG element that names itself and scales with its column."""
    buffer = io.StringIO()
    axes.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        element = element.replace(colour, f"var(--{variable})")
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return element.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
