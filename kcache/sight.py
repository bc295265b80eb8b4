"""What a caller sees who would compute a value."""

from __future__ import annotations

from struct import Struct
from typing import Generic, NamedTuple, TypeVar

from kcache.framed import Kept, Marker

__all__ = ["MARK_SIZE", "Sight", "lease_of", "mark_of"]

MARK_SIZE = 16
"""Bytes of a mark, at random."""
_until = Struct("<d")

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


def lease_of(marker: Marker, bound: bytes = b"") -> bytes:
    """What is stored as a lease beside an entry: when it ends, whose it is, and of what."""
    return _until.pack(marker.until) + marker.mark + bound


def mark_of(lease: bytes, now: float) -> bytes | None:
    """The mark in a lease beside an entry; None if its time is over."""
    if len(lease) < _until.size + MARK_SIZE or _until.unpack_from(lease)[0] <= now:
        return None
    return lease[_until.size : _until.size + MARK_SIZE]
