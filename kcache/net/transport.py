"""The transport: carries batches to nodes of every kind, and their replies back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kcache.command import Answers, Batch, Reply
from kcache.errors import NodeError
from kcache.events import Journal
from kcache.health import HealthPolicy
from kcache.memory import MemoryStore
from kcache.memory_node import execute
from kcache.net.exchange import carry
from kcache.net.leg import Leg
from kcache.net.pool import Pool
from kcache.net.prober import watch
from kcache.net.talks import talk_for
from kcache.net.tls import check_tls
from kcache.net.trial import Trial
from kcache.node import Node

__all__ = ["End", "Transport"]

_NONE: Mapping[int, Any] = MappingProxyType({})
_LONGEST = 24 * 3600.0
"""Seconds. The system counts no further than some weeks."""

End = MemoryStore | Pool
"""What is at the other end: an in-process store, or the connections to a node."""


class Transport:
    """Exchanges batches with nodes.

    Args:
        nodes: in the order of their indexes in batches.
        timeout: of a whole call, in seconds.
        store_of: opens in-process nodes.
        journal: is told of failures.
        policy: when a node is down, and how soon that is over.

    Raises:
        ConfigurationError: the library for a kind of node is not installed, or a file that TLS
            needs cannot be used.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        timeout: float,
        store_of: Callable[[Node], MemoryStore],
        journal: Journal | None = None,
        policy: HealthPolicy = HealthPolicy(),  # noqa: B008 - it is frozen
    ) -> None:
        self.nodes = tuple(nodes)
        self.timeout = timeout = min(timeout, _LONGEST)
        for node in nodes:
            check_tls(node)
        self.ends: tuple[End, ...] = tuple(
            store_of(node) if node.kind == "memory" else Pool(node, timeout, watch, journal, policy)
            for node in nodes
        )

    def exchange(
        self, batch: Batch, deadline: float, trials: Mapping[int, Trial] = _NONE
    ) -> Answers:
        """Carry a batch to its nodes, and their replies back.

        Args:
            batch: what to tell which node.
            deadline: on the clock `time.monotonic`. A node that has not answered by then failed.
            trials: connections for some nodes, in the place of their pools.

        Returns:
            For each node of the batch its replies, or why there are none.
        """
        answers: dict[int, list[Reply] | NodeError] = {}
        legs: dict[int, Leg] = {}
        for index, commands in batch.items():
            end = self.ends[index]
            if isinstance(end, Pool):
                legs[index] = Leg(trials.get(index, end), talk_for(end.node, commands))
            else:
                answers[index] = execute(end, commands)
        if legs:
            answers |= carry(legs, deadline)
        return answers

    def close(self) -> None:
        """Close the idle connections."""
        for end in self.ends:
            if isinstance(end, Pool):
                end.close()
