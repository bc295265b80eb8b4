"""What a cache and all of its namespaces share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from os import urandom
from time import time

from kcache.events import Journal
from kcache.known import Known
from kcache.net.transport import Transport
from kcache.record import TOKEN_SIZE
from kcache.ring import Ring

__all__ = ["Core", "fresh_token"]


@dataclass(frozen=True, eq=False)
class Core:
    """The fleet, and the way to it.

    Attributes:
        ring: who owns what.
        transport: to the nodes of the ring, in its order.
        known: the version tokens that were seen there.
        prefix: of the keys of namespaces and records.
        raises: whether calls raise where a node fails.
        now: Unix time in seconds.
        journal: of what happens.
    """

    ring: Ring
    transport: Transport
    known: Known
    prefix: bytes
    raises: bool
    now: Callable[[], float] = time
    journal: Journal = field(default_factory=Journal)


def fresh_token() -> bytes:
    """A version token that was never given before."""
    return urandom(TOKEN_SIZE)
