"""memcached: replies, however they are cut."""

from __future__ import annotations

import time
import tracemalloc
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache.wire.errors import WireError
from kcache.wire.memcached_parser import (
    END,
    MemcachedParser,
    Meta,
    Reply,
    Value,
    parse_metas,
    parse_value,
    parse_values,
)
from kcache.wire.reply import INCOMPLETE, ErrorReply, Limits, Status
from tests.wire import memcached_reference as reference
from tests.wire.streams import cut, halves, read_all, seeded, single_bytes, spoil

REPLIES: list[tuple[bytes, Reply]] = [
    (b"VALUE k 0 3\r\nabc\r\n", Value(b"k", 0, b"abc")),
    (b"VALUE k 4294967295 0 18446744073709551615\r\n\r\n", Value(b"k", 2**32 - 1, b"", 2**64 - 1)),
    (b"VALUE \xff\x80 16 5\r\nEND\r\n\r\n", Value(b"\xff\x80", 16, b"END\r\n")),
    (b"VALUE k 1 1200\r\n" + b"x" * 1200 + b"\r\n", Value(b"k", 1, b"x" * 1200)),
    (b"END\r\n", END),
    (b"VA 3\r\nabc\r\n", Meta(b"VA", (), b"abc")),
    (
        b"VA 3 f5 t-1 c1 kk O123\r\nabc\r\n",
        Meta(b"VA", (b"f5", b"t-1", b"c1", b"kk", b"O123"), b"abc"),
    ),
    (b"VA 4 O1 X W\r\n\r\n\r\n\r\n", Meta(b"VA", (b"O1", b"X", b"W"), b"\r\n\r\n")),
    (b"VA 0 f0\r\n\r\n", Meta(b"VA", (b"f0",), b"")),
    (b"HD\r\n", Meta(b"HD")),
    (b"HD c1 O123\r\n", Meta(b"HD", (b"c1", b"O123"))),
    (b"EN\r\n", Meta(b"EN")),
    (b"EN knokey O123\r\n", Meta(b"EN", (b"knokey", b"O123"))),
    (b"NS O1\r\n", Meta(b"NS", (b"O1",))),
    (b"NF O1 kzz\r\n", Meta(b"NF", (b"O1", b"kzz"))),
    (b"EX O1\r\n", Meta(b"EX", (b"O1",))),
    (b"MN\r\n", Meta(b"MN")),
    (b"OK\r\n", Status(b"OK")),
    (b"STORED\r\n", Status(b"STORED")),
    (b"NOT_FOUND\r\n", Status(b"NOT_FOUND")),
    (b"VERSION 1.6.18\r\n", Status(b"VERSION 1.6.18")),
    (b"ERROR\r\n", ErrorReply(b"ERROR")),
    (b"CLIENT_ERROR bad data chunk\r\n", ErrorReply(b"CLIENT_ERROR bad data chunk")),
    (
        b"SERVER_ERROR object too large for cache\r\n",
        ErrorReply(b"SERVER_ERROR object too large for cache"),
    ),
]
BAD = [
    b"\r\n",
    b"\n",
    b"?\r\n",
    b"+OK\r\n",
    b"-ERR unknown command 'get'\r\n",
    b"HTTP/1.1 400 Bad Request\r\n",
    b"end\r\n",
    b"END \r\n",
    b"END\n",
    b"HD \r\n",
    b"HD  O1\r\n",
    b"HDX\r\n",
    b"HD\rX\n",
    b"ERRORS\r\n",
    b"STORED now\r\n",
    b"12\r\n",
    b"STAT pid 1\r\n",
    b"VALUE\r\n",
    b"VALUE k 0\r\n",
    b"VALUE k 0 1 2 3\r\n",
    b"VALUE  0 1\r\nx\r\n",
    b"VALUE " + b"k" * 251 + b" 0 1\r\nx\r\n",
    b"VALUE k -1 1\r\nx\r\n",
    b"VALUE k 4294967296 1\r\nx\r\n",
    b"VALUE k 0 -1\r\nx\r\n",
    b"VALUE k 0 01\r\nx\r\n",
    b"VALUE k 0 1_0\r\n",
    b"VALUE k 0 67108865\r\n",
    b"VALUE k 0 600000000\r\n",
    b"VALUE k 0 " + b"9" * 5000 + b"\r\n",
    b"VALUE k 0 1 18446744073709551616\r\nx\r\n",
    b"VALUE k 0 1 x\r\nx\r\n",
    b"VALUE k 0 1\r\nxy",
    b"VALUE k 0 1\r\nx\n",
    b"VALUE k 0 1\r\nx\rx",
    b"VALUE k 0 1\nx\r\n",
    b"VA\r\n",
    b"VA \r\n",
    b"VA x\r\n",
    b"VA -1\r\n",
    b"VA 1 \r\nx\r\n",
    b"VA 1  f0\r\nx\r\n",
    b"VA 1\r\nxx",
    b"VA 600000000 f0\r\n",
    b"SERVER_ERROR " + b"x" * 16384 + b"\r\n",
    b"x" * 20000,
]
TAILS = [b"", b"V", b"VALUE k 0 5\r\nhel", b"HD\r\n", b"END\r\nVA 1"]


@pytest.mark.parametrize(("data", "reply"), REPLIES)
def test_replies_at_every_cut(data: bytes, reply: Reply) -> None:
    for tail in TAILS:
        expected = [reply, *reference.replies(tail)]
        for head, rest in halves(data + tail):
            assert read_all(MemcachedParser(), [head, rest]) == expected
        assert read_all(MemcachedParser(), single_bytes(data + tail)) == expected


@pytest.mark.parametrize(("data", "reply"), REPLIES)
def test_a_parser_is_idle_only_between_replies(data: bytes, reply: Reply) -> None:
    parser = MemcachedParser()
    for byte in single_bytes(data):
        assert parser.next_reply() is INCOMPLETE
        parser.feed(byte)
        assert not parser.is_idle
    assert parser.next_reply() == reply
    assert parser.is_idle


def test_all_replies_in_one_stream() -> None:
    data = b"".join(data for data, _ in REPLIES)
    expected = [reply for _, reply in REPLIES]
    assert read_all(MemcachedParser(), [data]) == expected
    assert read_all(MemcachedParser(), single_bytes(data)) == expected


@pytest.mark.parametrize("data", BAD)
def test_bad_streams(data: bytes) -> None:
    for before in (b"", b"HD\r\n", b"VALUE k 0 1\r\nx\r\n"):
        good = reference.replies(before)
        stream = before + data
        assert read_all(MemcachedParser(), [stream]) == [*good, WireError]
        assert read_all(MemcachedParser(), single_bytes(stream)) == [*good, WireError]
    for values in (data, b"VALUE k 0 1\r\nx\r\n" + data):
        if not data.startswith((b"ERROR", b"SERVER_ERROR")):
            for pieces in ([values], single_bytes(values)):
                assert values_of(pieces) is WireError
    assert parse_value(data) is INCOMPLETE
    assert parse_metas(data) is INCOMPLETE


def values_of(pieces: list[bytes]) -> object:
    """What `next_values` gives for the stream."""
    parser = MemcachedParser()
    try:
        for piece in pieces:
            assert parser.next_values() is INCOMPLETE
            parser.feed(piece)
        values = parser.next_values()
        assert parser.is_idle == (values is not INCOMPLETE)
    except WireError:
        return WireError
    return values


def test_values_at_every_cut() -> None:
    hits = [Value(b"a", 0, b"x"), Value(b"bb", 5000, b"\r\nEND\r\n"), Value(b"c", 1, b"y" * 1200)]
    for count in range(4):
        data = reference.stream(*hits[:count], END)
        expected = [hit[:3] for hit in hits[:count]]
        for head, rest in halves(data):
            assert values_of([head, rest] if rest and head else [data]) == expected
        assert values_of(single_bytes(data)) == expected


def test_between_values_a_parser_is_not_idle() -> None:
    parser = MemcachedParser()
    parser.feed(b"VALUE a 0 1\r\nx\r\n")
    assert parser.next_values() is INCOMPLETE
    assert not parser.is_idle
    parser.feed(b"END\r\n")
    assert parser.next_values() == [(b"a", 0, b"x")]
    assert parser.is_idle


def test_values_with_cas_lose_it() -> None:
    assert values_of([b"VALUE a 0 1 77\r\nx\r\nVALUE b 0 1\r\ny\r\nEND\r\n"]) == [
        (b"a", 0, b"x"),
        (b"b", 0, b"y"),
    ]


def test_an_error_among_values_stands_for_them_all() -> None:
    parser = MemcachedParser()
    parser.feed(b"VALUE a 0 1\r\nx\r\nSERVER_ERROR out of memory\r\nEND\r\n")
    assert parser.next_values() == ErrorReply(b"SERVER_ERROR out of memory")
    assert parser.next_values() == []
    assert parser.is_idle


@pytest.mark.parametrize("other", [b"HD\r\n", b"STORED\r\n", b"VA 1\r\nx\r\n"])
def test_another_reply_among_values_is_refused(other: bytes) -> None:
    for before in (b"", b"VALUE a 0 1\r\nx\r\n"):
        parser = MemcachedParser()
        parser.feed(before + other + b"END\r\n")
        with pytest.raises(WireError, match="not a reply to get"):
            parser.next_values()
        with pytest.raises(WireError):
            parser.next_reply()
        assert not parser.is_idle


def test_flags_of_a_meta_reply() -> None:
    meta = Meta(b"VA", (b"f5", b"t-1", b"W"), b"x")
    assert (meta.flag(b"f"), meta.flag(b"t"), meta.flag(b"W"), meta.flag(b"c")) == (
        b"5",
        b"-1",
        b"",
        None,
    )


def test_errors_tell_their_code() -> None:
    assert ErrorReply(b"SERVER_ERROR object too large for cache").code == b"SERVER_ERROR"
    assert ErrorReply(b"ERROR").code == b"ERROR"
    assert str(ErrorReply(b"CLIENT_ERROR \xff")) == "CLIENT_ERROR \\xff"


def test_limits() -> None:
    limits = Limits(body=5, line=13)
    for good in (b"VALUE k 0 5\r\nhello\r\n", b"VA 5\r\nhello\r\n", b"VERSION 1.6.1\r\n"):
        assert len(read_all(MemcachedParser(limits), single_bytes(good))) == 1
        assert WireError not in read_all(MemcachedParser(limits), [good])
    for bad in (b"VALUE k 0 6\r\nhello!\r\n", b"VA 6\r\nhello!\r\n", b"VERSION 1.6.18\r\n"):
        assert read_all(MemcachedParser(limits), single_bytes(bad)) == [WireError]
        assert read_all(MemcachedParser(limits), [bad]) == [WireError]
    parser = MemcachedParser(limits)
    parser.feed(b"VALUE k 0 6\r\nhello!\r\nEND\r\n")
    with pytest.raises(WireError):
        parser.next_values()


def test_claims_allocate_nothing() -> None:
    tracemalloc.start()
    for claim in (b"VALUE k 0 67108864\r\nx", b"VA 67108864 f0\r\nx"):
        parser = MemcachedParser()
        parser.feed(claim)
        assert parser.next_reply() is INCOMPLETE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000


def test_a_long_value_takes_linear_time() -> None:
    size, piece = 100 << 20, b"x" * (16 << 10)
    parser = MemcachedParser(Limits(body=size))
    start = time.perf_counter()
    parser.feed(b"VALUE k 7 %d\r\n" % size)
    for _ in range(size // len(piece)):
        parser.feed(piece)
        assert parser.next_values() is INCOMPLETE
    parser.feed(b"\r\nEND\r\nHD\r\n")
    values = parser.next_values()
    assert isinstance(values, list)
    assert [(key, flags, len(data)) for key, flags, data in values] == [(b"k", 7, size)]
    assert parser.next_reply() == Meta(b"HD")
    assert time.perf_counter() - start < 5
    assert parser.is_idle


@pytest.mark.parametrize("piece", [1, 100, 10_000])
def test_many_values_take_linear_time(piece: int) -> None:
    data = b"VALUE k 0 3\r\nabc\r\n" * 10_000 + b"END\r\n"
    start = time.perf_counter()
    values = values_of([data[i : i + piece] for i in range(0, len(data), piece)])
    assert values == [(b"k", 0, b"abc")] * 10_000
    assert time.perf_counter() - start < 5


keys = st.binary(min_size=1, max_size=250).map(
    lambda key: key.translate(None, bytes(range(0x21))) or b"k"
)
bodies = st.binary(max_size=1100)
tokens = st.lists(keys, max_size=4).map(tuple)
some_values = st.builds(
    Value, keys, st.integers(0, 2**32 - 1), bodies, st.none() | st.integers(0, 2**64 - 1)
)
some_replies = (
    some_values
    | st.just(END)
    | st.builds(Meta, st.just(b"VA"), tokens, bodies)
    | st.builds(
        Meta, st.sampled_from([b"HD", b"EN", b"NF", b"NS", b"EX", b"MN"]), tokens, st.none()
    )
    | st.sampled_from([reply for _, reply in REPLIES])
)


@given(st.lists(some_replies, max_size=6), st.randoms())
def test_round_trip(replies: list[Reply], random: Random) -> None:
    data = reference.stream(*replies)
    assert read_all(MemcachedParser(), [data]) == replies
    assert read_all(MemcachedParser(), cut(data, random)) == replies


@given(st.lists(some_values, max_size=6), st.randoms())
def test_round_trip_of_values(values: list[Value], random: Random) -> None:
    data = reference.stream(*values, END)
    expected = [value[:3] for value in values]
    assert values_of([data]) == expected
    assert values_of(cut(data, random)) == expected
    at_once = parse_values(data)
    simple = all(b"\r\n" not in v.data and v.cas is None and v.flags < 1024 for v in values)
    assert at_once == expected if simple else at_once in (INCOMPLETE, expected)


def test_values_at_once_are_a_whole_reply_and_nothing_else() -> None:
    values = [Value(b"k%d" % i, i, b"x" * i) for i in range(40)]
    data = reference.stream(*values, END)
    assert parse_values(data) == [value[:3] for value in values]
    assert parse_values(b"END\r\n") == []
    for head, tail in halves(data):
        if tail:
            assert parse_values(head) is INCOMPLETE
            assert parse_values(data + tail) is INCOMPLETE


@given(some_values, st.binary(min_size=1, max_size=9))
def test_a_value_at_once_is_a_whole_reply_and_nothing_else(value: Value, tail: bytes) -> None:
    plain = value._replace(cas=None)
    data = reference.encoded(plain) + b"END\r\n"
    known = value.flags < 1024 and len(value.data) < 1024
    assert parse_value(data) in ((plain,) if known else (plain, INCOMPLETE))
    assert parse_value(data + tail) is INCOMPLETE
    for head, _ in halves(data[:-1]):
        assert parse_value(head) is INCOMPLETE
    assert parse_value(b"END\r\n") is END


@given(st.lists(some_replies.filter(lambda reply: isinstance(reply, Meta)), max_size=4))
def test_metas_at_once_are_whole_replies_and_nothing_else(metas: list[Meta]) -> None:
    data = reference.stream(*metas)
    known = all(len(meta.data or b"") < 1024 for meta in metas)
    assert parse_metas(data, len(metas)) in ((metas,) if known else (metas, INCOMPLETE))
    assert parse_metas(data, len(metas) + 1) is INCOMPLETE
    assert parse_metas(data + b"HD\r\n", len(metas)) is INCOMPLETE
    if metas:
        assert parse_metas(data, len(metas) - 1) is INCOMPLETE
        for head, _ in halves(data[:-1]):
            assert parse_metas(head, len(metas)) is INCOMPLETE


def test_sizes_and_flags_seen_once_take_the_fast_path() -> None:
    for number in (1024, 54_321):
        body = b"x" * number
        value, meta = Value(b"k", number, body), Meta(b"VA", (b"f1",), body)
        for reply in (value, meta):
            assert read_all(MemcachedParser(), [reference.encoded(reply)]) == [reply]
        assert parse_value(reference.encoded(value) + b"END\r\n") == value
        assert parse_metas(reference.encoded(meta)) == [meta]


def test_fuzzed_streams_are_read_as_the_reference_reads_them() -> None:
    random = seeded(6)
    verdicts = {WireError: 0, None: 0}
    for _ in range(3000):
        replies = [reference.random_reply(random) for _ in range(random.randint(1, 5))]
        data = reference.stream(*replies)
        for _ in range(random.randint(0, 3)):
            data = spoil(data, random)
        expected = reference.replies(data)
        assert read_all(MemcachedParser(reference.LIMITS), [data]) == expected
        assert read_all(MemcachedParser(reference.LIMITS), cut(data, random)) == expected
        verdicts[WireError if WireError in expected else None] += 1
        value = parse_value(data)
        if value is not INCOMPLETE:
            assert expected == ([END] if value is END else [value, END])
        for count in range(1, 4):
            metas = parse_metas(data, count)
            assert metas is INCOMPLETE or metas == expected
    assert min(verdicts.values()) > 500


def test_fuzzed_values_are_read_as_the_reference_reads_them() -> None:
    random = seeded(8)
    for _ in range(3000):
        hits = [reference.random_value(random) for _ in range(random.randint(0, 5))]
        data = reference.stream(*hits, END)
        for _ in range(random.randint(0, 2)):
            data = spoil(data, random)
        expected = expected_values(data)
        for pieces in ([data], cut(data, random)):
            parser = MemcachedParser(reference.LIMITS)
            got: list[object] = []
            try:
                for piece in pieces:
                    parser.feed(piece)
                    while (values := parser.next_values()) is not INCOMPLETE:
                        got.append(values)
            except WireError:
                got.append(WireError)
            assert got == expected
        at_once = parse_values(data)
        # Whoever calls it compares the keys with those it asked for, none of which is longer.
        if at_once is not INCOMPLETE and all(len(key) <= 250 for key, _, _ in at_once):
            assert [at_once] == expected


def expected_values(data: bytes) -> list[object]:
    expected: list[object] = []
    hits: list[object] = []
    for reply in reference.replies(data):
        if isinstance(reply, Value):
            hits.append(reply[:3])
            continue
        if reply is not END and not isinstance(reply, ErrorReply):
            return [*expected, WireError]
        expected.append(hits if reply is END else reply)
        hits = []
    return expected
