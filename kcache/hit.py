"""What `lookup` gives: a hit with its value, or a miss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["MISS", "Hit", "Miss"]


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found. Always true, whatever its value is.

    Attributes:
        value: what was stored; it may be None.
        stale: whether it is past its ttl and still served, while a new one is computed.
    """

    value: Any
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Miss:
    """No entry. Always false."""

    def __bool__(self) -> Literal[False]:
        return False


MISS: Final = Miss()
