"""A real server's replies, which are spoiled on the way."""

from __future__ import annotations

import random
import select
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from socket import socket
from types import MappingProxyType

from benchmarks.faults.clients import Server
from tests.faults.lying import HALF_CLOSE, RESET, End, Lying, Step, Trickle, lying

__all__ = ["SPOILS", "Spoiler", "spoiled"]

_QUIET = 0.005
"""Seconds without a byte, after which a reply of some hundred bytes is whole."""
_INTERVAL = 0.1

Spoil = Callable[[bytes, random.Random], Iterable[Step]]
"""From a reply to what is sent in its place."""


def _cut(end: End, reply: bytes, chance: random.Random) -> list[Step]:
    return [reply[: chance.randrange(len(reply))], end]


SPOILS: Mapping[str, Spoil] = MappingProxyType(
    {
        "blackhole": lambda _reply, _chance: [],
        "trickle": lambda reply, _chance: [Trickle(reply, _INTERVAL)],
        "reset": partial(_cut, RESET),
        "half-close": partial(_cut, HALF_CLOSE),
    }
)


class Spoiler:
    """A script for `lying`, which asks the real server; each connection has one to it.

    Attributes:
        spoil: what is done to replies; None for nothing. May be replaced at any time.
    """

    def __init__(self, server: Server, seed: int) -> None:
        self.spoil: Spoil | None = None
        self._server = server
        self._chance = random.Random(seed)  # noqa: S311 - the same each time
        self._own = threading.local()

    def __call__(self, request: bytes) -> Iterable[Step]:
        """What is sent for a request."""
        reply = self._reply(request)
        return [reply] if self.spoil is None else self.spoil(reply, self._chance)

    def _reply(self, request: bytes) -> bytes:
        if not hasattr(self._own, "open"):
            # Closed when the connection's thread ends, as all that is its own is.
            self._own.open = self._server.connection()
            self._own.sock = self._own.open.__enter__()
        sock: socket = self._own.sock
        sock.sendall(request)
        reply = sock.recv(1 << 16)
        while select.select([sock], [], [], _QUIET)[0] and (more := sock.recv(1 << 16)):
            reply += more
        return reply


@contextmanager
def spoiled(server: Server, seed: int) -> Iterator[tuple[Lying, Spoiler]]:
    """A way to a server, and what spoils replies there."""
    spoiler = Spoiler(server, seed)
    with lying(spoiler) as way:
        yield way, spoiler
