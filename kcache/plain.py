"""Every call on plain keys, as a flow: see `kcache.flow`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from kcache.command import (
    ABSENT,
    PRESENT,
    TOO_LARGE,
    Condition,
    Count,
    CountIf,
    Delete,
    Get,
    Gets,
    Held,
    Item,
    NotANumber,
    Refused,
    Reply,
    Set,
    SetIf,
    Swap,
    Token,
    Touch,
    Ttl,
)
from kcache.entry import INT_FLAGS
from kcache.errors import DecodeError, NodeError, NodeRefused, NotACounter
from kcache.flow import LARGE, MAX_COUNT, MAX_VALUE, MISSING, Flow, Flows, fitting
from kcache.form import Form
from kcache.node import Node
from kcache.route import Key, Router

__all__ = ["Plain", "checked_initial", "not_a_counter"]

K = TypeVar("K", bound=Key)

_COUNT_ATTEMPTS = 1000
_CAREFUL_ATTEMPTS = 4
_FAR_FROM_LIMIT = 2**48


class Plain(Flows):
    """The flows on plain keys of a ring.

    Args:
        nodes: of the ring, in its order.
        router: from keys to the indexes of these nodes.
        forms: of values, in the same order.
        strict: whether calls on many keys raise where a node failed.
    """

    def __init__(
        self, nodes: Sequence[Node], router: Router[bytes], forms: Sequence[Form], *, strict: bool
    ) -> None:
        super().__init__(nodes, strict=strict)
        self._router = router
        self._forms = forms

    def get(self, key: Key) -> Flow[Any]:
        """The value, or MISSING."""
        index, wire = self._router.route(key)
        hits = yield from self._ask(index, Get((wire,)))
        return self._loaded(index, *hits[0]) if hits else MISSING

    def get_many(self, keys: Iterable[K]) -> Flow[dict[K, Any]]:
        """The values that are there, by key."""
        groups, twins = self._router.group(keys)
        answers = yield {index: (Get(tuple(group)),) for index, group in groups.items()}
        found: dict[K, Any] = {}
        failures: list[NodeError] = []
        for index, group in groups.items():
            hits = self._reply(index, answers, failures)
            load = self._forms[index].load
            for wire, flags, data in hits or ():
                try:
                    found[group[wire]] = load(flags, data, wire)
                except DecodeError as error:
                    # Bytes that mean nothing are no value.
                    self.unreadable(wire, error)
        self._report(failures)
        for key, first in twins:
            # Under `python -bb` no dictionary takes both "a" and b"a": the first is enough.
            with suppress(BytesWarning):
                if first in found:
                    found[key] = found[first]
        return found

    def set(self, key: Key, value: Any, ttl: float | None) -> Flow[bool]:
        """Store a value; whether it was stored."""
        index, wire = self._router.route(key)
        flags, data = self._forms[index].dump(value, wire)
        failures: list[NodeError] = []
        lost = yield from self._set({index: [(wire, data, flags)]}, ttl, failures)
        if failures:
            raise failures[0]
        return not lost

    def set_many(self, values: Mapping[K, Any], ttl: float | None) -> Flow[list[K]]:
        """Store values; the keys that were not stored."""
        groups, twins = self._router.group(values)
        # Where several keys are one, the last of them counts.
        last = {first: key for key, first in twins}
        items = {index: self._items(index, group, values, last) for index, group in groups.items()}
        failures: list[NodeError] = []
        places = yield from self._set(items, ttl, failures)
        self._report(failures)
        lost = [groups[index][wire] for index, wire in places]
        return lost + [key for key, first in twins if first in lost]

    def add(self, key: Key, value: Any, ttl: float | None) -> Flow[bool]:
        """Store a value where there is none; whether it was stored."""
        return self._set_if(key, value, ttl, ABSENT)

    def replace(self, key: Key, value: Any, ttl: float | None) -> Flow[bool]:
        """Store a value where there is one; whether it was stored."""
        return self._set_if(key, value, ttl, PRESENT)

    def gets(self, key: Key) -> Flow[tuple[Any, Token] | None]:
        """The value with its token."""
        index, wire = self._router.route(key)
        held: Held | None = yield from self._ask(index, Gets(wire))
        if held is None:
            return None
        value = self._loaded(index, wire, held.flags, held.data)
        return None if value is MISSING else (value, held.token)

    def cas(self, key: Key, value: Any, token: Token, ttl: float | None) -> Flow[bool]:
        """Store a value if the entry is still the one of the token; whether it was stored."""
        if not isinstance(token, (int, bytes)):
            raise TypeError(f"a token is what gets gives with the value, not {token!r}")
        return self._set_if(key, value, ttl, Condition(present=None, token=token))

    def delete(self, key: Key) -> Flow[bool]:
        """Delete an entry; whether it was there."""
        index, wire = self._router.route(key)
        deleted: int = yield from self._ask(index, Delete((wire,)))
        return deleted > 0

    def delete_many(self, keys: Iterable[Key]) -> Flow[int]:
        """Delete entries; how many were there."""
        groups, _ = self._router.group(keys)
        answers = yield {index: (Delete(tuple(group)),) for index, group in groups.items()}
        failures: list[NodeError] = []
        deleted = sum(self._reply(index, answers, failures) or 0 for index in groups)
        self._report(failures)
        return deleted

    def touch(self, key: Key, ttl: float | None) -> Flow[bool]:
        """Give an entry another ttl; whether it is there."""
        index, wire = self._router.route(key)
        touched: bool = yield from self._ask(index, Touch(wire, ttl))
        return touched

    def ttl(self, key: Key) -> Flow[float | None]:
        """The seconds that an entry has left."""
        index, wire = self._router.route(key)
        left: float | None = yield from self._ask(index, Ttl(wire))
        return left

    def count(
        self, key: Key, delta: int, initial: int | None, ttl: float | None
    ) -> Flow[int | None]:
        """Add to a counter; the new number."""
        index, wire = self._router.route(key)
        checked_initial(key, initial)
        if self._nodes[index].kind == "memcached":
            return (yield from self._count_by_token(key, delta, initial, ttl))
        command = Count(wire, delta, initial, ttl, INT_FLAGS)
        number: int | NotANumber | None = yield from self._ask(index, command)
        return not_a_counter(key) if isinstance(number, NotANumber) else number

    def _count_by_token(
        self, key: Key, delta: int, initial: int | None, ttl: float | None
    ) -> Flow[int | None]:
        """Count on memcached, whose own arithmetic wraps at 2**64 and counts in any text.

        Every attempt that fails is another writer's that succeeded. Where many count at once that
        may go on for long, and so after some attempts the token is left out: what has just been
        a counter, far from the limit, is taken for one still.
        """
        index, wire = self._router.route(key)
        for attempt in range(_COUNT_ATTEMPTS):
            held: Held | None = yield from self._ask(index, Gets(wire))
            if held is None:
                if initial is None:
                    return None
                first = SetIf((wire, b"%d" % initial, INT_FLAGS), ttl, ABSENT)
                if (yield from self._ask(index, first)):
                    return initial
                continue
            number = self._loaded(index, wire, held.flags, held.data)
            if type(number) is not int or not 0 <= number <= MAX_COUNT - max(delta, 0):
                not_a_counter(key)
            is_careful = attempt < _CAREFUL_ATTEMPTS or max(number, abs(delta)) > _FAR_FROM_LIMIT
            token = int(held.token) if is_careful else None
            counted = yield from self._count_if(index, wire, delta, token)
            if counted is not None:
                return counted
        raise NodeRefused(
            self._nodes[index], f"{key!r} was changed {_COUNT_ATTEMPTS} times while it was counted"
        )

    def _count_if(self, index: int, wire: bytes, delta: int, token: int | None) -> Flow[int | None]:
        try:
            counted: int | None = yield from self._ask(
                index, CountIf(wire, max(delta, -MAX_COUNT), token)
            )
        except NodeRefused:
            if token is not None:
                raise
            # It is no number any more: to look at it again is to find that out.
            return None
        return counted

    def _items(
        self, index: int, group: Mapping[bytes, K], values: Mapping[K, Any], last: Mapping[K, K]
    ) -> list[Item]:
        dump = self._forms[index].dump
        items = []
        for wire, key in group.items():
            flags, data = dump(values[last.get(key, key) if last else key], wire)
            items.append((wire, data, flags))
        return items

    def _set(
        self, items: Mapping[int, list[Item]], ttl: float | None, failures: list[NodeError]
    ) -> Flow[list[tuple[int, bytes]]]:
        """Store items by node; what was not stored, by node and wire key.

        A refused value is a new one that nobody can have, and so the old one must not be given
        any more, either: it is deleted.
        """
        batch = {
            index: (Set(small, ttl),)
            for index, listed in items.items()
            if (small := fitting(listed))
        }
        answers = yield batch
        lost: list[tuple[int, bytes]] = []
        doomed: dict[int, list[bytes]] = {}
        for index, listed in items.items():
            refused = self._reply(index, answers, failures) if index in batch else ()
            if refused is None:
                lost += [(index, wire) for wire, _, _ in listed]
                # If it has ended the connection over one of these, what was there is there still.
                large = [wire for wire, data, _ in listed if len(data) > LARGE]
                doomed |= {index: large} if large else {}
            elif wires := self._refused(index, refused, listed, failures):
                doomed[index] = wires
                lost += [(index, wire) for wire in wires]
        if doomed:
            # Nothing better could be said if this failed: the keys are known not to be stored.
            yield {index: (Delete(wires),) for index, wires in doomed.items()}
        return lost

    def _set_if(self, key: Key, value: Any, ttl: float | None, condition: Condition) -> Flow[bool]:
        index, wire = self._router.route(key)
        flags, data = self._forms[index].dump(value, wire)
        return bool(
            (yield from self._conditionally(index, SetIf((wire, data, flags), ttl, condition)))
        )

    def _conditionally(self, index: int, command: SetIf | Swap) -> Flow[bool | None]:
        """Store on a condition; whether it was stored, and None if it is too large.

        A new value that is refused is one that nobody can have: where there may be an old one, it
        is deleted.
        """
        wire, data, _ = command.item
        refused: Reply | NodeError = Refused(TOO_LARGE)
        if len(data) <= MAX_VALUE:
            answers = yield {index: (command,)}
            replies = answers[index]
            if isinstance(replies, NodeError) and len(data) <= LARGE:
                raise replies
            # A node may have ended the connection over a value that is too large.
            refused = replies if isinstance(replies, NodeError) else replies[0]
        if not isinstance(refused, (Refused, NodeError)):
            return bool(refused)
        if isinstance(command, Swap) or command.condition is not ABSENT:
            yield {index: (Delete((wire,)),)}
        if isinstance(refused, NodeError):
            raise refused
        if refused.is_too_large:
            return None
        raise NodeRefused(self._nodes[index], refused.text)

    def _loaded(self, index: int, wire: bytes, flags: int, data: bytes) -> Any:
        try:
            return self._forms[index].load(flags, data, wire)
        except DecodeError as error:
            self.unreadable(wire, error)
            return MISSING


def checked_initial(key: Key, initial: int | None) -> None:
    """Refuse a number that no counter can have.

    Raises:
        NotACounter: it is one.
    """
    if initial is not None and not 0 <= initial <= MAX_COUNT:
        raise NotACounter(f"{key!r}: initial={initial} is not in 0 .. 2**63 - 1")


def not_a_counter(key: Key) -> NoReturn:
    """Say that an entry is no counter.

    Raises:
        NotACounter: always.
    """
    raise NotACounter(f"{key!r} holds no number of 0 .. 2**63 - 1, or the sum would be beyond it")
