"""`kcache ring plan`: what a change of nodes or weights moves, exactly."""

from __future__ import annotations

import re

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.output import bar, json_option, percent, print_json, print_table, say
from kcache.errors import ConfigurationError
from kcache.ring import Ring

__all__ = ["plan"]


@click.command()
@fleet_options
@click.option("--add", multiple=True, metavar="URL", help="Add a node; repeatable.")
@click.option("--remove", multiple=True, metavar="NAME", help="Remove a node; repeatable.")
@click.option("--weight", multiple=True, metavar="NAME=W", help="Change a weight; repeatable.")
@click.option("--plot", metavar="FILE", help="Draw both rings into FILE (.svg or .png).")
@json_option
def plan(
    choice: Choice,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    weight: tuple[str, ...],
    plot: str | None,
    *,
    as_json: bool,
) -> None:
    """Show the exact share of the keys that each pair of nodes would hand over."""
    if not (add or remove or weight):
        raise ConfigurationError("no change to plan: give --add, --remove or --weight")
    before = choice.ring()
    after = _changed(before, add, remove, weight)
    if plot is not None:
        from kcache.cli.picture import draw_plan  # noqa: PLC0415 - needs the extra `plot`

        draw_plan(before, after, plot)
    if as_json:
        _print_json(before, after)
        return
    _print_plan(before, after)
    if plot is not None:
        say(f"\nDrawn into {plot}")


def _changed(
    ring: Ring, add: tuple[str, ...], remove: tuple[str, ...], weight: tuple[str, ...]
) -> Ring:
    """The ring after the change; nodes keep their places in the list, which can decide ties."""
    pairs = [_weight(text) for text in weight]
    weights = dict(pairs)
    for name in weights:
        if name in remove or [pair[0] for pair in pairs].count(name) > 1:
            raise ConfigurationError(f"node {name!r} can be changed in one way only")
    for name in {*weights, *remove}:
        if all(node.name != name for node in ring.nodes):
            names = ", ".join(node.name for node in ring.nodes)
            raise ConfigurationError(f"no node {name!r} in the ring of {names}")
    nodes = [
        node.with_weight(weights[node.name]) if node.name in weights else node
        for node in ring.nodes
        if node.name not in remove
    ]
    return Ring([*nodes, *add], ring.dialect, **ring.options)


def _weight(text: str) -> tuple[str, int]:
    name, equals, number = text.rpartition("=")
    if not equals or not re.fullmatch("[0-9]{1,19}", number):
        raise ConfigurationError(f"--weight takes NAME=W with a whole number W, not {text!r}")
    return name, int(number)


def _print_json(before: Ring, after: Ring) -> None:
    planned = before.plan(after)
    print_json(
        {
            "dialect": before.dialect,
            "moved": float(planned.moved),
            "moved_exact": str(planned.moved),
            "moves": [
                {"from": old, "to": new, "share": float(share), "share_exact": str(share)}
                for (old, new), share in planned.moves.items()
            ],
        }
    )


def _print_plan(before: Ring, after: Ring) -> None:
    planned = before.plan(after)
    say(
        f"{before.dialect} ring of {len(before.nodes)} nodes -> {len(after.nodes)} nodes: "
        f"{percent(planned.moved)} of the keys move\n"
    )
    if not planned.moves:
        return
    largest = max(planned.moves.values())
    print_table(
        ("from", "to", "share", ""),
        (
            (old, new, percent(share), bar(share, largest))
            for (old, new), share in planned.moves.items()
        ),
        left=2,
    )
