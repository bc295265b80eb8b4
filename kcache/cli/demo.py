"""`kcache demo`: a cache at work; then a node goes, and a namespace is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.nodes import timeout_option
from kcache.cli.output import bar, json_option, percent, print_json, print_table, say
from kcache.cli.show import describe
from kcache.cli.trial import LIFE, Drop, Loss, Trial, trial
from kcache.node import Node
from kcache.ring import Ring

__all__ = ["demo"]

_EMBEDDED = ("memory://alpha", "memory://beta", "memory://gamma", "memory://delta")


@click.command()
@fleet_options
@timeout_option
@json_option
def demo(choice: Choice, *, timeout: float, as_json: bool) -> None:
    """Show a cache at work: where entries go, how fast, what is lost with a node, what is dropped.

    Without nodes, on four in-process ones. On real nodes it writes under keys of its own, which
    begin with kcache-demo:, live for a minute, and are deleted at the end.
    """
    if choice.is_empty():
        choice = replace(choice, nodes=_EMBEDDED)
    ring = choice.ring()
    with trial(ring, timeout) as tried:
        loss = tried.lose(_largest(ring))
        drop = tried.drop()
    if as_json:
        print_json(_report(tried, loss, drop))
    else:
        _print(tried, loss, drop)


def _largest(ring: Ring) -> Node:
    return max(ring.share().items(), key=lambda item: item[1])[0]


def _report(tried: Trial, loss: Loss | None, drop: Drop) -> dict[str, Any]:
    report: dict[str, Any] = {
        "ring": describe(tried.ring),
        "prefix": tried.prefix,
        "ttl": LIFE,
        "entries": len(tried.keys),
        "stored": tried.stored,
        "read_back": len(tried.kept),
        "calls": [
            {
                "call": timing.call,
                "calls": timing.calls,
                "entries": timing.entries,
                "seconds": timing.seconds,
                "calls_per_second": round(timing.calls / timing.seconds),
                "us_per_entry": timing.seconds / timing.entries * 1e6,
            }
            for timing in tried.timings
        ],
        "nodes": _spread(tried),
        "dropped": _dropped(tried, drop),
        "deleted": tried.deleted,
    }
    if loss is not None:
        report["removed"] = {
            "node": loss.gone.name,
            "found": loss.found,
            "lost": loss.moves.total(),
            "share_of_ring": float(tried.ring.plan(loss.ring).moved),
            "moves": [
                {"from": old, "to": new, "entries": count}
                for (old, new), count in loss.moves.most_common()
            ],
        }
    return report


def _dropped(tried: Trial, drop: Drop) -> dict[str, Any]:
    return {
        "namespace": drop.namespace,
        "nodes": len(tried.ring.nodes),
        "seconds": drop.seconds,
        "inside": dict(zip(("before", "after"), drop.inside, strict=True)),
        "outside": dict(zip(("before", "after"), drop.outside, strict=True)),
    }


def _spread(tried: Trial) -> list[dict[str, Any]]:
    owners = tried.owners()
    return [
        {
            "name": node.name,
            "kind": node.kind,
            "keys": owners[node],
            "share": owners[node] / max(len(tried.kept), 1),
        }
        for node in tried.ring.nodes
    ]


def _print(tried: Trial, loss: Loss | None, drop: Drop) -> None:
    ring = tried.ring
    say(f"{ring.dialect} ring of {len(ring.nodes)} nodes: {_kinds(ring.nodes)}")
    say(f"{tried.stored:,} entries stored, {len(tried.kept):,} of them read back\n")
    print_table(
        ("call", "calls", "entries", "calls a second", "us an entry"),
        (
            (
                timing.call,
                f"{timing.calls:,}",
                f"{timing.entries:,}",
                f"{timing.calls / timing.seconds:,.0f}",
                f"{timing.seconds / timing.entries * 1e6:.2f}",
            )
            for timing in tried.timings
        ),
    )
    say("\nWhere they went:\n")
    rows = _spread(tried)
    largest = max(row["share"] for row in rows)
    print_table(
        ("node", "keys", "share", ""),
        (
            (
                row["name"],
                f"{row['keys']:,}",
                percent(row["share"]),
                bar(row["share"], largest),
            )
            for row in rows
        ),
    )
    if loss is not None:
        _print_loss(tried, loss)
    _print_drop(drop)
    say(f"\n{tried.deleted:,} entries deleted: all keys began with {tried.prefix}")


def _kinds(nodes: Sequence[Node]) -> str:
    names = {"memory": "in-process"}
    return ", ".join(sorted({names.get(node.kind, node.kind) for node in nodes}))


def _print_loss(tried: Trial, loss: Loss) -> None:
    lost = loss.moves.total()
    others = lost - sum(count for (old, _), count in loss.moves.items() if old == loss.gone.name)
    say(f"\n{loss.gone.name} goes. A cache on the ring without it asks for all entries:")
    say(
        f"{loss.found:,} found, {lost:,} missed ({percent(lost / max(len(tried.kept), 1))}); "
        + ("all of these were on that node\n" if not others else f"{others:,} were on others\n")
    )
    print_table(
        ("owner before", "owner after", "entries", "share"),
        (
            (old, new, f"{count:,}", percent(count / max(len(tried.kept), 1)))
            for (old, new), count in loss.moves.most_common()
        ),
        left=2,
    )


def _print_drop(drop: Drop) -> None:
    (had, left), (before, after) = drop.inside, drop.outside
    say(f"\nA namespace with {had:,} entries is dropped, by one round trip to each node:")
    say(
        f"{drop.seconds * 1e3:.2f} ms; {left:,} of its entries are left, "
        f"and {after:,} of {before:,} outside of it"
    )
