"""Every call in a namespace, by the protocol of `kcache.versions`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from kcache.command import Command, Condition, Delete, SetIf, Token, Touch, Ttl
from kcache.entry import FRAME_FLAGS, Entries, Marker
from kcache.errors import NodeError, NotACounter
from kcache.flow import MAX_COUNT, MISSING, Flow
from kcache.known import Known
from kcache.namespace import Path, Place
from kcache.node import Node
from kcache.route import Key, Router
from kcache.sight import Sight
from kcache.versions import Change, Lease, Versions, joined

__all__ = ["Namespaced", "VersionToken"]

K = TypeVar("K", bound=Key)


class VersionToken(NamedTuple):
    """What `gets` gives in a namespace: the entry's own token, and its records'."""

    entry: Token
    versions: bytes


class Namespaced(Versions):
    """The flows in a namespace; the same as `kcache.plain.Plain` has on plain keys.

    Args:
        path: of the namespace.
        nodes: of the ring, in its order; and further ones that are told of invalidations.
        router: from keys to the indexes of these nodes, and places in this namespace.
        entries: makes and reads frames.
        known: the tokens that this process has seen, shared by all namespaces of a cache.
        fresh: gives a token that was never given before.
        strict: whether calls on many keys raise where a node failed.
        epoch: of the ring.
    """

    def __init__(
        self,
        path: Path,
        nodes: Sequence[Node],
        router: Router[Place],
        entries: Entries,
        *,
        known: Known,
        fresh: Callable[[], bytes],
        strict: bool,
        epoch: int = 0,
    ) -> None:
        super().__init__(path, nodes, entries, known=known, fresh=fresh, strict=strict, epoch=epoch)
        self._router = router

    def get(self, key: Key) -> Flow[Any]:
        """The value, or MISSING."""
        index, place = self._router.route(key)
        found = yield from self._ask(index, self._reading(place))
        held, tokens = self._taken_apart(index, found)
        return self._value(place, held.get(place.key), tokens)

    def get_many(self, keys: Iterable[K]) -> Flow[dict[K, Any]]:
        """The values that are there, by key."""
        groups, twins = self._router.group(keys)
        answers = yield {index: (self._reading(*group),) for index, group in groups.items()}
        found: dict[K, Any] = {}
        failures: list[NodeError] = []
        for index, group in groups.items():
            held, tokens = self._taken_apart(index, self._reply(index, answers, failures) or ())
            self._add_values(found, group, held, tokens)
        self._report(failures)
        for key, first in twins:
            # Under `python -bb` no dictionary takes both "a" and b"a": the first is enough.
            with suppress(BytesWarning):
                if first in found:
                    found[key] = found[first]
        return found

    def ttl(self, key: Key) -> Flow[float | None]:
        """The seconds that an entry has left."""
        alive, left = yield from self._with_life(key, Ttl)
        return left if alive else None

    def gets(self, key: Key) -> Flow[tuple[Any, VersionToken] | None]:
        """The value with its token."""
        index, place = self._router.route(key)
        seen = yield from self._see(index, place)
        if seen.value is MISSING or seen.held is None:
            return None
        return seen.value, VersionToken(seen.held.token, joined(seen.tokens))

    def set(self, key: Key, value: Any, ttl: float | None) -> Flow[bool]:
        """Store a value; whether it was stored."""
        index, place = self._router.route(key)
        failures: list[NodeError] = []
        lost = yield from self._store({index: {place: value}}, ttl, failures)
        if failures:
            raise failures[0]
        return not lost

    def set_many(self, values: Mapping[K, Any], ttl: float | None) -> Flow[list[K]]:
        """Store values; the keys that were not stored."""
        groups, twins = self._router.group(values)
        # Where several keys are one, the last of them counts.
        last = {first: key for key, first in twins}
        by_place = {
            index: {place: values[last.get(key, key)] for place, key in group.items()}
            for index, group in groups.items()
        }
        failures: list[NodeError] = []
        places = yield from self._store(by_place, ttl, failures)
        self._report(failures)
        lost = [groups[index][place] for index, place in places]
        return lost + [key for key, first in twins if first in lost]

    def add(self, key: Key, value: Any, ttl: float | None) -> Flow[bool]:
        """Store a value where there is none alive; whether it was stored."""
        prepared = self._entries.prepared(value)

        def decide(held: Any) -> Change | None:
            return Change(prepared, ttl) if held is MISSING else None

        return (yield from self._change(*self._router.route(key), decide)) is not None

    def replace(self, key: Key, value: Any, ttl: float | None) -> Flow[bool]:
        """Store a value where there is one alive; whether it was stored."""
        prepared = self._entries.prepared(value)

        def decide(held: Any) -> Change | None:
            return None if held is MISSING else Change(prepared, ttl)

        return (yield from self._change(*self._router.route(key), decide)) is not None

    def count(
        self, key: Key, delta: int, initial: int | None, ttl: float | None
    ) -> Flow[int | None]:
        """Add to a counter; the new number. Its end stays."""
        if initial is not None and not 0 <= initial <= MAX_COUNT:
            raise NotACounter(f"{self.path.shown(key)}: initial={initial} is not in 0 .. 2**63 - 1")

        number, prepared = initial, self._entries.prepared

        def decide(held: Any) -> Change | None:
            nonlocal number
            if held is MISSING:
                number = initial
                return None if initial is None else Change(prepared(initial), ttl)
            if type(held) is not int or not 0 <= held <= MAX_COUNT - max(delta, 0):
                raise NotACounter(
                    f"{self.path.shown(key)} holds no number of 0 .. 2**63 - 1, "
                    "or the sum would be beyond it"
                )
            number = max(held + delta, 0)
            return Change(prepared(number), None, keeps_end=True)

        change = yield from self._change(*self._router.route(key), decide)
        return None if change is None else number

    def cas(self, key: Key, value: Any, token: object, ttl: float | None) -> Flow[bool]:
        """Store a value if entry and records are still those of the token."""
        index, place = self._router.route(key)
        prepared = self._entries.prepared(value)
        if not isinstance(token, VersionToken):
            if not isinstance(token, (int, bytes)):
                raise TypeError(f"a token is what gets gives with the value, not {token!r}")
            # It is of a plain key, and so of another entry.
            return False
        data = self._entries.stamped(prepared, place.digest + token.versions)
        condition = Condition(present=None, token=token.entry)
        store = SetIf((place.key, data, FRAME_FLAGS), ttl, condition)
        stored, tokens = yield from self._conditionally(index, place, store)
        return bool(stored) and all(tokens) and joined(tokens) == token.versions

    def delete(self, key: Key) -> Flow[bool]:
        """Delete an entry, dead or alive; whether it was alive."""
        alive, deleted = yield from self._with_life(key, lambda wire: Delete((wire,)))
        return bool(alive and deleted)

    def delete_many(self, keys: Iterable[Key]) -> Flow[int]:
        """Delete entries, dead or alive; how many were alive."""
        groups, _ = self._router.group(keys)
        answers = yield {
            index: (self._reading(*group), Delete(tuple(place.key for place in group)))
            for index, group in groups.items()
        }
        failures: list[NodeError] = []
        alive = 0
        for index, group in groups.items():
            found, deleted = self._replies(index, answers, failures) or ((), 0)
            held, tokens = self._taken_apart(index, found)
            values = [self._value(place, held.get(place.key), tokens) for place in group]
            alive += min(deleted, sum(value is not MISSING for value in values))
        self._report(failures)
        return alive

    def touch(self, key: Key, ttl: float | None) -> Flow[bool]:
        """Give an entry another ttl; whether it is alive. To a dead one it makes no difference."""
        alive, touched = yield from self._with_life(key, lambda wire: Touch(wire, ttl))
        return bool(alive and touched)

    def route(self, key: Key) -> tuple[int, Any]:
        """The node of a key, and its place there: what is the same for keys that are the same."""
        return self._router.route(key)

    def sight(self, key: Key, *, now: float) -> Flow[Sight[Lease]]:
        """What there is under a key, for whoever would compute it, without a lease."""
        return self.sight_at(*self._router.route(key), now=now)

    def lease(self, key: Key, marker: Marker, *, now: float, lock_ttl: float) -> Flow[Sight[Lease]]:
        """Take the lease on an entry that is not there."""
        return self.lease_at(*self._router.route(key), marker, now=now, lock_ttl=lock_ttl)

    def renewal(
        self, key: Key, marker: Marker, *, now: float, lock_ttl: float
    ) -> Flow[Sight[Lease]]:
        """Take the lease on an entry that is there, and stale."""
        return self.renewal_at(*self._router.route(key), marker, now=now, lock_ttl=lock_ttl)

    def takeover(self, key: Key, marker: Marker, *, lock_ttl: float) -> Flow[Sight[Lease]]:
        """Take the lease on an entry, there or not, from whoever has it."""
        return self.takeover_at(*self._router.route(key), marker, lock_ttl=lock_ttl)

    def withdraw(self, key: Key, mark: bytes) -> Flow[None]:
        """Give up whatever lease there may be with this mark."""
        return self.withdraw_at(*self._router.route(key), mark)

    def _with_life(self, key: Key, command_for: Callable[[bytes], Command]) -> Flow[Any]:
        """Whether an entry was alive, and the reply to a command on it, in one round trip."""
        index, place = self._router.route(key)
        failures: list[NodeError] = []
        answers = yield {index: (self._reading(place), command_for(place.key))}
        replies = self._replies(index, answers, failures)
        if replies is None:
            raise failures[0]
        found, reply = replies
        held, tokens = self._taken_apart(index, found)
        alive = self._value(place, held.get(place.key), tokens) is not MISSING
        return alive, reply
