"""The frame: how a value that is kcache's own lies on a node. docs/wire-format.md has a picture.

    head  C1 6B 63    version    flags    codec    [length of stamp (2)    stamp]    [dates (20)]
    payload
    CRC-32 of all that stands before (4)    tail  63 6B C1

In a signed frame a MAC of all that stands before (16) is in the place of the CRC-32.

UTF-8 has no byte C1, so that no text is taken for a frame. There are two marks, since where a
node keeps no flags beside the bytes, a frame whose only mark is damaged would pass for raw bytes.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import NamedTuple, TypeAlias

from kcache.errors import DeadEntryError, DecodeError, EncodeError

__all__ = [
    "DATES_SIZE",
    "HEAD",
    "MAC_SIZE",
    "MAX_STAMP",
    "STAMP_START",
    "TAIL",
    "VERSIONS",
    "Check",
    "Dates",
    "Frame",
    "Sign",
    "dates_of",
    "is_marked",
    "is_simple",
    "pack",
    "payload_of_stamped",
    "unpack",
]

HEAD = b"\xc1kc"
TAIL = b"ck\xc1"
VERSIONS: tuple[int, ...] = (1,)
"""The format versions that are read: the newest, which is written, and the one before, if any."""
MAX_STAMP = 0xFFFF
"""Bytes."""
MAC_SIZE = 16
"""Bytes; to guess a MAC takes 2**128 tries, each of them a question to a reader."""

Sign: TypeAlias = Callable[[bytes], bytes]
"""Gives the MAC of some bytes."""
Check: TypeAlias = Callable[[bytes, bytes], bool]
"""Says whether some bytes have this MAC."""

_COMPRESSION = 0x0F
_STAMPED = 0x10
_DATED = 0x20
_SIGNED = 0x40
# That a frame is signed where it should be, and only there, is looked at before.
_UNKNOWN_FLAGS = ~(_COMPRESSION | _STAMPED | _DATED)

_head = Struct("<3sBBB")
_stamped_head = Struct("<3sBBBH")
_trailer = Struct("<I3s")
_dates = Struct("<df8s")
_HEAD_SIZE, STAMP_START, _TRAILER_SIZE = _head.size, _stamped_head.size, _trailer.size
DATES_SIZE = _dates.size
_SIGNATURE_SIZE = MAC_SIZE + len(TAIL)
_LEAST = _HEAD_SIZE + _TRAILER_SIZE
# A CRC-32 that goes on over its own value always ends at this, and with TAIL after it at that.
_RESIDUE = 0x2144DF1C
_SOUND = crc32(TAIL, _RESIDUE)


class Dates(NamedTuple):
    """When a computed value gets old.

    Attributes:
        fresh_until: Unix time in seconds; from then on it is stale.
        seconds: that it took to compute it.
        nonce: 8 random bytes. No other entry has them, so that two that are equal otherwise can
            be told apart where bytes are compared.
    """

    fresh_until: float
    seconds: float
    nonce: bytes


class Frame(NamedTuple):
    """What a frame says: a tuple, since one is made at every read.

    Attributes:
        payload: the encoded value, compressed or not.
        codec: what encoded it, 0 .. 255.
        compression: the algorithm's number, 0 .. 15; 0 is none.
        stamp: what binds the entry to its place: opaque here, empty on plain keys.
        version: of the format.
        dates: of a computed value.
    """

    payload: bytes
    codec: int
    compression: int
    stamp: bytes
    version: int
    dates: Dates | None = None


def pack(  # noqa: PLR0917 - the fields of a Frame, in their order
    payload: bytes,
    codec: int,
    compression: int = 0,
    stamp: bytes = b"",
    version: int = VERSIONS[-1],
    dates: Dates | None = None,
    sign: Sign | None = None,
) -> bytes:
    r"""Build a frame; see `Frame` for the arguments. With `sign`, it is signed.

    Raises:
        EncodeError: `stamp` is longer than MAX_STAMP.

    Example:
        >>> pack(b"Ada", codec=1).hex(" ")
        'c1 6b 63 01 00 01 41 64 61 6a 45 f6 47 63 6b c1'
    """
    if sign is not None:
        compression |= _SIGNED
    if dates is not None:
        compression |= _DATED
        payload = _dates.pack(*dates) + payload
    if stamp:
        if len(stamp) > MAX_STAMP:
            raise EncodeError(f"a stamp of {len(stamp)} bytes; the limit is {MAX_STAMP}")
        flags = compression | _STAMPED
        body = _stamped_head.pack(HEAD, version, flags, codec, len(stamp)) + stamp + payload
    else:
        body = _head.pack(HEAD, version, compression, codec) + payload
    if sign is not None:
        return body + sign(body) + TAIL
    return body + _trailer.pack(crc32(body), TAIL)


def unpack(data: bytes, check: Check | None = None) -> Frame:
    """Read a frame.

    Args:
        data: anything.
        check: of signatures. With it, only signed frames are read; without it, none of them.

    Raises:
        DecodeError: `data` is not a frame, is damaged, not signed or signed with another secret,
            or is of another version.

    Example:
        >>> unpack(pack(b"Ada", codec=1))
        Frame(payload=b'Ada', codec=1, compression=0, stamp=b'', version=1, dates=None)
    """
    if len(data) < _LEAST or not data.startswith(HEAD):
        raise DecodeError("not a frame")
    if check is not None:
        signed, end = _SIGNED, _end_of_signed(data, check)
    elif crc32(data) == _SOUND:
        signed, end = 0, len(data) - _TRAILER_SIZE
    else:
        raise DecodeError("a damaged frame: its checksum is wrong")
    version, flags, codec = data[3], data[4], data[5]
    if version not in VERSIONS or (flags ^ signed) & _UNKNOWN_FLAGS:
        raise DecodeError(f"a frame of version {version} with flags {flags:#x} is not read here")
    start, stamp = _HEAD_SIZE, b""
    if flags & _STAMPED:
        # In a frame too short for a stamp, these are bytes of the trailer.
        start = STAMP_START + data[6] + (data[7] << 8)
        if start > end:
            raise DecodeError("a frame whose stamp is longer than itself")
        stamp = data[STAMP_START:start]
    payload = data[start:end]
    dates = None
    if flags & _DATED:
        dates, payload = dates_of(payload), payload[DATES_SIZE:]
    return _made((payload, codec, flags & _COMPRESSION, stamp, version, dates))


def dates_of(payload: bytes) -> Dates:
    """The dates at the beginning of what follows head and stamp.

    Raises:
        DecodeError: there are none.
    """
    if len(payload) < DATES_SIZE:
        raise DecodeError("a frame that is too short for its dates")
    return Dates(*_dates.unpack_from(payload))


def _end_of_signed(data: bytes, check: Check) -> int:
    """Where the MAC begins, which is right.

    Raises:
        DecodeError: there is none, or it is of other bytes or another secret.
    """
    end = len(data) - _SIGNATURE_SIZE
    mac, tail = data[end : -len(TAIL)], data[-len(TAIL) :]
    if end < _HEAD_SIZE or tail != TAIL or not check(data[:end], mac):
        raise DecodeError("not a frame that one of the secrets has signed")
    return end


def payload_of_stamped(data: bytes, stamp: bytes, check: Check | None = None) -> bytes:
    """The payload of a simple frame whose first `STAMP_START` bytes are known to be right.

    It costs a third of `unpack`.

    Raises:
        DecodeError: the frame has another stamp, or is damaged or not signed.
    """
    if not data.startswith(stamp, STAMP_START):
        raise DeadEntryError("a frame of another stamp")
    if check is not None:
        end = _end_of_signed(data, check)
        if end < STAMP_START + len(stamp):
            raise DecodeError("a frame whose stamp is longer than itself")
        return data[STAMP_START + len(stamp) : end]
    if crc32(data) != _SOUND:
        raise DecodeError("a damaged frame: its checksum is wrong")
    return data[STAMP_START + len(stamp) : -_TRAILER_SIZE]


def is_simple(data: bytes) -> bool:
    """Whether a frame has neither compression nor dates."""
    return not data[4] & (_COMPRESSION | _DATED)


# Frame(...) does the same in twice the time.
_made = partial(tuple.__new__, Frame)


def is_marked(data: bytes) -> bool:
    """Whether `data` is a frame, or was one before it was damaged."""
    return data[: len(HEAD)] == HEAD or data[-len(TAIL) :] == TAIL
