"""Frames: what they say, which versions are read, and that nothing else is taken for one."""

from __future__ import annotations

from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache import frame
from kcache.errors import DecodeError, EncodeError
from kcache.frame import HEAD, TAIL, Dates, Frame, is_marked, pack, unpack

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
