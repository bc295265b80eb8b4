"""Whatever bytes a node gives, reading them is a value or a miss, soon and in little memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import lz4.block
import ormsgpack
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st
from ormsgpack import Ext

from kcache import frame
from kcache.codec import SafeCodec, tags
from kcache.compress import MAX_SIZE, Compression
from kcache.entry import FRAME_FLAGS, Entries
from kcache.errors import DecodeError
from tests.codec.values import CODEC, TYPES, values

ENTRIES = Entries(SafeCodec(TYPES), Compression("zlib", threshold=50))
# Ten times what is promised, since other work goes on beside the tests.
SECONDS = 1.0
MIB = 1 << 20


def survive(read: Callable[[], object]) -> object:
    """Read, and accept nothing but a value or a DecodeError."""
    try:
        return read()
    except DecodeError as error:
        return error


def packed(*parts: Any) -> bytes:
    return b"\xc1" + ormsgpack.packb(parts[0] if len(parts) == 1 else list(parts))


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xc1")
def test_random_bytes_are_decoded_or_refused(data: bytes) -> None:
    survive(lambda: CODEC.decode(data))
    survive(lambda: CODEC.decode(b"\xc1" + data))


@given(st.integers(0, 127), st.binary(max_size=20), st.lists(st.integers(0, 9), max_size=3))
def test_any_extension_is_decoded_or_refused(tag: int, data: bytes, items: list[int]) -> None:
    survive(lambda: CODEC.decode(packed(Ext(tag, data))))
    survive(lambda: CODEC.decode(packed(Ext(tag, data), *items)))
    survive(lambda: CODEC.decode(packed({"a": [items, Ext(tag, data)]})))


@given(values, st.binary(min_size=1, max_size=20))
@example({}, b"\x05\x95")
@example((), b"\x00")
def test_a_value_with_anything_after_it_is_refused(value: Any, more: bytes) -> None:
    with pytest.raises(DecodeError):
        CODEC.decode(CODEC.encode(value) + more)


@given(values, st.randoms(use_true_random=False))
def test_damaged_values_are_decoded_or_refused(value: Any, choice: random.Random) -> None:
    data = bytearray(CODEC.encode(value))
    for _ in range(choice.randint(1, 3)):
        data[choice.randrange(len(data))] = choice.randrange(256)
    survive(lambda: CODEC.decode(bytes(data)))


BAD = {
    "unknown leaf": packed(Ext(99, b"")),
    "unknown container": packed(Ext(9, b""), 1),
    "a dataclass of an unknown kind": packed(Ext(9, b"tests.codec.values.Point"), "x", 1, "y", 2),
    "a container's mark elsewhere": packed(1, Ext(tags.TUPLE, b"")),
    "a lonely key": packed(Ext(tags.DICT, b""), 1),
    "a key that cannot be hashed": packed(Ext(tags.DICT, b""), [1], 2),
    "an item that cannot be hashed": packed(Ext(tags.SET, b""), {}),
    "unknown Enum": packed(Ext(tags.MEMBER, b"os.system=x")),
    "unknown member": packed(Ext(tags.MEMBER, b"tests.codec.values.Colour=BLUE")),
    "no member of an IntEnum": packed(Ext(tags.MEMBER, b"tests.codec.values.Level=__class__")),
    "unknown dataclass": packed(Ext(tags.RECORD, b"os.system"), "x", "ls"),
    "other fields": packed(Ext(tags.RECORD, b"tests.codec.values.Point"), "x", 1, "z", 2),
    "a field too many": packed(Ext(tags.RECORD, b"tests.codec.values.Point"), "x", 1, "y", 2, "x"),
    "no date": packed(Ext(tags.DATE, b"2026-13-01")),
    "no time": packed(Ext(tags.TIME, b"25:00|0")),
    "no fold": packed(Ext(tags.DATETIME, b"2026-01-01T00:00:00|7")),
    "unknown zone": packed(Ext(tags.DATETIME, b"2026-01-01T00:00:00|0Mars/Olympus")),
    "a folder of zones": packed(Ext(tags.DATETIME, b"2026-01-01T00:00:00|0Europe")),
    "a path": packed(Ext(tags.DATETIME, b"2026-01-01T00:00:00|0../../../etc/passwd")),
    "an absolute path": packed(Ext(tags.DATETIME, b"2026-01-01T00:00:00|0/etc/passwd")),
    "a name and no offset": packed(Ext(tags.DATETIME, b"2026-01-01T00:00:00|0=x")),
    "a long zone": packed(Ext(tags.DATETIME, b"2026-01-01T00:00:00|0" + b"a" * 300)),
    "a long path": packed(Ext(tags.TIME, b"00:00:00|0" + b"a/" * 3000 + b"a")),
    "no letters of a zone": packed(Ext(tags.TIME, "00:00:00|0Zürich".encode())),
    "UTC and a point": packed(Ext(tags.TIME, b"0Z|0.......")),
    "a short time": packed(Ext(tags.TIME, b"00Z")),
    "NUL in a zone": packed(Ext(tags.DATETIME, b"2026-01-01T00:00:00|0a\0b")),
    "a long timedelta": packed(Ext(tags.TIMEDELTA, struct.pack(">iii", 2**31 - 1, 0, 0))),
    "half a timedelta": packed(Ext(tags.TIMEDELTA, b"xxxx")),
    "no Decimal": packed(Ext(tags.DECIMAL, b"one")),
    "a huge exponent": packed(Ext(tags.DECIMAL, b"1E99999999999999999999")),
    "half a UUID": packed(Ext(tags.UUID, b"x" * 8)),
    "256 tuples within each other": b"\xc1" + b"\x92\xc7\x00\x01" * 256 + b"\xc0",
    "256 containers, a tuple the last": b"\xc1" + b"\x91" * 255 + b"\x91\xc7\x00\x01",
    "no UTF-8": b"\xa1\xff",
    "a pickle": b"\x80\x05\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
    "an extension where there is none": ormsgpack.packb([Ext(tags.TUPLE, b"")]),
}


@pytest.mark.parametrize("what", BAD)
def test_what_means_nothing_is_refused(what: str) -> None:
    with pytest.raises(DecodeError):
        CODEC.decode(BAD[what])


def lz4_bomb(size: int) -> bytes:
    bomb: bytes = lz4.block.compress(bytes(size), store_size=False)
    return bomb


def zstd_bomb(size: int) -> bytes:
    return zstandard.compress(bytes(size))


def zlib_bomb(size: int) -> bytes:
    return zlib.compress(bytes(size))


COMPRESSORS = {1: zlib_bomb, 2: zstd_bomb, 3: lz4_bomb}


def stored(payload: bytes, compression: int = 0, codec: int = 3) -> bytes:
    return frame.pack(payload, codec, compression)


def nested(opening: bytes, depth: int) -> bytes:
    return opening * depth + b"\xc0"


def compressed(number: int, size: int, told: int) -> bytes:
    return stored(struct.pack("<I", told) + COMPRESSORS[number](size), number)


BOMBS: dict[str, Callable[[], bytes]] = {
    "depth of lists": partial(stored, nested(b"\x91", 10_000)),
    "depth of dicts": partial(stored, nested(b"\x81\xa1a", 10_000)),
    "depth of tuples": partial(stored, b"\xc1" + nested(b"\x92\xc7\x00\x01", 10_000)),
    "depth of sets": partial(stored, b"\xc1" + nested(b"\x92\xc7\x00\x02", 1000)),
    "a million lists": partial(stored, nested(b"\x91", 1_000_000)),
    "a list of 2**32": partial(stored, b"\xdd\xff\xff\xff\xff\x00"),
    "a dict of 2**32": partial(stored, b"\xdf\xff\xff\xff\xff\x00"),
    "a str of 2**32": partial(stored, b"\xdb\xff\xff\xff\xff\x00"),
    "bytes of 2**32": partial(stored, b"\xc6\xff\xff\xff\xff\x00"),
    "an extension of 2**32": partial(stored, b"\xc1\xc9\xff\xff\xff\xff\x01\x00"),
    "lists of a million each": partial(stored, b"\xdd\x00\x0f\x42\x40" * 1000),
    "dicts of a million each": partial(stored, b"\xdf\x00\x0f\x42\x40\xa1a" * 1000),
}
CLAIMS = {
    "zeros": (64 * MIB, 64 * MIB),
    "zeros that say 100": (64 * MIB, 100),
    "zeros that say 0": (64 * MIB, 0),
    "zeros that say 2**32 - 1": (MIB, 0xFFFFFFFF),
    "zeros that say the limit": (64 * MIB, MAX_SIZE),
}
for number in COMPRESSORS:
    for claim, sizes in CLAIMS.items():
        BOMBS[f"{claim}, compression {number}"] = partial(compressed, number, *sizes)


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_misses_in_bounded_time_and_memory(name: str) -> None:
    data = BOMBS[name]()
    entries = Entries()
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            entries.from_memcached(FRAME_FLAGS, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 2 * MAX_SIZE + MIB
    start = time.perf_counter()
    survive(lambda: entries.from_redis(data))
    assert time.perf_counter() - start <= SECONDS


@pytest.mark.parametrize("flags", [8, 8 | 2, 8 | 4, 8 | 16])
def test_bombs_of_other_clients_are_misses(flags: int) -> None:
    data = zlib_bomb(64 * MIB)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            Entries().from_memcached(flags, data)
        assert tracemalloc.get_traced_memory()[1] <= 2 * MAX_SIZE + MIB
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=60), st.integers(0, 15), st.integers(0, 255))
def test_any_sound_frame_is_read_or_refused(payload: bytes, compression: int, codec: int) -> None:
    data = frame.pack(payload, codec, compression)
    survive(lambda: ENTRIES.from_redis(data))
    prefixed = struct.pack("<I", len(payload)) + payload
    survive(lambda: ENTRIES.from_redis(frame.pack(prefixed, codec, compression)))


@given(st.integers(0, 0xFFFFFFFF), st.binary(max_size=100))
def test_any_flags_and_bytes_are_read_or_refused(flags: int, data: bytes) -> None:
    survive(lambda: ENTRIES.from_memcached(flags, data))
    survive(lambda: ENTRIES.from_memcached(flags & 31, data))
    survive(lambda: ENTRIES.from_memcached(FRAME_FLAGS, frame.HEAD + data + frame.TAIL))
    survive(lambda: ENTRIES.from_redis(data))
    survive(lambda: ENTRIES.from_redis(frame.HEAD + data))


@given(values, st.data())
def test_no_damaged_frame_is_another_value(value: Any, data: st.DataObject) -> None:
    """One byte changed, bytes lost at either end, or more of them: a miss, in both kinds."""
    whole = ENTRIES.frame(value)
    place = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.integers(1, 255))
    flipped = bytearray(whole)
    flipped[place] ^= change
    damaged = [bytes(flipped), whole + bytes([change]), bytes([change]) + whole]
    # What is less than a mark at one end cannot be told from raw bytes where no flags are.
    damaged += [whole[: max(place, 3)], whole[min(place + 1, len(whole) - 3) :]]
    for each in damaged:
        with pytest.raises(DecodeError):
            ENTRIES.unframe(each)
        with pytest.raises(DecodeError):
            ENTRIES.from_memcached(FRAME_FLAGS, each)
        with pytest.raises(DecodeError):
            ENTRIES.from_redis(each)
