"""The codec that is used unless another is asked for: every value keeps its type.

Plain values (dicts with str keys, lists, str, bytes, float, bool, None, ints of 64 bits) are
MessagePack, all in C. Whatever holds anything else is taken apart in Python first.

The C code calls nothing back that is written in Python, since it loses the exceptions that
interrupt a call: those of signal handlers, timeouts and ending greenlets.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from struct import error as StructError  # noqa: N812 - its name is too common
from typing import Any

import ormsgpack

from kcache.codec.registered import Registry, name_of
from kcache.codec.tagged import Extension, Tagged
from kcache.errors import ConfigurationError, DecodeError, EncodeError
from kcache.interruption import is_of_handler

__all__ = ["MAX_SIZE", "SAFE_TAG", "SafeCodec"]

MAX_SIZE = 64 << 20
"""Bytes of an encoded value."""
SAFE_TAG = 3

_PLAIN_ONLY = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
# MessagePack never uses this byte: here it begins what was taken apart.
_TAGGED = b"\xc1"
# ormsgpack does not look at what follows a value. So it is read as the first of a pair; the second
# one is a number that would have to stand at the start of what follows.
_PAIR, _END_VALUE = b"\x92", 0.7071067811865476
_END = ormsgpack.packb(_END_VALUE)
# What it also makes of types that are not taken begins with these: `bin` of bytearray and
# memoryview, `ext` of its own class Ext.
_BIN_8, _BIN_16, _BIN_32, _EXT_8, _EXT_16, _EXT_32 = range(0xC4, 0xCA)
_EXT_1, _EXT_2, _EXT_4, _EXT_OF_8, _EXT_OF_16 = range(0xD4, 0xD9)
# What hostile bytes make ormsgpack and constructors raise. Not `Exception`: what a signal's
# handler raises in the middle of a call must get through.
_BAD_BYTES = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    MemoryError,
    StructError,
)


class SafeCodec:
    """Values that keep their types: exact, fast, and never executing what it reads.

    It takes `str` (with lone surrogates, too), `bytes`, `int` of any size, `float`, `bool`,
    `None`, `list`, `tuple`, `set`, `frozenset`, `dict` with keys of any of these types that can
    be hashed, `datetime`, `date`, `time`, `timedelta` (with zones of `datetime.timezone` and
    `zoneinfo`), `Decimal`, `UUID`, and the Enums and dataclasses in `types`. Not their
    subclasses, unless registered.

    A registered dataclass is its fields: they are stored, other attributes are not, and it is put
    together again without a call of its `__init__` or `__post_init__`. An entry with other fields
    than the class has now is a miss.

    Args:
        types: Enums and dataclasses to take.
        max_size: bytes of an encoded value, both ways.

    Raises:
        ConfigurationError: something else in `types`, or two types of one name.

    Example:
        >>> codec = SafeCodec()
        >>> codec.decode(codec.encode({"point": (1, 2.0), ("a", b"b"): {None}}))
        {'point': (1, 2.0), ('a', b'b'): {None}}
    """

    tag = SAFE_TAG

    def __init__(self, types: Iterable[type] = (), *, max_size: int = MAX_SIZE) -> None:
        if max_size < 1:
            raise ConfigurationError(f"max_size is a number of bytes, not {max_size}")
        self.types = tuple(types)
        self.max_size = max_size
        registry = Registry.of(self.types)
        self._quick = Tagged(registry, thorough=False)
        self._thorough = Tagged(registry, thorough=True)

    def __repr__(self) -> str:
        return f"SafeCodec(types=[{', '.join(map(name_of, self.types))}])"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.types, self.max_size)

    def encode(self, value: Any) -> bytes:
        """Give the bytes that `decode` makes `value` of.

        Raises:
            EncodeError: a type that is not taken, more than 255 containers within each other, or
                more than `max_size`.
        """
        try:
            data = ormsgpack.packb(value, None, _PLAIN_ONLY)
        except TypeError:
            data = self._encode_tagged(value)
        else:
            if _may_hold_others(data) and not _is_plain(value):
                data = self._encode_tagged(value)
        if len(data) > self.max_size:
            raise EncodeError(
                f"cannot encode this {name_of(type(value))}: it takes {len(data)} bytes; "
                f"the limit is {self.max_size}, see SafeCodec(max_size=...)"
            )
        return data

    def _encode_tagged(self, value: Any) -> bytes:
        try:
            parts = self._quick.apart(value)
            try:
                data = ormsgpack.packb(parts, None, _PLAIN_ONLY)
            except TypeError:
                parts = self._thorough.apart(value)
                data = ormsgpack.packb(parts, None, _PLAIN_ONLY)
            return _TAGGED + data
        except RecursionError:
            raise EncodeError(
                f"cannot encode this {name_of(type(value))}: the stack is full; the value may "
                "contain itself"
            ) from None

    def decode(self, data: bytes) -> Any:
        """Give the value that was encoded.

        Raises:
            DecodeError: `data` is nothing that `encode` gives.
        """
        if len(data) > self.max_size:
            raise DecodeError(f"an encoded value of {len(data)} bytes")
        try:
            if data[:1] != _TAGGED:
                value, end = ormsgpack.unpackb(_PAIR + data + _END)
            else:
                parts, end = ormsgpack.unpackb(_PAIR + data[1:] + _END, ext_hook=Extension)
                value = self._quick.together(parts)
        except _BAD_BYTES as error:
            if is_of_handler(error):
                raise
            raise DecodeError(f"not an encoded value: {error}") from error
        if end != _END_VALUE:
            raise DecodeError("not an encoded value: there is more after it")
        return value


def _may_hold_others(data: bytes) -> bool:
    # Spelled out: a loop takes four times as long, and most calls come here.
    return (
        _BIN_8 in data
        or _BIN_16 in data
        or _BIN_32 in data
        or _EXT_8 in data
        or _EXT_16 in data
        or _EXT_32 in data
        or _EXT_1 in data
        or _EXT_2 in data
        or _EXT_4 in data
        or _EXT_OF_8 in data
        or _EXT_OF_16 in data
    )


def _rebuilt(types: tuple[type, ...], max_size: int) -> SafeCodec:
    return SafeCodec(types, max_size=max_size)


_PLAIN_TYPES = frozenset({str, int, float, bool, type(None), bytes, dict, list})
_CONTAINERS = frozenset({dict, list})


def _is_plain(value: Any) -> bool:
    """Whether a value that ormsgpack took is of plain types alone. One level at a time."""
    level: list[Iterable[Any]] = [[value]]
    while True:
        kinds = set(map(type, chain.from_iterable(level)))
        if not kinds <= _PLAIN_TYPES:
            return False
        if kinds.isdisjoint(_CONTAINERS):
            return True
        level = [
            item.values() if type(item) is dict else item
            for item in chain.from_iterable(level)
            if type(item) in _CONTAINERS
        ]
