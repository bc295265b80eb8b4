"""The in-process node: a bounded store with the calls that Redis and memcached nodes have.

It holds bytes and flags, as a server does, so that code which works on it works on servers.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from math import inf
from typing import TypeAlias

from kcache.errors import ConfigurationError, NotACounter
from kcache.flow import MAX_VALUE
from kcache.node import Node

__all__ = ["MAX_BYTES", "MAX_ENTRIES", "MemoryStore", "Stored", "open_store"]

MAX_ENTRIES = 100_000
MAX_BYTES = 256 * 2**20
_COUNTER_MAX = 2**63 - 1
# About what CPython keeps for one entry besides the bytes of its key and its data.
_OVERHEAD = 300


Stored: TypeAlias = tuple[bytes, int, int, float]
"""What a node holds under a key: data; the flags beside it; a token, another one after every store;
and when the entry ends, on the store's clock, or `inf` for never. A bare tuple is made in a
quarter of the time of a named one."""


class MemoryStore:
    """Entries in least-recently-used order, bounded in number and in bytes.

    Threads share it. A read costs no lock: dictionary operations are atomic, and one that
    comes too late finds the key gone.

    Args:
        max_entries: how many entries are kept at most.
        max_bytes: how much they may take: keys, data and about 300 bytes each.
        clock: seconds, never going back; injected by tests.
    """

    def __init__(
        self,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.clock = clock
        self._entries: OrderedDict[bytes, Stored] = OrderedDict()
        self._bytes = 0
        self._token = 0
        # A signal's handler may come in the middle of a call of its own thread, and use the store.
        self._lock = threading.RLock()
        _stores.add(self)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes that the entries take, by the measure of `max_bytes`."""
        return self._bytes

    def get(self, key: bytes) -> Stored | None:
        """The live entry under a key."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[3] <= self.clock():
            self._drop_expired(key, entry)
            return None
        try:  # noqa: SIM105 - suppress() would cost a third of a read
            self._entries.move_to_end(key)
        except KeyError:
            # Deleted or evicted meanwhile; what was read was live when it was read.
            pass
        return entry

    def get_many(self, keys: Iterable[bytes]) -> list[Stored | None]:
        """The live entries under some keys, at less cost than one by one."""
        entries, now = self._entries, self.clock()
        found: list[Stored | None] = []
        for key in keys:
            entry = entries.get(key)
            if entry is not None:
                if entry[3] <= now:
                    self._drop_expired(key, entry)
                    entry = None
                else:
                    try:  # noqa: SIM105 - as in `get`
                        entries.move_to_end(key)
                    except KeyError:
                        pass
            found.append(entry)
        return found

    def store(self, key: bytes, data: bytes, flags: int, ttl: float | None) -> bool:
        """Store an entry.

        Args:
            key: the wire key.
            data: the bytes to keep.
            flags: a number to keep beside them.
            ttl: life in seconds; None for no end. At zero or less the entry is gone at once.

        Returns:
            Whether the entry has room. One too large for the store is not kept, and what was
            there before is gone, as on memcached.
        """
        with self._lock:
            if ttl is None:
                return self._put(key, data, flags, inf)
            if ttl > 0:
                return self._put(key, data, flags, self.clock() + ttl)
            self._remove(key)
            return True

    def store_if(
        self,
        key: bytes,
        data: bytes,
        flags: int,
        ttl: float | None,
        *,
        present: bool | None = None,
        token: int | None = None,
    ) -> bool:
        """Store an entry on conditions, which hold at the moment of storing.

        Args:
            key: the wire key; `data`, `flags` and `ttl` are as for `store`.
            data: the bytes to keep.
            flags: a number to keep beside them.
            ttl: life in seconds.
            present: only if the key is there (True), or only if it is not (False).
            token: only if the entry is still the one that had this token.

        Returns:
            Whether the conditions held and the entry has room.
        """
        with self._lock:
            before = self._live(key)
            if present is not None and present != (before is not None):
                return False
            if token is not None and (before is None or before[2] != token):
                return False
            if ttl is not None and ttl <= 0:
                self._remove(key)
                return True
            return self._put(key, data, flags, inf if ttl is None else self.clock() + ttl)

    def swap(self, key: bytes, data: bytes, flags: int, token: int) -> bool:
        """Store other data if the entry is still the one that had this token; its end stays.

        Returns:
            Whether it was, and the data has room.
        """
        with self._lock:
            before = self._live(key)
            if before is None or before[2] != token:
                return False
            return self._put(key, data, flags, before[3])

    def delete(self, key: bytes) -> bool:
        """Remove an entry; whether it was there."""
        with self._lock:
            was_there = self._live(key) is not None
            self._remove(key)
            return was_there

    def touch(self, key: bytes, ttl: float | None) -> bool:
        """Give an entry a new life; whether it is there."""
        with self._lock:
            entry = self._live(key)
            if entry is None:
                return False
            if ttl is not None and ttl <= 0:
                self._remove(key)
            else:
                expires = inf if ttl is None else self.clock() + ttl
                self._entries[key] = (*entry[:3], expires)
                self._entries.move_to_end(key)
            return True

    def ttl(self, key: bytes) -> float | None:
        """Seconds that an entry has left; `inf` for no end, None for no entry."""
        entry = self.get(key)
        return None if entry is None else max(entry[3] - self.clock(), 0.0)

    def count(
        self, key: bytes, delta: int, initial: int | None, flags: int, ttl: float | None
    ) -> int | None:
        """Add to a counter, which stays within 0 .. 2**63 - 1: below it stops at 0.

        Args:
            key: the wire key.
            delta: what to add; may be negative.
            initial: what to store, unchanged, where there is no entry.
            flags: of counters; other entries are none, whatever they hold.
            ttl: for a counter that is created.

        Returns:
            The new number; None where there is no entry and no `initial`.

        Raises:
            NotACounter: the entry is no number in that range, or the sum would exceed it.
                Nothing is changed.
        """
        with self._lock:
            entry = self._live(key)
            if entry is None:
                return self._first_count(key, initial, flags, ttl)
            data, held_flags, _, expires = entry
            if held_flags != flags:
                raise NotACounter(f"{key!r}: the entry is of another type")
            number = max(0, _counter(data) + delta)
            if number > _COUNTER_MAX:
                raise NotACounter(f"{key!r}: {number} is beyond 2**63 - 1")
            self._put(key, b"%d" % number, flags, expires)
            return number

    def _first_count(
        self, key: bytes, initial: int | None, flags: int, ttl: float | None
    ) -> int | None:
        if initial is not None and (ttl is None or ttl > 0):
            self._put(key, b"%d" % initial, flags, inf if ttl is None else self.clock() + ttl)
        return initial

    def flush(self) -> None:
        """Remove everything."""
        with self._lock:
            self._token += 1
            self._entries.clear()
            self._bytes = 0

    def _live(self, key: bytes) -> Stored | None:
        entry = self._entries.get(key)
        return None if entry is None or entry[3] <= self.clock() else entry

    def _put(self, key: bytes, data: bytes, flags: int, expires: float) -> bool:
        """Put an entry in the place of another, or of none; False if it is too large."""
        if len(key) + len(data) + _OVERHEAD > self.max_bytes or len(data) > MAX_VALUE:
            self._remove(key)
            return False
        entries = self._entries
        old = entries.get(key)
        self._token = token = self._token + 1
        entries[key] = (data, flags, token, expires)
        if old is None:
            self._bytes += len(key) + len(data) + _OVERHEAD
        else:
            self._bytes += len(data) - len(old[0])
            try:  # noqa: SIM105 - as in `get`
                entries.move_to_end(key)
            except KeyError:
                # A handler has removed it since.
                pass
        if self._bytes > self.max_bytes or len(entries) > self.max_entries:
            self._evict()
        if self._token != token:
            self._recount()
        return True

    def _recount(self) -> None:
        """Measure all entries: a handler has changed some while one was put into its place."""
        self._bytes = sum(_size(key, entry[0]) for key, entry in self._entries.items())

    def _evict(self) -> None:
        entries = self._entries
        while entries and (self._bytes > self.max_bytes or len(entries) > self.max_entries):
            key, old = entries.popitem(last=False)
            self._bytes -= _size(key, old[0])

    def _remove(self, key: bytes) -> None:
        self._token += 1
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry[0])

    def _drop_expired(self, key: bytes, entry: Stored) -> None:
        with self._lock:
            if self._entries.get(key) is entry:
                self._remove(key)


def _size(key: bytes, data: bytes) -> int:
    return len(key) + len(data) + _OVERHEAD


def _counter(data: bytes) -> int:
    if not data.isdigit() or len(data) > len(str(_COUNTER_MAX)) or int(data) > _COUNTER_MAX:
        raise NotACounter(f"the entry holds {data[:40]!r}, no number of 0 to 2**63 - 1")
    return int(data)


_stores: weakref.WeakSet[MemoryStore] = weakref.WeakSet()
_named: dict[str, MemoryStore] = {}
_naming = threading.RLock()


def open_store(node: Node, clock: Callable[[], float] | None = None) -> MemoryStore:
    """The store of a `memory://NAME` node, one for each name in the process.

    Args:
        node: of kind `memory`.
        clock: of a store that is opened for the first time; `time.monotonic` where it is None.

    Raises:
        ConfigurationError: the name is open with other bounds, or another clock.
    """
    options = dict(node.options)
    bounds = (
        int(options.get("max_entries", MAX_ENTRIES)),
        int(options.get("max_bytes", MAX_BYTES)),
    )
    with _naming:
        store = _named.get(node.address)
        if store is None:
            store = _named[node.address] = MemoryStore(*bounds, clock or time.monotonic)
    if (store.max_entries, store.max_bytes) != bounds:
        raise ConfigurationError(
            f"memory://{node.address} is open with max_entries={store.max_entries} and "
            f"max_bytes={store.max_bytes}; give the same, or another name"
        )
    if clock is not None and clock is not store.clock:
        raise ConfigurationError(f"memory://{node.address} is open with another clock")
    return store


_held: list[MemoryStore] = []


def _all() -> list[MemoryStore]:
    while True:
        try:
            return list(_stores)
        except RuntimeError:
            # One was made meanwhile.
            continue


def _hold_all() -> None:
    _naming.acquire()
    _held[:] = _all()
    for store in _held:
        store._lock.acquire()  # noqa: SLF001 - this module's own


def _release_all() -> None:
    while _held:
        _held.pop()._lock.release()  # noqa: SLF001 - this module's own
    _naming.release()


# A child gets the entries as they were, none of them half stored, and no lock that somebody holds.
os.register_at_fork(before=_hold_all, after_in_parent=_release_all, after_in_child=_release_all)
