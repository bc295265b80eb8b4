"""F21: keys that are made to be commands, or to be taken for others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import redis as redis_py

from benchmarks.faults.canary import watched
from benchmarks.faults.clients import Client, Server, opened, served
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario
from kcache import Cache
from kcache.route import Key
from tests.cache.test_hostile_keys import (
    CANARY,
    CHUNK,
    ask,
    hostile,
    memcached_counts,
    redis_counts,
)
from tests.servers import Memcached

__all__ = ["SCENARIOS"]

_ROOM = {"memcached": ("-m", "2048"), "redis": ()}
_METHODS = ("get", "set", "delete", "incr")


def _chunks(seed: int, count: int) -> Iterator[dict[Key, Any]]:
    keys = islice(hostile(seed), count)
    start = 0
    while chunk := list(islice(keys, CHUNK)):
        yield {key: start + i for i, key in enumerate(chunk)}
        start += len(chunk)


def _stored(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Store all of them, then read all of them, and look at what the server has counted."""
    with (
        served(contender, *_ROOM[contender.node]) as server,
        Cache([server.url], timeout=20, on_error="raise") as cache,
    ):
        cache.set(CANARY, "alive")
        before = _counts(server)
        deadline, total, wrong = time.monotonic() + effort.seconds / 2, 0, 0
        for chunk in _chunks(effort.seed, effort.count):
            wrong += len(cache.set_many(chunk))
            total += len(chunk)
            if time.monotonic() > deadline:
                break
        for chunk in _chunks(effort.seed, total):
            read = cache.get_many(chunk)
            wrong += sum(read.get(key) != value for key, value in chunk.items())
        injected = _counts(server) != _expected(server, before, total)
        injected |= cache.get(CANARY) != "alive"
        faults = {"wrong": wrong, "injected": int(injected)}
        yield Finding(total, {name: times for name, times in faults.items() if times})


def _counts(server: Server) -> dict[str, int]:
    if isinstance(server, Memcached):
        return memcached_counts(server)
    with redis_py.Redis.from_url(server.url) as client:
        counts = redis_counts(client)
        size: Any = client.dbsize()
    own = ("info", "dbsize", "client|setinfo", "hello", "client")
    return {"entries": size, **{name: n for name, n in counts.items() if name not in own}}


def _expected(server: Server, before: dict[str, int], total: int) -> dict[str, int]:
    """What the server must have counted, if each command was one, and each key another."""
    if isinstance(server, Memcached):
        grown = ("cmd_get", "get_hits", "cmd_set", "curr_items", "total_items")
        return {name: n + total * (name in grown) for name, n in before.items()}
    chunks = -(-total // CHUNK)
    expected = {**before, "entries": before["entries"] + total, "set": before["set"] + total}
    return {**expected, "mget": before.get("mget", 0) + chunks}


def _asked(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Each call on each key; all that one of them asserts is one fault."""
    with (
        served(contender) as server,
        Cache([server.url], timeout=20, on_error="raise") as cache,
    ):
        cache.set(CANARY, "alive")
        deadline, failed = time.monotonic() + effort.seconds, 0
        for number, key in enumerate(islice(hostile(effort.seed), effort.count), 1):
            try:
                ask(cache, key)
            except Exception:  # noqa: BLE001 - whatever it is, there is no reason for it
                failed += 1
            if number % CHUNK == 0 or number == effort.count:
                yield Finding(number, {"failed": failed} if failed else {})
                if time.monotonic() > deadline:
                    return


def _canary(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Some calls on each key, and after each one a look at an entry that nobody names."""
    injected = refused = calls = 0
    with served(contender) as server, watched(server) as canary:
        deadline = time.monotonic() + effort.seconds
        for key in islice(hostile(effort.seed), effort.count // len(_METHODS)):
            with opened(contender, server) as client:
                for method in _METHODS:
                    refused += not _called(client, method, key)
                    injected += not canary.is_well()
                    calls += 1
            # Each time, since a client whose replies are out of step may hang with the next key.
            yield _canaries(calls, injected, refused)
            if time.monotonic() > deadline:
                return


def _canaries(calls: int, injected: int, refused: int) -> Finding:
    return Finding(calls, {"injected": injected} if injected else {}, {"refused": refused})


def _called(client: Client, method: str, key: Key) -> bool:
    """Whether the client has not refused the key."""
    call: Callable[..., object] = getattr(client, method)
    try:
        call(key, "5") if method == "set" else call(key)
    except Exception:  # noqa: BLE001 - each client has its own
        return False
    return True


SCENARIOS = (
    Scenario(
        "F21",
        "hostile keys, all stored by set_many, then all read by get_many; the server's counters",
        "keys",
        "0 injections, 0 collisions",
        _stored,
        Effort(1_000_000, 120),
        Effort(2000, 4),
        limit=200,
    ),
    Scenario(
        "F21",
        "15 calls, of every method, on each hostile key, canary among them",
        "keys",
        "0 injections, each call right",
        _asked,
        Effort(1_000_000, 30),
        Effort(500, 2),
    ),
    Scenario(
        "F21",
        "get, set, delete, incr of hostile keys, a canary looked at after each; a client of its "
        "own for each key",
        "calls",
        "0 injections",
        _canary,
        Effort(100_000, 8),
        Effort(400, 2),
        (
            *BOTH,
            Contender("redis-py", "redis"),
            Contender("PooledClient", "memcached"),
            Contender("pylibmc", "memcached"),
            Contender("python-memcached", "memcached"),
        ),
        60,
    ),
)
