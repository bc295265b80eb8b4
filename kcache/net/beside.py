"""One key, and the same few others beside it: the direct path where entries have records.

The others rarely change. So the bytes of their part of a reply are remembered, and a reply that
ends in the same bytes has the same meaning: only what stands before them is looked at. They are
compared in full, never taken for granted.
"""

from __future__ import annotations

from time import time
from typing import Any, NamedTuple, Protocol, TypeAlias

from kcache.command import Get, Item, Set
from kcache.entry import FRAME_FLAGS
from kcache.memory import MemoryStore, Stored
from kcache.net.pool import Pool
from kcache.net.request import SMALL, UNDONE, Begun, Requests
from kcache.wire import memcached as mc
from kcache.wire import resp
from kcache.wire.memcached_parser import Meta, parse_metas, parse_values
from kcache.wire.memcached_talk import encode_get_each, exptime_of
from kcache.wire.redis_talk import px_of
from kcache.wire.reply import INCOMPLETE

__all__ = ["Beside", "Found", "beside_on"]

Wires: TypeAlias = tuple[bytes, ...]
Found: TypeAlias = "tuple[bytes | None, ...]"
"""The data under the others, in their order: the same object again while they are the same."""
_MOST_REMEMBERED = 4096
"""Bytes of the others' data."""


class Beside(Protocol):
    """The calls on one node."""

    def read(self, wire: bytes) -> Any:
        """The data under a key, or None, and what was `Found`, in a pair; or UNDONE.

        The key is read no later than the others. It raises NodeError.
        """

    def store(self, item: Item, ttl: float | None) -> Any:
        """Read the others, and then store an item, once: what was `Found`; or UNDONE.

        It raises NodeError.
        """


def beside_on(end: MemoryStore | Pool, others: Wires) -> Beside:
    """The direct path to what is at the other end."""
    if isinstance(end, MemoryStore):
        return _MemoryBeside(end, others)
    return (_RedisBeside if end.node.kind == "redis" else _MemcachedBeside)(end, others)


class _MemoryBeside:
    def __init__(self, store: MemoryStore, others: Wires) -> None:
        self._get, self._put = store.get_many, store.store
        self._others = others
        self._seen: tuple[list[Stored | None], Found] = ([], ())

    def read(self, wire: bytes) -> Any:
        entry, *stored = self._get((wire, *self._others))
        seen, found = self._seen
        if stored != seen:
            found = self._note(stored)
        return None if entry is None else entry[0], found

    def store(self, item: Item, ttl: float | None) -> Any:
        wire, data, flags = item
        stored = self._get(self._others)
        seen, found = self._seen
        if stored != seen:
            found = self._note(stored)
        return found if self._put(wire, data, flags, ttl) else UNDONE

    def _note(self, stored: list[Stored | None]) -> Found:
        found = tuple([None if entry is None else entry[0] for entry in stored])
        self._seen = stored, found
        return found


class _Seen(NamedTuple):
    """What a node has said of the others.

    Attributes:
        tail: the end of a reply with an entry before them.
        miss: a whole reply without an entry.
        stored: a whole reply to a store.
        found: what they mean.
    """

    tail: bytes
    miss: bytes
    stored: bytes
    found: Found


_NOTHING = _Seen(b"", b"", b"", ())


class _NodeBeside(Requests):
    """What both protocols share: a request that is not over when the first bytes have come."""

    def __init__(self, pool: Pool, others: Wires) -> None:
        super().__init__(pool)
        self._others = others
        self._seen = _NOTHING

    def _rest_of_read(self, begun: Begun, wire: bytes) -> Any:
        wires = (wire, *self._others)
        hits = self.rest(begun, Get(wires))
        return UNDONE if hits is UNDONE else _parted(hits, wires)

    def _rest_of_store(self, begun: Begun, item: Item, ttl: float | None) -> Any:
        hits = self.rest(begun, Get(self._others), Set((item,), ttl, once=True))
        if hits is UNDONE:
            return UNDONE
        held = {key: data for key, _, data in hits}
        return tuple(map(held.get, self._others))


class _RedisBeside(_NodeBeside):
    def __init__(self, pool: Pool, others: Wires) -> None:
        super().__init__(pool, others)
        self._head = b"*%d\r\n" % (1 + len(others))
        self._request = b"*%d\r\n$4\r\nMGET\r\n$" % (2 + len(others))
        self._keys = b"".join([b"\r\n$%d\r\n%b" % (len(key), key) for key in others]) + b"\r\n"
        self._look = resp.encode_mget(others)

    def read(self, wire: bytes) -> Any:
        request = b"%b%d\r\n%b%b" % (self._request, len(wire), wire, self._keys)
        found = self.ask(request, wire, self._parse)
        return self._rest_of_read(found, wire) if found.__class__ is Begun else found

    def _parse(self, data: bytes, _wire: bytes) -> Any:
        tail, miss, _, found = self._seen
        if found and data.endswith(tail):
            start = data.find(b"\n", 5) + 1
            size = len(data) - start - len(tail)
            if data[:start] == b"%b$%d\r\n" % (self._head, size):
                return data[start : -len(tail)], found
        if found and data == miss:
            return None, found
        values = resp.parse_bulks(data)
        if values is INCOMPLETE or len(values) != 1 + len(self._others):
            return INCOMPLETE
        return values[0], self._remember(tuple(values[1:]))

    def store(self, item: Item, ttl: float | None) -> Any:
        wire, data, _ = item
        if len(data) > SMALL or (ttl is not None and ttl <= 0):
            return UNDONE
        store = resp.encode_set(wire, data, None if ttl is None else px_of(ttl))
        found = self.ask(self._look + store, None, self._parse_stored, once=True)
        return self._rest_of_store(found, item, ttl) if found.__class__ is Begun else found

    def _parse_stored(self, data: bytes, _: None) -> Any:
        seen = self._seen
        if seen.found and data == seen.stored:
            return seen.found
        if not data.endswith(resp.OK_BYTES):
            return INCOMPLETE
        values = resp.parse_bulks(data[: -len(resp.OK_BYTES)])
        if values is INCOMPLETE or len(values) != len(self._others):
            return INCOMPLETE
        return self._remember(tuple(values))

    def _remember(self, found: Found) -> Found:
        seen = self._seen.found
        if found == seen:
            return seen
        data = _small(found)
        if data:
            bulks = b"".join([b"\r\n$%d\r\n%b" % (len(value), value) for value in data]) + b"\r\n"
            self._seen = _Seen(
                bulks,
                b"%b$-1%b" % (self._head, bulks),
                b"*%d%b%b" % (len(data), bulks, resp.OK_BYTES),
                found,
            )
        return found


class _MemcachedBeside(_NodeBeside):
    def __init__(self, pool: Pool, others: Wires) -> None:
        super().__init__(pool, others)
        self._keys = b" %b\r\n" % b" ".join(others)
        self._look = encode_get_each(others)

    def read(self, wire: bytes) -> Any:
        found = self.ask(b"get %b%b" % (wire, self._keys), wire, self._parse)
        return self._rest_of_read(found, wire) if found.__class__ is Begun else found

    def _parse(self, data: bytes, wire: bytes) -> Any:
        tail, miss, _, found = self._seen
        if found and data.endswith(tail):
            start = data.find(b"\n") + 1
            size = len(data) - start - len(tail)
            if data[:start] == b"VALUE %b %d %d\r\n" % (wire, FRAME_FLAGS, size):
                return data[start : -len(tail)], found
        if found and data == miss:
            return None, found
        hits = parse_values(data)
        wires = (wire, *self._others)
        # With other keys the reply belongs to another call; to read it in full is to find that out.
        if hits is INCOMPLETE or not {key for key, _, _ in hits} <= set(wires):
            return INCOMPLETE
        value, found = _parted(hits, wires)
        return value, self._remember(found)

    def store(self, item: Item, ttl: float | None) -> Any:
        wire, data, flags = item
        if len(data) > SMALL:
            return UNDONE
        exptime = 0 if ttl is None else exptime_of(ttl, time())
        request = self._look + mc.encode_ms(wire, data, flags, exptime)
        found = self.ask(request, None, self._parse_stored, once=True)
        return self._rest_of_store(found, item, ttl) if found.__class__ is Begun else found

    def _parse_stored(self, data: bytes, _: None) -> Any:
        seen = self._seen
        if seen.found and data == seen.stored:
            return seen.found
        metas = parse_metas(data, len(self._others) + 1)
        if metas is INCOMPLETE or metas.pop() != _DONE:
            return INCOMPLETE
        for meta, key in zip(metas, self._others, strict=True):
            if meta.code != b"EN" and (meta.data is None or meta.flag(b"k") != key):
                return INCOMPLETE
        return self._remember(tuple([meta.data for meta in metas]))

    def _remember(self, found: Found) -> Found:
        seen = self._seen.found
        if found == seen:
            return seen
        data = _small(found)
        if data:
            named = list(zip(self._others, data, strict=True))
            tail = b"".join(
                [
                    b"\r\nVALUE %b %d %d\r\n%b" % (key, FRAME_FLAGS, len(value), value)
                    for key, value in named
                ]
            )
            metas = [
                b"VA %d k%b f%d\r\n%b\r\n" % (len(value), key, FRAME_FLAGS, value)
                for key, value in named
            ]
            self._seen = _Seen(
                tail + b"\r\nEND\r\n",
                tail[2:] + b"\r\nEND\r\n",
                b"".join(metas) + b"HD\r\n",
                found,
            )
        return found


_DONE = Meta(b"HD")


def _small(found: Found) -> list[bytes]:
    """The data under the others if all are there and not large; else none at all."""
    data = [value for value in found if value is not None]
    is_small = len(data) == len(found) and sum(map(len, data)) <= _MOST_REMEMBERED
    return data if is_small else []


def _parted(hits: list[tuple[bytes, int, bytes]], wires: Wires) -> tuple[bytes | None, Found]:
    """What was found under the first key, and under the others."""
    held = {key: data for key, _, data in hits}
    value, *others = map(held.get, wires)
    return value, tuple(others)
