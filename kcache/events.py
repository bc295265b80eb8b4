"""Events: what happens in a cache, for whoever listens; and how often, for everybody.

    cache.listen(print)

Metrics and tools are built on this. An event is made only if somebody listens; the counts of
`Cache.stats` are always kept. A listener is called in the thread in which it happened, and should
be quick. What it raises is logged, and harms nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from kcache.errors import DeadEntryError, DecodeError, NodeError
from kcache.node import Node

__all__ = [
    "Account",
    "Computed",
    "Counts",
    "Deleted",
    "Event",
    "Found",
    "FoundStale",
    "Invalidated",
    "Journal",
    "Listener",
    "Missed",
    "NodeDown",
    "NodeFailed",
    "NodeUp",
    "NotStored",
    "Stored",
    "Unreadable",
]

Key: TypeAlias = str | bytes
Names: TypeAlias = tuple[Key, ...]
_log = logging.getLogger("kcache")
_MOST_PLACES = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True, slots=True)
class _OfKey(Event):
    """Something that happened to an entry.

    Attributes:
        names: the path of its namespace; empty for a plain key.
        key: of the entry.
    """

    names: Names
    key: Key


class Found(_OfKey):
    """A read found an entry."""

    __slots__ = ()


class FoundStale(_OfKey):
    """A value was given that is past its ttl."""

    __slots__ = ()


class Missed(_OfKey):
    """A read found nothing."""

    __slots__ = ()


class Stored(_OfKey):
    """An entry was stored."""

    __slots__ = ()


class Deleted(_OfKey):
    """An entry that was there was deleted."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class NotStored(_OfKey):
    """An entry was not stored, though no condition was against it.

    Attributes:
        reason: a type that the codec does not take; or that the entry was changed, or its lease
            taken, while the value was computed, or that it is too large: no node says which.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Computed(_OfKey):
    """A value was computed.

    Attributes:
        seconds: that it took.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Unreadable(Event):
    """What is stored cannot be read, and is a miss.

    Attributes:
        names: the path of its namespace; empty for a plain key.
        wire: the key as it is on the node.
        reason: such as a checksum that is wrong.
    """

    names: Names
    wire: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Invalidated(Event):
    """A namespace was invalidated.

    Attributes:
        names: its path.
        pending: the nodes that could not be told.
    """

    names: Names
    pending: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class NodeFailed(Event):
    """A call failed on a node.

    Attributes:
        error: why; it has the node.
    """

    error: NodeError


@dataclass(frozen=True, slots=True)
class NodeDown(Event):
    """A node does not answer, and is left alone until it does.

    Attributes:
        error: why; it has the node.
    """

    error: NodeError


@dataclass(frozen=True, slots=True)
class NodeUp(Event):
    """A node answers again."""

    node: Node


Listener: TypeAlias = Callable[[Event], object]


@dataclass(slots=True)
class Counts:
    """How often things happened in a namespace, or on plain keys, in this process.

    Attributes:
        hits: entries that were found.
        misses: those that were not.
        stale: values that were given past their ttl.
        stores: entries that were stored.
        deletes: entries that were there and were deleted.
        invalidations: of the namespace.
        computed: values that were computed.
        seconds: that it took to compute them.
        unreadable: reads of what was stored and could not be read.
    """

    hits: int = 0
    misses: int = 0
    stale: int = 0
    stores: int = 0
    deletes: int = 0
    invalidations: int = 0
    computed: int = 0
    seconds: float = 0.0
    unreadable: int = 0

    def copy(self) -> Counts:
        """The counts as they are now."""
        return Counts(*(getattr(self, field.name) for field in fields(self)))


class Account:
    """Counts what happens in one place, and tells those who listen.

    Args:
        names: the path of the namespace; empty for plain keys.
        journal: of the cache.
    """

    __slots__ = ("_journal", "counts", "names")

    def __init__(self, names: Names, journal: Journal) -> None:
        self.names = names
        self._journal = journal
        self.counts = journal.counts_of(names)

    def hit(self, key: Key) -> None:
        """A read found an entry."""
        self.counts.hits += 1
        if self._journal.listeners:
            self._journal.tell(Found(self.names, key))

    def miss(self, key: Key) -> None:
        """A read found nothing."""
        self.counts.misses += 1
        if self._journal.listeners:
            self._journal.tell(Missed(self.names, key))

    def read_many(self, keys: Collection[Key], found: Mapping[Any, Any]) -> None:
        """A read of many keys found some."""
        self.counts.hits += len(found)
        self.counts.misses += len(keys) - len(found)
        if self._journal.listeners:
            for key in keys:
                kind = Found if key in found else Missed
                self._journal.tell(kind(self.names, key))

    def stored_many(self, keys: Collection[Key], lost: Collection[Key]) -> None:
        """Many entries were stored, but for some."""
        self.counts.stores += len(keys) - len(lost)
        if self._journal.listeners:
            for key in keys:
                if key not in lost:
                    self._journal.tell(Stored(self.names, key))

    def stale(self, key: Key) -> None:
        """A value was given that is past its ttl."""
        self.counts.stale += 1
        if self._journal.listeners:
            self._journal.tell(FoundStale(self.names, key))

    def stored(self, key: Key) -> None:
        """An entry was stored."""
        self.counts.stores += 1
        if self._journal.listeners:
            self._journal.tell(Stored(self.names, key))

    def not_stored(self, key: Key, reason: str) -> None:
        """An entry was not stored."""
        if self._journal.listeners:
            self._journal.tell(NotStored(self.names, key, reason))

    def unreadable(self, wire: bytes, error: DecodeError) -> None:
        """What is stored cannot be read."""
        if not isinstance(error, DeadEntryError):
            self.counts.unreadable += 1
            if self._journal.listeners:
                self._journal.tell(Unreadable(self.names, wire, f"{error}"))

    def deleted(self, key: Key) -> None:
        """An entry was deleted."""
        self.counts.deletes += 1
        if self._journal.listeners:
            self._journal.tell(Deleted(self.names, key))

    def computed(self, key: Key, seconds: float) -> None:
        """A value was computed."""
        self.counts.computed += 1
        self.counts.seconds += seconds
        if self._journal.listeners:
            self._journal.tell(Computed(self.names, key, seconds))

    def invalidated(self, pending: tuple[Node, ...]) -> None:
        """The namespace was invalidated."""
        self.counts.invalidations += 1
        if self._journal.listeners:
            self._journal.tell(Invalidated(self.names, pending))


class Journal:
    """The counts of a cache, and those who listen.

    Attributes:
        listeners: empty if nobody does.
    """

    def __init__(self) -> None:
        self.listeners: tuple[Listener, ...] = ()
        self._counts: dict[Names, Counts] = {}

    def counts_of(self, names: Names) -> Counts:
        """The counts of a namespace; beyond 10,000 of them, those that share one."""
        if len(self._counts) >= _MOST_PLACES and names not in self._counts:
            names = ("...",)
        return self._counts.setdefault(names, Counts())

    def stats(self) -> dict[Names, Counts]:
        """A copy of all counts."""
        return {names: counts.copy() for names, counts in list(self._counts.items())}

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a listener for every event; what is returned ends that."""
        self.listeners = (*self.listeners, listener)

        def end() -> None:
            self.listeners = tuple(each for each in self.listeners if each is not listener)

        return end

    def tell(self, event: Event) -> None:
        """Call all listeners."""
        for listener in self.listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - whatever a listener does wrong is no caller's fault
                _log.exception("a listener failed")
