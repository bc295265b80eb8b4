"""`kcache ring simulate`: how a ring spreads many keys, and what a change of nodes moves."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.keys import key_options
from kcache.cli.output import bar, json_option, percent, print_json, print_table, progress, say
from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring import Ring

__all__ = ["place_keys", "simulate"]

_CHUNK = 50_000


@click.command()
@fleet_options
@key_options(200_000)
@json_option
def simulate(choice: Choice, *, keys: list[bytes], as_json: bool) -> None:
    """Spread keys over a ring: who gets how many, how fast, and what moves on a change.

    A node that comes has the mean weight of the others; the one that goes has the most keys.
    """
    ring = choice.ring()
    report = _simulate(ring, keys)
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
        **_spread([counts[node] for node in ring.nodes]),
        "nodes": [
            {"name": node.name, "keys": counts[node], "share": counts[node] / len(keys)}
            for node in ring.nodes
        ],
        "changes": [],
    }
    busiest = max(ring.nodes, key=lambda node: counts[node])
    for change in _changes(ring, busiest):
        after, _ = place_keys(change.ring, keys, change.name)
        pairs = list(zip(owners, after, strict=True))
        moved = sum(old is not new for old, new in pairs)
        least = sum(change.node is old or change.node is new for old, new in pairs)
        report["changes"].append(
            {"change": change.name, "moved": moved / len(keys), "least": least / len(keys)}
        )
    return report


def _spread(counts: Sequence[int]) -> dict[str, float]:
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


@dataclass(frozen=True)
class _Change:
    """A change to the ring: its name, the ring after it, and whose keys have to move."""

    name: str
    ring: Ring
    node: Node


def _changes(ring: Ring, busiest: Node) -> list[_Change]:
    """A node more, and the busiest one less, as far as that makes a ring."""
    names = {node.name for node in ring.nodes}
    name = next(n for n in chain(["a-new-node"], map("node-{}".format, count())) if n not in names)
    weight = max(1, sum(node.weight for node in ring.nodes) // len(ring.nodes))
    changes = []
    with suppress(ConfigurationError):
        new = Node(kind="memory", host=name, name=name, weight=weight)
        changes.append(_Change("a node comes", ring.with_node(new), new))
    with suppress(ConfigurationError):
        changes.append(_Change(f"{busiest.name} goes", ring.without(busiest.name), busiest))
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
