"""A small memory of this process, which forgets."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf
from time import monotonic
from typing import Generic, TypeVar

__all__ = ["Recent"]

T = TypeVar("T")

_MOST = 4096


class Recent(Generic[T]):
    """Values by key, for a while. Beyond 4,096 it begins anew.

    Args:
        seconds: that a value is remembered.
        clock: in seconds, never going back.
    """

    def __init__(self, seconds: float = inf, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._known: dict[Hashable, tuple[float, T]] = {}

    def get(self, key: Hashable) -> T | None:
        """The value of a key; None if there is none."""
        # Of an empty one it is asked in every call.
        found = self._known.get(key) if self._known else None
        if found is None:
            return None
        if self._clock() < found[0]:
            return found[1]
        self._known.pop(key, None)
        return None

    def put(self, key: Hashable, value: T) -> None:
        """Remember a value."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (self._clock() + self._seconds, value)

    def drop(self, key: Hashable) -> None:
        """Forget a key."""
        if self._known:
            self._known.pop(key, None)
