"""Framed values: from a value to a frame (`kcache.frame`), and back, by codec and compression."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from struct import Struct
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from kcache import frame
from kcache.codec import SAFE_TAG, SafeCodec
from kcache.codec.seam import check_secret, encoded_by, guarded, tag_of
from kcache.compress import Compression
from kcache.errors import ConfigurationError, DeadEntryError, DecodeError
from kcache.frame import Dates, Frame
from kcache.protocols import Codec
from kcache.signer import Signer

__all__ = [
    "INT_BITS",
    "INT_DIGITS",
    "Framed",
    "Kept",
    "Marker",
    "Prepared",
    "long_ago",
    "read_int",
    "read_text",
]

# What encoded a frame's payload. Other codecs have their own tags.
_BYTES, _TEXT, _INT = range(3)
_LEASE = 14

# At most 617 digits: any Python can be told to read no more than 640.
INT_BITS = 2048
INT_DIGITS = 640
# memcached leaves blanks behind a number that decr has made shorter.
_other_int = re.compile(rb"-?[0-9]{1,%d} *" % INT_DIGITS).fullmatch
# Those of a few codecs, times a few depths of namespaces.
_MOST_HEADS = 256


Prepared: TypeAlias = tuple[int, int, bytes]
"""What a frame says of a value: the codec's tag, the compression, the payload."""


OVER_SIZE = 16
"""Bytes of the digest in a `Marker`."""


class Kept(NamedTuple):
    """A value with what is known of its age.

    Attributes:
        value: as it was stored.
        fresh_until: Unix time in seconds; from then on it is stale. `inf` where nobody has said.
        seconds: that it took to compute it, if that is known.
    """

    value: Any
    fresh_until: float = inf
    seconds: float = 0.0

    @property
    def is_failure(self) -> bool:
        """Whether it stands for an exception: it took less than no time."""
        return self.seconds < 0


class Marker(NamedTuple):
    """What lies in the place of an entry while somebody computes it. To readers it is a miss.

    Attributes:
        mark: random bytes, of the one who does.
        until: Unix time in seconds, after which it means nothing any more.
        over: a digest of the dead entry whose place it has taken; zeros for none.
    """

    mark: bytes
    until: float
    over: bytes = bytes(OVER_SIZE)


_marker = Struct(f"<d{OVER_SIZE}s")


def _read_marker(payload: bytes) -> Marker:
    if len(payload) < _marker.size:
        raise DecodeError("a marker that is cut off")
    return Marker(payload[_marker.size :], *_marker.unpack_from(payload))


def long_ago() -> float:
    """A clock by which nothing is stale."""
    return -inf


@dataclass(frozen=True)
class Framed:
    """From values to frames, and back.

    Reading raises DecodeError, and nothing else, on whatever it is given.

    Args:
        codec: from values to bytes, and back.
        compression: of frames.
        version: of the frames that are written; an older one while processes that read no newer
            one are about.
        now: Unix time in seconds. What is stale cannot be read, but by `unframe_kept`.
        signer: signs frames. What it has not signed is no frame; without it, what is signed.

    Raises:
        ConfigurationError: a version or a codec's tag that cannot be written, or a codec that is
            not used without a signer.
    """

    codec: Codec = field(default_factory=SafeCodec)
    compression: Compression = field(default_factory=Compression)
    version: int = frame.VERSIONS[-1]
    now: Callable[[], float] = long_ago
    signer: Signer | None = None
    _sign: frame.Sign | None = field(init=False, repr=False, compare=False)
    _check: frame.Check | None = field(init=False, repr=False, compare=False)
    _tag: int = field(init=False, repr=False)
    _readers: Mapping[int, Callable[[bytes], Any]] = field(init=False, repr=False, compare=False)
    _compressed_from: int = field(init=False, repr=False)
    _heads: dict[bytes, tuple[int, Callable[[bytes], Any]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        if self.version not in frame.VERSIONS:
            versions = ", ".join(map(str, frame.VERSIONS))
            raise ConfigurationError(
                f"frames of version {self.version} cannot be written; there is {versions}"
            )
        if self.signer is None:
            check_secret(self.codec)
        tag = tag_of(self.codec)
        readers: dict[int, Callable[[bytes], Any]] = {tag: guarded(self.codec)}
        if tag == SAFE_TAG:
            readers = {_BYTES: bytes, _TEXT: read_text, _INT: read_int, tag: self.codec.decode}
        readers[_LEASE] = _read_marker
        set_attribute = object.__setattr__
        set_attribute(self, "_sign", None if self.signer is None else self.signer.sign)
        set_attribute(self, "_check", None if self.signer is None else self.signer.check)
        set_attribute(self, "_tag", tag)
        set_attribute(self, "_readers", MappingProxyType(readers))
        set_attribute(self, "_compressed_from", self.compression.least)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.codec, self.compression, self.version, self.now, self.signer)

    def frame(self, value: Any, stamp: bytes = b"") -> bytes:
        """Give a frame, as on every key of a namespace.

        Raises:
            EncodeError: the codec does not take `value`.
        """
        return self.stamped(self.prepared(value), stamp)

    def prepared(self, value: Any) -> Prepared:
        """Encode a value whose stamp is not known yet.

        Raises:
            EncodeError: the codec does not take `value`.
        """
        tag, payload = self._encoded(value)
        if len(payload) < self._compressed_from:
            return tag, 0, payload
        return tag, *self.compression.compress(payload)

    def stamped(self, prepared: Prepared, stamp: bytes = b"", dates: Dates | None = None) -> bytes:
        """Give the frame of a value that is encoded."""
        tag, compression, payload = prepared
        return frame.pack(payload, tag, compression, stamp, self.version, dates, self._sign)

    def renonced(self, data: bytes, nonce: bytes) -> bytes:
        """Give a frame that says the same, and is equal to no other one.

        Raises:
            DecodeError: it is damaged, no frame, or of another version.
        """
        payload, tag, compression, stamp, version, dates = frame.unpack(data, self._check)
        dates = frame.Dates(inf, 0.0, nonce) if dates is None else dates._replace(nonce=nonce)
        return frame.pack(payload, tag, compression, stamp, version, dates, self._sign)

    def marker(self, marker: Marker, stamp: bytes) -> bytes:
        """Give the frame of a marker."""
        payload = _marker.pack(marker.until, marker.over) + marker.mark
        return self.stamped((_LEASE, 0, payload), stamp)

    def unframe(self, data: bytes) -> tuple[Any, bytes]:
        """Give the value in a frame, and its stamp.

        Raises:
            DecodeError: it is damaged, stale, no frame, of another version, or of another codec.
        """
        unpacked = frame.unpack(data, self._check)
        return self._value(unpacked), unpacked.stamp

    def unframe_kept(self, data: bytes) -> tuple[Kept, bytes]:
        """Give the value in a frame, fresh or stale, or a `Marker`, and its stamp.

        Raises:
            DecodeError: it is damaged, no frame, of another version, or of another codec.
        """
        unpacked = frame.unpack(data, self._check)
        return self._kept(unpacked), unpacked.stamp

    def unframe_stamped(self, data: bytes, stamp: bytes) -> Any:
        """Give the value in a frame that has this stamp.

        Raises:
            DecodeError: it has another one, or as for `unframe`.
        """
        known = self._heads.get(data[: frame.STAMP_START])
        if known is not None and known[0] == len(stamp):
            payload = frame.payload_of_stamped(data, stamp, self._check)
            try:
                return known[1](payload)
            except UnicodeDecodeError as error:
                raise DecodeError(f"not UTF-8: {error}") from error
        unpacked = frame.unpack(data, self._check)
        # What belongs elsewhere is not even decoded.
        if unpacked.stamp != stamp:
            raise DeadEntryError("a frame of another stamp")
        value = self._value(unpacked)
        self._remember_head(data, stamp)
        return value

    def _value(self, unpacked: Frame) -> Any:
        kept = self._kept(unpacked)
        if unpacked.dates is not None and kept.fresh_until <= self.now():
            raise DeadEntryError("a value that is stale")
        if kept.value.__class__ is Marker:
            raise DeadEntryError("a value that is being computed")
        return kept.value

    def _kept(self, unpacked: Frame) -> Kept:
        payload, tag, compression, _, _, dates = unpacked
        read = self._readers.get(tag)
        if read is None:
            raise DecodeError(f"a value of another codec, of tag {tag}")
        if compression:
            payload = self.compression.expand(compression, payload)
        value = read(payload)
        return Kept(value) if dates is None else Kept(value, *dates[:2])

    def _remember_head(self, data: bytes, stamp: bytes) -> None:
        """Note how a frame is read that begins like one which has just been read in full."""
        if stamp and frame.is_simple(data) and len(self._heads) < _MOST_HEADS:
            read = self._readers[data[5]]
            # Without a frame of Python between.
            quick = bytes.decode if read is read_text else read
            self._heads[data[: frame.STAMP_START]] = len(stamp), quick

    def _encoded(self, value: Any) -> tuple[int, bytes]:
        """Give the tag of what encoded it, and the payload."""
        if self._tag != SAFE_TAG:
            return self._tag, encoded_by(self.codec, value)
        kind = type(value)
        if kind is str:
            try:
                return _TEXT, value.encode()
            except UnicodeEncodeError:
                pass
        elif kind is bytes:
            return _BYTES, value
        elif kind is int and value.bit_length() <= INT_BITS:
            return _INT, b"%d" % value
        return SAFE_TAG, self.codec.encode(value)


def read_text(data: bytes) -> str:
    """A str from UTF-8.

    Raises:
        DecodeError: it is none.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8: {error}") from error


def read_int(data: bytes) -> int:
    """An int from decimal digits, as any client may have left them.

    Raises:
        DecodeError: they are none.
    """
    # The pattern takes twice the time of the rest, and few numbers are negative or end in blanks.
    if not (data.isdigit() and len(data) <= INT_DIGITS) and _other_int(data) is None:
        raise DecodeError(f"not a number: {data[:40]!r}")
    return int(data)
