"""Two rings that are in use at the same time, while one takes the place of the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.options import ring_of
from kcache.ring import Ring

__all__ = ["gains", "other_ring", "owner_in", "together"]


def other_ring(ring: Ring, nodes: Sequence[Node | str] | Ring | None, **given: Any) -> Ring | None:
    """The ring that is in use beside another one; None if there is none.

    Args:
        ring: the one that keys are looked up in.
        nodes: of the other one.
        **given: dialect and options of both.

    Raises:
        ConfigurationError: nodes that make no ring, or none that can be used beside this one.
    """
    if nodes is None or isinstance(nodes, Ring):
        return nodes
    if not nodes:
        raise ConfigurationError("invalidate_nodes has the nodes of the other ring, or is None")
    return ring_of(tuple(nodes), **({"dialect": ring.dialect} | given))


def together(ring: Ring, other: Ring) -> tuple[Node, ...]:
    """The nodes of a ring, and behind them those that only the other one has.

    Raises:
        ConfigurationError: they have different nodes of one name.
    """
    by_name = {node.name: node for node in ring.nodes}
    for node in other.nodes:
        known = by_name.setdefault(node.name, node)
        if _end_of(known) != _end_of(node):
            raise ConfigurationError(
                f"node {node.name} is {known.address} in this ring and {node.address} in that of "
                "invalidate_nodes: a node has one address and database in both, or another name"
            )
    return tuple(by_name.values())


def _end_of(node: Node) -> tuple[object, ...]:
    return node.kind, node.address, node.database or 0


def owner_in(other: Ring, everyone: Sequence[Node]) -> Callable[[bytes], int]:
    """From a wire key to its owner in the other ring, by the index among all nodes."""
    numbers = {node.name: number for number, node in enumerate(everyone)}
    indexes = [numbers[node.name] for node in other.nodes]
    index_for = other.index_for
    return lambda wire: indexes[index_for(wire)]


def gains(ring: Ring, other: Ring | None) -> frozenset[int]:
    """The indexes of nodes that own more in a ring than in the other; all, if that is not known."""
    everyone = frozenset(range(len(ring.nodes)))
    if other is None:
        return everyone
    try:
        moves = other.plan(ring).moves
    except ConfigurationError:
        # They hash keys differently.
        return everyone
    names = {new for _, new in moves}
    return frozenset(index for index in everyone if ring.nodes[index].name in names)
