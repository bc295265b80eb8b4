"""Records and entries as they are read; invalidating; and records that are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeVar

from kcache.command import (
    ABSENT,
    PRESENT,
    Command,
    Delete,
    Get,
    Gets,
    Held,
    Hit,
    Refused,
    Set,
    SetIf,
)
from kcache.entry import FRAME_FLAGS, Entries
from kcache.errors import DecodeError, NewerEpoch, NodeError, NodeRefused
from kcache.flow import MISSING, Flow, Flows
from kcache.framed import OVER_SIZE, Marker
from kcache.known import Known
from kcache.namespace import Path, Place, epoch_key
from kcache.node import Node
from kcache.record import epoch_of, pack_record

__all__ = ["RECORD_TTL", "Reading", "Seen", "Tokens", "digest_of", "is_whole", "joined"]

K = TypeVar("K")

RECORD_TTL: Final = 30 * 24 * 3600.0 - 2
"""Seconds, just below what memcached takes for a time of day. A record is not renewed: one that is
gone is safe, and costs its namespace's entries."""
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


class Reading(Flows):
    """What all parts of the protocol stand on.

    Args:
        path: of the namespace.
        nodes: of the ring, in its order; and further ones that are told of invalidations.
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
        entries: Entries,
        *,
        known: Known,
        fresh: Callable[[], bytes],
        strict: bool,
        epoch: int = 0,
    ) -> None:
        super().__init__(nodes, strict=strict)
        self._epoch = epoch
        self.path = path
        self._entries = entries
        self._known = known
        self._fresh = fresh

    # Invalidating: one round trip to every node, whatever the number of entries.

    def invalidate(self) -> Flow[list[NodeError]]:
        """Replace the token of this namespace on every node; why some nodes have not done it.

        Where there is no record nothing is alive. A node that has no memory for another token has
        its record deleted.
        """
        record = self.path.records[-1]
        ring = Get((epoch_key(self.path.prefix),))
        answers = yield {index: (self._renewal(record), ring) for index in range(len(self._nodes))}
        failures: list[NodeError] = []
        refused = []
        for index, replies in answers.items():
            self._known.forget(index, record)
            if isinstance(replies, NodeError):
                failures.append(replies)
            elif isinstance(replies[0], Refused):
                refused.append(index)
            else:
                failures += self._newer(index, replies[1])
        if refused:
            answers = yield {index: (Delete((record,)),) for index in refused}
            for index in refused:
                self._reply(index, answers, failures)
        return failures

    def _newer(self, index: int, hits: Any) -> list[NodeError]:
        """Why an invalidation is not complete: others know nodes that are not known here."""
        epoch = epoch_of(hits[0][2] if isinstance(hits, list | tuple) and hits else None)
        newer = NewerEpoch(self._nodes[index], epoch, self._epoch)
        return [newer] if epoch > self._epoch else []

    def _renewal(self, record: bytes) -> Command:
        return SetIf((record, pack_record(self._fresh()), FRAME_FLAGS), RECORD_TTL, PRESENT)

    def _reading(self, *places: Place) -> Get:
        """The entries first, then the records."""
        return Get((*(place.key for place in places), *self.path.records))

    def _taken_apart(self, index: int, found: Iterable[Hit]) -> tuple[dict[bytes, bytes], Tokens]:
        """What a reading gave: the data under each key, and the tokens of the records."""
        held = {key: data for key, _, data in found}
        records = [held.get(record) for record in self.path.records]
        return held, self._known.seen(index, self.path.records, records)

    def _value(self, place: Place, data: bytes | None, tokens: Tokens) -> Any:
        """The value of an entry that is alive, else MISSING."""
        if data is None or not all(tokens):
            return MISSING
        try:
            return self._entries.unframe_stamped(data, place.digest + joined(tokens))
        except DecodeError as error:
            self.unreadable(place.key, error)
            return MISSING

    def _add_values(
        self,
        found: dict[K, Any],
        keys: Mapping[Place, K],
        held: Mapping[bytes, bytes],
        tokens: Tokens,
    ) -> None:
        """Add the values of entries that are alive, at less cost than one by one."""
        if not is_whole(tokens):
            return
        versions, read = joined(tokens), self._entries.unframe_stamped
        for (wire, digest), key in keys.items():
            data = held.get(wire)
            if data is not None:
                try:
                    found[key] = read(data, digest + versions)
                except DecodeError as error:
                    self.unreadable(wire, error)

    def _marker_in(self, data: bytes) -> Marker | None:
        """The marker of a lease, dead or alive, if that is what is stored."""
        try:
            kept, _ = self._entries.unframe_kept(data)
        except DecodeError:
            return None
        return kept.value if isinstance(kept.value, Marker) else None

    def _see(self, index: int, place: Place) -> Flow[Seen]:
        """The entry with its own token, then its records, in one round trip."""
        failures: list[NodeError] = []
        answers = yield {index: (Gets(place.key), Get(self.path.records))}
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
            index: joined(found) for index, found in seen.items() if is_whole(found)
        }
        missing = {index: found for index, found in seen.items() if not is_whole(found)}
        for _ in range(1 + _INSTALLS):
            if not missing:
                break
            answers = yield {
                index: (*self._additions(index, found), Get(self.path.records))
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
                if is_whole(found):
                    tokens[index] = joined(found)
                else:
                    still[index] = found
            missing = still
        for index in missing:
            tokens[index] = NodeRefused(self._nodes[index], "it keeps no version record")
        return tokens

    def _additions(self, index: int, seen: Tokens) -> list[Command]:
        """Fresh records for the levels that have none, or one that cannot be read.

        None for a node that is to be looked at first: its records may be right, and what is known
        of it wrong.
        """
        if index in self._known.unsure:
            return []
        commands: list[Command] = []
        # Level 0 says which server it was made on.
        identity = self._known.identities[index] or b""
        for record, token in zip(self.path.records, seen, strict=False):
            item = record, pack_record(self._fresh(), identity), FRAME_FLAGS
            identity = b""
            if token is None:
                commands.append(SetIf(item, RECORD_TTL, ABSENT))
            elif not token:
                # Sent again after it was done, it would bring back what was invalidated since.
                commands.append(Set((item,), RECORD_TTL, once=True))
        return commands


def digest_of(data: bytes) -> bytes:
    """16 bytes that stand for what is stored."""
    return blake2b(data, digest_size=OVER_SIZE).digest()


def is_whole(tokens: Tokens) -> bool:
    """Whether there is a token of every level."""
    return bool(tokens) and all(tokens)


def joined(tokens: Tokens) -> bytes:
    """The tokens one after the other, as they stand in a frame."""
    return b"".join(token or b"" for token in tokens)
