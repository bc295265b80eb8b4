"""`kcache ring show`: the nodes of a ring and their shares."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.output import bar, json_option, percent, print_json, print_table, say
from kcache.node import Node
from kcache.ring import Ring

__all__ = ["describe", "print_ring", "show", "spread"]


@click.command()
@fleet_options
@click.option("--plot", metavar="FILE", help="Draw the ring into FILE (.svg or .png).")
@json_option
def show(choice: Choice, plot: str | None, *, as_json: bool) -> None:
    """Show each node's points and its exact share of the keys."""
    ring = choice.ring()
    if plot is not None:
        from kcache.cli.picture import draw_ring  # noqa: PLC0415 - needs the extra `plot`

        draw_ring(ring, plot)
    if as_json:
        print_json(describe(ring))
        return
    print_ring(ring)
    if plot is not None:
        say(f"\nDrawn into {plot}")


def describe(ring: Ring) -> dict[str, Any]:
    """The ring as plain data."""
    points = _points(ring)
    return {
        "dialect": ring.dialect,
        "options": dict(ring.options),
        "points": len(ring.points),
        "spread": spread(ring),
        "nodes": [
            {
                "name": node.name,
                "address": node.address,
                "label": node.label(ring.dialect, **_label_options(ring)),
                "weight": node.weight,
                "points": points[node],
                "share": float(share),
                "share_exact": str(share),
            }
            for node, share in ring.share().items()
        ],
    }


def print_ring(ring: Ring) -> None:
    """Print the ring as a table with bars."""
    shares = ring.share()
    points = _points(ring)
    largest = max(shares.values())
    options = "".join(f", {key} {value}" for key, value in ring.options.items() if value)
    say(f"{ring.dialect} ring: {len(ring.nodes)} nodes, {len(ring.points)} points{options}\n")
    print_table(
        ("node", "weight", "points", "share", ""),
        (
            (node.name, str(node.weight), str(points[node]), percent(share), bar(share, largest))
            for node, share in shares.items()
        ),
    )
    say(f"\nLargest share over mean share: {spread(ring):.3f}")


def spread(ring: Ring) -> float:
    """The largest share over the mean share; 1 is even."""
    shares = ring.share()
    return float(max(shares.values()) / Fraction(1, len(shares)))


def _points(ring: Ring) -> Counter[Node]:
    return Counter(node for _, node in ring.points)


def _label_options(ring: Ring) -> dict[str, Any]:
    return {"format": ring.options["format"]} if "format" in ring.options else {}
