"""Figures of the reports: SVG that takes its colours and type from the page it stands in."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import matplotlib
from markupsafe import Markup

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

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


def bars(rows: Sequence[Bar], title: str, unit: str) -> Markup:
    """Horizontal bars, one a row, each with its label above it when there is little room.

    Returns the HTML of the figure in all WIDTHS; `title` is what is read aloud in its place.
    """
    return Markup(
        "".join(
            f'<div class="{name}">{_drawn(rows, title, unit, width, name == "narrow")}</div>'
            for name, width in WIDTHS.items()
        )
    )


def _drawn(rows: Sequence[Bar], title: str, unit: str, width: float, stacked: bool) -> str:
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


@dataclass(frozen=True)
class Line:
    """A line of a panel, with a band between the lowest and the highest value at each point."""

    label: str
    points: Mapping[int, Sequence[float]] | Mapping[float, Sequence[float]]
    """By x: all values that were seen; the line goes through the median ones."""
    kind: int = 0
    """Which of the bar colours."""
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """A small diagram beside others."""

    title: str
    lines: Sequence[Line]
    ticks: Sequence[float]
    """Where the horizontal axis is labelled; its steps are as wide from any tick to the next."""


def panels(drawn: Sequence[Panel], title: str, across: str, *, alike: bool = False) -> Markup:
    """Diagrams in a grid, with one legend for all: their lines have the same labels.

    `across` names the horizontal axis; `alike` gives all one vertical scale. Returns the HTML in
    all WIDTHS, as `bars` does.
    """
    return Markup(
        "".join(
            f'<div class="{name}">{_grid(drawn, title, across, width, columns, alike)}</div>'
            for (name, width), columns in zip(WIDTHS.items(), (3, 1), strict=True)
        )
    )


def _grid(
    drawn: Sequence[Panel], title: str, across: str, width: float, columns: int, alike: bool
) -> str:
    columns = min(columns, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    with matplotlib.rc_context(_style(f"{title}{width}") | {"axes.grid.axis": "y"}):
        size = (width, 2.6 * rows + 0.5)
        figure, grid = plt.subplots(
            rows, columns, figsize=size, layout="constrained", sharey=alike, squeeze=False
        )
        try:
            for axes in grid.flat[len(drawn) :]:
                axes.set_axis_off()
            labels: dict[str, Line2D] = {}
            tops = [
                max(max(seen) for line in p.lines for seen in line.points.values()) for p in drawn
            ]
            for axes, panel, top in zip(grid.flat, drawn, tops, strict=False):
                labels |= _panel(axes, panel)
                # with room for the marks at the top
                axes.set_ylim(0, 1.06 * (max(tops) if alike else top))
                axes.set_xlabel(across, loc="left")
            figure.legend(
                [*labels.values()],
                [*labels],
                loc="outside lower left",
                ncols=2 if columns == 1 else 4,
                frameon=False,
                labelcolor=_INK,
            )
            return _svg(grid.flat[0], title)
        finally:
            plt.close(figure)


def _panel(axes: Axes, panel: Panel) -> dict[str, Line2D]:
    """Draw a panel; returns what stands for each label."""
    places = {tick: number for number, tick in enumerate(panel.ticks)}
    axes.set_title(panel.title, loc="left", fontsize=10, color=_INK)
    drawn: dict[str, Line2D] = {}
    for line in panel.lines:
        colour = _SOFT if line.dashed else _BARS[line.kind % len(_BARS)]
        at = [places[x] for x in line.points]
        values = [median(seen) for seen in line.points.values()]
        marks = {"linestyle": (0, (4, 3))} if line.dashed else {"marker": "o", "markersize": 4}
        (drawn[line.label],) = axes.plot(at, values, color=colour, linewidth=1.8, **marks)
        lows, highs = map(min, line.points.values()), map(max, line.points.values())
        if not line.dashed:
            axes.vlines(at, [*lows], [*highs], color=colour, linewidth=1.2)
    axes.set_xticks([*places.values()], [f"{tick:g}" for tick in places])
    axes.set_xlim(-0.3, len(places) - 0.7)
    axes.locator_params(axis="y", nbins=5)
    return drawn


@contextmanager
def _axes(width: float, height: float, salt: str) -> Iterator[Axes]:
    with matplotlib.rc_context(_style(salt)):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        axes.locator_params(axis="x", nbins=5)
        try:
            yield axes
        finally:
            plt.close(figure)


def _style(salt: str) -> dict[Any, Any]:
    return {
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


def _svg(axes: Axes, title: str) -> str:
    """The figure as an SVG element that names itself and scales with its column."""
    buffer = io.StringIO()
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        element = element.replace(colour, f"var(--{variable})")
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return element.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
