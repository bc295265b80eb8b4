"""`kcache demo`: the ring on in-process nodes, from the first share to a node that goes."""

from __future__ import annotations

from dataclasses import replace

import click

from kcache.cli.choice import Choice, fleet_options
from kcache.cli.keys import load_keys
from kcache.cli.output import json_option, percent, print_json, print_table, say
from kcache.cli.show import describe, print_ring
from kcache.cli.simulate import place_keys
from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring import Ring

__all__ = ["demo"]

_EMBEDDED = ("memory://alpha", "memory://beta", "memory://gamma", "memory://delta")
_KEYS = 100_000
_EXAMPLES = ("user:42", "session:9f3c", "/albums/7/photos", "front page", "café")


@click.command()
@fleet_options
@json_option
def demo(choice: Choice, *, as_json: bool) -> None:
    """Show a ring at work: shares, owners, speed, and what moves when a node goes.

    Without nodes, on four in-process ones.
    """
    if choice.is_empty():
        choice = replace(choice, nodes=_EMBEDDED)
    ring = choice.ring()
    _, seconds = place_keys(ring, load_keys(None, _KEYS), "placing keys")
    gone, smaller = _without_largest(ring)
    if as_json:
        _print_json(ring, seconds, gone, smaller)
        return
    print_ring(ring)
    say("\nWhere keys live:\n")
    print_table(("key", "node"), ((key, ring.node_for(key).name) for key in _EXAMPLES), left=2)
    say(f"\n{_KEYS:,} keys looked up in {seconds:.3f} s: {seconds / _KEYS * 1e6:.2f} us a key")
    if smaller is not None:
        _print_loss(ring, gone, smaller)


def _without_largest(ring: Ring) -> tuple[Node, Ring | None]:
    """The node with the largest share, and the ring without it, if that is one."""
    largest = max(ring.share().items(), key=lambda item: item[1])[0]
    try:
        return largest, ring.without(largest.name)
    except ConfigurationError:
        return largest, None


def _print_json(ring: Ring, seconds: float, gone: Node, smaller: Ring | None) -> None:
    content = {
        "ring": describe(ring),
        "keys": {key: ring.node_for(key).name for key in _EXAMPLES},
        "lookups_per_second": round(_KEYS / seconds),
    }
    if smaller is not None:
        content["removed"] = {"node": gone.name, "moved": float(ring.plan(smaller).moved)}
    print_json(content)


def _print_loss(ring: Ring, gone: Node, smaller: Ring) -> None:
    plan = ring.plan(smaller)
    own = sum(share for (old, _), share in plan.moves.items() if old == gone.name)
    others = "no others" if own == plan.moved else f"{percent(plan.moved - own)} besides"
    say(f"\n{gone.name} goes: its {percent(own)} of the keys move, {others}\n")
    print_table(
        ("from", "to", "share of all keys"),
        ((old, new, percent(share)) for (old, new), share in plan.moves.items()),
        left=2,
    )
