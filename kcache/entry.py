"""Entries: values as they lie on nodes, the way other clients put them there where that can be.

On plain keys `str`, `bytes` and `int` are raw. On memcached, flags say which of the three it is,
as pylibmc, pymemcache and python-memcached have them. On Redis the bytes alone must tell: an int
is canonical decimal of 64 bits, a str is other UTF-8, and bytes are the rest. What would be
mistaken, and all other values, are framed (`kcache.frame`) and kcache's own.
"""

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
from kcache.compress import Compression, inflate
from kcache.errors import ConfigurationError, DecodeError, EncodeError
from kcache.frame import Dates
from kcache.interruption import is_of_handler
from kcache.protocols import Codec

__all__ = [
    "BYTES_FLAGS",
    "FRAME_FLAGS",
    "INT_FLAGS",
    "OTHER_CODEC",
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

# What encoded a frame's payload. Other codecs have their own tags.
_BYTES, _TEXT, _INT = range(3)
_LEASE = 14
_FIRST_FREE_TAG = 16
OTHER_CODEC = 255
"""The tag of a codec that has no attribute `tag`."""

# At most 617 digits: any Python can be told to read no more than 640.
_INT_BITS = 2048
_INT_DIGITS = 640
# memcached leaves blanks behind a number that decr has made shorter.
_other_int = re.compile(rb"-?[0-9]{1,%d} *" % _INT_DIGITS).fullmatch
_canonical = re.compile(rb"0|-?[1-9][0-9]{0,18}").fullmatch
_CANONICAL_LENGTH = 20
# Those of a few codecs, times a few depths of namespaces.
_MOST_HEADS = 256
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


Prepared: TypeAlias = tuple[int, int, bytes]
"""What a frame says of a value: the codec's tag, the compression, the payload."""


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
    """

    mark: bytes
    until: float


_until = Struct("<d")


def _read_marker(payload: bytes) -> Marker:
    if len(payload) < _until.size:
        raise DecodeError("a marker that is cut off")
    return Marker(payload[_until.size :], *_until.unpack_from(payload))


def _always() -> float:
    return -inf


@dataclass(frozen=True)
class Entries:
    r"""From values to what is stored, and back.

    Reading raises DecodeError, and nothing else, on whatever it is given.

    Args:
        codec: for what is not raw.
        compression: of frames.
        version: of the frames that are written; an older one while processes that read no newer
            one are about.
        now: Unix time in seconds. What is stale cannot be read, but by `unframe_kept`.

    Raises:
        ConfigurationError: a version or a codec's tag that cannot be written.

    Example:
        >>> entries = Entries()
        >>> entries.to_memcached("Ada"), entries.to_memcached(5)
        ((16, b'Ada'), (2, b'5'))
        >>> entries.to_redis("Ada"), entries.to_redis(5), entries.to_redis("5")
        (b'Ada', b'5', b'\xc1kc\x01\x00\x015B+\xb3\xbcck\xc1')
        >>> entries.from_redis(b"\xc1kc\x01\x00\x015B+\xb3\xbcck\xc1")
        '5'
    """

    codec: Codec = field(default_factory=SafeCodec)
    compression: Compression = field(default_factory=Compression)
    version: int = frame.VERSIONS[-1]
    now: Callable[[], float] = _always
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
        tag = _tag_of(self.codec)
        readers: dict[int, Callable[[bytes], Any]] = {tag: _guarded(self.codec)}
        if tag == SAFE_TAG:
            readers = {_BYTES: bytes, _TEXT: _read_text, _INT: _read_int, tag: self.codec.decode}
        readers[_LEASE] = _read_marker
        object.__setattr__(self, "_tag", tag)
        object.__setattr__(self, "_readers", MappingProxyType(readers))
        object.__setattr__(self, "_compressed_from", self.compression.least)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.codec, self.compression, self.version, self.now)

    def to_memcached(self, value: Any) -> tuple[int, bytes]:
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
        elif kind is int and value.bit_length() <= _INT_BITS:
            return INT_FLAGS, b"%d" % value
        return FRAME_FLAGS, self.frame(value)

    def from_memcached(self, flags: int, data: bytes) -> Any:
        """Give the value of a plain key.

        Raises:
            DecodeError: flags of another kind, a pickle's among them, or data that does not suit
                them.
        """
        if flags == TEXT_FLAGS:
            return _read_text(data)
        if flags == BYTES_FLAGS:
            return data
        if flags in (INT_FLAGS, _LONG_FLAGS):
            return _read_int(data)
        if flags == FRAME_FLAGS:
            return self.unframe(data)[0]
        if flags in _COMPRESSED_FLAGS:
            return self.from_memcached(
                flags & ~_ZLIB_FLAGS, inflate(data, self.compression.max_size)
            )
        raise DecodeError(f"a value of another client, with flags {flags:#x}")

    def to_redis(self, value: Any) -> bytes:
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

    def from_redis(self, data: bytes) -> Any:
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
        return frame.pack(payload, tag, compression, stamp, self.version, dates)

    def marker(self, marker: Marker, stamp: bytes) -> bytes:
        """Give the frame of a marker."""
        return self.stamped((_LEASE, 0, _until.pack(marker.until) + marker.mark), stamp)

    def unframe(self, data: bytes) -> tuple[Any, bytes]:
        """Give the value in a frame, and its stamp.

        Raises:
            DecodeError: it is damaged, stale, no frame, of another version, or of another codec.
        """
        kept, stamp = self.unframe_kept(data)
        if kept.fresh_until <= self.now():
            raise DecodeError("a value that is stale")
        if kept.value.__class__ is Marker:
            raise DecodeError("a value that is being computed")
        return kept.value, stamp

    def unframe_kept(self, data: bytes) -> tuple[Kept, bytes]:
        """Give the value in a frame, fresh or stale, or a `Marker`, and its stamp.

        Raises:
            DecodeError: it is damaged, no frame, of another version, or of another codec.
        """
        payload, tag, compression, stamp, _, dates = frame.unpack(data)
        read = self._readers.get(tag)
        if read is None:
            raise DecodeError(f"a value of another codec, of tag {tag}")
        if compression:
            payload = self.compression.expand(compression, payload)
        value = read(payload)
        return Kept(value) if dates is None else Kept(value, *dates[:2]), stamp

    def unframe_stamped(self, data: bytes, stamp: bytes) -> Any:
        """Give the value in a frame that has this stamp.

        Raises:
            DecodeError: it has another one, or as for `unframe`.
        """
        known = self._heads.get(data[: frame.STAMP_START])
        if known is not None and known[0] == len(stamp):
            return known[1](frame.payload_of_stamped(data, stamp))
        value, found = self.unframe(data)
        if found != stamp:
            raise DecodeError("a frame of another stamp")
        self._remember_head(data, stamp)
        return value

    def _remember_head(self, data: bytes, stamp: bytes) -> None:
        """Note how a frame is read that begins like one which has just been read in full."""
        if stamp and frame.is_simple(data) and len(self._heads) < _MOST_HEADS:
            self._heads[data[: frame.STAMP_START]] = len(stamp), self._readers[data[5]]

    def _encoded(self, value: Any) -> tuple[int, bytes]:
        """Give the tag of what encoded it, and the payload."""
        if self._tag != SAFE_TAG:
            return self._tag, _encoded_by(self.codec, value)
        kind = type(value)
        if kind is str:
            try:
                return _TEXT, value.encode()
            except UnicodeEncodeError:
                pass
        elif kind is bytes:
            return _BYTES, value
        elif kind is int and value.bit_length() <= _INT_BITS:
            return _INT, b"%d" % value
        return SAFE_TAG, self.codec.encode(value)


_COMPRESSED_FLAGS = frozenset(
    flags | _ZLIB_FLAGS for flags in (BYTES_FLAGS, INT_FLAGS, _LONG_FLAGS, TEXT_FLAGS)
)


def _tag_of(codec: Codec) -> int:
    tag = getattr(codec, "tag", OTHER_CODEC)
    kind = type(codec)
    # One that encodes in its own way, to encrypt perhaps, is another codec.
    if (
        isinstance(codec, SafeCodec)
        and kind.encode is SafeCodec.encode
        and kind.decode is SafeCodec.decode
    ):
        return SAFE_TAG
    if not isinstance(tag, int) or not _FIRST_FREE_TAG <= tag <= OTHER_CODEC:
        raise ConfigurationError(
            f"codec {codec!r}: its tag is a number from {_FIRST_FREE_TAG} to {OTHER_CODEC}, "
            f"not {tag!r}"
        )
    return tag


def _encoded_by(codec: Codec, value: Any) -> bytes:
    try:
        # Codecs from elsewhere are not type-checked.
        data: Any = codec.encode(value)
    except EncodeError:
        raise
    except Exception as error:
        if is_of_handler(error):
            raise
        kind = type(value).__name__
        raise EncodeError(f"codec {codec!r} cannot encode a {kind}: {error}") from error
    if not isinstance(data, bytes):
        raise EncodeError(f"codec {codec!r} gives {type(data).__name__}, and bytes are needed")
    return data


def _guarded(codec: Codec) -> Callable[[bytes], Any]:
    def decode(data: bytes) -> Any:
        try:
            return codec.decode(data)
        except DecodeError:
            raise
        # Nobody knows what a codec from elsewhere raises, and bytes must never be an error.
        except Exception as error:
            if is_of_handler(error):
                raise
            raise DecodeError(f"codec {codec!r}: {error}") from error

    return decode


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


def _read_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8: {error}") from error


def _read_int(data: bytes) -> int:
    # The pattern takes twice the time of the rest, and few numbers are negative or end in blanks.
    if not (data.isdigit() and len(data) <= _INT_DIGITS) and _other_int(data) is None:
        raise DecodeError(f"not a number: {data[:40]!r}")
    return int(data)
