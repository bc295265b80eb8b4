"""Many namespaces in use on one server, as kcache would leave them there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from secrets import token_hex

from benchmarks.bare import Exchange, ask, open_sockets
from benchmarks.namespaces_ways import PREFIX
from kcache import Cache, Namespace
from kcache.entry import FRAME_FLAGS, Entries
from kcache.namespace import Path
from kcache.record import TOKEN_SIZE, pack_record
from kcache.versions import RECORD_TTL
from kcache.wire import memcached as mc
from kcache.wire import resp
from kcache.wire.memcached_talk import exptime_of
from kcache.wire.redis_talk import px_of
from tests.servers import Memcached, Redis

__all__ = ["Crowd"]

_KEY, _VALUE = "k", "v"
_AT_ONCE = 1000
# A long run on a busy machine must not meet a timeout.
_TIMEOUT = 30.0

Item = tuple[bytes, bytes, float | None]
"""A key, what is stored there, and for how many seconds."""


class Crowd:
    """Namespaces in use, each with its version record, and with an entry unless told otherwise.

    By kcache's calls a million of them would take minutes. So the bytes that it would store are
    stored many at a time, and `check` asks kcache whether it takes them for its own.
    """

    def __init__(self, server: Redis | Memcached) -> None:
        self._server = server
        # The records are made here, and say of no server that they are from there.
        self._cache = Cache([server.url], timeout=_TIMEOUT, on_error="raise", trust_restart=True)
        (self._sock,) = open_sockets([server.address])
        self._outer = token_hex(4)
        self._token = os.urandom(TOKEN_SIZE)
        self._entries = Entries()
        self._count = 0
        self._store([(self._path(0).records[0], pack_record(self._token), RECORD_TTL)])

    def grow(self, count: int, *, entries: bool = True) -> None:
        """Let there be so many."""
        items = self._items(range(self._count, count), entries=entries)
        while part := list(islice(items, _AT_ONCE)):
            self._store(part)
        self._count = max(count, self._count)

    def namespace(self, number: int) -> Namespace:
        """One of them."""
        return self._cache.namespace(f"{self._outer}{number}")

    def check(self) -> None:
        """Ask kcache for the last entry, and for one that came earlier.

        Raises:
            RuntimeError: it does not find them.
        """
        for number in (self._count // 2, self._count - 1):
            if self.namespace(number).get(_KEY) != _VALUE:
                raise RuntimeError(f"namespace {number} of {self._count} has no entry")

    def _path(self, number: int) -> Path:
        return Path(PREFIX, (f"{self._outer}{number}",))

    def _items(self, numbers: Iterable[int], *, entries: bool) -> Iterator[Item]:
        for number in numbers:
            path, token = self._path(number), os.urandom(TOKEN_SIZE)
            yield path.records[-1], pack_record(token), RECORD_TTL
            if entries:
                key, digest = path.place(_KEY)
                yield key, self._entries.frame(_VALUE, digest + self._token + token), None

    def _store(self, items: list[Item]) -> None:
        encoded = _for_redis if isinstance(self._server, Redis) else _for_memcached
        ask(self._sock, encoded(items))()


def _for_redis(items: list[Item]) -> Exchange:
    sets = [
        resp.encode_set(key, data, None if ttl is None else px_of(ttl)) for key, data, ttl in items
    ]
    return b"".join(sets), len(resp.OK_BYTES) * len(items)


def _for_memcached(items: list[Item]) -> Exchange:
    now = time.time()
    sets = [(key, data, FRAME_FLAGS, exptime_of(ttl, now)) for key, data, ttl in items]
    return mc.encode_set_many(sets), len(b"HD\r\n") * len(items)
