"""What `kcache demo` does to nodes: it stores and reads entries, misses some, and drops some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from time import perf_counter
from typing import Any

from kcache.cache import Cache, Namespace
from kcache.cli.keys import load_keys
from kcache.cli.nodes import asking
from kcache.cli.output import progress
from kcache.command import Delete
from kcache.errors import ConfigurationError
from kcache.namespace import Path, checked_prefix, debts_key, paid_key
from kcache.node import Node
from kcache.ring import Ring

__all__ = ["LIFE", "Drop", "Loss", "Timing", "Trial", "trial"]

LIFE = 60
"""Seconds that an entry lives, if nobody deletes it."""
_ENTRIES = 20_000
_AT_ONCE = 500
_SINGLES = 2_000
# Far nodes take long, and entries live a minute only.
_LONGEST = 2.0
_NAMESPACE = "demo"


@dataclass(frozen=True)
class Timing:
    """How long one kind of call took."""

    call: str
    calls: int
    entries: int
    seconds: float


@dataclass(frozen=True)
class Loss:
    """What a second cache, on a ring without a node, found of the entries."""

    gone: Node
    ring: Ring
    found: int
    moves: Counter[tuple[str, str]]
    """How many entries it missed, by the names of their owners before and after."""


@dataclass(frozen=True)
class Drop:
    """What dropping a namespace did to the entries in it, and to those outside.

    Attributes:
        namespace: its name.
        seconds: that `invalidate` took.
        inside: how many entries were found in it before, and after.
        outside: how many were found that are not in it.
    """

    namespace: str
    seconds: float
    inside: tuple[int, int]
    outside: tuple[int, int]


@dataclass
class Trial:
    """Entries on the nodes of a ring, and what has been measured."""

    ring: Ring
    timeout: float
    prefix: str = field(default_factory=lambda: f"kcache-demo:{token_hex(4)}:")
    timings: list[Timing] = field(default_factory=list)
    stored: int = 0
    deleted: int = 0
    has_namespace: bool = False

    def __post_init__(self) -> None:
        self.cache = self._cache(self.ring)
        self.keys = [self.prefix + key.decode() for key in load_keys(None, _ENTRIES)]
        self.kept: list[str] = []

    def run(self) -> None:
        """Store and read: many entries at a time, then one by one.

        Raises:
            NodeError: a node fails.
        """
        # Connections are opened before anything is measured or written.
        self.cache.get_many(self.keys[:_AT_ONCE])
        lost = self._many("set_many", lambda keys: self.cache.set_many(_values(keys)))
        self.stored = len(self.keys) - len(lost)
        self.kept = self._many("get_many", self.cache.get_many)
        self._single("set", lambda key: self.cache.set(key, _value(key)))
        self._single("get", self.cache.get)

    def owners(self) -> Counter[Node]:
        """How many entries each node has."""
        return Counter(map(self.cache.node_for, self.kept))

    def lose(self, gone: Node) -> Loss | None:
        """Ask a cache on the ring without a node for all entries; None if that is no ring.

        Raises:
            NodeError: a node fails.
        """
        try:
            smaller = self.ring.without(gone.name)
        except ConfigurationError:
            return None
        with self._cache(smaller) as cache:
            found = set(self._many("", cache.get_many, "asking a ring without a node"))
            lost = (key for key in self.kept if key not in found)
            moves = Counter(
                (self.cache.node_for(key).name, cache.node_for(key).name) for key in lost
            )
        return Loss(gone, smaller, len(found), moves)

    def drop(self) -> Drop:
        """Store the same entries in a namespace once more, and invalidate it.

        Raises:
            NodeError: a node fails.
        """
        self.has_namespace = True
        inside = self.cache.namespace(_NAMESPACE)
        self._many("", lambda keys: inside.set_many(_values(keys)), "storing in a namespace")
        before = self._found(inside)
        begun = perf_counter()
        inside.invalidate()
        seconds = perf_counter() - begun
        after = self._found(inside)
        return Drop(_NAMESPACE, seconds, (before[0], after[0]), (before[1], after[1]))

    def clean(self) -> None:
        """Delete the entries wherever that can be done; time ends the others."""
        self.cache.close()
        with self._cache(self.ring, on_error="miss") as cache:
            self.deleted = sum(map(cache.delete_many, _parts(self.keys)))
            if self.has_namespace:
                self._clean_namespace(cache.namespace(_NAMESPACE))

    def _clean_namespace(self, namespace: Namespace) -> None:
        """Delete what was dropped, too, and then the records and debts, which no call deletes."""
        for part in _parts(self.keys):
            namespace.delete_many(part)
        prefix, nodes = checked_prefix(self.prefix), self.ring.nodes
        debts = [debts_key(prefix, node.name) for node in nodes]
        records = (*Path(prefix, (_NAMESPACE,)).records, paid_key(prefix), *debts)
        with asking(self.ring.nodes, self.timeout) as asker:
            asker.ask({index: (Delete(records),) for index in range(len(nodes))})

    def _cache(self, ring: Ring, on_error: Any = "raise") -> Cache:
        # The prefix is of what is in namespaces. So their records are this trial's own as well.
        return Cache(ring, prefix=self.prefix, ttl=LIFE, timeout=self.timeout, on_error=on_error)

    def _found(self, inside: Namespace) -> tuple[int, int]:
        """How many entries there are in the namespace, and outside."""
        what = "asking in the namespace and outside"
        return (
            len(self._many("", inside.get_many, what)),
            len(self._many("", self.cache.get_many, what)),
        )

    def _many(self, call: str, work: Callable[[list[str]], Any], what: str = "") -> list[str]:
        """Work on all keys, many at a time; all that came of it."""
        results: list[str] = []
        seconds, calls = 0.0, 0
        with progress(what or f"{call} of {len(self.keys):,} entries") as shown:
            task = shown.add_task("", total=len(self.keys))
            for part in _parts(self.keys):
                begun = perf_counter()
                done = work(part)
                seconds += perf_counter() - begun
                calls += 1
                results += done
                shown.advance(task, len(part))
        if call:
            self.timings.append(Timing(call, calls, len(self.keys), seconds))
        return results

    def _single(self, call: str, work: Callable[[str], Any]) -> None:
        """Work on some keys, one by one."""
        calls = 0
        begun = perf_counter()
        for key in self.keys[:_SINGLES]:
            work(key)
            calls += 1
            if perf_counter() - begun > _LONGEST:
                break
        self.timings.append(Timing(call, calls, calls, perf_counter() - begun))


@contextmanager
def trial(ring: Ring, timeout: float) -> Iterator[Trial]:
    """A trial that has run; at the end its entries are deleted, whatever has happened.

    Raises:
        ConfigurationError: the library for a kind of node is not installed.
        NodeError: a node fails.
    """
    started = Trial(ring, timeout)
    try:
        started.run()
        yield started
    finally:
        started.clean()


def _parts(keys: Sequence[str]) -> Iterator[list[str]]:
    return (list(keys[at : at + _AT_ONCE]) for at in range(0, len(keys), _AT_ONCE))


def _values(keys: Sequence[str]) -> dict[str, Any]:
    return {key: _value(key) for key in keys}


def _value(key: str) -> dict[str, Any]:
    return {"key": key, "tags": ["demo", "entry"], "visits": len(key)}
