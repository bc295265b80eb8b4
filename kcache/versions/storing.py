"""Storing whatever was there before: `set` and `set_many`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kcache.command import Command, Condition, Delete, Get, Gets, Item, Set, SetIf
from kcache.entry import FRAME_FLAGS
from kcache.errors import NodeError
from kcache.flow import LARGE, Flow, fitting
from kcache.namespace import Place
from kcache.versions.reading import Reading, Tokens, digest_of, joined

__all__ = ["Storing"]

_TURNS = 20


class Storing(Reading):
    """Looks at the records, and stores, in one round trip."""

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
        records = self.path.records
        tokens = yield from self._installed(
            {index: self._known.tokens(index, records) for index in values}
        )
        frames, lost = self._framed(values, tokens, failures)
        batch: dict[int, tuple[Command, ...]] = {
            index: (Get(self.path.records), *_stores(items.values(), ttl))
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
                # If it has ended the connection over one of these, what was there is there still.
                large = [key for key, data, _ in items.values() if len(data) > LARGE]
                doomed |= {index: large} if large else {}
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
        self._known.note(index, self.path.records, tokens)
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

        Whoever wanted to compute may have put a marker into its place. What is not there any more
        was overwritten or deleted since, by a later call than this.
        """
        tokens = yield from self._installed(newer)
        wanted = {
            index: {place: values[index][place] for place in items}
            for index, items in stored.items()
        }
        pending, lost = self._framed(wanted, tokens, failures)
        # Each turn that fails is one in which somebody has tried for a lease.
        for _ in range(_TURNS):
            aims = yield from self._aimed(pending, stored, ttl, failures, lost)
            answers = yield {index: list(commands.values()) for index, commands in aims.items()}
            still: dict[int, dict[Place, Item]] = {}
            for index, commands in aims.items():
                replies = self._replies(index, answers, failures)
                if replies is None:
                    lost += [(index, place) for place in commands]
                    continue
                failed = [p for p, reply in zip(commands, replies, strict=True) if not reply]
                still |= {index: {p: pending[index][p] for p in failed}} if failed else {}
            pending = still
            if not pending:
                break
        return lost + [(index, place) for index, items in pending.items() for place in items]

    def _aimed(
        self,
        items: Mapping[int, Mapping[Place, Item]],
        stored: Mapping[int, Mapping[Place, Item]],
        ttl: float | None,
        failures: list[NodeError],
        lost: list[tuple[int, Place]],
    ) -> Flow[dict[int, dict[Place, Command]]]:
        """The commands that store where there still is what was stored before, or a marker."""
        answers = yield {
            index: [Gets(place.key) for place in by_place] for index, by_place in items.items()
        }
        aims: dict[int, dict[Place, Command]] = {}
        for index, by_place in items.items():
            helds = self._replies(index, answers, failures)
            if helds is None:
                lost += [(index, place) for place in by_place]
                continue
            commands: dict[Place, Command] = {
                place: SetIf(item, ttl, Condition(present=None, token=held.token))
                for (place, item), held in zip(by_place.items(), helds, strict=True)
                if held is not None and self._is_or_was(held.data, stored[index][place][1])
            }
            if commands:
                aims[index] = commands
        return aims

    def _is_or_was(self, data: bytes, stored: bytes) -> bool:
        """Whether it is what was stored, or a marker that has taken the place of that."""
        if data == stored:
            return True
        marker = self._marker_in(data)
        return marker is not None and marker.over == digest_of(stored)

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


def _stores(items: Iterable[Item], ttl: float | None) -> tuple[Set, ...]:
    """The command that stores what is not too large, if there is anything."""
    small = fitting(items)
    # What was stored, read, and then invalidated must not be stored under newer tokens.
    return (Set(small, ttl, once=True),) if small else ()
