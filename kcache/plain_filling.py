"""Filling plain keys: the lease is a key beside, so that other clients never see a placeholder.

It only keeps others from computing. What is computed is stored whatever happened meanwhile: on keys
that other clients write to as well, nothing could tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, NamedTuple

from kcache.command import (
    ABSENT,
    Command,
    Condition,
    Delete,
    Get,
    Gets,
    Item,
    Refused,
    Set,
    SetIf,
)
from kcache.entry import FRAME_FLAGS, Kept, Marker
from kcache.errors import DecodeError, NodeError, NodeRefused
from kcache.flow import MAX_VALUE, Flow
from kcache.form import Form
from kcache.frame import Dates
from kcache.node import Node
from kcache.plain import Plain
from kcache.plain_signed import SignedPlain
from kcache.route import Key, Router
from kcache.sight import Sight, lease_of, mark_of

_ATTEMPTS = 20

__all__ = ["PlainFilling", "PlainLease", "SignedFilling"]


class PlainLease(NamedTuple):
    """The right to store what is computed from now on.

    Attributes:
        node: its index.
        wire: key of the entry.
        beside: key of the lease.
    """

    node: int
    wire: bytes
    beside: bytes


class PlainFilling(Plain):
    """The flows on plain keys, with leases.

    Args:
        nodes: of the ring, in its order.
        router: from keys to the indexes of these nodes.
        forms: of values, in the same order.
        strict: whether calls on many keys raise where a node failed.
        lease_key: from a wire key to that of its lease.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        router: Router[bytes],
        forms: Sequence[Form],
        *,
        strict: bool,
        lease_key: Callable[[bytes], bytes],
    ) -> None:
        super().__init__(nodes, router, forms, strict=strict)
        self._lease_key = lease_key

    def route(self, key: Key) -> tuple[int, Any]:
        """The node of a key, and its place there: what is the same for keys that are the same."""
        return self._router.route(key)

    def sight(self, key: Key, *, now: float) -> Flow[Sight[PlainLease]]:
        """What there is under a key, for whoever would compute it, without a lease."""
        index, wire = self._router.route(key)
        beside = self._lease_key(wire)
        hits = yield from self._ask(index, Get((wire, beside)))
        held = {key: (flags, data) for key, flags, data in hits}
        _, lease = held.get(beside, (0, b""))
        return Sight(kept=self._kept(index, wire, held.get(wire)), holder=mark_of(lease, now))

    def lease(
        self, key: Key, marker: Marker, *, now: float, lock_ttl: float
    ) -> Flow[Sight[PlainLease]]:
        """Take the lease on a key, whether there is an entry or not."""
        index, wire = self._router.route(key)
        beside = self._lease_key(wire)
        item = beside, lease_of(marker), FRAME_FLAGS
        condition = ABSENT
        kept: Kept | None = None
        for _ in range(_ATTEMPTS):
            store = SetIf(item, lock_ttl, condition)
            answers = yield {index: (store, Get((wire,)), Gets(beside))}
            failures: list[NodeError] = []
            replies = self._replies(index, answers, failures)
            if replies is None:
                raise failures[0]
            is_won, hits, held = replies
            kept = self._kept(index, wire, hits[0][1:] if hits else None)
            if is_won:
                return Sight(lease=PlainLease(index, wire, beside), kept=kept)
            holder = None if held is None else mark_of(held.data, now)
            if holder is not None:
                return Sight(kept=kept, holder=holder)
            # One whose time is over may lie there still: memcached counts whole seconds.
            condition = ABSENT if held is None else Condition(present=None, token=held.token)
        return Sight(kept=kept)

    renewal = lease

    def takeover(self, key: Key, marker: Marker, *, lock_ttl: float) -> Flow[Sight[PlainLease]]:
        """Take the lease on a key, from whoever has it."""
        # By this clock every lease is over.
        return self.lease(key, marker, now=inf, lock_ttl=lock_ttl)

    def fill(
        self, lease: PlainLease, value: Any, ttl: float | None, dates: Dates | None = None
    ) -> Flow[bool]:
        """Store what was computed, and give up the lease; whether it was stored.

        It raises EncodeError, and then the lease still stands.
        """
        flags, data = _dumped(self._forms[lease.node], value, dates, lease.wire)
        item: Item = lease.wire, data, flags
        give_up = Delete((lease.beside,))
        if len(data) > MAX_VALUE:
            yield {lease.node: (Delete((lease.wire,)), give_up)}
            return False
        commands: tuple[Command, ...] = Set((item,), ttl), give_up
        answers = yield {lease.node: commands}
        replies = answers[lease.node]
        if isinstance(replies, NodeError):
            raise replies
        refused = replies[0]
        if not refused:
            return True
        yield {lease.node: (Delete((lease.wire,)),)}
        reply: Refused = refused[0][1]
        if reply.is_too_large:
            return False
        raise NodeRefused(self._nodes[lease.node], reply.text)

    def release(self, lease: PlainLease) -> Flow[None]:
        """Let others compute: nothing will be stored."""
        yield {lease.node: (Delete((lease.beside,)),)}

    def drop(self, lease: PlainLease) -> Flow[None]:
        """Leave nothing, the entry neither."""
        yield {lease.node: (Delete((lease.wire, lease.beside)),)}

    def withdraw(self, key: Key, mark: bytes) -> Flow[None]:
        """Give up whatever lease there may be with this mark."""
        index, wire = self._router.route(key)
        beside = self._lease_key(wire)
        hits = yield from self._ask(index, Get((beside,)))
        if hits and mark in hits[0][2]:
            yield {index: (Delete((beside,)),)}

    def _kept(self, index: int, wire: bytes, held: tuple[int, bytes] | None) -> Kept | None:
        """The value in what lies under a key, fresh or stale."""
        if held is None:
            return None
        try:
            return self._forms[index].load_kept(*held, wire)
        except DecodeError as error:
            self.unreadable(wire, error)
            return None


class SignedFilling(PlainFilling, SignedPlain):
    """The same for a cache with a secret."""


def _dumped(form: Form, value: Any, dates: Dates | None, wire: bytes) -> tuple[int, bytes]:
    return form.dump(value, wire) if dates is None else form.dump_dated(value, dates, wire)
