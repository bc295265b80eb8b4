"""`kcache ping`: whether the nodes answer, and how soon."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.nodes import Asker, asking, timeout_option
from kcache.cli.output import complain, json_option, print_json, print_table
from kcache.cli.server import server_of
from kcache.command import Ping
from kcache.errors import NodeError
from kcache.node import Node

__all__ = ["ping"]

_TIMES = 7


@click.command()
@fleet_options
@timeout_option
@json_option
def ping(choice: Choice, *, timeout: float, as_json: bool) -> int:
    """Ask every node whether it is there; exit with 1 if one does not answer.

    The latency is the median of a few round trips over an open connection.
    """
    rows = _rows(choice.ring().nodes, timeout)
    if as_json:
        print_json({"nodes": rows})
    else:
        _print(rows)
    return 0 if all(row["ok"] for row in rows) else 1


def _rows(nodes: Sequence[Node], timeout: float) -> list[dict[str, Any]]:
    with asking(nodes, timeout) as asker:
        # All at once, so that nodes which do not answer cost one timeout together.
        first = asker.ask({index: (Ping(),) for index, _ in enumerate(nodes)})
        return [_row(asker, index, node, first[index], timeout) for index, node in enumerate(nodes)]


def _row(asker: Asker, index: int, node: Node, first: Any, timeout: float) -> dict[str, Any]:
    answer, latency = first, None
    if not isinstance(answer, NodeError):
        answer, latency = _measured(asker, index)
    failed = isinstance(answer, NodeError)
    return {
        "name": node.name,
        "kind": node.kind,
        "address": node.address,
        "ok": not failed,
        "error": answer.reason if isinstance(answer, NodeError) else None,
        "latency_ms": None if latency is None else round(latency * 1000, 4),
        "server": None if failed else server_of(node, timeout),
    }


def _measured(asker: Asker, index: int) -> tuple[Any, float | None]:
    """The last answer, and the median time of some; no time after a failure."""
    times = []
    for _ in range(_TIMES):
        begun = perf_counter()
        answer = asker.ask({index: (Ping(),)})[index]
        if isinstance(answer, NodeError):
            return answer, None
        times.append(perf_counter() - begun)
    return answer, statistics.median(times)


def _print(rows: Sequence[dict[str, Any]]) -> None:
    print_table(
        ("node", "kind", "server", "answer", "latency"),
        (
            (
                row["name"],
                row["kind"],
                row["server"] or "-",
                "ok" if row["ok"] else "fails",
                f"{row['latency_ms']:.2f} ms" if row["ok"] else "-",
            )
            for row in rows
        ),
        left=4,
    )
    for row in rows:
        if not row["ok"]:
            complain(f"node {row['name']}: {row['error']}")
