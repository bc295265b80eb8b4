"""Every call on plain keys of a cache with a secret: what is not signed there is not there.

Servers count in raw decimals only, and know nothing of signatures. So a call that depends on what
is there reads it first, and stores on condition that nothing has happened since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kcache.command import (
    ABSENT,
    Command,
    Condition,
    Delete,
    Get,
    Gets,
    Held,
    Hit,
    Item,
    SetIf,
    Swap,
    Touch,
    Ttl,
)
from kcache.errors import NodeError, NodeRefused
from kcache.flow import MAX_COUNT, MISSING, Flow
from kcache.plain import Plain, checked_initial, not_a_counter
from kcache.route import Key

__all__ = ["SignedPlain"]

_ATTEMPTS = 1000
# So often in a row, an entry was there when it was to be added and gone when it was looked at. On
# Redis that is also what a key of another type looks like.
_MOST_PHANTOMS = 50


class _Change(NamedTuple):
    """What is to be stored; with `keeps_end`, whatever `ttl` says."""

    item: Item
    ttl: float | None
    keeps_end: bool = False


class SignedPlain(Plain):
    """The flows on plain keys, signed. For the arguments see `Plain`."""

    def add(self, key: Key, value: Any, ttl: float | None) -> Flow[bool]:
        """Store a value where there is none; whether it was stored."""
        change = self._new(key, value, ttl)
        first = SetIf(change.item, ttl, ABSENT)
        if (yield from self._conditionally(self._router.route(key)[0], first)):
            return True
        return (yield from self._change(key, lambda held: change if held is MISSING else None))

    def replace(self, key: Key, value: Any, ttl: float | None) -> Flow[bool]:
        """Store a value where there is one; whether it was stored."""
        change = self._new(key, value, ttl)
        return (yield from self._change(key, lambda held: None if held is MISSING else change))

    def count(
        self, key: Key, delta: int, initial: int | None, ttl: float | None
    ) -> Flow[int | None]:
        """Add to a counter; the new number. Its end stays."""
        checked_initial(key, initial)
        number = initial

        def decide(held: Any) -> _Change | None:
            nonlocal number
            if held is MISSING:
                number = initial
                return None if initial is None else self._new(key, initial, ttl)
            if type(held) is not int or not 0 <= held <= MAX_COUNT - max(delta, 0):
                not_a_counter(key)
            number = max(held + delta, 0)
            return self._new(key, number, None)._replace(keeps_end=True)

        counted = yield from self._change(key, decide)
        if not counted and number is not None:
            # It could not be added, and still cannot be read.
            not_a_counter(key)
        return number if counted else None

    def delete(self, key: Key) -> Flow[bool]:
        """Delete an entry, signed or not; whether there was a signed one."""
        is_there, deleted = yield from self._with_look(key, lambda wire: Delete((wire,)))
        return bool(is_there and deleted)

    def delete_many(self, keys: Iterable[Key]) -> Flow[int]:
        """Delete entries, signed or not; how many signed ones were there."""
        groups, _ = self._router.group(keys)
        answers = yield {
            index: (Get(tuple(group)), Delete(tuple(group))) for index, group in groups.items()
        }
        failures: list[NodeError] = []
        gone = 0
        for index in groups:
            hits, deleted = self._replies(index, answers, failures) or ((), 0)
            gone += min(deleted, sum(self._is_there(index, hit) for hit in hits))
        self._report(failures)
        return gone

    def touch(self, key: Key, ttl: float | None) -> Flow[bool]:
        """Give an entry another ttl; whether there is a signed one."""
        is_there, touched = yield from self._with_look(key, lambda wire: Touch(wire, ttl))
        return bool(is_there and touched)

    def ttl(self, key: Key) -> Flow[float | None]:
        """The seconds that an entry has left."""
        is_there, left = yield from self._with_look(key, Ttl)
        return left if is_there else None

    def _new(self, key: Key, value: Any, ttl: float | None) -> _Change:
        index, wire = self._router.route(key)
        flags, data = self._forms[index].dump(value, wire)
        return _Change((wire, data, flags), ttl)

    def _is_there(self, index: int, hit: Hit) -> bool:
        return self._loaded(index, *hit) is not MISSING

    def _with_look(self, key: Key, command_for: Callable[[bytes], Command]) -> Flow[Any]:
        """Whether there is a signed entry, and the reply to a command on it, in one round trip."""
        index, wire = self._router.route(key)
        failures: list[NodeError] = []
        answers = yield {index: (Get((wire,)), command_for(wire))}
        replies = self._replies(index, answers, failures)
        if replies is None:
            raise failures[0]
        hits, reply = replies
        return bool(hits) and self._is_there(index, hits[0]), reply

    def _change(self, key: Key, decide: Callable[[Any], _Change | None]) -> Flow[bool]:
        """Read, decide, and store on condition that nothing has happened in between.

        Every attempt that fails is another writer's that succeeded.

        Args:
            key: of the entry.
            decide: from the value that is there, or MISSING, to what to store; None for nothing.

        Returns:
            Whether something was stored.
        """
        index, wire = self._router.route(key)
        phantoms = 0
        for _ in range(_ATTEMPTS):
            held: Held | None = yield from self._ask(index, Gets(wire))
            value = MISSING if held is None else self._loaded(index, wire, held.flags, held.data)
            change = decide(value)
            phantoms = phantoms + 1 if held is None else 0
            if change is None or phantoms > _MOST_PHANTOMS:
                return False
            stored = yield from self._conditionally(index, _conditional(change, held))
            if stored is not False:
                return stored is True
        raise NodeRefused(
            self._nodes[index], f"{key!r} was changed {_ATTEMPTS} times while it was changed here"
        )


def _conditional(change: _Change, held: Held | None) -> SetIf | Swap:
    """The command that stores only if the entry is still what it was."""
    if held is None:
        return SetIf(change.item, change.ttl, ABSENT)
    if change.keeps_end:
        return Swap(change.item, held)
    return SetIf(change.item, change.ttl, Condition(present=None, token=held.token))
