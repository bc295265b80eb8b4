"""`kcache locate`: which node owns a key, and which nodes hold it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.holders import find_holders
from kcache.cli.keys import read_keys
from kcache.cli.nodes import timeout_option
from kcache.cli.output import complain, json_option, print_json, print_table, readable
from kcache.errors import ConfigurationError
from kcache.key import wire_key
from kcache.ring import Ring

__all__ = ["locate"]


@click.command()
@click.argument("keys", nargs=-1, metavar="KEY...")
@fleet_options
@click.option("--live", is_flag=True, help="Ask the nodes which of them hold the keys.")
@timeout_option
@json_option
def locate(
    choice: Choice, keys: tuple[str, ...], *, live: bool, timeout: float, as_json: bool
) -> int:
    """Show which node owns each KEY. A KEY of - reads keys from standard input, one a line.

    With --live every node is asked whether it holds the keys; an entry on a node that does not
    own its key is misplaced. The exit status is 1 if a node does not answer.
    """
    ring = choice.ring()
    wanted = [bare for key in keys for bare in _expand(key)]
    if not wanted:
        raise ConfigurationError("no keys: give KEY... or - to read them from standard input")
    rows = [_row(ring, key) for key in wanted]
    if live:
        found = find_holders(ring, [wire_key(key) for key in wanted], timeout)
        for row, holders in zip(rows, found, strict=True):
            row["nodes"] = holders
    if as_json:
        print_json({"dialect": ring.dialect, "keys": rows})
    elif live:
        _print_holders(rows)
    else:
        _print_owners(rows)
    return int(live and any(node["error"] for row in rows for node in row["nodes"]))


def _expand(key: str) -> list[bytes]:
    """The key's bytes; arguments are text only as far as the shell's bytes are UTF-8."""
    return read_keys(sys.stdin.buffer.read()) if key == "-" else [os.fsencode(key)]


def _row(ring: Ring, key: bytes) -> dict[str, Any]:
    # The ring hashes what goes out.
    wire = wire_key(key)
    node = ring.node_for(wire)
    return {
        "key": readable(key),
        "sent_as": readable(wire),
        "hash": ring.hash_of(wire),
        "node": node.name,
        "address": node.address,
    }


def _print_owners(rows: Sequence[dict[str, Any]]) -> None:
    print_table(
        ("key", "node", "hash"),
        ((row["key"], row["node"], str(row["hash"])) for row in rows),
        left=2,
    )


def _print_holders(rows: Sequence[dict[str, Any]]) -> None:
    print_table(
        ("key", "node", "", "value", "bytes", "ttl"),
        (
            (
                row["key"],
                node["name"],
                "owner" if node["owner"] else "misplaced" if node["held"] else "",
                _value(node),
                "-" if node["bytes"] is None else f"{node['bytes']:,}",
                _ttl(node),
            )
            for row in rows
            for node in row["nodes"]
            # What need not be there and is not is not worth a line.
            if node["owner"] or node["held"] or node["error"]
        ),
        left=4,
    )
    # The same node may have failed for many keys.
    errors = {node["name"]: node["error"] for row in rows for node in row["nodes"]}
    for name, error in errors.items():
        if error is not None:
            complain(f"node {name}: {error}")


def _value(node: dict[str, Any]) -> str:
    if node["error"] is not None:
        return "no answer"
    return str(node["type"]) if node["held"] else "not there"


def _ttl(node: dict[str, Any]) -> str:
    if not node["held"]:
        return "-"
    return "no end" if node["ttl"] is None else f"{node['ttl']:,.1f} s"
