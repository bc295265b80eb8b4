"""Entries: values as they lie on nodes, the way other clients put them there where that can be.

On plain keys `str`, `bytes` and `int` are raw. On memcached, flags say which of the three it is,
as pylibmc, pymemcache and python-memcached have them. On Redis the bytes alone must tell: an int
is canonical decimal of 64 bits, a str is other UTF-8, and bytes are the rest. What would be
mistaken, and all other values, are framed (`kcache.framed`) and kcache's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kcache import frame
from kcache.compress import inflate
from kcache.errors import DecodeError
from kcache.framed import INT_BITS, Framed, Kept, Marker, Prepared, read_int, read_text

__all__ = [
    "BYTES_FLAGS",
    "FRAME_FLAGS",
    "INT_FLAGS",
    "TEXT_FLAGS",
    "Entries",
    "Kept",
    "Marker",
    "Prepared",
]

BYTES_FLAGS = 0
INT_FLAGS = 2
TEXT_FLAGS = 16
FRAME_FLAGS = 0x6B00
"""A frame's flags on memcached. No client uses them: pylibmc, pymemcache and PHP read bytes,
python-memcached and spymemcached say that they cannot read it, and nobody unpickles it."""
_LONG_FLAGS = 4
_ZLIB_FLAGS = 8

_canonical = re.compile(rb"0|-?[1-9][0-9]{0,18}").fullmatch
_CANONICAL_LENGTH = 20
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True)
class Entries(Framed):
    r"""From values to what is stored, and back.

    For the arguments see `Framed`. Reading raises DecodeError, and nothing else, on whatever it is
    given. On plain keys all methods take the wire key, too: here it makes no difference.

    Example:
        >>> entries = Entries()
        >>> entries.to_memcached("Ada"), entries.to_memcached(5)
        ((16, b'Ada'), (2, b'5'))
        >>> entries.to_redis("Ada"), entries.to_redis(5), entries.to_redis("5")
        (b'Ada', b'5', b'\xc1kc\x01\x00\x015B+\xb3\xbcck\xc1')
        >>> entries.from_redis(b"\xc1kc\x01\x00\x015B+\xb3\xbcck\xc1")
        '5'
    """

    def stamp_of_plain(self, wire: bytes) -> bytes:
        """What binds a frame to its plain key: nothing, here."""
        del wire
        return b""

    def to_memcached(self, value: Any, _wire: bytes = b"", /) -> tuple[int, bytes]:
        """Give flags and data for a plain key.

        Raises:
            EncodeError: the codec does not take `value`.
        """
        kind = type(value)
        if kind is str:
            try:
                return TEXT_FLAGS, value.encode()
            except UnicodeEncodeError:
                pass
        elif kind is bytes:
            return BYTES_FLAGS, value
        elif kind is int and value.bit_length() <= INT_BITS:
            return INT_FLAGS, b"%d" % value
        return FRAME_FLAGS, self.frame(value)

    def from_memcached(self, flags: int, data: bytes, _wire: bytes = b"", /) -> Any:
        """Give the value of a plain key.

        Raises:
            DecodeError: flags of another kind, a pickle's among them, or data that does not suit
                them.
        """
        if flags == TEXT_FLAGS:
            return read_text(data)
        if flags == BYTES_FLAGS:
            return data
        if flags in (INT_FLAGS, _LONG_FLAGS):
            return read_int(data)
        if flags == FRAME_FLAGS:
            return self.unframe(data)[0]
        if flags in _COMPRESSED_FLAGS:
            return self.from_memcached(
                flags & ~_ZLIB_FLAGS, inflate(data, self.compression.max_size)
            )
        raise DecodeError(f"a value of another client, with flags {flags:#x}")

    def to_redis(self, value: Any, _wire: bytes = b"", /) -> bytes:
        """Give the bytes for a plain key.

        Raises:
            EncodeError: the codec does not take `value`.
        """
        kind = type(value)
        if kind is str:
            try:
                data: bytes = value.encode()
            except UnicodeEncodeError:
                pass
            else:
                # What a reader would take for an int is framed.
                if len(data) > _CANONICAL_LENGTH or _as_int(data) is None:
                    return data
        elif kind is int:
            if _LEAST <= value <= _MOST:
                return b"%d" % value
        elif kind is bytes and not frame.is_marked(value) and not _is_text(value):
            raw: bytes = value
            return raw
        return self.frame(value)

    def from_redis(self, data: bytes, _wire: bytes = b"", /) -> Any:
        """Give the value of a plain key.

        Raises:
            DecodeError: a frame that is damaged, foreign or of another version.
        """
        if data[: len(frame.HEAD)] == frame.HEAD:
            return self.unframe(data)[0]
        if len(data) <= _CANONICAL_LENGTH:
            number = _as_int(data)
            if number is not None:
                return number
        try:
            return data.decode()
        except UnicodeDecodeError:
            return _read_binary(data)


_COMPRESSED_FLAGS = frozenset(
    flags | _ZLIB_FLAGS for flags in (BYTES_FLAGS, INT_FLAGS, _LONG_FLAGS, TEXT_FLAGS)
)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_int(data: bytes) -> int | None:
    """The int that other clients read in these bytes, if it is the way they write it."""
    # Nearly all texts end here.
    if not data[-1:].isdigit() or _canonical(data) is None:
        return None
    number = int(data)
    return number if _LEAST <= number <= _MOST else None


def _read_binary(data: bytes) -> bytes:
    if frame.is_marked(data):
        # Of a frame whose first bytes are damaged, the mark at its end is left.
        raise DecodeError("the end of a frame without its head")
    return data
