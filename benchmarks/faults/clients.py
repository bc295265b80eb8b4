"""kcache and its peers behind the same few calls, so that they go through the same scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import memcache
import pylibmc
import pymemcache
import pymemcache.client.hash
import redis as redis_py

from benchmarks.faults.scenario import KCACHE, Contender
from kcache import Cache
from tests.faults.tally import EXPECTED, Get
from tests.servers import Memcached, Redis, memcached, redis

__all__ = ["PACKAGES", "Client", "Server", "filled", "opened", "served", "wrapped"]

Server = Redis | Memcached
# A busy machine does not upset kcache; a peer that waits for a reply which never comes, soon ends.
_TIMEOUT, _PEERS_TIMEOUT = 5.0, 1.0
PACKAGES = {"redis-py": "redis", "PooledClient": "pymemcache", KCACHE: "kcache"}
"""Where the code of those is that are looked into."""


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


class Client:
    """A client whose calls have kcache's names; values are text. This one is memcached's way."""

    def __init__(self, opened: Any) -> None:
        self.inner = opened

    def get(self, key: Any) -> Any:
        """Text; None for a miss."""
        return _text(self.inner.get(key))

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Those that are there."""
        return {key: _text(value) for key, value in self.inner.get_multi(list(keys)).items()}

    def set(self, key: Any, value: Any, ttl: Any = None) -> Any:
        """What the client says about it."""
        return self.inner.set(key, f"{value}", time=ttl or 0)

    def set_many(self, values: Mapping[str, Any]) -> None:
        """One after the other."""
        for key, value in values.items():
            self.set(key, value)

    def delete(self, key: Any) -> Any:
        """What the client says about it."""
        return self.inner.delete(key)

    def incr(self, key: Any, delta: int = 1) -> Any:
        """The new number, if the client gives it."""
        return self.inner.incr(key, delta)

    def decr(self, key: Any, delta: int = 1) -> Any:
        """The same."""
        return self.inner.decr(key, delta)

    def held(self) -> int:
        """How many connections are said to be in use; nobody uses one when this is asked."""
        return 0

    def close(self) -> None:
        """Close all connections."""
        self.inner.disconnect_all()


class _Pymemcache(Client):
    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        return {key: _text(value) for key, value in self.inner.get_many(list(keys)).items()}

    def set(self, key: Any, value: Any, ttl: Any = None) -> Any:
        return self.inner.set(key, f"{value}", expire=ttl or 0)

    def held(self) -> int:
        pool = getattr(self.inner, "client_pool", None)
        return 0 if pool is None else len(pool.used)

    def close(self) -> None:
        self.inner.close()


class _RedisPy(Client):
    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        names = list(keys)
        pairs = zip(names, self.inner.mget(names), strict=True)
        return {key: _text(value) for key, value in pairs if value is not None}

    def set(self, key: Any, value: Any, ttl: Any = None) -> Any:
        return self.inner.set(key, f"{value}", ex=ttl)

    def held(self) -> int:
        return len(self.inner.connection_pool._in_use_connections)  # noqa: SLF001 - nothing else tells

    def close(self) -> None:
        self.inner.close()


class _Kcache(Client):
    def get(self, key: Any) -> Any:
        return self.inner.get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        return dict(self.inner.get_many(keys))

    def set(self, key: Any, value: Any, ttl: Any = None) -> Any:
        return self.inner.set(key, value, ttl)

    def close(self) -> None:
        self.inner.close()


_WAYS: Mapping[str, type[Client]] = {
    KCACHE: _Kcache,
    "redis-py": _RedisPy,
    "PooledClient": _Pymemcache,
    "HashClient": _Pymemcache,
}


def wrapped(who: str, inner: Any) -> Client:
    """A contender's own client, behind the calls of all."""
    return _WAYS.get(who, Client)(inner)


def _made(who: str, server: Server, *, bounded: bool) -> Any:
    """A client of its own; one that is not bounded has no options at all."""
    address: Any = server.address
    pair = "{}:{}".format(*address)
    times: dict[str, Any] = {"timeout": _PEERS_TIMEOUT, "connect_timeout": 1} if bounded else {}
    replies = {"default_noreply": False} if bounded else {}
    if who == KCACHE:
        time: Any = {"timeout": _TIMEOUT} if bounded else {}
        return Cache([server.url], **time)
    if who == "redis-py":
        redis_times: Any = {"socket_timeout": _PEERS_TIMEOUT} if bounded else {}
        return redis_py.Redis.from_url(server.url, **redis_times)
    if who == "PooledClient":
        return pymemcache.PooledClient(address, **times, **replies)
    if who == "HashClient":
        hashed = pymemcache.client.hash.HashClient
        return hashed([address], ignore_exc=True, **times, **replies)
    if who == "pylibmc":
        return pylibmc.Client([pair])
    waits = {"socket_timeout": _PEERS_TIMEOUT} if bounded else {}
    return memcache.Client([pair], **waits)


@contextmanager
def served(contender: Contender, *options: str) -> Iterator[Server]:
    """A server of the contender's kind of node."""
    start: Any = redis if contender.node == "redis" else memcached
    with start(options=options) as server:
        yield server


@contextmanager
def opened(contender: Contender, server: Server, *, bounded: bool = True) -> Iterator[Client]:
    """The contender's client; one that is not bounded has no options at all."""
    client = wrapped(contender.who, _made(contender.who, server, bounded=bounded))
    try:
        yield client
    finally:
        client.close()


def filled(client: Client) -> Get:
    """Store what scenarios expect, and give what reads it; most peers take no blanks in keys."""
    names = {key: key.replace(" ", "_") for key in EXPECTED}
    client.set_many({names[key]: value for key, value in EXPECTED.items()})
    get = client.get
    return lambda key: get(names[key])
