"""Pictures of rings, drawn by Matplotlib (the extra `plot`)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from kcache.cli.output import percent
from kcache.errors import ConfigurationError
from kcache.ring import Ring

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_plan", "draw_ring"]

_FORMATS = (".svg", ".png")
_CIRCLE = 360.0
# More arcs than this go into an SVG as pixels; as shapes they would take megabytes.
_MANY_ARCS = 5000
_LEGEND_ROWS = 24
_LEFT_OUT = "#d9d9d9"
_MOVED = "#222222"

Arc = tuple[float, float, str]
"""Start and end in degrees, and the owner's name or a colour."""


def draw_ring(ring: Ring, path: str) -> None:
    """Draw a ring as a circle, each arc in the colour of the node that owns it.

    Raises:
        ConfigurationError: Matplotlib is missing, or the file name does not end in .svg or .png.
    """
    axes = _canvas(path)
    shares = {node.name: share for node, share in ring.share().items()}
    colours = _colours(list(shares))
    _draw_band(axes, _arcs(ring), colours, inner=0.62, width=0.38)
    title = f"{ring.dialect}: {len(ring.nodes)} nodes, {len(ring.points)} points"
    rows = {name: percent(share) for name, share in shares.items()}
    _finish(axes, title, rows, colours, path)


def draw_plan(before: Ring, after: Ring, path: str) -> None:
    """Draw two rings one inside the other, the old one inside, and mark what changes hands.

    Raises:
        ConfigurationError: as for `draw_ring`.
    """
    plan = before.plan(after)
    axes = _canvas(path)
    old = {node.name: share for node, share in before.share().items()}
    new = {node.name: share for node, share in after.share().items()}
    colours = _colours(list(old | new))
    _draw_band(axes, _arcs(before), colours, inner=0.50, width=0.20)
    _draw_band(axes, _arcs(after), colours, inner=0.72, width=0.20)
    _draw_band(axes, _changed(before, after), {_MOVED: _MOVED}, inner=0.94, width=0.04)
    axes.text(0, 0, "inside: before\noutside: after\nrim: moves", ha="center", va="center")
    rows = {name: f"{_or_none(old.get(name))} → {_or_none(new.get(name))}" for name in old | new}
    title = f"{before.dialect}: {percent(plan.moved)} of the keys move"
    _finish(axes, title, rows, colours, path)


def _or_none(share: Any) -> str:
    return "none" if share is None else percent(share)


def _canvas(path: str) -> Axes:
    if not path.endswith(_FORMATS):
        raise ConfigurationError(f"{path}: a picture is {' or '.join(_FORMATS)}")
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - of the extra `plot`
    except ImportError:
        raise ConfigurationError(
            "drawing needs Matplotlib: install the extra `plot` of the distribution kcache-client"
        ) from None
    figure = Figure(figsize=(9.5, 6.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(-1.02, 1.02)
    axes.set_ylim(-1.02, 1.02)
    return axes


def _cut(ring: Ring) -> tuple[list[int], list[str]]:
    """The last hash of each arc, and the arc's owner."""
    ends = [point for point, _ in ring.points]
    names = [node.name for _, node in ring.points]
    return [*ends, ring.key_space - 1], [*names, names[0]]


def _arcs(ring: Ring) -> Iterator[Arc]:
    """The arcs of a ring, neighbours of one owner joined."""
    ends, names = _cut(ring)
    return _joined(zip(ends, names, strict=True), ring.key_space)


def _changed(before: Ring, after: Ring) -> Iterator[Arc]:
    """The arcs whose owner is another in the second ring."""
    old_ends, old_names = _cut(before)
    new_ends, new_names = _cut(after)
    marks = (
        (end, _MOVED if old != new else "")
        for end in sorted({*old_ends, *new_ends})
        for old in [old_names[bisect_left(old_ends, end)]]
        for new in [new_names[bisect_left(new_ends, end)]]
    )
    return (arc for arc in _joined(marks, before.key_space) if arc[2])


def _joined(cuts: Iterable[tuple[int, str]], space: int) -> Iterator[Arc]:
    start = 0
    for name, run in groupby(cuts, key=itemgetter(1)):
        *_, (end, _) = run
        if start < space:
            stop = min(end + 1, space)
            yield start * _CIRCLE / space, stop * _CIRCLE / space, name
            start = stop


def _colours(names: Sequence[str]) -> dict[str, Any]:
    import matplotlib as mpl  # noqa: PLC0415 - of the extra `plot`

    if len(names) <= 10:  # noqa: PLR2004 - the size of the palette
        palette = mpl.colormaps["tab10"].colors  # type: ignore[attr-defined]
    elif len(names) <= 20:  # noqa: PLR2004 - the same
        palette = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    else:
        palette = [mpl.colormaps["turbo"](i / (len(names) - 1)) for i in range(len(names))]
    return dict(zip(names, palette, strict=False))


def _draw_band(
    axes: Axes, arcs: Iterable[Arc], colours: Mapping[str, Any], *, inner: float, width: float
) -> None:
    from matplotlib.collections import PatchCollection  # noqa: PLC0415 - of the extra `plot`
    from matplotlib.patches import Wedge  # noqa: PLC0415 - the same

    wedges, faces = [], []
    for start, end, name in arcs:
        # Clockwise from the top, as ring order is told.
        wedges.append(Wedge((0, 0), inner + width, 90 - end, 90 - start, width=width))
        faces.append(colours[name])
    axes.add_collection(
        PatchCollection(
            wedges, facecolors=faces, edgecolors="none", rasterized=len(wedges) > _MANY_ARCS
        )
    )


def _finish(
    axes: Axes, title: str, rows: Mapping[str, str], colours: Mapping[str, Any], path: str
) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 - of the extra `plot`

    # Every so many nodes, where there are more than fit, so that all colours are named.
    step = -(-len(rows) // _LEGEND_ROWS)
    shown = list(rows.items())[::step]
    handles = [Patch(color=colours[name], label=f"{name}   {text}") for name, text in shown]
    if step > 1:
        handles.append(Patch(color=_LEFT_OUT, label=f"and {len(rows) - len(shown)} between"))
    axes.set_title(title)
    legend = axes.legend(
        handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False
    )
    for text in legend.get_texts():
        # A dollar sign in a name is no formula.
        text.set_parse_math(False)
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.savefig(path, dpi=120, bbox_inches="tight")
