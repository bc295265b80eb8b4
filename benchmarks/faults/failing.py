"""Proxies that fail one exchange of a hundred, in a process of their own."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.faults.acceptor import Acceptor
from tests.faults.link import Link
from tests.faults.rules import PASS, Direction, Rule, Rules
from tests.servers.connect import Address, connection

__all__ = ["failing_proxies"]

_MOST_BYTES = 40
_PATIENCE = 20.0
_context: Any = multiprocessing.get_context("spawn")


class _Failing(Rules):
    """Some pieces of bytes are late, or the last ones of a connection that is reset then.

    Args:
        share: of pieces, in each direction: of exchanges it is twice as much.
        delay: seconds.
        chance: of what is done.
    """

    def __init__(self, share: float, delay: float, chance: random.Random) -> None:
        super().__init__()
        self._share, self._delay, self._chance = share, delay, chance
        self._turns = itertools.count(1)

    def await_passage(
        self, direction: Direction, has_ended: Callable[[], bool]
    ) -> tuple[Rule, int]:
        """What happens to the next piece."""
        if has_ended():
            raise ConnectionAbortedError(f"ended before its bytes went {direction.value}")
        if self._chance.random() >= self._share:
            return PASS, 0
        if self._chance.random() < 0.5:  # noqa: PLR2004 - as often one as the other
            return Rule(delay=self._delay), 0
        return Rule(limit=self._chance.randrange(_MOST_BYTES), reset=True), next(self._turns)


@contextmanager
def _proxy(server: Address, rules: Rules) -> Iterator[Address]:
    """One that forgets connections when they end: there are millions of them."""

    def serve(client: socket.socket) -> None:
        with connection(server) as onward:
            onward.settimeout(None)
            onward.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            acceptor.track(onward)
            try:
                Link(client, onward, rules, acceptor.wait).run()
            finally:
                acceptor.forget(onward)

    acceptor = Acceptor(serve)
    try:
        yield acceptor.address
    finally:
        acceptor.close()


def _serve(servers: Sequence[Address], share: float, delay: float, seed: int, pipe: Any) -> None:
    with ExitStack() as stack:
        for number, server in enumerate(servers):
            chance = random.Random(seed + number)  # noqa: S311 - the same each time
            rules = _Failing(share, delay, chance)
            pipe.send(stack.enter_context(_proxy(server, rules)))
        # Until the other end is closed.
        pipe.poll(None)


@contextmanager
def failing_proxies(
    servers: Sequence[Address], *, share: float, delay: float, seed: int
) -> Iterator[list[Address]]:
    """A proxy in front of each server.

    Args:
        servers: their addresses.
        share: of exchanges that fail.
        delay: seconds, longer than who waits for a reply.
        seed: of the random numbers.
    """
    near, far = _context.Pipe()
    arguments = (servers, share / 2, delay, seed, far)
    process = _context.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    far.close()
    try:
        yield [near.recv() for _ in servers]
    finally:
        near.close()
        process.join(_PATIENCE)
        process.kill()
