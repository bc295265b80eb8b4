"""`kcache ring simulate`: how a ring spreads many keys, and what a change of nodes moves."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.keys import load_keys
from kcache.cli.output import bar, json_option, percent, print_json, print_table, progress, say
from kcache.node import Node
from kcache.ring import Ring

__all__ = ["place_keys", "simulate", "spread_of"]

_CHUNK = 50_000


@click.command()
@fleet_options
@click.option("--keys", metavar="FILE", help="Real keys, one a line; - is standard input.")
@click.option(
    "--count",
    metavar="N",
    default=200_000,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many keys to generate where no file is given.",
)
@json_option
def simulate(choice: Choice, keys: str | None, count: int, *, as_json: bool) -> None:
    """Spread keys over a ring: who gets how many, how fast, and what moves on a change.

    A node that comes has the mean weight of the others; the one that goes has the most keys.
    """
    ring = choice.ring()
    report = _simulate(ring, load_keys(keys, count))
    if as_json:
        print_json(report)
    else:
        _print_report(report)


def _simulate(ring: Ring, keys: Sequence[bytes]) -> dict[str, Any]:
    owners, seconds = place_keys(ring, keys, "placing keys")
    counts = Counter(dict.fromkeys(ring.nodes, 0))
    counts.update(owners)
    report: dict[str, Any] = {
        "dialect": ring.dialect,
        "keys": len(keys),
        "lookups_per_second": round(len(keys) / seconds),
        **spread_of([counts[node] for node in ring.nodes]),
        "nodes": [
            {"name": node.name, "keys": counts[node], "share": counts[node] / len(keys)}
            for node in ring.nodes
        ],
        "changes": [],
    }
    for change, other, least in _changes(ring, counts):
        moved_to, _ = place_keys(other, keys, change)
        moved = sum(old.name != new.name for old, new in zip(owners, moved_to, strict=True)) / len(
            keys
        )
        report["changes"].append({"change": change, "moved": moved, "least": least(moved_to)})
    return report


def spread_of(counts: Sequence[int]) -> dict[str, float]:
    """Largest over mean, and standard deviation as a share of the mean."""
    mean = statistics.fmean(counts)
    return {"max_over_mean": max(counts) / mean, "deviation": statistics.pstdev(counts) / mean}


def place_keys(ring: Ring, keys: Sequence[bytes], what: str) -> tuple[list[Node], float]:
    """The owner of each key in order, and the seconds that the lookups took."""
    owners: list[Node] = []
    seconds = 0.0
    with progress(what) as shown:
        task = shown.add_task(what, total=len(keys))
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            begun = time.perf_counter()
            owners.extend(map(ring.node_for, chunk))
            seconds += time.perf_counter() - begun
            shown.advance(task, len(chunk))
    return owners, seconds


def _changes(
    ring: Ring, counts: Counter[Node]
) -> list[tuple[str, Ring, Callable[[list[Node]], float]]]:
    """Each change: its name, the ring after it, and the least share that had to move."""
    total = counts.total()
    weight = max(1, round(statistics.fmean(node.weight for node in ring.nodes)))
    name = "a-new-node"
    changes: list[tuple[str, Ring, Callable[[list[Node]], float]]] = [
        (
            "a node comes",
            ring.with_node(Node(kind="memory", host=name, name=name, weight=weight)),
            lambda owners: sum(node.name == name for node in owners) / total,
        )
    ]
    if len(ring.nodes) > 1:
        (busiest, share), *_ = counts.most_common(1)
        changes.append(
            (f"{busiest.name} goes", ring.without(busiest.name), lambda _: share / total)
        )
    return changes


def _print_report(report: dict[str, Any]) -> None:
    say(
        f"{report['dialect']} ring, {report['keys']} keys, "
        f"{report['lookups_per_second']:,} lookups a second\n"
    )
    largest = max(node["share"] for node in report["nodes"])
    print_table(
        ("node", "keys", "share", ""),
        (
            (node["name"], str(node["keys"]), percent(node["share"]), bar(node["share"], largest))
            for node in report["nodes"]
        ),
    )
    say(
        f"\nLargest over mean: {report['max_over_mean']:.3f}; "
        f"standard deviation: {percent(report['deviation'])} of the mean\n"
    )
    print_table(
        ("change", "keys moved", "least possible"),
        (
            (change["change"], percent(change["moved"]), percent(change["least"]))
            for change in report["changes"]
        ),
    )
