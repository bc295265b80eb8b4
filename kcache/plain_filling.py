"""Filling plain keys: the lease is a key beside, so that other clients never see a placeholder.

It only keeps others from computing. What is computed is stored whatever happened meanwhile: on keys
that other clients write to as well, nothing could tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kcache.command import ABSENT, Command, Delete, Get, Item, Refused, Set, SetIf
from kcache.entry import FRAME_FLAGS, Kept, Marker
from kcache.errors import DecodeError, NodeError, NodeRefused
from kcache.flow import MAX_VALUE, Flow
from kcache.form import Form
from kcache.frame import Dates
from kcache.node import Node
from kcache.plain import Plain
from kcache.plain_signed import SignedPlain
from kcache.route import Key, Router
from kcache.sight import Sight

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

    def sight(self, key: Key) -> Flow[Sight[PlainLease]]:
        """What there is under a key, for whoever would compute it, without a lease."""
        index, wire = self._router.route(key)
        beside = self._lease_key(wire)
        hits = yield from self._ask(index, Get((wire, beside)))
        return self._sight(index, wire, beside, hits)

    def lease(
        self, key: Key, marker: Marker, *, now: float = 0.0, lock_ttl: float
    ) -> Flow[Sight[PlainLease]]:
        """Take the lease on a key, whether there is an entry or not."""
        del now
        index, wire = self._router.route(key)
        beside = self._lease_key(wire)
        item = beside, marker.mark, FRAME_FLAGS
        answers = yield {index: (SetIf(item, lock_ttl, ABSENT), Get((wire, beside)))}
        failures: list[NodeError] = []
        replies = self._replies(index, answers, failures)
        if replies is None:
            raise failures[0]
        is_won, hits = replies
        sight = self._sight(index, wire, beside, hits)
        if not is_won:
            return sight
        return Sight(lease=PlainLease(index, wire, beside), kept=sight.kept)

    renewal = lease

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

    def withdraw(self, key: Key, mark: bytes) -> Flow[None]:
        """Give up whatever lease there may be with this mark."""
        index, wire = self._router.route(key)
        beside = self._lease_key(wire)
        hits = yield from self._ask(index, Get((beside,)))
        if hits and hits[0][2] == mark:
            yield {index: (Delete((beside,)),)}

    def _sight(self, index: int, wire: bytes, beside: bytes, hits: Any) -> Sight[PlainLease]:
        held = {key: (flags, data) for key, flags, data in hits}
        kept: Kept | None = None
        if wire in held:
            try:
                kept = self._forms[index].load_kept(*held[wire], wire)
            except DecodeError as error:
                self.unreadable(wire, error)
        return Sight(kept=kept, holder=held[beside][1] if beside in held else None)


class SignedFilling(PlainFilling, SignedPlain):
    """The same for a cache with a secret."""


def _dumped(form: Form, value: Any, dates: Dates | None, wire: bytes) -> tuple[int, bytes]:
    return form.dump(value, wire) if dates is None else form.dump_dated(value, dates, wire)
