"""What a cache and all of its namespaces share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import urandom
from time import time
from typing import Any

from kcache.events import Journal
from kcache.guard import Guard
from kcache.health import HealthPolicy
from kcache.known import Known
from kcache.memory import MemoryStore, open_store
from kcache.mirror import Mirror
from kcache.namespace import checked_prefix
from kcache.net.transport import Transport
from kcache.node import Node
from kcache.options import ring_of
from kcache.record import TOKEN_SIZE
from kcache.ring import Ring
from kcache.rings import gains, other_ring, owner_in, together

__all__ = ["Core", "fresh_token", "opened"]

_NOT_OF_RINGS = (
    *("namespace", "prefix", "ttl", "timeout", "on_error"),
    *("health", "debt_interval", "trust_restart", "invalidate_nodes", "epoch"),
    *("codec", "compression", "secret", "clock"),
)


@dataclass(frozen=True, eq=False)
class Core:
    """The fleet, and the way to it.

    Attributes:
        ring: who owns what.
        transport: to the nodes of the ring, in its order.
        known: the version tokens that were seen there.
        prefix: of the keys of namespaces and records.
        guard: of the nodes where namespaces are used.
        raises: whether calls raise where a node fails.
        configuration: what it was opened with; it pickles as that.
        now: Unix time in seconds.
        journal: of what happens.
    """

    ring: Ring
    transport: Transport
    known: Known
    prefix: bytes
    guard: Guard
    raises: bool
    configuration: Mapping[str, Any]
    now: Callable[[], float] = time
    journal: Journal = field(default_factory=Journal)

    def __reduce__(self) -> tuple[Any, ...]:
        return opened, (self.configuration,)


def opened(configuration: Mapping[str, Any]) -> Core:
    """The core of a cache, which connects when it is used.

    Args:
        configuration: the arguments of `Cache`, by name.

    Raises:
        ConfigurationError: an option that cannot be used.
    """
    given = dict(configuration)
    own = {name: given.pop(name) for name in _NOT_OF_RINGS}
    nodes, clock = given.pop("nodes"), own["clock"]
    ring = ring_of(nodes, **given)
    other = other_ring(ring, own["invalidate_nodes"], **given)
    everyone = ring.nodes if other is None else together(ring, other)
    journal = Journal()
    store_of = _store_opener(nodes, clock)
    policy = own["health"] or HealthPolicy()
    transport = Transport(everyone, own["timeout"], store_of, journal, policy)
    known, prefix = Known(len(everyone)), checked_prefix(own["prefix"])
    guard = Guard(
        transport,
        known,
        prefix,
        fresh=fresh_token,
        debt_interval=own["debt_interval"],
        trusts_restart=own["trust_restart"],
        epoch=own["epoch"],
        gains=gains(ring, other),
        mirror=None if other is None else Mirror(prefix, owner_in(other, everyone)),
    )
    return Core(
        ring,
        transport,
        known,
        prefix,
        guard,
        raises=own["on_error"] == "raise",
        configuration=configuration,
        now=clock or time,
        journal=journal,
    )


def _store_opener(nodes: Any, clock: Callable[[], float] | None) -> Callable[[Node], MemoryStore]:
    if nodes is None:
        private = MemoryStore() if clock is None else MemoryStore(clock=clock)
        return lambda _node: private
    return lambda node: open_store(node, clock)


def fresh_token() -> bytes:
    """A version token that was never given before."""
    return urandom(TOKEN_SIZE)
