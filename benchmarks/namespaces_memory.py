"""What a namespace in use takes: on a server, and in the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import redis
from pymemcache.client.base import Client

from benchmarks.cache_ways import opened, place_of
from benchmarks.harness import PEAK, RETAINED_BYTES, Contender, Meter, Row, Work
from benchmarks.namespaces_crowd import Crowd
from benchmarks.namespaces_ways import PREFIX
from kcache import Cache
from kcache.known import MAX_KNOWN, Known
from kcache.namespace import Path
from kcache.record import TOKEN_SIZE, parts_of
from tests.servers import Memcached, Redis

__all__ = ["memory_rows"]

_COUNTED = Meter("B", lambda work: float(cast("int", work())))
"""Of work that gives the bytes itself."""
# Bytes are the same every time.
_ROUNDS = 1
# Redis moves what it holds to a larger table bit by bit.
_PAUSE = 0.2
_STEADY = 4096


def memory_rows(on_redis: Redis, on_memcached: Memcached, counts: tuple[int, int]) -> Iterator[Row]:
    """The rows, one after the other.

    Args:
        on_redis: emptied before each reading.
        on_memcached: must have room for some records more.
        counts: namespaces in use, some and many.
    """
    few, many = counts
    yield Row(
        f"memory on a server, for each of {many:,} namespaces",
        (
            Contender("Redis: used_memory", partial(_on_redis, on_redis, many)),
            Contender("memcached: bytes", partial(_on_memcached, on_memcached, many)),
        ),
        operations=many,
        meter=_COUNTED,
        rounds=_ROUNDS,
    )
    few = min(few, MAX_KNOWN)
    yield Row(
        f"memory in the process, for each of {few:,} namespaces",
        (
            Contender("its token, remembered", partial(_tokens, few)),
            Contender("a Namespace that is kept", partial(_objects, on_redis, few)),
            Contender("a Namespace that is kept and has read", partial(_readers, on_redis, few)),
        ),
        operations=few,
        meter=RETAINED_BYTES,
        rounds=_ROUNDS,
    )
    yield Row(
        "memory in the process at the peak, for one read in each namespace, none of them kept",
        tuple(
            Contender(f"{count:,} namespaces", partial(_passing, on_redis, count))
            for count in (few, many)
        ),
        meter=PEAK,
        rounds=_ROUNDS,
    )


def _on_redis(server: Redis, count: int) -> Work:
    server.flush()
    client: Any = redis.Redis(*place_of(server))

    def used() -> int:
        before, now = 0, int(client.info("memory")["used_memory"])
        while abs(now - before) > _STEADY:
            time.sleep(_PAUSE)
            before, now = now, int(client.info("memory")["used_memory"])
        return now

    return _growth(Crowd(server), count, used)


def _on_memcached(server: Memcached, count: int) -> Work:
    client = Client(place_of(server))
    return _growth(Crowd(server), count, lambda: int(client.stats()[b"bytes"]))


def _growth(crowd: Crowd, count: int, used: Callable[[], int]) -> Work:
    def work() -> int:
        before = used()
        crowd.grow(count, entries=False)
        return used() - before

    return work


def _tokens(count: int) -> Work:
    def work() -> Known:
        known = Known(1)
        for i in range(count):
            record = Path(PREFIX, (f"{i}",)).records[-1]
            known.note(0, (record,), (i.to_bytes(TOKEN_SIZE, "big"),))
        return known

    return work


def _objects(server: Redis, count: int) -> Work:
    cache = _warm(server)
    return lambda: [cache.namespace(f"{i}") for i in range(count)]


def _readers(server: Redis, count: int) -> Work:
    crowd = _crowd(server, count)

    def work() -> object:
        kept = [crowd.namespace(i) for i in range(count)]
        for namespace in kept:
            namespace.get("k")
        # Both are bounded, and counted elsewhere.
        parts_of.cache_clear()
        return kept

    return work


def _passing(server: Redis, count: int) -> Work:
    crowd = _crowd(server, count)
    parts_of.cache_clear()

    def work() -> None:
        for i in range(count):
            crowd.namespace(i).get("k")

    return work


def _crowd(server: Redis, count: int) -> Crowd:
    server.flush()
    crowd = Crowd(server)
    crowd.grow(count)
    crowd.check()
    return crowd


def _warm(server: Redis) -> Cache:
    cache = opened([server])
    cache.get("k")
    return cache
