"""`kcache locate`: which node owns a key."""

from __future__ import annotations

import os
import sys

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.keys import read_keys
from kcache.cli.output import json_option, print_json, print_table
from kcache.errors import ConfigurationError
from kcache.ring import Ring

__all__ = ["locate", "readable"]


@click.command()
@click.argument("keys", nargs=-1, metavar="KEY...")
@fleet_options
@json_option
def locate(choice: Choice, keys: tuple[str, ...], *, as_json: bool) -> None:
    """Show which node owns each KEY. A KEY of - reads keys from standard input, one a line."""
    ring = choice.ring()
    wanted = [bare for key in keys for bare in _expand(key)]
    if not wanted:
        raise ConfigurationError("no keys: give KEY... or - to read them from standard input")
    rows = [_row(ring, key) for key in wanted]
    if as_json:
        print_json({"dialect": ring.dialect, "keys": rows})
        return
    print_table(
        ("key", "node", "hash"),
        ((str(row["key"]), str(row["node"]), str(row["hash"])) for row in rows),
        left=2,
    )


def _expand(key: str) -> list[bytes]:
    """The key's bytes; arguments are text only as far as the shell's bytes are UTF-8."""
    return read_keys(sys.stdin.buffer.read()) if key == "-" else [os.fsencode(key)]


def _row(ring: Ring, key: bytes) -> dict[str, str | int]:
    node = ring.node_for(key)
    return {
        "key": readable(key),
        "hash": ring.hash_of(key),
        "node": node.name,
        "address": node.address,
    }


def readable(key: str | bytes) -> str:
    """A key as text; bytes that are not UTF-8 as backslash escapes."""
    return key if isinstance(key, str) else key.decode(errors="backslashreplace")
