"""The direct path: `get` and `set` of one key on plain keys, by node.

What is UNDONE is left to the flow, which says it once more: reading and storing twice does no harm.
"""

from __future__ import annotations

from time import time
from typing import Any, Protocol

from kcache.command import Get, Set
from kcache.entry import Entries
from kcache.flow import MISSING
from kcache.memory import MemoryStore
from kcache.net.pool import Pool
from kcache.net.request import SMALL, UNDONE, Begun, Requests
from kcache.wire import memcached as mc
from kcache.wire import resp
from kcache.wire.memcached_parser import END, Value, parse_value
from kcache.wire.memcached_talk import exptime_of
from kcache.wire.redis_talk import px_of
from kcache.wire.reply import INCOMPLETE

__all__ = ["Direct", "direct_to"]

_HD = b"HD\r\n"
_SIZED = frozenset({str, bytes})


class Direct(Protocol):
    """The calls on one node."""

    def get(self, wire: bytes) -> Any:
        """The value; MISSING; or UNDONE. It raises NodeError and DecodeError."""

    def set(self, wire: bytes, value: Any, ttl: float | None) -> object:
        """True if it was stored; or UNDONE. It raises NodeError and EncodeError."""


def direct_to(end: MemoryStore | Pool, entries: Entries) -> Direct:
    """The direct path to what is at the other end."""
    if isinstance(end, MemoryStore):
        return _MemoryDirect(end, entries)
    return (_RedisDirect if end.node.kind == "redis" else _MemcachedDirect)(end, entries)


class _MemoryDirect:
    def __init__(self, store: MemoryStore, entries: Entries) -> None:
        self._get, self._put = store.get, store.store
        self._load, self._dump = entries.from_memcached, entries.to_memcached

    def get(self, wire: bytes) -> Any:
        entry = self._get(wire)
        return MISSING if entry is None else self._load(entry[1], entry[0], wire)

    def set(self, wire: bytes, value: Any, ttl: float | None) -> object:
        flags, data = self._dump(value, wire)
        return self._put(wire, data, flags, ttl)


class _RedisDirect(Requests):
    def __init__(self, pool: Pool, entries: Entries) -> None:
        super().__init__(pool)
        self._load, self._dump = entries.from_redis, entries.to_redis

    def get(self, wire: bytes) -> Any:
        data = self.ask(resp.encode_get(wire), wire, _bulk)
        if data.__class__ is Begun:
            hits = self.rest(data, Get((wire,)))
            data = hits if hits is UNDONE else hits[0][2] if hits else None
        if data.__class__ is bytes:
            return self._load(data, wire)
        return MISSING if data is None else data

    def set(self, wire: bytes, value: Any, ttl: float | None) -> object:
        if _is_large(value):
            return UNDONE
        data = self._dump(value, wire)
        if len(data) > SMALL or (ttl is not None and ttl <= 0):
            return UNDONE
        request = resp.encode_set(wire, data, None if ttl is None else px_of(ttl))
        done = self.ask(request, wire, _ok)
        if done.__class__ is Begun:
            done = self.rest(done, Set(((wire, data, 0),), ttl))
        return done is True or done == [] or UNDONE


class _MemcachedDirect(Requests):
    def __init__(self, pool: Pool, entries: Entries) -> None:
        super().__init__(pool)
        self._load, self._dump = entries.from_memcached, entries.to_memcached

    def get(self, wire: bytes) -> Any:
        found = self.ask(mc.encode_get(wire), wire, _value)
        if found.__class__ is Value:
            return self._load(found[1], found[2], wire)
        if found.__class__ is Begun:
            hits = self.rest(found, Get((wire,)))
            if hits and hits is not UNDONE:
                return self._load(hits[0][1], hits[0][2], wire)
            found = hits or END
        return MISSING if found is END else found

    def set(self, wire: bytes, value: Any, ttl: float | None) -> object:
        if _is_large(value):
            return UNDONE
        flags, data = self._dump(value, wire)
        if len(data) > SMALL:
            return UNDONE
        exptime = 0 if ttl is None else exptime_of(ttl, time())
        done = self.ask(mc.encode_ms(wire, data, flags, exptime), wire, _stored)
        if done.__class__ is Begun:
            done = self.rest(done, Set(((wire, data, flags),), ttl))
        return done is True or done == [] or UNDONE


def _is_large(value: Any) -> bool:
    """Whether a value need not be encoded to see that it is large: the flow would do it again."""
    return value.__class__ in _SIZED and len(value) > SMALL


def _bulk(data: bytes, _wire: bytes) -> Any:
    return resp.parse_bulk(data)


def _value(data: bytes, wire: bytes) -> Any:
    value = parse_value(data)
    # A reply with another key belongs to another call; to read it in full is to find that out.
    return value if value.__class__ is not Value or value[0] == wire else INCOMPLETE


def _ok(data: bytes, _wire: bytes) -> Any:
    return True if data == resp.OK_BYTES else INCOMPLETE


def _stored(data: bytes, _wire: bytes) -> Any:
    return True if data == _HD else INCOMPLETE
