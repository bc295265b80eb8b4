"""memcached: exact bytes of commands, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcache.wire import memcached

LONG = b"k" * 250
COMMANDS = [
    (memcached.encode_get(b"k"), b"get k\r\n"),
    (memcached.encode_get(LONG), b"get " + LONG + b"\r\n"),
    (memcached.encode_get_many([b"a", b"\xff\x80", b"c"]), b"get a \xff\x80 c\r\n"),
    (memcached.encode_gets([b"a", b"b"]), b"gets a b\r\n"),
    (memcached.encode_mg(b"k"), b"mg k f v\r\n"),
    (memcached.encode_mg(b"k", b""), b"mg k\r\n"),
    (
        memcached.encode_mg(b"k", b"vct", exptime=-1, vivify=60, opaque=7, quiet=True),
        b"mg k T-1 N60 v c t O7 q\r\n",
    ),
    (memcached.encode_ms(b"k", b"abc"), b"ms k 3 F0 T0\r\nabc\r\n"),
    (memcached.encode_ms(b"k", b"", 16, -1), b"ms k 0 F16 T-1\r\n\r\n"),
    (
        memcached.encode_ms(b"k", b"\r\n", mode=b"E", cas=0, want=b"ck", opaque=0, quiet=True),
        b"ms k 2 F0 T0 ME C0 c k O0 q\r\n\r\n\r\n",
    ),
    (memcached.encode_set_many([]), b""),
    (
        memcached.encode_set_many([(b"a", b"x", 0, 9), (b"b", b"\r\n", 2**32 - 1, -1)]),
        b"ms a 1 F0 T9\r\nx\r\nms b 2 F4294967295 T-1\r\n\r\n\r\n",
    ),
    (memcached.encode_md(b"k"), b"md k\r\n"),
    (
        memcached.encode_md(b"k", cas=5, opaque=2**64 - 1, quiet=True),
        b"md k C5 O%d q\r\n" % (2**64 - 1),
    ),
    (memcached.encode_ma(b"k"), b"ma k D1 v\r\n"),
    (
        memcached.encode_ma(
            b"k", 5, decrement=True, initial=3, vivify=9, cas=4, want=b"vt", opaque=1
        ),
        b"ma k D5 MD J3 N9 C4 v t O1\r\n",
    ),
    (memcached.encode_auth(b"user", b"p:w"), b"set auth 0 0 8\r\nuser p:w\r\n"),
    (memcached.FLUSH_ALL, b"flush_all\r\n"),
    (memcached.VERSION, b"version\r\n"),
    (memcached.MN, b"mn\r\n"),
]
WITH_KEY: list[Callable[[bytes], bytes]] = [
    memcached.encode_get,
    lambda key: memcached.encode_get_many([key]),
    lambda key: memcached.encode_get_many([b"a", key, b"b"]),
    lambda key: memcached.encode_gets([key, b"b"]),
    memcached.encode_mg,
    lambda key: memcached.encode_ms(key, b"x"),
    lambda key: memcached.encode_set_many([(b"a", b"x", 0, 0), (key, b"x", 0, 0)]),
    memcached.encode_md,
    memcached.encode_ma,
]


@pytest.mark.parametrize(("made", "expected"), COMMANDS)
def test_commands(made: bytes, expected: bytes) -> None:
    assert made == expected


@given(st.binary(max_size=260))
@example(b"")
@example(b"k" * 250)
@example(b"k" * 251)
@example(b"k\r\nflush_all")
@example(b"k v")
@example(b"\xffk\x00")
@example(b"k\x7f")
@example(b"k\n")
def test_a_key_that_is_none_is_refused(key: bytes) -> None:
    valid = 1 <= len(key) <= 250 and not any(byte <= 0x20 or byte == 0x7F for byte in key)
    for make in WITH_KEY:
        if valid:
            assert b" " + key in make(key)
        else:
            with pytest.raises(ValueError, match="not a key that memcached takes"):
                make(key)


@pytest.mark.parametrize("byte", [*range(0x21), 0x7F])
def test_every_byte_that_ends_a_key_is_refused(byte: int) -> None:
    for key in (b"a%cb" % byte, b"%cb" % byte, b"a%c" % byte, b"%c" % byte):
        for make in WITH_KEY:
            with pytest.raises(ValueError, match="not a key that memcached takes"):
                make(key)


def test_no_keys_are_refused() -> None:
    for make in (memcached.encode_get_many, memcached.encode_gets):
        with pytest.raises(ValueError, match="not a key"):
            make([])


@pytest.mark.parametrize(
    "make",
    [
        lambda: memcached.encode_ms(b"k", b"x", -1),
        lambda: memcached.encode_ms(b"k", b"x", 2**32),
        lambda: memcached.encode_ms(b"k", b"x", 0, 2**31),
        lambda: memcached.encode_ms(b"k", b"x", mode=b"X"),
        lambda: memcached.encode_ms(b"k", b"x", mode=b"E C1"),
        lambda: memcached.encode_ms(b"k", b"x", cas=-1),
        lambda: memcached.encode_ms(b"k", b"x", cas=2**64),
        lambda: memcached.encode_ms(b"k", b"x", opaque=2**64),
        lambda: memcached.encode_ms(b"k", b"x", want=b"c\r"),
        lambda: memcached.encode_set_many([(b"k", b"x", -1, 0)]),
        lambda: memcached.encode_set_many([(b"k", b"x", 2**32, 0)]),
        lambda: memcached.encode_set_many([(b"k", b"x", 0, 2**31), (b"l", b"", 0, 0)]),
        lambda: memcached.encode_mg(b"k", b"vv"),
        lambda: memcached.encode_mg(b"k", b"v f"),
        lambda: memcached.encode_mg(b"k", b"q"),
        lambda: memcached.encode_mg(b"k", exptime=2**31),
        lambda: memcached.encode_mg(b"k", vivify=2**31),
        lambda: memcached.encode_mg(b"k", opaque=-1),
        lambda: memcached.encode_md(b"k", cas=-1),
        lambda: memcached.encode_ma(b"k", -1),
        lambda: memcached.encode_ma(b"k", 2**64),
        lambda: memcached.encode_ma(b"k", initial=2**64),
        lambda: memcached.encode_ma(b"k", initial=1, vivify=2**31),
        lambda: memcached.encode_auth(b"a b", b"c"),
        lambda: memcached.encode_auth(b"a", b"c\r\nd"),
        lambda: memcached.encode_auth(b"", b"c"),
        lambda: memcached.encode_auth(b"a", b""),
    ],
)
def test_what_the_server_could_not_read_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


@pytest.mark.parametrize("value", ["text", None, 5, bytearray(b"x"), memoryview(b"xx").cast("H")])
def test_values_are_bytes(value: Any) -> None:
    with pytest.raises(TypeError):
        memcached.encode_ms(b"k", value)
    with pytest.raises(TypeError):
        memcached.encode_set_many([(b"j", b"x", 0, 0), (b"k", value, 0, 0)])


def test_a_value_whose_length_the_server_cannot_count_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With such a length the server would take the value for commands.
    monkeypatch.setattr(memcached, "_LONGEST_VALUE", 10)
    assert memcached.encode_ms(b"k", b"x" * 10)
    with pytest.raises(ValueError, match="a value of 11 bytes"):
        memcached.encode_ms(b"k", b"x" * 11)
    with pytest.raises(ValueError, match="a value of 11 bytes"):
        memcached.encode_set_many([(b"k", b"x" * 11, 0, 0)])
