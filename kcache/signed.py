"""Signed entries: with a secret, nothing is raw, and what is not signed is not there.

Every value is a frame that is signed with its place. In a namespace its stamp is that of all
entries there; on a plain key it is a digest of the wire key.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from kcache.compress import Compression
from kcache.entry import FRAME_FLAGS, Entries
from kcache.errors import DecodeError
from kcache.framed import long_ago
from kcache.protocols import Codec
from kcache.signer import Signer

__all__ = ["SignedEntries", "entries_of", "stamp_of"]

_STAMP_SIZE = 24
"""Bytes. No stamp in a namespace has so few: there, a token of 16 bytes follows at least."""
_REMEMBERED = 8192


@lru_cache(_REMEMBERED)
def stamp_of(wire: bytes) -> bytes:
    """What binds an entry to its plain key."""
    return blake2b(wire, digest_size=_STAMP_SIZE, person=b"kcache plain").digest()


class SignedEntries(Entries):
    """The same as `Entries`, with a signer."""

    def stamp_of_plain(self, wire: bytes) -> bytes:
        """What binds a frame to its plain key."""
        return stamp_of(wire)

    def to_memcached(self, value: Any, wire: bytes = b"", /) -> tuple[int, bytes]:
        """Give flags and data for a plain key.

        Raises:
            EncodeError: the codec does not take `value`.
        """
        return FRAME_FLAGS, self.frame(value, stamp_of(wire))

    def from_memcached(self, flags: int, data: bytes, wire: bytes = b"", /) -> Any:
        """Give the value of a plain key.

        Raises:
            DecodeError: it is not signed, or belongs to another key.
        """
        if flags != FRAME_FLAGS:
            raise DecodeError(f"a value that is not signed, with flags {flags:#x}")
        return self.unframe_stamped(data, stamp_of(wire))

    def to_redis(self, value: Any, wire: bytes = b"", /) -> bytes:
        """Give the bytes for a plain key.

        Raises:
            EncodeError: the codec does not take `value`.
        """
        return self.frame(value, stamp_of(wire))

    def from_redis(self, data: bytes, wire: bytes = b"", /) -> Any:
        """Give the value of a plain key.

        Raises:
            DecodeError: it is not signed, or belongs to another key.
        """
        return self.unframe_stamped(data, stamp_of(wire))


def entries_of(
    codec: Codec,
    compression: Compression,
    signer: Signer | None,
    now: Callable[[], float] = long_ago,
) -> Entries:
    """The entries of a cache, signed where there is a signer.

    Raises:
        ConfigurationError: a codec that is not used without one.
    """
    kind = Entries if signer is None else SignedEntries
    return kind(codec, compression, signer=signer, now=now)
