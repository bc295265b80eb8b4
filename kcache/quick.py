"""The direct path of `get` and `set`, by key: from the key to the node that answers it.

What cannot be done in one piece is UNDONE, and left to a flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from kcache.entry import Entries
from kcache.errors import DecodeError
from kcache.flow import MISSING
from kcache.known import Known
from kcache.namespace import Path, Place
from kcache.net.direct import UNDONE, direct_to
from kcache.net.transport import End
from kcache.route import Key, Router

__all__ = ["NamespaceQuick", "PlainQuick", "Quick"]


class Quick(Protocol):
    """The two calls."""

    def get(self, key: Key) -> Any:
        """The value; MISSING; or UNDONE. It raises NodeError and InvalidKey."""

    def set(self, key: Key, value: Any, ttl: float | None) -> object:
        """True if it was stored; False; or UNDONE. It raises NodeError, EncodeError, InvalidKey."""


class PlainQuick(Quick):
    """On plain keys."""

    def __init__(self, router: Router[bytes], ends: Sequence[End], entries: Entries) -> None:
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

    def set(self, key: Key, value: Any, ttl: float | None) -> object:  # noqa: D102 - the same
        route = self._seen.get(key) if key.__class__ is str else None
        index, wire = route or self._route(key)
        return self._directs[index].set(wire, value, ttl)


class NamespaceQuick(Quick):
    """In a namespace."""

    def __init__(
        self,
        router: Router[Place],
        ends: Sequence[End],
        entries: Entries,
        path: Path,
        known: Known,
    ) -> None:
        self._route = router.route

    def get(self, key: Key) -> Any:  # noqa: D102 - as in `Quick`
        return UNDONE

    def set(self, key: Key, value: Any, ttl: float | None) -> object:  # noqa: D102 - the same
        return UNDONE
