"""Frames: what they say, which versions are read, and that nothing else is taken for one."""

from __future__ import annotations

from binascii import crc32
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache import frame
from kcache.errors import DeadEntryError, DecodeError, EncodeError
from kcache.frame import (
    DATES_SIZE,
    HEAD,
    MAC_SIZE,
    STAMP_START,
    TAIL,
    Dates,
    Frame,
    dates_of,
    is_marked,
    is_simple,
    pack,
    payload_of_stamped,
    unpack,
)

dates = st.builds(
    Dates,
    st.floats(allow_nan=False),
    st.floats(0, 1e9, width=32),
    st.binary(min_size=8, max_size=8),
)
frames = st.builds(
    Frame,
    st.binary(max_size=100),
    st.integers(0, 255),
    st.integers(0, 15),
    st.binary(max_size=100),
    st.just(1),
    st.none() | dates,
)


@given(frames)
def test_a_frame_says_what_was_put_into_it(each: Frame) -> None:
    assert unpack(pack(*each)) == each
    assert type(unpack(pack(*each))) is Frame


@given(st.binary(max_size=100))
def test_other_bytes_are_no_frames(data: bytes) -> None:
    for each in (data, HEAD + data, data + TAIL, HEAD + data + TAIL):
        with pytest.raises(DecodeError):
            unpack(each)


@given(st.text())
def test_no_text_has_a_frame_s_marks(text: str) -> None:
    assert not is_marked(text.encode())


def test_the_layout_never_changes() -> None:
    # Within version 1; entries would be lost with it.
    plain = "c16b63 01 00 03 f6 cadae88c 636bc1"
    stamped = "c16b63 01 12 ff 0400 616c6d61 7a 49bc98b9 636bc1"
    assert pack(b"\xf6", 3).hex() == plain.replace(" ", "")
    assert pack(b"z", 255, 2, b"alma").hex() == stamped.replace(" ", "")


def test_the_longest_stamp_fits() -> None:
    stamp = bytes(frame.MAX_STAMP)
    assert unpack(pack(b"x", 1, stamp=stamp)).stamp == stamp
    with pytest.raises(EncodeError, match="65535"):
        pack(b"x", 1, stamp=stamp + b"x")


def sealed(body: bytes) -> bytes:
    """A frame of any body, with the checksum that it needs."""
    whole = pack(b"", 0)
    return body + crc32(body).to_bytes(4, "little") + whole[-3:]


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b"\x00\x00\x01x",
        HEAD + b"\x02\x00\x01x",
        HEAD + b"\xff\x00\x01x",
        HEAD + b"\x01\x20\x01x",
        HEAD + b"\x01\x80\x01x",
        HEAD + b"\x01\x10\x01\xff\xff",
        HEAD + b"\x01\x10\x01\x01\x00",
        HEAD + b"\x01\x10\x01\x01",
        HEAD + b"\x01\x10\x01",
        b"\xc1kd\x01\x00\x01x",
        HEAD + b"\x01\x00",
        HEAD,
        b"",
    ],
    ids=bytes.hex,
)
def test_what_this_version_does_not_know_is_a_miss(body: bytes) -> None:
    with pytest.raises(DecodeError):
        unpack(sealed(body))


def test_old_and_new_processes_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it will be when there is a version 2: this process is the new one first, then the old."""
    monkeypatch.setattr(frame, "VERSIONS", (1, 2))
    new, pinned = pack(b"x", 1, version=2), pack(b"x", 1, version=1)
    assert unpack(new).version == 2
    assert unpack(pinned).version == 1
    monkeypatch.undo()
    assert unpack(pinned).payload == b"x"
    with pytest.raises(DecodeError, match="version 2"):
        unpack(new)


def test_a_frame_whose_tail_is_damaged_is_found_by_its_checksum() -> None:
    sound = pack(b"payload", 1)
    for damaged in (sound[:-1] + b"\xc0", sound[:-3] + b"abc", sound[:-1]):
        with pytest.raises(DecodeError):
            unpack(damaged)


def mac_of(data: bytes) -> bytes:
    """Stands for a MAC: other bytes have another one."""
    return sha256(data).digest()[:MAC_SIZE]


def is_mac_of(data: bytes, mac: bytes) -> bool:
    return mac == mac_of(data)


@given(frames)
def test_a_signed_frame_says_what_was_put_into_it(each: Frame) -> None:
    signed = pack(*each, sign=mac_of)
    assert unpack(signed, is_mac_of) == each
    assert is_marked(signed)
    with pytest.raises(DecodeError):
        unpack(signed)
    with pytest.raises(DecodeError):
        unpack(pack(*each), is_mac_of)


def test_the_layout_of_signed_and_dated_frames_never_changes() -> None:
    mac = "000102030405060708090a0b0c0d0e0f"
    signed = f"c16b63 01 40 03 f6 {mac} 636bc1"
    assert pack(b"\xf6", 3, sign=lambda _: bytes.fromhex(mac)).hex() == signed.replace(" ", "")
    read = unpack(bytes.fromhex(signed), lambda _, found: found.hex() == mac)
    assert (read.codec, read.payload) == (3, b"\xf6")
    dated = "c16b63 01 22 03 000000000000f83f 00002040 6e6f6e6365383839 f6"
    dates = Dates(1.5, 2.5, b"nonce889")
    assert pack(b"\xf6", 3, 2, dates=dates).hex()[:-14] == dated.replace(" ", "")


def test_a_signed_frame_with_one_other_bit_is_none() -> None:
    sound = pack(b"payload", 1, stamp=b"stamp", sign=mac_of)
    for place in range(len(sound)):
        for bit in range(8):
            other = bytearray(sound)
            other[place] ^= 1 << bit
            with pytest.raises(DecodeError):
                unpack(bytes(other), is_mac_of)
    for short in (sound[:-1], sound[:-3], sound[:20], sound + b"x", sound[:-3] + b"x" + TAIL):
        with pytest.raises(DecodeError):
            unpack(short, is_mac_of)


def signed(body: bytes) -> bytes:
    """A signed frame of any body, with the MAC that it needs."""
    return body + mac_of(body) + TAIL


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b"\x01\x00\x01x",
        HEAD + b"\x02\x40\x01x",
        HEAD + b"\x01\x60\x01x",
        HEAD + b"\x01\xc0\x01x",
        HEAD + b"\x01\x50\x01\x01\x00",
        HEAD + b"\x01\x50\x01\x01",
        HEAD + b"\x01\x50\x01",
        HEAD + b"\x01\x40",
        HEAD,
        b"",
    ],
    ids=bytes.hex,
)
def test_a_signature_makes_no_frame_of_what_is_none(body: bytes) -> None:
    with pytest.raises(DecodeError):
        unpack(signed(body), is_mac_of)


def test_the_least_frames_are_frames() -> None:
    assert unpack(pack(b"", 0)).payload == b""
    assert unpack(pack(b"", 0, sign=mac_of), is_mac_of).payload == b""
    assert unpack(pack(b"", 0, stamp=b"x")).stamp == b"x"


@given(st.binary(max_size=100), st.binary(min_size=1, max_size=300))
def test_the_payload_of_a_stamped_frame(payload: bytes, stamp: bytes) -> None:
    plain = pack(payload, 1, stamp=stamp)
    marked = pack(payload, 1, stamp=stamp, sign=mac_of)
    assert payload_of_stamped(plain, stamp) == payload
    assert payload_of_stamped(marked, stamp, is_mac_of) == payload
    for data, check in ((plain, None), (marked, is_mac_of)):
        with pytest.raises(DeadEntryError):
            payload_of_stamped(data, stamp[:-1] + bytes([stamp[-1] ^ 1]), check)
        for damaged in (data[:-1], data[:-2] + b"xx", data + b"x"):
            with pytest.raises(DecodeError):
                payload_of_stamped(damaged, stamp, check)
        assert data[STAMP_START:].startswith(stamp)
    for data, check in ((plain, is_mac_of), (marked, None)):
        with pytest.raises(DecodeError):
            payload_of_stamped(data, stamp, check)


def test_a_signature_is_not_taken_for_a_part_of_the_stamp() -> None:
    body = HEAD + b"\x01\x50\x01\x03\x00ab"
    stamp = b"ab" + mac_of(body)[:1]
    with pytest.raises(DecodeError, match="longer than itself"):
        payload_of_stamped(signed(body), stamp, is_mac_of)
    with pytest.raises(DecodeError, match="longer than itself"):
        unpack(signed(body), is_mac_of)


def test_a_simple_frame_has_neither_compression_nor_dates() -> None:
    old = Dates(0.0, 0.0, bytes(8))
    assert is_simple(pack(b"x", 255))
    assert is_simple(pack(b"x", 255, stamp=b"s", sign=mac_of))
    for compression in (1, 2, 4, 8, 15):
        assert not is_simple(pack(b"x", 0, compression))
    assert not is_simple(pack(b"x", 0, dates=old))
    assert not is_simple(pack(b"x", 0, 1, dates=old))


def test_dates_are_read_where_there_is_room_for_them() -> None:
    old = Dates(1.5, 2.5, b"nonce889")
    payload = unpack(pack(b"", 0, dates=old)).payload
    assert payload == b""
    written = pack(b"", 0, dates=old)[6 : 6 + DATES_SIZE]
    assert dates_of(written) == dates_of(written + b"x") == old
    with pytest.raises(DecodeError, match="too short"):
        dates_of(written[:-1])


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xc1k", b"k\xc1", b"xck", b"kc\xc1", b"ck\xc1x"])
def test_what_has_no_mark_is_not_marked(data: bytes) -> None:
    assert not is_marked(data)


@pytest.mark.parametrize("data", [HEAD, TAIL, HEAD + b"x", b"x" + TAIL])
def test_one_mark_is_enough(data: bytes) -> None:
    assert is_marked(data)
