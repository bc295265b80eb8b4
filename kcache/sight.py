"""What a caller sees who would compute a value."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from kcache.entry import Kept

__all__ = ["Sight"]

L = TypeVar("L")


class Sight(NamedTuple, Generic[L]):
    """What there is under a key, for whoever would compute it.

    Attributes:
        lease: the caller may compute it, and store it with this.
        kept: the entry, fresh or stale.
        holder: the mark of somebody else who computes it.
    """

    lease: L | None = None
    kept: Kept | None = None
    holder: bytes | None = None
