"""Charts of cost against size, drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.harness import Result

__all__ = ["Chart", "Line", "Style", "draw", "lines_of"]

_INK = "#333333"
_GRID = "#e4e4e4"
_LABEL_HEIGHT = 0.052
"""Of the axes: what a line's name needs above and below."""


@dataclass(frozen=True)
class Style:
    """How a contender's line looks; what the chart is about is drawn heavy."""

    color: str
    width: float = 1.6
    dash: str = "-"


@dataclass(frozen=True)
class Line:
    """One contender's medians, as pairs of a size and a cost."""

    contender: str
    style: Style
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Chart:
    """Costs against sizes; the sizes are on a logarithmic axis."""

    name: str
    title: str
    x_label: str
    y_label: str
    log_y: bool
    lines: tuple[Line, ...]


def lines_of(
    results: Mapping[int, Result], styles: Mapping[str, Style], scale: float = 1.0
) -> tuple[Line, ...]:
    """The lines of the contenders that have a style, from the results by size.

    `scale` is what one of the results' units is in the chart's.
    """
    return tuple(
        Line(name, style, tuple((n, result[name].median * scale) for n, result in results.items()))
        for name, style in styles.items()
    )


def draw(chart: Chart, path: Path) -> Path:
    """Draw a chart; the same chart gives the same file."""
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": chart.name, "font.size": 10}):
        figure = Figure(figsize=(8.4, 4.6), layout="constrained")
        axes = figure.subplots()
        for line in chart.lines:
            xs, ys = zip(*line.points, strict=True)
            style = line.style
            axes.plot(
                xs,
                ys,
                style.dash,
                color=style.color,
                lw=style.width,
                marker="o",
                ms=style.width * 2,
            )
        _scale(axes, chart)
        _name(axes, chart.lines)
        figure.savefig(path, metadata={"Date": None})
    return path


def _scale(axes: Axes, chart: Chart) -> None:
    sizes = sorted({size for line in chart.lines for size, _ in line.points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    if chart.log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(bottom=0)
    axes.set_title(chart.title, loc="left", color=_INK, fontweight="bold")
    axes.set_xlabel(chart.x_label, color=_INK)
    axes.set_ylabel(chart.y_label, color=_INK)
    axes.grid(axis="y", color=_GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)


def _name(axes: Axes, lines: Iterable[Line]) -> None:
    """Write each line's name at its end, in its colour, no two on top of each other."""
    ends = {line: _height(axes, line) for line in lines}
    lowest = 0.0
    for line, height in sorted(ends.items(), key=lambda end: end[1]):
        lowest = max(height, lowest)
        axes.annotate(
            line.contender,
            (1.01, lowest),
            xycoords="axes fraction",
            va="center",
            color=line.style.color,
            fontweight="bold" if line.style.width > Style("").width else "normal",
        )
        lowest += _LABEL_HEIGHT


def _height(axes: Axes, line: Line) -> float:
    """Where a line ends, as a share of the axes' height."""
    shown = axes.transData.transform(line.points[-1])
    return float(axes.transAxes.inverted().transform(shown)[1])
