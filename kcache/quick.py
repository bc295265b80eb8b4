"""The direct path of `get` and `set`, by key: from the key to the node that answers it.

What cannot be done in one piece is UNDONE, and left to a flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from kcache.entry import FRAME_FLAGS, Entries
from kcache.errors import DecodeError
from kcache.flow import MISSING, Flow
from kcache.known import Known
from kcache.namespace import Path, Place
from kcache.namespaced import Namespaced
from kcache.net.direct import UNDONE, Repeated, direct_to
from kcache.net.transport import End
from kcache.plain import Plain
from kcache.record import TOKEN, token_of
from kcache.route import Key, Router

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
        except DecodeError:
            return MISSING

    def set(self, key: Key, value: Any, ttl: float | None) -> bool | Flow[bool]:  # noqa: D102
        route = self._seen.get(key) if key.__class__ is str else None
        index, wire = route or self._route(key)
        done = self._directs[index].set(wire, value, ttl)
        return self._flows.set(key, value, ttl) if done is UNDONE else done is True


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
        known: Known,
    ) -> None:
        self._flows = flows
        self._route = router.route
        self._directs = [direct_to(end, entries) for end in ends]
        self._entries = entries
        self._records = path.records
        self._known = known

    def get(self, key: Key) -> Any:  # noqa: D102 - as in `Quick`
        index, place = self._route(key)
        found = self._directs[index].read((place.key, *self._records))
        if found is UNDONE:
            return UNDONE
        data, *records = found
        if data is None or None in records:
            # The next call is likely to store what was missed.
            self._known.note(index, self._records, map(token_of, records))
            return MISSING
        try:
            # A record that is damaged has a token that is in no frame.
            stamp = place.digest + b"".join([record[TOKEN] for record in records])
            return self._entries.unframe_stamped(data, stamp)
        except DecodeError:
            return MISSING

    def set(self, key: Key, value: Any, ttl: float | None) -> bool | Flow[bool]:  # noqa: D102
        index, place = self._route(key)
        tokens = self._known.tokens(index, self._records)
        if not tokens:
            return self._flows.set(key, value, ttl)
        data = self._entries.frame(value, place.digest + b"".join(tokens))
        item = place.key, data, FRAME_FLAGS
        found = self._directs[index].read_and_store(self._records, item, ttl)
        if found is UNDONE:
            return self._flows.set(key, value, ttl)
        if None not in found and all(map(_has_token, found, tokens)):
            return True
        if isinstance(found, Repeated):
            # It may have been stored, read, and invalidated: it must not come again.
            return False
        seen = tuple(map(token_of, found))
        return self._flows.set_again(index, place, value, ttl, item=item, tokens=seen)


def _has_token(record: bytes, token: bytes) -> bool:
    return record[TOKEN] == token
