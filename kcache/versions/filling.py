"""Filling: one caller computes what is missing, under a lease that every write breaks.

Where no entry is alive, the lease is a marker in the entry's own place, stored on condition that
nobody has stored anything since it was looked at: so one caller wins. The marker is a frame with
the tokens of its time, and dies with them. Whatever is written to the key takes its place; and
what was computed is stored on condition that the marker still stands, under the marker's own
tokens. So a value whose computation began before a set, a delete or an invalidation is dropped, or
dead where it lies.

An entry that is stale stays in its place for others to read. The lease on it is a key beside it,
which says of which entry it is, by a digest, and only keeps others from computing, too: a lease on
another entry is none. What is computed is stored on condition that the entry is still that very
one: on memcached by its number, on Redis by its bytes, of which some are random.

Who computes whatever there is takes the lease over. A marker gives way to another one. An entry
that is alive is stored once more as it is, with other random bytes: so that nothing which was begun
before can be stored after that, and others read it meanwhile.
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

from kcache.command import (
    ABSENT,
    Command,
    Condition,
    Delete,
    Get,
    Gets,
    Held,
    Refused,
    Set,
    SetIf,
    Swap,
    Token,
)
from kcache.entry import FRAME_FLAGS
from kcache.errors import DecodeError, NodeError, NodeRefused
from kcache.flow import MAX_VALUE, Flow
from kcache.frame import Dates
from kcache.framed import OVER_SIZE, Kept, Marker
from kcache.namespace import Place
from kcache.sight import Sight, lease_of, mark_of
from kcache.versions.reading import Reading, Tokens, digest_of, is_whole, joined

__all__ = ["Filling", "Lease"]

_ATTEMPTS = 20
_NONCE_SIZE = 8


def holder_of(lease: bytes, entry: bytes, now: float) -> bytes | None:
    """The mark in a lease beside an entry, if it is of this very entry and not over."""
    return mark_of(lease, now) if lease.endswith(digest_of(entry)) else None


class Lease(NamedTuple):
    """The right to store what is computed from now on.

    Attributes:
        node: its index.
        place: of the entry.
        token: of what must still be there.
        versions: the tokens that were there when the computation began.
        beside: the key of a lease on an entry that is stale.
    """

    node: int
    place: Place
    token: Token
    versions: bytes
    beside: bytes | None = None


class Filling(Reading):
    """Leases, and what is stored under them."""

    def sight_at(self, index: int, place: Place, *, now: float) -> Flow[Sight[Lease]]:
        """What there is at a time, without a lease: the entry first."""
        beside = self.path.lease_key(place)
        found = yield from self._ask(index, Get((*self._reading(place).keys, beside)))
        held, tokens = self._taken_apart(index, found)
        data = held.get(place.key)
        kept = self._kept(place, data, tokens)
        if data is None or kept is None:
            return Sight()
        if isinstance(kept.value, Marker):
            # One whose time is over may lie there still: memcached counts whole seconds.
            return Sight(holder=kept.value.mark if kept.value.until > now else None)
        return Sight(kept=kept, holder=holder_of(held.get(beside, b""), data, now))

    def lease_at(
        self, index: int, place: Place, marker: Marker, *, now: float, lock_ttl: float
    ) -> Flow[Sight[Lease]]:
        """Take the lease on an entry that is not there.

        Records that are absent are installed: the computation may begin only after that.

        Args:
            index: of the node.
            place: of the entry.
            marker: with a mark that was never used before.
            now: Unix time in seconds.
            lock_ttl: how long the marker stays, in seconds.
        """
        records = self.path.records
        # What is not known is likely to be absent: it has just been looked for.
        known: Tokens = self._known.tokens(index, records) or (None,) * len(records)
        versions = yield from self._versions(index, known)
        condition = ABSENT
        for _ in range(_ATTEMPTS):
            mark = self._entries.marker(marker, place.digest + versions)
            store = SetIf((place.key, mark, FRAME_FLAGS), lock_ttl, condition)
            held, tokens = yield from self._tried(index, place, store)
            # A marker is dead, too, if the records are others.
            is_current = is_whole(tokens) and joined(tokens) == versions
            if not is_current:
                versions = yield from self._versions(index, tokens)
            if held is None:
                condition, marker = ABSENT, marker._replace(over=bytes(OVER_SIZE))
                continue
            if is_current and held.data == mark:
                return Sight(lease=Lease(index, place, held.token, versions))
            kept = self._kept(place, held.data, tokens)
            if kept is not None and not isinstance(kept.value, Marker):
                return Sight(kept=kept)
            if kept is not None and kept.value.until > now:
                return Sight(holder=kept.value.mark)
            condition = Condition(present=None, token=held.token)
            if held.data != mark:
                # So that whoever stored it can tell that nothing else has taken its place.
                marker = marker._replace(over=digest_of(held.data))
        return Sight()

    def renewal_at(
        self, index: int, place: Place, marker: Marker, *, now: float, lock_ttl: float
    ) -> Flow[Sight[Lease]]:
        """Take the lease on an entry that is alive; see `lease_at`."""
        beside = self.path.lease_key(place)
        for _ in range(_ATTEMPTS):
            answers = yield {index: (Gets(place.key), Get(self.path.records), Gets(beside))}
            failures: list[NodeError] = []
            replies = self._replies(index, answers, failures)
            if replies is None:
                raise failures[0]
            held, found, other = replies
            _, tokens = self._taken_apart(index, found)
            kept = None if held is None else self._kept(place, held.data, tokens)
            if held is None or kept is None or isinstance(kept.value, Marker):
                return Sight()
            holder = None if other is None else holder_of(other.data, held.data, now)
            if holder is not None:
                return Sight(kept=kept, holder=holder)
            condition = ABSENT if other is None else Condition(present=None, token=other.token)
            lease = lease_of(marker, digest_of(held.data))
            item = beside, lease, FRAME_FLAGS
            if (yield from self._ask(index, SetIf(item, lock_ttl, condition))):
                return Sight(Lease(index, place, held.token, joined(tokens), beside), kept)
        return Sight()

    def takeover_at(
        self, index: int, place: Place, marker: Marker, *, lock_ttl: float
    ) -> Flow[Sight[Lease]]:
        """Take the lease on an entry, there or not, from whoever has it; see `lease_at`.

        What was begun before is not stored any more.
        """
        for _ in range(_ATTEMPTS):
            sight = yield from self._over_entry(index, place, marker, lock_ttl)
            if sight.lease is None and sight.kept is None:
                # By this clock every lease is over.
                sight = yield from self.lease_at(index, place, marker, now=inf, lock_ttl=lock_ttl)
            if sight.lease is not None:
                return sight
        return Sight()

    def fill(
        self, lease: Lease, value: Any, ttl: float | None, dates: Dates | None = None
    ) -> Flow[bool]:
        """Store what was computed, if the lease still stands; whether it was, and is alive.

        It is stored under the tokens of the lease, never under newer ones. It raises EncodeError,
        and then the lease still stands.
        """
        place, index = lease.place, lease.node
        prepared = self._entries.prepared(value)
        data = self._entries.stamped(prepared, place.digest + lease.versions, dates)
        if len(data) > MAX_VALUE:
            yield from self.release(lease)
            return False
        condition = Condition(present=None, token=lease.token)
        commands: list[Command] = [
            Get(self.path.records),
            SetIf((place.key, data, FRAME_FLAGS), ttl, condition),
        ]
        if lease.beside is not None:
            commands.append(Delete((lease.beside,)))
        answers = yield {index: commands}
        replies = answers[index]
        if isinstance(replies, NodeError):
            raise replies
        found, stored, *_ = replies
        if isinstance(stored, Refused):
            yield from self.release(lease)
            if stored.is_too_large:
                return False
            raise NodeRefused(self._nodes[index], stored.text)
        if isinstance(found, Refused):
            raise NodeRefused(self._nodes[index], found.text)
        _, tokens = self._taken_apart(index, found)
        return bool(stored) and is_whole(tokens) and joined(tokens) == lease.versions

    def release(self, lease: Lease) -> Flow[None]:
        """Let others compute: nothing will be stored."""
        if lease.beside is not None:
            yield {lease.node: (Delete((lease.beside,)),)}
            return
        gone = lease.place.key, b"", FRAME_FLAGS
        condition = Condition(present=None, token=lease.token)
        yield {lease.node: (SetIf(gone, 0, condition),)}

    def drop(self, lease: Lease) -> Flow[None]:
        """Leave nothing where the lease still stands, the entry neither that it is on."""
        yield from self.release(lease._replace(beside=None))
        yield from self.release(lease)

    def withdraw_at(self, index: int, place: Place, mark: bytes) -> Flow[None]:
        """Give up whatever lease there may be with this mark."""
        beside = self.path.lease_key(place)
        answers = yield {index: (Gets(place.key), Get((beside,)))}
        replies = answers[index]
        if isinstance(replies, NodeError):
            raise replies
        held, hits = replies
        marker = self._marker_in(held.data) if isinstance(held, Held) else None
        if marker is not None and marker.mark == mark:
            yield from self.release(Lease(index, place, held.token, b""))
        if hits and not isinstance(hits, Refused) and mark in hits[0][2]:
            yield {index: (Delete((beside,)),)}

    def _over_entry(
        self, index: int, place: Place, marker: Marker, lock_ttl: float
    ) -> Flow[Sight[Lease]]:
        """Take the lease on an entry that is alive; without it, if that changes meanwhile."""
        held, tokens, _ = yield from self._see(index, place)
        kept = None if held is None else self._kept(place, held.data, tokens)
        if held is None or kept is None or isinstance(kept.value, Marker):
            return Sight()
        data = self._entries.renonced(held.data, digest_of(self._fresh())[:_NONCE_SIZE])
        beside = self.path.lease_key(place)
        lease = beside, lease_of(marker, digest_of(data)), FRAME_FLAGS
        swap = Swap((place.key, data, FRAME_FLAGS), held)
        answers = yield {index: (swap, Gets(place.key), Set((lease,), lock_ttl))}
        replies = answers[index]
        if isinstance(replies, NodeError):
            raise replies
        if isinstance(replies[0], Refused):
            # There was no room for the few bytes more. Without it there is nothing to be kept.
            yield {index: (Delete((place.key,)),)}
        held = replies[1]
        if not isinstance(held, Held) or held.data != data:
            return Sight(kept=kept)
        return Sight(Lease(index, place, held.token, joined(tokens), beside), kept)

    def _tried(self, index: int, place: Place, store: SetIf) -> Flow[tuple[Held | None, Tokens]]:
        """Store on a condition, and look at what is there then, the entry first."""
        answers = yield {index: (store, Gets(place.key), Get(self.path.records))}
        failures: list[NodeError] = []
        replies = self._replies(index, answers, failures)
        if replies is None:
            raise failures[0]
        _, held, found = replies
        return held, self._taken_apart(index, found)[1]

    def _versions(self, index: int, tokens: Tokens) -> Flow[bytes]:
        """The joined tokens of a node; those that are absent are installed."""
        versions = (yield from self._installed({index: tokens}))[index]
        if isinstance(versions, NodeError):
            raise versions
        return versions

    def _kept(self, place: Place, data: bytes | None, tokens: Tokens) -> Kept | None:
        """The value of an entry that is alive, fresh or stale; or the `Marker` of a lease."""
        if data is None or not is_whole(tokens):
            return None
        try:
            kept, stamp = self._entries.unframe_kept(data)
        except DecodeError as error:
            self.unreadable(place.key, error)
            return None
        return kept if stamp == place.digest + joined(tokens) else None
