"""The direct path of `get` and `set`, by key: from the key to the node that answers it.

What cannot be done in one piece is UNDONE, and left to a flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Any, Protocol

from kcache.command import Item
from kcache.entry import FRAME_FLAGS, Entries
from kcache.errors import DecodeError, NodeError
from kcache.flow import MISSING, Flow
from kcache.guarded import Guarded
from kcache.namespace import Path, Place
from kcache.namespaced import Namespaced
from kcache.net.beside import Beside, Found, beside_on
from kcache.net.direct import direct_to
from kcache.net.request import UNDONE
from kcache.net.transport import End
from kcache.plain import Plain
from kcache.record import tokens_of
from kcache.route import Key, Router
from kcache.versions import joined

__all__ = ["NamespaceQuick", "PlainQuick", "Quick"]


class Quick(Protocol):
    """The two calls."""

    def get(self, key: Key) -> Any:
        """The value; MISSING; or UNDONE. It raises NodeError and InvalidKey."""

    def set(self, key: Key, value: Any, ttl: float | None) -> bool | Flow[bool]:
        """Whether it was stored; or the flow that does what is left of the call.

        It raises NodeError, EncodeError and InvalidKey.
        """


class PlainQuick(Quick):
    """On plain keys."""

    def __init__(
        self, flows: Plain, router: Router[bytes], ends: Sequence[End], entries: Entries
    ) -> None:
        self._flows = flows
        self._route = router.route
        self._seen = router.seen
        self._directs = [direct_to(end, entries) for end in ends]

    def get(self, key: Key) -> Any:  # noqa: D102 - as in `Quick`
        route = self._seen.get(key) if key.__class__ is str else None
        index, wire = route or self._route(key)
        try:
            return self._directs[index].get(wire)
        except DecodeError as error:
            self._flows.unreadable(wire, error)
            return MISSING

    def set(self, key: Key, value: Any, ttl: float | None) -> bool | Flow[bool]:  # noqa: D102
        route = self._seen.get(key) if key.__class__ is str else None
        index, wire = route or self._route(key)
        done = self._directs[index].set(wire, value, ttl)
        return self._flows.set(key, value, ttl) if done is UNDONE else done is True


class _Unready:
    """The direct path to a node that may not be used yet."""

    def read(self, _wire: bytes) -> Any:
        return UNDONE

    def store(self, _item: Item, _ttl: float | None) -> Any:
        return UNDONE


_UNREADY = _Unready()


class NamespaceQuick(Quick):
    """In a namespace, by the protocol of `kcache.versions`: entry and records in one request."""

    def __init__(
        self,
        flows: Namespaced,
        router: Router[Place],
        ends: Sequence[End],
        entries: Entries,
        *,
        path: Path,
        guarded: Guarded,
    ) -> None:
        self._flows = flows
        self._route = router.route
        self._seen = router.seen
        self._ends = ends
        self._frame, self._unframe = entries.frame, entries.unframe_stamped
        self._records = path.records
        self._known = guarded.guard.known
        self._guarded, guard = guarded, guarded.guard
        self._unsure = self._known.unsure
        # In-process nodes, and one by itself, have no debts to be looked for.
        self._guard = guard if guard.due < inf else None
        # By node, from its first use on; what was found there last, and the tokens in it.
        self._besides: dict[int, Beside] = {}
        self._tokens: dict[int, tuple[Found, bytes]] = {}

    def get(self, key: Key) -> Any:  # noqa: D102 - as in `Quick`
        route = self._seen.get(key) if key.__class__ is str else None
        index, place = route or self._route(key)
        guard = self._guard
        if guard is not None and monotonic() >= guard.due and not guard.look_soon():
            return UNDONE
        beside = self._besides.get(index)
        if beside is None or index in self._unsure:
            beside = self._open(index)
        answer = beside.read(place.key)
        if answer is UNDONE:
            return UNDONE
        data, found = answer
        last = self._tokens.get(index)
        tokens = last[1] if last and last[0] is found else self._note(index, found)
        if data is None or not tokens:
            return MISSING
        try:
            return self._unframe(data, place.digest + tokens)
        except DecodeError as error:
            self._flows.unreadable(place.key, error)
            return MISSING

    def set(self, key: Key, value: Any, ttl: float | None) -> bool | Flow[bool]:  # noqa: D102
        route = self._seen.get(key) if key.__class__ is str else None
        index, place = route or self._route(key)
        last = self._tokens.get(index)
        tokens = last[1] if last else b"".join(self._known.tokens(index, self._records))
        if not tokens or self._guarded.guard.mirror is not None:
            return self._flows.set(key, value, ttl)
        item = place.key, self._frame(value, place.digest + tokens), FRAME_FLAGS
        try:
            found = (self._besides.get(index) or self._open(index)).store(item, ttl)
        except NodeError as error:
            self._guarded.lost(index, error)
            raise
        if found is UNDONE:
            return self._flows.set(key, value, ttl)
        if (last and last[0] is found) or self._note(index, found) == tokens:
            return True
        seen = tokens_of(found, self._known.identities[index])
        return self._flows.set_again(index, place, value, ttl, item=item, tokens=seen)

    def _open(self, index: int) -> Beside:
        if index in self._unsure:
            # The flow has it looked at first.
            return _UNREADY
        return self._besides.setdefault(index, beside_on(self._ends[index], self._records))

    def _note(self, index: int, found: Found) -> bytes:
        """Remember the tokens of records; all of them in one, and nothing if one is missing."""
        tokens = self._known.seen(index, self._records, found)
        if not all(tokens):
            # What is wrong with the same records now may be right once the node was looked at.
            self._tokens.pop(index, None)
            return b""
        whole = joined(tokens)
        self._tokens[index] = found, whole
        return whole
