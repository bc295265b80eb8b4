"""From a user's key to the key that goes out, and to the node that owns it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, TypeVar

from kcache.key import wire_key
from kcache.ring import Ring

__all__ = ["REMEMBERED_ROUTES", "Group", "Key", "Router"]

Key: TypeAlias = str | bytes
K = TypeVar("K", bound=Key)
Group: TypeAlias = dict[bytes, K]
"""The keys of one node: from the wire key to the user's."""

REMEMBERED_ROUTES = 8192
"""How many keys a router remembers, each of at most `_REMEMBERED_LENGTH` bytes or characters."""
_REMEMBERED_LENGTH = 250


class Router:
    """Routes keys, and remembers those seen lately.

    Threads share it: each operation on its memory is atomic, and any mix of them is harmless.

    Args:
        ring: who owns what. It hashes the keys that go out.
    """

    def __init__(self, ring: Ring) -> None:
        self._locate = ring.index_for
        self.seen: dict[str, tuple[int, bytes]] = {}
        """From keys to the node's number and the wire key. Only what is a str and nothing else is
        here: equal objects of other classes need not have equal bytes."""

    def route(self, key: Key) -> tuple[int, bytes]:
        """The number of the node that owns a key, and the wire key.

        Raises:
            InvalidKey: the key is empty, or neither str nor bytes.
        """
        if key.__class__ is not str:
            return self._route(key)
        found = self.seen.get(key)
        return self._remember(key) if found is None else found

    def group(self, keys: Iterable[K]) -> tuple[dict[int, Group[K]], list[tuple[K, K]]]:
        """Sort keys by the node that owns them.

        Returns:
            The groups; and the keys that go out as the same bytes as one before them, such as
            b"a" after "a", each with that one, which is in a group.

        Raises:
            InvalidKey: as for `route`.
        """
        groups: dict[int, Group[K]] = {}
        twins: list[tuple[K, K]] = []
        listed = keys if isinstance(keys, (list, tuple, dict)) else list(keys)
        # So many keys would only drive each other out.
        route = self.route if len(listed) <= REMEMBERED_ROUTES else self._route
        for key in listed:
            index, wire = route(key)
            group = groups.get(index)
            if group is None:
                groups[index] = {wire: key}
            elif (first := group.setdefault(wire, key)) is not key:
                twins.append((key, first))
        return groups, twins

    def _route(self, key: Key) -> tuple[int, bytes]:
        wire = wire_key(key)
        return self._locate(wire), wire

    def _remember(self, key: str) -> tuple[int, bytes]:
        found = self._route(key)
        if len(key) <= _REMEMBERED_LENGTH:
            if len(self.seen) >= REMEMBERED_ROUTES:
                self.seen.clear()
            self.seen[key] = found
        return found
