"""What the parsers of both protocols share."""

from __future__ import annotations

from typing import Any

import pytest

from kcache.wire.errors import WireError
from kcache.wire.incremental import Incremental, natural, number, remember
from kcache.wire.memcached_parser import MemcachedParser
from kcache.wire.reply import INCOMPLETE, Limits, Status
from kcache.wire.resp import RespParser


def test_limits_are_those_that_servers_keep() -> None:
    assert Limits() == Limits(body=67_108_864, line=16_384, array=1_048_576, depth=8)


@pytest.mark.parametrize(
    ("digits", "most", "value"),
    [
        (b"0", 0, 0),
        (b"1", 0, -1),
        (b"7", 7, 7),
        (b"8", 7, -1),
        (b"10", 99, 10),
        (b"00", 99, -1),
        (b"01", 99, -1),
        (b"", 99, -1),
        (b"-1", 99, -1),
        (b"+1", 99, -1),
        (b" 1", 99, -1),
        (b"1_0", 99, -1),
        (b"18446744073709551615", 2**64 - 1, 2**64 - 1),
        (b"18446744073709551616", 2**64 - 1, -1),
        (b"9" * 20, 10**20, 10**20 - 1),
        (b"9" * 21, 10**30, -1),
    ],
)
def test_numbers_are_written_in_one_way(digits: bytes, most: int, value: int) -> None:
    assert natural(digits, most) == value
    if value >= 0:
        assert number(digits, most) == value
        return
    with pytest.raises(WireError, match=f"not a number of at most {most}: ") as raised:
        number(digits, most)
    assert raised.value.evidence == digits


def test_what_is_remembered_of_headers_is_bounded() -> None:
    known: dict[bytes, int] = {}
    for value in range(5000):
        remember(known, b"%d" % value, value)
    assert known == {b"%d" % value: value for value in range(4096)}


def test_evidence_is_short() -> None:
    error = WireError("wrong", b"x" * 100)
    assert (error.reason, error.evidence) == ("wrong", b"x" * 64)
    assert error.args == ("wrong", b"x" * 64)
    assert str(error) == f"wrong: {error.evidence!r}"


PARSERS: list[tuple[type[Incremental[Any]], bytes, bytes, object]] = [
    (RespParser, b"$9\r\n12", b"+OK\r\n", Status(b"OK")),
    (MemcachedParser, b"VALUE k 0 9\r\n12", b"OK\r\n", Status(b"OK")),
]


@pytest.mark.parametrize(("make", "begun", "_line", "_reply"), PARSERS)
def test_a_parser_that_cannot_take_its_bytes_is_dead(
    make: type[Incremental[Any]], begun: bytes, _line: bytes, _reply: object
) -> None:
    parser = make()
    parser.feed(begun)
    assert parser.next_reply() is INCOMPLETE
    wrong: Any = None
    with pytest.raises(TypeError):
        parser.feed(wrong)
    assert not parser.is_idle
    assert parser.missing == 1
    for call in (parser.next_reply, lambda: parser.feed(b"x")):
        with pytest.raises(WireError, match="interrupted"):
            call()


@pytest.mark.parametrize(("make", "_begun", "line", "reply"), PARSERS)
def test_bytes_may_be_fed_before_those_fed_earlier_are_read(
    make: type[Incremental[Any]], _begun: bytes, line: bytes, reply: object
) -> None:
    for pieces in ([line, line], [line, line, line], [line, line[:1], line[1:]], [line, b"", line]):
        parser = make()
        for piece in pieces:
            parser.feed(piece)
        for _ in range(len(b"".join(pieces)) // len(line)):
            assert not parser.is_idle
            assert parser.next_reply() == reply
        assert parser.is_idle
        assert parser.next_reply() is INCOMPLETE


@pytest.mark.parametrize(("make", "begun", "line", "reply"), PARSERS)
def test_a_body_may_be_fed_to_its_end_before_it_is_read(
    make: type[Incremental[Any]], begun: bytes, line: bytes, reply: object
) -> None:
    whole = make()
    whole.feed(begun + b"3456789\r\n")
    expected = whole.next_reply()
    rest = b"3456789\r\n" + line
    for at in range(len(rest)):
        for is_read_first in (False, True):
            parser = make()
            parser.feed(begun)
            if is_read_first:
                assert parser.next_reply() is INCOMPLETE
                assert parser.missing == len(b"3456789\r\n")
            parser.feed(rest[:at])
            parser.feed(rest[at:])
            assert parser.next_reply() == expected
            assert parser.next_reply() == reply
            assert parser.is_idle
