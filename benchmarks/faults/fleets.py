"""kcache and its peers on some nodes, which go down and come back while threads read."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pylibmc
from pymemcache.client.hash import HashClient

from benchmarks.faults.clients import Client, Server, wrapped
from benchmarks.faults.scenario import KCACHE, Contender
from kcache import Cache
from tests.faults.tally import EXPECTED

__all__ = ["POLLING", "VALUES", "Opening", "fleet_client", "held_by"]

POLLING = "pylibmc, _poll_timeout"
"""The option that no manual names is the one that bounds how long pylibmc waits."""
VALUES = {key.replace(" ", "_"): value for key, value in EXPECTED.items()}
"""What threads read; most peers take no blanks in keys."""


class _Reachable(Protocol):
    """Where a server is."""

    @property
    def url(self) -> str: ...

    @property
    def address(self) -> Any: ...


class _Clones:
    """One for each thread: a client of libmemcached cannot be shared."""

    def __init__(self, original: Any) -> None:
        self._original, self._own = original, threading.local()

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._own, "client"):
            self._own.client = self._original.clone()
        return getattr(self._own.client, name)


def _pylibmc(servers: Iterable[_Reachable], milliseconds: int, behaviors: dict[str, Any]) -> Any:
    pairs = ["{}:{}".format(*server.address) for server in servers]
    times = {
        "connect_timeout": milliseconds,
        "send_timeout": milliseconds * 1000,
        "receive_timeout": milliseconds * 1000,
        "retry_timeout": 1,
    }
    # Without `ketama` each outage would be one of keys modulo nodes, which nobody runs.
    return _Clones(pylibmc.Client(pairs, behaviors={"ketama": True, **times, **behaviors}))


def _made(who: str, servers: Sequence[_Reachable], timeout: float, **options: Any) -> Any:
    if who == KCACHE:
        return Cache([server.url for server in servers], timeout=timeout, **options)
    if who == "HashClient":
        return HashClient(
            [server.address for server in servers],
            connect_timeout=timeout,
            timeout=timeout,
            use_pooling=True,
            ignore_exc=True,
            default_noreply=False,
            **options,
        )
    milliseconds = round(timeout * 1e3)
    polling = {"_poll_timeout": milliseconds} if who.startswith(POLLING) else {}
    return _pylibmc(servers, milliseconds, polling | options)


@dataclass(frozen=True)
class _Where:
    """A server, as another process knows it."""

    url: str
    address: Any


class Opening:
    """Opens a contender's client on some nodes, in any process, and so can be pickled.

    Args:
        who: the contender.
        servers: the nodes.
        timeout: of each call, in seconds.
        **options: that the contender alone has; of kcache, a `namespace`, for one.
    """

    def __init__(
        self, who: str, servers: Iterable[_Reachable], timeout: float, **options: Any
    ) -> None:
        self.who = who
        self._servers = [_Where(server.url, server.address) for server in servers]
        self._timeout, self._options = timeout, options

    def __call__(self) -> Client:
        """A client, whose threads may share it."""
        return wrapped(self.who, _made(self.who, self._servers, self._timeout, **self._options))


@contextmanager
def fleet_client(
    contender: Contender, servers: Sequence[Server], timeout: float
) -> Iterator[Client]:
    """The contender's client, which threads may share, on nodes that hold all values."""
    client = wrapped(contender.who, _made(contender.who, servers, timeout))
    try:
        client.set_many(VALUES)
        yield client
    finally:
        client.close()


def held_by(server: Server) -> frozenset[str]:
    """The keys that a node has now, whoever has chosen it for them."""
    with Cache([server.url], timeout=5) as direct:
        return frozenset(direct.get_many(VALUES))
