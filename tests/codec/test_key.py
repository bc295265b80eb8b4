"""What goes out for a key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcache.errors import InvalidKey
from kcache.key import wire_key

any_text = st.text(st.characters(exclude_categories=()), min_size=1, max_size=300)
any_bytes = st.binary(min_size=1, max_size=300)
any_key = st.one_of(any_text, any_bytes)


class Text(str):
    __slots__ = ()


class Bytes(bytes):
    __slots__ = ()


def identity(key: str | bytes) -> object:
    """Keys are one key if, and only if, this is equal."""
    if isinstance(key, bytes):
        return key
    try:
        return key.encode()
    except UnicodeEncodeError:
        return key


def is_plain(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return len(data) <= 250 and all(byte > 0x20 and byte != 0x7F for byte in data)


@given(any_key)
@example("x" * 250)
@example("x" * 251)
@example("é" * 125)
@example("é" * 126)
@example("a b")
@example("a\x7f")
@example("\x85\u2028")
@example(b"\xff")
@example("\r\nset x 0 0 1\r\n")
def test_plain_keys_go_out_as_they_are_and_all_others_hashed(key: str | bytes) -> None:
    sent = wire_key(key)
    data = identity(key)
    if isinstance(data, bytes) and is_plain(data):
        assert sent == data
    else:
        assert sent[0] == 0xFF
        assert len(sent) == 44
        assert set(sent[1:]) <= set(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        )


@pytest.mark.parametrize("code", range(0x80))
def test_each_ascii_character_is_as_plain_in_bytes_as_in_str(code: int) -> None:
    key = bytes([ord("a"), code])
    assert wire_key(key) == wire_key(key.decode())
    assert (wire_key(key) == key) == (0x20 < code < 0x7F)


@given(any_key, any_key)
def test_keys_collide_only_if_they_are_one(one: str | bytes, other: str | bytes) -> None:
    assert (wire_key(one) == wire_key(other)) == (identity(one) == identity(other))


@given(any_text)
def test_a_str_and_its_utf8_are_one_key(key: str) -> None:
    try:
        data = key.encode()
    except UnicodeEncodeError:
        # No bytes are that key: neither its usual encoding nor what it looks like when hashed.
        data = key.encode(errors="surrogatepass")
        assert wire_key(key) != wire_key(data)
        assert wire_key(key) != wire_key(wire_key(key))
    else:
        assert wire_key(key) == wire_key(data)


@given(any_bytes)
def test_what_went_out_is_not_taken_for_the_key_that_it_came_from(key: bytes) -> None:
    sent = wire_key(key)
    if sent != key:
        assert wire_key(sent) != sent


@given(any_key, st.binary(min_size=1, max_size=20))
def test_a_prefix_is_a_part_of_the_key(key: str | bytes, prefix: bytes) -> None:
    data = identity(key)
    if isinstance(data, bytes):
        assert wire_key(key, prefix) == wire_key(prefix + data)
    else:
        assert wire_key(key, prefix)[0] == 0xFF
        assert wire_key(key, prefix) not in (wire_key(key), wire_key(key, prefix + b"x"))


def test_the_prefix_counts() -> None:
    assert wire_key("x" * 247, b"kc:") == b"kc:" + b"x" * 247
    assert wire_key("x" * 248, b"kc:")[0] == 0xFF


def test_the_hashed_form_never_changes() -> None:
    # Entries would be lost with it.
    assert wire_key("two words") == b"\xffJXZV7KoOUVs-v3azCNyOMhKFg9qsJIvQiEBiUa93yP4"
    assert wire_key("\ud800") == b"\xffAvO0rCo1SLCTAj3Iw-sGsiOFtweaVJHbdAt5DA1QxME"


@pytest.mark.parametrize("key", ["plain", "two words", "é", "x" * 300])
def test_subclasses_are_as_good_as_their_bases(key: str) -> None:
    assert wire_key(Text(key)) == wire_key(key)
    assert wire_key(Bytes(key.encode())) == wire_key(key)
    assert type(wire_key(Bytes(key.encode()))) is bytes


@pytest.mark.parametrize("key", ["", b"", None, 5, bytearray(b"x"), memoryview(b"x"), ["x"], 1.5])
def test_other_keys_are_refused(key: Any) -> None:
    what = "empty" if isinstance(key, (str, bytes)) else f"not {type(key).__name__}"
    for prefix in (b"", b"prefix"):
        with pytest.raises(InvalidKey, match=what):
            wire_key(key, prefix)
