"""What it takes to drop entries, by how many there are, and by how many namespaces are in use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import redis
from pymemcache.client.base import Client

from benchmarks.bare import ask, open_sockets
from benchmarks.cache_ways import FLOOR, opened, place_of
from benchmarks.calls import Call, repeated
from benchmarks.harness import Contender, Row, Work
from benchmarks.namespaces_crowd import Crowd
from benchmarks.namespaces_ways import PREFIX, flask_caching
from kcache.entry import FRAME_FLAGS
from kcache.namespace import Path
from kcache.record import TOKEN_SIZE, pack_record
from kcache.versions import RECORD_TTL
from kcache.wire import resp
from kcache.wire.redis_talk import px_of
from tests.servers import Memcached, Redis

__all__ = [
    "CLEAR",
    "DELETE_MEMOIZED",
    "ON_MEMCACHED",
    "ON_REDIS",
    "SCAN",
    "Grounds",
    "Namespaces",
    "entries_row",
]

ON_REDIS, ON_MEMCACHED = "kcache, Redis", "kcache, memcached"
DELETE_MEMOIZED, CLEAR = "Flask-Caching, delete_memoized", "Flask-Caching, clear"
SCAN = "redis-py, SCAN and UNLINK"

_NAME, _VALUE = "entries", "v"
_VALUE_SIZE = 10
_AT_ONCE = 10_000
_SCANNED = 1000

Prepare = Callable[[], Work]


@dataclass(frozen=True)
class Grounds:
    """Servers that hold one contender's entries each: KEYS and SCAN walk over all there are.

    Those of the peers must take DEBUG.
    """

    redis: Redis
    memcached: Memcached
    memoized: Redis
    cleared: Redis
    scanned: Redis


def entries_row(grounds: Grounds, count: int, rounds: int) -> Row:
    """Dropping so many entries, which are all alive before each reading."""
    contenders = {
        FLOOR: _floor(grounds.redis),
        ON_REDIS: _namespace(grounds.redis, count),
        ON_MEMCACHED: _namespace(grounds.memcached, count),
        DELETE_MEMOIZED: _memoized(grounds.memoized, count),
        CLEAR: _cleared(grounds.cleared, count),
        SCAN: _scanned(grounds.scanned, count),
    }
    return _row(f"invalidate, entries: {count:,}", contenders, rounds)


class Namespaces:
    """Rows of dropping one namespace while more and more are in use."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._crowds = {}
        for way, server in ((ON_REDIS, grounds.redis), (ON_MEMCACHED, grounds.memcached)):
            server.flush()
            self._crowds[way] = Crowd(server)

    def row(self, count: int, times: int, rounds: int) -> Row:
        """With so many in use, more than in the row before: one of them dropped, many times."""
        contenders = {FLOOR: _floor(self._grounds.redis, times)}
        for way, crowd in self._crowds.items():
            crowd.grow(count)
            crowd.check()
            call = crowd.namespace(count - 1).invalidate
            contenders[way] = partial(repeated, call, times)
        return _row(f"invalidate, namespaces in use: {count:,}", contenders, rounds, times)


def _row(name: str, contenders: dict[str, Prepare], rounds: int, operations: int = 1) -> Row:
    return Row(
        name,
        tuple(Contender(way, prepare) for way, prepare in contenders.items()),
        operations=operations,
        floor=FLOOR,
        peers=tuple(way for way in contenders if way not in {FLOOR, ON_REDIS, ON_MEMCACHED}),
        rounds=rounds,
    )


def _floor(server: Redis, times: int = 1) -> Prepare:
    """One record replaced, by the bytes that kcache sends."""
    (sock,) = open_sockets([server.address])
    key = Path(PREFIX, ("floor",)).records[-1]
    record = pack_record(bytes(TOKEN_SIZE))
    end = b"%d" % px_of(RECORD_TTL)
    length = len(resp.OK_BYTES)
    call = ask(sock, (resp.encode(b"SET", key, record, b"PX", end, b"XX"), length))

    def prepare() -> Work:
        ask(sock, (resp.encode_set(key, record), length))()
        call()
        return repeated(call, times)

    return prepare


def _namespace(server: Redis | Memcached, count: int) -> Prepare:
    server.flush()
    namespace = opened([server]).namespace(_NAME)
    for start in range(0, count, _AT_ONCE):
        part = range(start, min(start + _AT_ONCE, count))
        namespace.set_many(dict.fromkeys(map(str, part), _VALUE))
    revive = _putting_back(server, Path(PREFIX, (_NAME,)).records[-1])

    def prepare() -> Work:
        namespace.invalidate()
        # Under its old token, all that was dropped is alive again.
        revive()
        if not namespace.get("0") == namespace.get(f"{count - 1}") == _VALUE:
            raise RuntimeError(f"{count:,} entries do not fit into {server.url}")
        return namespace.invalidate

    return prepare


def _putting_back(server: Redis | Memcached, key: bytes) -> Call:
    """What stores again what is there now."""
    if isinstance(server, Redis):
        client: Any = redis.Redis(*place_of(server))
        value = client.get(key)
        return lambda: client.set(key, value)
    plain: Any = Client(place_of(server), no_delay=True)
    data = plain.get(key)
    return lambda: plain.set(key, data, noreply=False, flags=FRAME_FLAGS)


def _memoized(server: Redis, count: int) -> Prepare:
    populate = _population(server)
    caching = flask_caching(server)
    memoized = caching.memoize()(lambda number: f"{number}")
    populate("flask_cache_", count - 1)

    def prepare() -> Work:
        caching.delete_memoized(memoized)
        memoized(1)
        return lambda: caching.delete_memoized(memoized)

    return prepare


def _cleared(server: Redis, count: int) -> Prepare:
    populate = _population(server)
    clear: Work = flask_caching(server).clear

    def prepare() -> Work:
        clear()
        populate("flask_cache_", count)
        return clear

    return prepare


def _scanned(server: Redis, count: int) -> Prepare:
    populate = _population(server)
    client = redis.Redis(*place_of(server))

    def work() -> None:
        cursor = None
        while cursor != 0:
            cursor, keys = client.scan(cursor or 0, match=f"{_NAME}:*", count=_SCANNED)
            if keys:
                client.unlink(*keys)

    def prepare() -> Work:
        work()
        populate(_NAME, count)
        return work

    return prepare


def _population(server: Redis) -> Callable[[str, int], object]:
    """What makes entries whose keys begin with a prefix, in an empty server: a million a second."""
    server.flush()
    client: Any = redis.Redis(*place_of(server))

    def populate(prefix: str, count: int) -> object:
        return client.execute_command("DEBUG", "POPULATE", count, prefix, _VALUE_SIZE)

    return populate
