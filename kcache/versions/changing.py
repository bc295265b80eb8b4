"""Storing on condition that nothing has happened since a read: `add`, `replace`, `count`, `cas`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kcache.command import (
    ABSENT,
    TOO_LARGE,
    Condition,
    Delete,
    Get,
    Held,
    Item,
    Refused,
    SetIf,
    Swap,
)
from kcache.entry import FRAME_FLAGS, Prepared
from kcache.errors import NodeError, NodeRefused
from kcache.flow import LARGE, MAX_VALUE, Flow
from kcache.namespace import Place
from kcache.versions.reading import Reading, Tokens, joined

__all__ = ["Change", "Changing"]

_ATTEMPTS = 1000


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


class Changing(Reading):
    """Reads, decides, and stores if the entry is still what was read."""

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
            answers = yield {index: (Get(self.path.records), command)}
            replies = answers[index]
            if isinstance(replies, NodeError):
                if len(command.item[1]) > LARGE:
                    # It may have ended the connection over this value.
                    yield {index: (Delete((place.key,)),)}
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


def _conditional(item: Item, held: Held | None, change: Change) -> SetIf | Swap:
    """The command that stores only if the entry is still what it was."""
    if held is None:
        return SetIf(item, change.ttl, ABSENT)
    if change.keeps_end:
        return Swap(item, held)
    return SetIf(item, change.ttl, Condition(present=None, token=held.token))
