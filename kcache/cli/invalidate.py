"""`kcache invalidate`: drop a namespace on every node."""

from __future__ import annotations

from typing import Any

import click

from kcache.cache import Cache
from kcache.cli.choice import Choice, fleet_options
from kcache.cli.nodes import timeout_option
from kcache.cli.output import complain, json_option, print_json, say
from kcache.options import MAX_EPOCH

__all__ = ["invalidate"]


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--prefix", default="kc", show_default=True, help="The cache's prefix.")
@click.option(
    "--epoch",
    type=click.IntRange(0, MAX_EPOCH),
    default=0,
    help="The epoch of the ring, where the cache has one.",
)
@fleet_options
@timeout_option
@json_option
def invalidate(
    choice: Choice,
    names: tuple[str, ...],
    *,
    prefix: str,
    epoch: int,
    timeout: float,
    as_json: bool,
) -> int:
    """Drop every entry of a namespace, and of those within it, for every process.

    Each NAME is one level, from the outermost: `kcache invalidate photos 42`. Exit with 1 if a
    node could not be told.
    """
    with Cache(choice.ring(), prefix=prefix, timeout=timeout, epoch=epoch) as cache:
        outcome = cache.namespace(*names).invalidate()
        pending = [node.name for node in outcome.pending]
        told = len(cache.ring.nodes) - len(pending)
    path = "/".join(names)
    if as_json:
        content: dict[str, Any] = {"namespace": list(names), "complete": outcome.complete}
        print_json({**content, "pending": pending})
    elif outcome.complete:
        say(f"{path}: invalidated on {told} node{'s' if told > 1 else ''}")
    if pending:
        complain(f"{path}: not invalidated on {', '.join(pending)}")
    return 0 if outcome.complete else 1
