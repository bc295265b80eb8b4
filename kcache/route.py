"""From a user's key to its place, and to the node that owns it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeAlias, TypeVar

__all__ = ["REMEMBERED_ROUTES", "Key", "Router"]

Key: TypeAlias = str | bytes
K = TypeVar("K", bound=Key)
W = TypeVar("W", bound=Hashable)

REMEMBERED_ROUTES = 8192
"""How many keys a router remembers, each of at most `_REMEMBERED_LENGTH` bytes or characters."""
_REMEMBERED_LENGTH = 250


class Router(Generic[W]):
    """Routes keys, and remembers those seen lately.

    Threads share it: each operation on its memory is atomic, and any mix of them is harmless.

    Args:
        place_of: from a key to where it is: to its wire key, or to what has one. It raises
            InvalidKey.
        locate: from that to the number of the node that owns it. The ring hashes what goes out.
    """

    def __init__(self, place_of: Callable[[Key], W], locate: Callable[[W], int]) -> None:
        self._place_of = place_of
        self._locate = locate
        self.seen: dict[str, tuple[int, W]] = {}
        """From keys to the node's number and the place. Only what is a str and nothing else is
        here: equal objects of other classes need not have equal bytes."""

    def route(self, key: Key) -> tuple[int, W]:
        """The number of the node that owns a key, and the key's place.

        Raises:
            InvalidKey: the key is empty, or neither str nor bytes.
        """
        if key.__class__ is not str:
            return self._route(key)
        found = self.seen.get(key)
        return self._remember(key) if found is None else found

    def group(self, keys: Iterable[K]) -> tuple[dict[int, dict[W, K]], list[tuple[K, K]]]:
        """Sort keys by the node that owns them.

        Returns:
            The groups; and the keys that go out as the same bytes as one before them, such as
            b"a" after "a", each with that one, which is in a group.

        Raises:
            InvalidKey: as for `route`.
        """
        groups: dict[int, dict[W, K]] = {}
        twins: list[tuple[K, K]] = []
        listed = keys if isinstance(keys, (list, tuple, dict)) else list(keys)
        # So many keys would only drive each other out.
        route = self.route if len(listed) <= REMEMBERED_ROUTES else self._route
        for key in listed:
            index, place = route(key)
            group = groups.get(index)
            if group is None:
                groups[index] = {place: key}
            elif (first := group.setdefault(place, key)) is not key:
                twins.append((key, first))
        return groups, twins

    def _route(self, key: Key) -> tuple[int, W]:
        place = self._place_of(key)
        return self._locate(place), place

    def _remember(self, key: str) -> tuple[int, W]:
        found = self._route(key)
        if len(key) <= _REMEMBERED_LENGTH:
            if len(self.seen) >= REMEMBERED_ROUTES:
                self.seen.clear()
            self.seen[key] = found
        return found
