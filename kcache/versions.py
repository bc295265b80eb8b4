"""The protocol of versioned entries: how a namespace is read, written and invalidated.

Each node holds a version record for each namespace in use: a random token (`kcache.record`). An
entry carries the tokens that its records had when it was made, from level 0, the node's own, to
the innermost namespace, and a digest of its place. It is alive while all of that is so:

* `invalidate` replaces a record's token, on every node; what has the old one is dead.
* A record that is absent equals none. So it may be evicted, or lost with its node, at any time.
* No token is sent twice, so that nothing which was dead comes to life again.

A read asks for the entry and its records at once, the entry first: a record that is read later is
no older than the entry, and a newer entry is never taken for a dead one.

A write looks at the records before it stores, in the same round trip. If its tokens were there, it
is done, whatever comes later; only if they were not, and so nobody can have seen what it stored,
may it store again. After a look that came later, it might bring back what somebody had read, and
then invalidated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kcache.command import (
    ABSENT,
    PRESENT,
    TOO_LARGE,
    Command,
    Condition,
    Delete,
    Get,
    Gets,
    Held,
    Hit,
    Item,
    Refused,
    Set,
    SetIf,
    Swap,
)
from kcache.entry import FRAME_FLAGS, Entries, Prepared
from kcache.errors import DecodeError, NodeError, NodeRefused
from kcache.flow import MAX_VALUE, MISSING, Flow, Flows, fitting
from kcache.known import Known
from kcache.namespace import Path, Place
from kcache.node import Node
from kcache.record import pack_record, token_of

__all__ = ["RECORD_TTL", "Change", "Seen", "Tokens", "Versions", "joined"]

RECORD_TTL: Final = 30 * 24 * 3600.0
"""Seconds. A record is not renewed: one that is gone is safe, and costs its namespace's entries."""
_ATTEMPTS = 1000
_INSTALLS = 3

Tokens = tuple[bytes | None, ...]
"""Of each level on one node; None where there is no record, and empty where it is corrupt."""


class Seen(NamedTuple):
    """An entry and its records, as one round trip found them.

    Attributes:
        held: the entry, dead or alive; None if there is none.
        tokens: of the records.
        value: of the entry if it is alive, else MISSING.
    """

    held: Held | None
    tokens: Tokens
    value: Any


class Change(NamedTuple):
    """What is to be stored.

    Attributes:
        value: in the place of the one that was read, encoded.
        ttl: in seconds; None for no end.
        keeps_end: whether the entry ends when it would have ended, whatever `ttl` says.
    """

    value: Prepared
    ttl: float | None
    keeps_end: bool = False


class Versions(Flows):
    """The protocol in one namespace.

    Args:
        path: of the namespace.
        nodes: of the ring, in its order.
        entries: makes and reads frames.
        known: the tokens that this process has seen, shared by all namespaces of a cache.
        fresh: gives a token that was never given before.
        strict: whether calls on many keys raise where a node failed.
    """

    def __init__(
        self,
        path: Path,
        nodes: Sequence[Node],
        entries: Entries,
        *,
        known: Known,
        fresh: Callable[[], bytes],
        strict: bool,
    ) -> None:
        super().__init__(nodes, strict=strict)
        self._path = path
        self._entries = entries
        self._known = known
        self._fresh = fresh

    # Invalidating: one round trip to every node, whatever the number of entries.

    def invalidate(self) -> Flow[list[NodeError]]:
        """Replace the token of this namespace on every node; why some nodes have not done it.

        Where there is no record nothing is alive. A node that has no memory for another token has
        its record deleted.
        """
        record = self._path.records[-1]
        answers = yield {index: (self._renewal(record),) for index in range(len(self._nodes))}
        failures: list[NodeError] = []
        refused = []
        for index, replies in answers.items():
            self._known.forget(index, record)
            if isinstance(replies, NodeError):
                failures.append(replies)
            elif isinstance(replies[0], Refused):
                refused.append(index)
        if refused:
            answers = yield {index: (Delete((record,)),) for index in refused}
            for index in refused:
                self._reply(index, answers, failures)
        return failures

    def _renewal(self, record: bytes) -> Command:
        return SetIf((record, pack_record(self._fresh()), FRAME_FLAGS), RECORD_TTL, PRESENT)

    def _reading(self, *places: Place) -> Get:
        """The entries first, then the records."""
        return Get((*(place.key for place in places), *self._path.records))

    def _taken_apart(self, index: int, found: Iterable[Hit]) -> tuple[dict[bytes, bytes], Tokens]:
        """What a reading gave: the data under each key, and the tokens of the records."""
        held = {key: data for key, _, data in found}
        tokens = tuple(token_of(held.get(record)) for record in self._path.records)
        self._known.note(index, self._path.records, tokens)
        return held, tokens

    def _value(self, place: Place, data: bytes | None, tokens: Tokens) -> Any:
        """The value of an entry that is alive, else MISSING."""
        if data is None or not all(tokens):
            return MISSING
        try:
            return self._entries.unframe_stamped(data, place.digest + joined(tokens))
        except DecodeError:
            return MISSING

    def _see(self, index: int, place: Place) -> Flow[Seen]:
        """The entry with its own token, then its records, in one round trip."""
        failures: list[NodeError] = []
        answers = yield {index: (Gets(place.key), Get(self._path.records))}
        replies = self._replies(index, answers, failures)
        if replies is None:
            raise failures[0]
        held, found = replies
        _, tokens = self._taken_apart(index, found)
        data = None if held is None else held.data
        return Seen(held, tokens, self._value(place, data, tokens))

    def _installed(self, seen: Mapping[int, Tokens]) -> Flow[dict[int, bytes | NodeError]]:
        """The joined tokens of every node; those that are absent are installed.

        An absent record is added; of several clients that do so one wins, and all go on with its
        token.

        Args:
            seen: the tokens by node, as they were read; empty where they were not.
        """
        tokens: dict[int, bytes | NodeError] = {
            index: joined(found) for index, found in seen.items() if _is_whole(found)
        }
        missing = {index: found for index, found in seen.items() if not _is_whole(found)}
        for _ in range(1 + _INSTALLS):
            if not missing:
                break
            answers = yield {
                index: (*self._additions(found), Get(self._path.records))
                for index, found in missing.items()
            }
            still: dict[int, Tokens] = {}
            for index in missing:
                failures: list[NodeError] = []
                replies = self._replies(index, answers, failures)
                if replies is None:
                    tokens[index] = failures[0]
                    continue
                _, found = self._taken_apart(index, replies[-1])
                if _is_whole(found):
                    tokens[index] = joined(found)
                else:
                    still[index] = found
            missing = still
        for index in missing:
            tokens[index] = NodeRefused(self._nodes[index], "it keeps no version record")
        return tokens

    def _additions(self, seen: Tokens) -> list[Command]:
        """Fresh records for the levels that have none, or one that cannot be read."""
        commands: list[Command] = []
        for record, token in zip(self._path.records, seen, strict=False):
            item = record, pack_record(self._fresh()), FRAME_FLAGS
            if token is None:
                commands.append(SetIf(item, RECORD_TTL, ABSENT))
            elif not token:
                commands.append(Set((item,), RECORD_TTL))
        return commands

    def _store(
        self,
        values: Mapping[int, Mapping[Place, Any]],
        ttl: float | None,
        failures: list[NodeError],
    ) -> Flow[list[tuple[int, Place]]]:
        """Look at the records and store under the tokens that are known, in one round trip.

        The look comes first. If the tokens were not those, nobody has seen what was stored, and
        it may be stored again; if they were, what happened to it later is an invalidation's doing.

        Returns:
            What was not stored, by node and place.
        """
        records = self._path.records
        tokens = yield from self._installed(
            {index: self._known.tokens(index, records) for index in values}
        )
        frames, lost = self._framed(values, tokens, failures)
        batch: dict[int, tuple[Command, ...]] = {
            index: (Get(self._path.records), *_stores(items.values(), ttl))
            for index, items in frames.items()
        }
        answers = yield batch
        doomed: dict[int, list[bytes]] = {}
        changed: dict[int, dict[Place, Item]] = {}
        newer: dict[int, Tokens] = {}
        for index, items in frames.items():
            replies = self._replies(index, answers, failures)
            if replies is None:
                lost += [(index, place) for place in items]
                continue
            told = replies[1] if len(replies) > 1 else ()
            refused = set(self._refused(index, told, items.values(), failures))
            if refused:
                doomed[index] = list(refused)
                lost += [(index, place) for place in items if place.key in refused]
            _, seen = self._taken_apart(index, replies[0])
            if not all(seen) or joined(seen) != tokens[index]:
                newer[index] = seen
                changed[index] = {p: item for p, item in items.items() if p.key not in refused}
        if doomed:
            # Nothing better could be said if this failed: the keys are known not to be stored.
            yield {index: (Delete(wires),) for index, wires in doomed.items()}
        if changed:
            lost += yield from self._store_again(values, changed, newer, ttl, failures)
        return lost

    def set_again(
        self, index: int, place: Place, value: Any, ttl: float | None, *, item: Item, tokens: Tokens
    ) -> Flow[bool]:
        """Store a value again that was stored under tokens which had become old.

        Args:
            index: of the node.
            place: of the entry.
            value: of the entry.
            ttl: in seconds.
            item: that was stored.
            tokens: of the records, read before that.

        Returns:
            Whether it was stored.
        """
        self._known.note(index, self._path.records, tokens)
        failures: list[NodeError] = []
        lost = yield from self._store_again(
            {index: {place: value}}, {index: {place: item}}, {index: tokens}, ttl, failures
        )
        if failures:
            raise failures[0]
        return not lost

    def _store_again(
        self,
        values: Mapping[int, Mapping[Place, Any]],
        stored: Mapping[int, Mapping[Place, Item]],
        newer: Mapping[int, Tokens],
        ttl: float | None,
        failures: list[NodeError],
    ) -> Flow[list[tuple[int, Place]]]:
        """Somebody had invalidated: store under the new tokens what is still there, and dead.

        What is not there any more was overwritten or deleted since, by a later call than this.
        """
        tokens = yield from self._installed(newer)
        wanted = {
            index: {place: values[index][place] for place in items}
            for index, items in stored.items()
        }
        frames, lost = self._framed(wanted, tokens, failures)
        answers = yield {
            index: [Gets(place.key) for place in items] for index, items in frames.items()
        }
        batch: dict[int, list[Command]] = {}
        for index, items in frames.items():
            helds = self._replies(index, answers, failures)
            if helds is None:
                lost += [(index, place) for place in items]
                continue
            batch[index] = [
                SetIf(item, ttl, Condition(present=None, token=held.token))
                for (place, item), held in zip(items.items(), helds, strict=True)
                if held is not None and held.data == stored[index][place][1]
            ]
        answers = yield {index: commands for index, commands in batch.items() if commands}
        for index in answers:
            if self._replies(index, answers, failures) is None:
                lost += [(index, place) for place in frames[index]]
        return lost

    def _framed(
        self,
        values: Mapping[int, Mapping[Place, Any]],
        tokens: Mapping[int, bytes | NodeError],
        failures: list[NodeError],
    ) -> tuple[dict[int, dict[Place, Item]], list[tuple[int, Place]]]:
        """Items for the nodes whose tokens are there; and what cannot be stored, on the others."""
        frames: dict[int, dict[Place, Item]] = {}
        lost: list[tuple[int, Place]] = []
        for index, by_place in values.items():
            versions = tokens[index]
            if isinstance(versions, NodeError):
                failures.append(versions)
                lost += [(index, place) for place in by_place]
                continue
            frames[index] = {
                place: (place.key, self._entries.frame(value, place.digest + versions), FRAME_FLAGS)
                for place, value in by_place.items()
            }
        return frames, lost

    # Filling: what is computed is stored under the tokens that were there when it began.

    def look(self, index: int, place: Place) -> Flow[tuple[Any, bytes]]:
        """The value, or MISSING and the tokens for what is computed from now on.

        Records that are absent are installed: the computation may begin only after that.
        """
        found = yield from self._ask(index, self._reading(place))
        held, tokens = self._taken_apart(index, found)
        value = self._value(place, held.get(place.key), tokens)
        if value is not MISSING:
            return value, b""
        versions = (yield from self._installed({index: tokens}))[index]
        if isinstance(versions, NodeError):
            raise versions
        return value, versions

    def fill(
        self, index: int, place: Place, value: Any, versions: bytes, ttl: float | None
    ) -> Flow[bool]:
        """Store what was computed, under the tokens that `look` gave before; whether it was stored.

        Never under newer ones: if they have been replaced since, it is dead from the beginning.
        """
        item = place.key, self._entries.frame(value, place.digest + versions), FRAME_FLAGS
        if len(item[1]) > MAX_VALUE:
            yield {index: (Delete((place.key,)),)}
            return False
        failures: list[NodeError] = []
        lost = self._refused(
            index, (yield from self._ask(index, Set((item,), ttl))), (item,), failures
        )
        if lost:
            yield {index: (Delete(lost),)}
        if failures:
            raise failures[0]
        return not lost

    def _change(
        self, index: int, place: Place, decide: Callable[[Any], Change | None]
    ) -> Flow[Change | None]:
        """Read, decide, and store on condition that nothing has happened in between.

        Every attempt that fails is another writer's that succeeded.

        Args:
            index: of the node.
            place: of the entry.
            decide: from the value that is alive, or MISSING, to what to store; None for nothing.

        Returns:
            What was stored; None for nothing.
        """
        for _ in range(_ATTEMPTS):
            seen = yield from self._see(index, place)
            change = decide(seen.value)
            if change is None:
                return None
            # Never newer tokens than those of the value that was decided on.
            versions = (yield from self._installed({index: seen.tokens}))[index]
            if isinstance(versions, NodeError):
                raise versions
            data = self._entries.stamped(change.value, place.digest + versions)
            command = _conditional((place.key, data, FRAME_FLAGS), seen.held, change)
            stored, before = yield from self._conditionally(index, place, command)
            if stored is None:
                return None
            if stored and all(before) and joined(before) == versions:
                return change
        raise NodeRefused(
            self._nodes[index],
            f"{place.key!r} was changed {_ATTEMPTS} times while it was changed here",
        )

    def _conditionally(
        self, index: int, place: Place, command: SetIf | Swap
    ) -> Flow[tuple[bool | None, Tokens]]:
        """Look at the records, and store on a condition, in one round trip.

        If the tokens were those under which it was stored, it was alive, whatever came later; and
        if they were not, nobody has seen it.

        Returns:
            Whether it was stored, None if it is too large; and the tokens of the records.
        """
        refused = Refused(TOO_LARGE)
        if len(command.item[1]) <= MAX_VALUE:
            answers = yield {index: (Get(self._path.records), command)}
            replies = answers[index]
            if isinstance(replies, NodeError):
                raise replies
            found, reply = replies
            if isinstance(found, Refused):
                raise NodeRefused(self._nodes[index], found.text)
            if not isinstance(reply, Refused):
                return bool(reply), self._taken_apart(index, found)[1]
            refused = reply
        yield {index: (Delete((place.key,)),)}
        if refused.is_too_large:
            return None, ()
        raise NodeRefused(self._nodes[index], refused.text)


def _stores(items: Iterable[Item], ttl: float | None) -> tuple[Set, ...]:
    """The command that stores what is not too large, if there is anything."""
    small = fitting(items)
    # What was stored, read, and then invalidated must not be stored under newer tokens.
    return (Set(small, ttl, once=True),) if small else ()


def _conditional(item: Item, held: Held | None, change: Change) -> SetIf | Swap:
    """The command that stores only if the entry is still what it was."""
    if held is None:
        return SetIf(item, change.ttl, ABSENT)
    if change.keeps_end:
        return Swap(item, held)
    return SetIf(item, change.ttl, Condition(present=None, token=held.token))


def _is_whole(tokens: Tokens) -> bool:
    return bool(tokens) and all(tokens)


def joined(tokens: Tokens) -> bytes:
    """The tokens one after the other, as they stand in a frame."""
    return b"".join(token or b"" for token in tokens)
