"""What is stored for a value, and what is read from what is stored."""

from __future__ import annotations

import json
import pickle
import zlib
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kcache import frame
from kcache.codec import SafeCodec
from kcache.codec.seam import OTHER_CODEC
from kcache.compress import Compression
from kcache.entry import FRAME_FLAGS, Entries
from kcache.errors import ConfigurationError, DecodeError, EncodeError
from tests.codec.values import CODEC, TYPES, Level, form, values

ENTRIES = Entries(SafeCodec(TYPES), Compression(threshold=100))
digits = st.from_regex(r"-?[0-9]{1,21}", fullmatch=True)
anything = st.one_of(values, digits, digits.map(str.encode), st.binary(max_size=30), st.text())


@given(anything)
@example("")
@example(b"")
@example("5")
@example("-0")
@example("05")
@example(" 5")
@example("5\n")
@example("٣")
@example(str(2**63))
@example(str(-(2**63)))
@example(frame.HEAD)
@example(frame.TAIL)
@example(b"\x00" + frame.TAIL)
@example(value=True)
@example("\ud800")
@example(1 << 5000)
def test_every_value_comes_back_from_every_kind_of_node(value: Any) -> None:
    for back in (
        ENTRIES.from_memcached(*ENTRIES.to_memcached(value)),
        ENTRIES.from_redis(ENTRIES.to_redis(value)),
        ENTRIES.unframe(ENTRIES.frame(value))[0],
    ):
        assert form(back) == form(value)


@given(anything, st.binary(max_size=40))
def test_a_frame_carries_its_stamp(value: Any, stamp: bytes) -> None:
    back, read = ENTRIES.unframe(ENTRIES.frame(value, stamp))
    assert (form(back), read) == (form(value), stamp)


@pytest.mark.parametrize(
    ("value", "flags", "data"),
    [
        ("hé", 16, "hé".encode()),
        ("5", 16, b"5"),
        ("", 16, b""),
        (b"abc", 0, b"abc"),
        (b"", 0, b""),
        (frame.HEAD + frame.TAIL, 0, frame.HEAD + frame.TAIL),
        (5, 2, b"5"),
        (-(2**70), 2, b"-1180591620717411303424"),
    ],
)
def test_memcached_gets_the_flags_that_all_clients_share(
    value: Any, flags: int, data: bytes
) -> None:
    assert ENTRIES.to_memcached(value) == (flags, data)


@pytest.mark.parametrize("value", [True, None, 1.5, [1], Level.LOW, "\ud800", 1 << 5000])
def test_all_else_is_framed_with_flags_of_our_own(value: Any) -> None:
    flags, data = ENTRIES.to_memcached(value)
    assert flags == FRAME_FLAGS
    assert frame.unpack(data)
    assert frame.unpack(ENTRIES.to_redis(value))


def test_the_longest_int_that_is_raw_never_changes() -> None:
    most = (1 << 2048) - 1
    assert FRAME_FLAGS == 0x6B00
    assert [ENTRIES.to_memcached(value)[0] for value in (most, -most)] == [2, 2]
    assert [ENTRIES.to_memcached(value)[0] for value in (most + 1, -most - 1)] == [0x6B00] * 2


@pytest.mark.parametrize(
    ("flags", "data", "value"),
    [
        (2, b"9" * 640, int("9" * 640)),
        (2, b"-" + b"9" * 640 + b" ", -int("9" * 640)),
        (2, b"99 ", 99),
        (2, b"-5   ", -5),
        (4, b"18446744073709551616", 2**64),
        (8, zlib.compress(b"raw"), b"raw"),
        (8 | 16, zlib.compress("té".encode()), "té"),
        (8 | 4, zlib.compress(b"12"), 12),
    ],
)
def test_what_other_clients_and_memcached_itself_write_is_read(
    flags: int, data: bytes, value: Any
) -> None:
    assert form(ENTRIES.from_memcached(flags, data)) == form(value)


@pytest.mark.parametrize(
    ("flags", "data"),
    [
        (1, pickle.dumps([1])),
        (1 | 8, zlib.compress(pickle.dumps([1]))),
        (2, b"five"),
        (2, b""),
        (2, b"1_000"),
        (2, b" 5"),
        (2, b"5\n"),
        (2, b"9" * 641),
        (2 | 4, b"5"),
        (16, b"\xff"),
        (8, b"not zlib"),
        (8 | FRAME_FLAGS, b""),
        (32, b"x"),
        (FRAME_FLAGS, b"x"),
        (FRAME_FLAGS | 1, b"x"),
    ],
)
def test_what_cannot_be_read_is_a_miss(flags: int, data: bytes) -> None:
    with pytest.raises(DecodeError):
        ENTRIES.from_memcached(flags, data)


@pytest.mark.parametrize("value", ["hé", "5x", "-0", "007", "9223372036854775808", "x" * 300, ""])
def test_text_is_raw_on_redis_unless_it_looks_like_an_int(value: str) -> None:
    assert ENTRIES.to_redis(value) == value.encode()


@pytest.mark.parametrize(
    "value",
    ["5", "-5", "0", "-9223372036854775808", b"", b"abc", b"5", b"\xff" + frame.TAIL, frame.HEAD],
)
def test_what_redis_would_change_is_framed(value: Any) -> None:
    assert frame.unpack(ENTRIES.to_redis(value))


@pytest.mark.parametrize("value", [0, 5, -5, 2**63 - 1, -(2**63)])
def test_ints_of_64_bits_are_raw_on_redis_so_that_it_can_count(value: int) -> None:
    data = str(value).encode()
    assert ENTRIES.to_redis(value) == data
    assert form(ENTRIES.from_redis(data)) == form(value)
    assert form(ENTRIES.from_redis(ENTRIES.to_redis(str(value)))) == form(str(value))


@pytest.mark.parametrize(
    "text",
    ["9223372036854775808", "-9223372036854775809", "-0", "007", "+5", "5 ", "1_0", "٣", "-"],
)
def test_what_only_looks_like_an_int_is_text_on_redis(text: str) -> None:
    assert ENTRIES.from_redis(text.encode()) == text


@pytest.mark.parametrize("value", [b"\xfe\xed", b"5\xff", b"\xc1k", b"k\xc1"])
def test_bytes_that_are_no_text_are_raw_on_redis(value: bytes) -> None:
    assert ENTRIES.to_redis(value) == ENTRIES.from_redis(value) == value


@pytest.mark.parametrize(
    ("value", "codec", "payload"),
    [
        (b"x", 0, b"x"),
        ("x", 1, b"x"),
        (5, 2, b"5"),
        (True, 3, b"\xc3"),
        ((1 << 2048) - 1, 2, str((1 << 2048) - 1).encode()),
        (1 << 2048, 3, CODEC.encode(1 << 2048)),
    ],
    ids=["bytes", "str", "int", "bool", "long", "longer"],
)
def test_a_frame_says_what_encoded_it(value: Any, codec: int, payload: bytes) -> None:
    read = frame.unpack(Entries().frame(value))
    assert (read.codec, read.payload, read.stamp) == (codec, payload, b"")
    assert form(ENTRIES.unframe(frame.pack(payload, codec))[0]) == form(value)


@given(st.binary(max_size=30))
def test_any_bytes_that_are_no_frame_can_be_read_on_redis(data: bytes) -> None:
    assume(not frame.is_marked(data))
    value = ENTRIES.from_redis(data)
    raw = value if isinstance(value, bytes) else str(value).encode()
    assert raw == data


@pytest.mark.parametrize("value", [type("MyStr", (str,), {})("x"), object(), bytearray(b"x")])
def test_what_the_codec_does_not_take_is_an_error(value: Any) -> None:
    for store in (ENTRIES.to_memcached, ENTRIES.to_redis, ENTRIES.frame):
        with pytest.raises(EncodeError):
            store(value)


def test_large_values_are_compressed_and_read_by_those_who_do_not_compress() -> None:
    value = {"text": "to be or not to be " * 1000}
    data = ENTRIES.frame(value)
    assert len(data) < 1000
    assert Entries(compression=Compression("none")).unframe(data)[0] == value
    assert len(Entries(compression=Compression("none")).frame(value)) > 19_000


class Json:
    """A codec of a user's own."""

    tag = 77

    def encode(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def decode(self, data: bytes) -> Any:
        return json.loads(data)


class Untagged(Json):
    tag = OTHER_CODEC


class Reserved(Json):
    tag = 3


class Reversed(SafeCodec):
    """As one that encrypts would be."""

    tag = 78

    def encode(self, value: Any) -> bytes:
        return super().encode(value)[::-1]

    def decode(self, data: bytes) -> Any:
        return super().decode(data[::-1])


class OnlyReads(SafeCodec):
    def decode(self, data: bytes) -> Any:
        return super().decode(data)


class OnlyWrites(SafeCodec):
    def encode(self, value: Any) -> bytes:
        return super().encode(value)


class Configured(SafeCodec):
    def __init__(self) -> None:
        super().__init__(TYPES)


class Refuses(Json):
    def encode(self, value: Any) -> bytes:
        raise EncodeError(f"never {value}")

    def decode(self, data: bytes) -> Any:
        raise DecodeError(f"never {data!r}")


def test_a_codec_s_own_refusals_are_passed_on() -> None:
    with pytest.raises(EncodeError, match=r"^never 1\.5$"):
        Entries(Refuses()).frame(1.5)
    with pytest.raises(DecodeError, match=r"^never b'x'$"):
        Entries(Refuses()).unframe(frame.pack(b"x", Refuses.tag))


@pytest.mark.parametrize("tag", [16, 254, 255])
def test_a_codec_s_tag_is_one_of_its_own(tag: int) -> None:
    kind = type("Tagged", (Json,), {"tag": tag})
    assert frame.unpack(Entries(kind()).frame(1.5)).codec == tag


@pytest.mark.parametrize("tag", [-1, 0, 15, 256, "16", None])
def test_another_tag_gets_one_clear_line(tag: Any) -> None:
    kind = type("Tagged", (Json,), {"tag": tag})
    with pytest.raises(ConfigurationError, match="16 to 255"):
        Entries(kind())


class GivesText(Json):
    def encode(self, value: Any) -> Any:
        return json.dumps(value)


def test_a_safe_codec_that_encodes_in_its_own_way_is_another_codec() -> None:
    entries = Entries(Reversed())
    for value in ("text", b"bytes", 5, [1, 2]):
        read = frame.unpack(entries.frame(value))
        assert (read.codec, read.payload) == (78, SafeCodec().encode(value)[::-1])
        assert entries.unframe(entries.frame(value))[0] == value
    for codec in (OnlyReads(), OnlyWrites()):
        with pytest.raises(ConfigurationError, match="16 to 255"):
            Entries(codec)
    assert ENTRIES.unframe(Entries(Configured()).frame(Level.LOW))[0] is Level.LOW


def test_a_codec_that_gives_no_bytes_is_named() -> None:
    with pytest.raises(EncodeError, match="gives str"):
        Entries(GivesText()).frame([1])


def test_another_codec_takes_all_that_is_framed() -> None:
    entries = Entries(Json())
    for value in ({"a": [1]}, "5", 1.5, None):
        assert entries.from_redis(entries.to_redis(value)) == value
        assert entries.from_memcached(*entries.to_memcached(value)) == value
        assert frame.unpack(entries.frame(value)).codec == 77
    # Plain keys are common ground whatever the codec.
    assert entries.to_memcached("x") == (16, b"x")


def test_no_codec_is_given_another_one_s_bytes() -> None:
    for writer, reader in ((Json(), SafeCodec()), (SafeCodec(), Json()), (Json(), Untagged())):
        for value in ({"a": 1}, "5", b"x"):
            try:
                data = Entries(writer).frame(value)
            except EncodeError:
                continue
            with pytest.raises(DecodeError, match="another codec"):
                Entries(reader).unframe(data)


def test_whatever_another_codec_raises_is_one_of_ours() -> None:
    entries = Entries(Json())
    with pytest.raises(EncodeError, match="set"):
        entries.frame({1})
    with pytest.raises(DecodeError):
        entries.unframe(frame.pack(b"{", 77))


def test_bad_options_get_one_clear_line() -> None:
    with pytest.raises(ConfigurationError, match="version 9"):
        Entries(version=9)
    with pytest.raises(ConfigurationError, match="16 to 255"):
        Entries(Reserved())


def test_a_pinned_writer_writes_the_older_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "VERSIONS", (1, 2))
    assert frame.unpack(Entries(version=1).frame(1.5)).version == 1
    assert frame.unpack(Entries(version=2).frame(1.5)).version == 2


def test_entries_pickle() -> None:
    again = pickle.loads(pickle.dumps(ENTRIES))  # noqa: S301 - our own
    assert again.from_redis(ENTRIES.to_redis(Level.HIGH)) is Level.HIGH
