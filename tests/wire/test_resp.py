"""RESP2: exact bytes of commands, and replies however they are cut."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache.wire import resp
from kcache.wire.errors import WireError
from kcache.wire.reply import INCOMPLETE, ErrorReply, Limits, Status
from kcache.wire.resp import Reply, RespParser, parse_bulk, parse_bulks
from tests.wire import resp_reference as reference
from tests.wire.streams import cut, halves, read_all, seeded, single_bytes, spoil

COMMANDS = [
    (resp.encode(b"PING"), b"*1\r\n$4\r\nPING\r\n"),
    (resp.encode(b"PX", 100, -1), b"*3\r\n$2\r\nPX\r\n$3\r\n100\r\n$2\r\n-1\r\n"),
    (resp.encode(b"GET", b"\r\n\x00"), b"*2\r\n$3\r\nGET\r\n$3\r\n\r\n\x00\r\n"),
    (resp.encode(b"ECHO", b""), b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n"),
]
REPLIES: list[tuple[bytes, Reply]] = [
    (b"$5\r\nhello\r\n", b"hello"),
    (b"$0\r\n\r\n", b""),
    (b"$4\r\n\r\n\r\n\r\n", b"\r\n\r\n"),
    (b"$9\r\n$3\r\nabc\r\n\r\n", b"$3\r\nabc\r\n"),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"*0\r\n", []),
    (b":0\r\n", 0),
    (b":-7\r\n", -7),
    (b":9223372036854775807\r\n", 2**63 - 1),
    (b":-9223372036854775808\r\n", -(2**63)),
    (b"+OK\r\n", Status(b"OK")),
    (b"+a b\r\n", Status(b"a b")),
    (b"-ERR no such thing\r\n", ErrorReply(b"ERR no such thing")),
    (b"*2\r\n$1\r\na\r\n$-1\r\n", [b"a", None]),
    (b"*3\r\n$-1\r\n$-1\r\n$2\r\n\r\n\r\n", [None, None, b"\r\n"]),
    (b"*4\r\n+OK\r\n:1\r\n:0\r\n:12\r\n", [Status(b"OK"), 1, 0, 12]),
    (b"*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n*1\r\n$1\r\nx\r\n", [[1, []], [[b"x"]]]),
    (b"*3\r\n$1\r\na\r\n-ERR x\r\n$1\r\nb\r\n", [b"a", ErrorReply(b"ERR x"), b"b"]),
    (b"$1200\r\n" + b"x" * 1200 + b"\r\n", b"x" * 1200),
]
BAD = [
    b"?",
    b"\r\n",
    b"END\r\n",
    b"HTTP/1.1 400 Bad Request\r\n",
    b"_\r\n",
    b"#t\r\n",
    b"%1\r\n",
    b"$\r\n",
    b"$+5\r\n",
    b"$-2\r\n",
    b"$ 5\r\n",
    b"$5 \r\n",
    b"$05\r\n",
    b"$5_0\r\n",
    b"$0x5\r\n",
    b"$\xd9\xa5\r\n",
    b"$5\n",
    b"$5\rx\n",
    b"\n",
    b"$-1\n",
    b"$3\r\nabcd",
    b"$3\r\nabc\n",
    b"$3\r\nabc\rx",
    b"$67108865\r\n",
    b"$600000000\r\n",
    b"$99999999999999999999999999\r\n",
    b"$" + b"9" * 5000 + b"\r\n",
    b":\r\n",
    b":1.5\r\n",
    b":+1\r\n",
    b":--1\r\n",
    b":-0\r\n",
    b":9223372036854775808\r\n",
    b":-9223372036854775809\r\n",
    b"*-2\r\n",
    b"*x\r\n",
    b"*1048577\r\n",
    b"*2\r\n$1\r\na\r\n?",
    b"*2\r\n$1\r\naX$1\r\nb\r\n",
    b"*2\r\n$1\r\na\r\n$1\r\nbX\n",
    b"*1\r\n" * 9,
    b"+" + b"x" * 16384 + b"\r\n",
    b"+" + b"x" * 20000,
]
TAILS = [b"", b"$", b"$5\r\nhel", b"+OK\r\n", b":1\r\n*1\r\n"]


@pytest.mark.parametrize(("made", "expected"), COMMANDS)
def test_commands(made: bytes, expected: bytes) -> None:
    assert made == expected


@given(st.binary(), st.binary(), st.none() | st.integers(0, 2**63 - 1))
def test_fast_encoders_do_what_the_plain_one_does(key: bytes, value: bytes, px: int | None) -> None:
    ttl = () if px is None else (b"PX", px)
    assert resp.encode_get(key) == resp.encode(b"GET", key)
    assert resp.encode_set(key, value, px) == resp.encode(b"SET", key, value, *ttl)
    for mode in (b"NX", b"XX"):
        expected = resp.encode(b"SET", key, value, *ttl, mode)
        assert resp.encode_set(key, value, px, mode) == expected


@given(st.lists(st.binary() | st.binary(min_size=255, max_size=257)))
def test_many_keys(keys: list[bytes]) -> None:
    assert resp.encode_mget(keys) == resp.encode(b"MGET", *keys)


@pytest.mark.parametrize(
    "make",
    [
        lambda text: resp.encode(b"GET", text),
        resp.encode_get,
        lambda text: resp.encode_mget([text]),
        lambda text: resp.encode_set(text, b""),
        lambda text: resp.encode_set(b"k", text),
        lambda text: resp.encode_set(b"k", text, mode=b"NX"),
    ],
)
@pytest.mark.parametrize("wrong", ["text", None])
def test_only_bytes_are_sent(make: Callable[[Any], bytes], wrong: Any) -> None:
    with pytest.raises(TypeError):
        make(wrong)


def test_values_of_other_lengths_than_their_bytes_are_refused() -> None:
    value: Any = memoryview(b"\r\n*1\r\n$8\r\n").cast("H")
    with pytest.raises(TypeError):
        resp.encode_set(b"k", value)
    with pytest.raises(TypeError):
        resp.encode(b"SET", b"k", value)


@pytest.mark.parametrize(("data", "reply"), REPLIES)
def test_replies_at_every_cut(data: bytes, reply: Reply) -> None:
    for tail in TAILS:
        expected = [reply, *reference.replies(tail)]
        for head, rest in halves(data + tail):
            assert read_all(RespParser(), [head, rest]) == expected
        assert read_all(RespParser(), single_bytes(data + tail)) == expected


@pytest.mark.parametrize(("data", "reply"), REPLIES)
def test_a_parser_is_idle_only_between_replies(data: bytes, reply: Reply) -> None:
    parser = RespParser()
    for byte in single_bytes(data):
        assert parser.next_reply() is INCOMPLETE
        parser.feed(byte)
        assert not parser.is_idle
    assert parser.next_reply() == reply
    assert parser.is_idle
    parser.feed(b"+")
    assert not parser.is_idle


def test_all_replies_in_one_stream() -> None:
    data = b"".join(data for data, _ in REPLIES)
    expected = [reply for _, reply in REPLIES]
    assert read_all(RespParser(), [data]) == expected
    assert read_all(RespParser(), single_bytes(data)) == expected
    for head, rest in halves(data):
        parser = RespParser()
        parser.feed(head)
        first = parser.next_replies(len(expected))
        assert (first is INCOMPLETE) == bool(rest)
        assert not parser.is_idle or not (head and rest)
        parser.feed(rest)
        assert (
            first if first is not INCOMPLETE else parser.next_replies(len(expected))
        ) == expected
        assert parser.is_idle


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_replies_together(count: int) -> None:
    for bulk in (b"+OK\r\n", b":1\r\n", b"$3\r\nabc\r\n", b"*1\r\n$-1\r\n"):
        parser = RespParser()
        parser.feed(bulk * count + b"-ERR\r\n")
        assert parser.next_replies(count) == reference.replies(bulk) * count
        assert parser.next_reply() == ErrorReply(b"ERR")
        assert parser.is_idle


def test_replies_together_are_no_more_than_those() -> None:
    parser = RespParser()
    parser.feed(b":1\r\n")
    assert parser.next_replies(2) is INCOMPLETE
    assert not parser.is_idle
    parser.feed(b"+OK\r\n+OK\r\n")
    assert parser.next_replies(2) == [1, Status(b"OK")]
    assert not parser.is_idle
    assert parser.next_reply() == Status(b"OK")
    assert parser.is_idle


@pytest.mark.parametrize("data", BAD)
def test_bad_streams(data: bytes) -> None:
    for before in (b"", b"+OK\r\n", b"$1\r\na\r\n"):
        good = reference.replies(before)
        stream = before + data
        assert read_all(RespParser(), [stream]) == [*good, WireError]
        assert read_all(RespParser(), single_bytes(stream)) == [*good, WireError]
    assert parse_bulk(data) is INCOMPLETE
    assert parse_bulks(data) is INCOMPLETE


def test_after_an_error_a_parser_is_dead() -> None:
    parser = RespParser()
    parser.feed(b"?" * 1000 + b"\r\n$5\r\nhello\r\n")
    with pytest.raises(WireError, match=r"not a reply: b'\?{64}'$") as first:
        parser.next_reply()
    assert len(first.value.evidence) == 64
    for call in (
        parser.next_reply,
        lambda: parser.next_replies(1),
        lambda: parser.feed(b"+OK\r\n"),
    ):
        with pytest.raises(WireError, match="not a reply"):
            call()
    assert not parser.is_idle


def test_after_an_interruption_a_parser_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_self: RespParser, _count: int) -> Reply:
        raise KeyboardInterrupt

    parser = RespParser()
    monkeypatch.setattr(RespParser, "_array", interrupted)
    parser.feed(b"*1\r\n+OK\r\n")
    with pytest.raises(KeyboardInterrupt):
        parser.next_reply()
    monkeypatch.undo()
    with pytest.raises(WireError, match="interrupted"):
        parser.next_reply()
    with pytest.raises(WireError, match="interrupted"):
        parser.feed(b"")
    assert not parser.is_idle


def test_a_parser_knows_how_much_is_missing() -> None:
    parser = RespParser()
    for piece, missing in ((b"$", 1), (b"9\r\n", 11), (b"123", 8), (b"456789", 1), (b"\r", 1)):
        parser.feed(piece)
        assert parser.next_reply() is INCOMPLETE
        assert parser.missing == missing
    parser.feed(b"\n")
    assert parser.next_reply() == b"123456789"


def test_limits() -> None:
    limits = Limits(body=5, line=6, array=2, depth=2)
    within = [b"$5\r\nhello\r\n", b"+hello\r\n", b"*2\r\n:1\r\n:1\r\n", b"*1\r\n*1\r\n:1\r\n"]
    beyond = [b"$6\r\nhello!\r\n", b"+hello!\r\n", b"*3\r\n" + b":1\r\n" * 3, b"*1\r\n" * 3]
    for good, bad in zip(within, beyond, strict=True):
        for make in (single_bytes, lambda data: [data]):
            assert WireError not in read_all(RespParser(limits), make(good))
            assert read_all(RespParser(limits), make(bad)) == [WireError]
    assert read_all(RespParser(limits), [b"*2\r\n:1\r\n$6\r\nhello!\r\n"]) == [WireError]


def test_claims_allocate_nothing() -> None:
    parsers = [RespParser() for _ in range(3)]
    claims = [b"$67108864\r\nx", b"*1048576\r\n", b"*1048576\r\n" * 8]
    tracemalloc.start()
    for parser, claim in zip(parsers, claims, strict=True):
        parser.feed(claim)
        assert parser.next_reply() is INCOMPLETE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000


@pytest.mark.parametrize("eager", [True, False])
def test_a_long_bulk_takes_linear_time(eager: bool) -> None:  # noqa: FBT001 - a parameter
    size, piece = 100 << 20, b"x" * (16 << 10)
    parser = RespParser(Limits(body=size))
    start = time.perf_counter()
    parser.feed(b"$%d\r\n" % size)
    for _ in range(size // len(piece)):
        parser.feed(piece)
        if eager:
            assert parser.next_reply() is INCOMPLETE
    parser.feed(b"\r\n+OK\r\n")
    bulk = parser.next_reply()
    assert isinstance(bulk, bytes)
    assert len(bulk) == size
    assert parser.next_reply() == Status(b"OK")
    assert time.perf_counter() - start < 5
    assert parser.is_idle


@pytest.mark.parametrize("piece", [1, 100, 10_000])
def test_many_elements_take_linear_time(piece: int) -> None:
    count = 20_000
    data = b"*%d\r\n" % count + b"$3\r\nabc\r\n" * count
    start = time.perf_counter()
    parts = [data[i : i + piece] for i in range(0, len(data), piece)]
    assert read_all(RespParser(), parts) == [[b"abc"] * count]
    assert time.perf_counter() - start < 5


def test_replies_left_waiting_are_not_copied_again() -> None:
    parser = RespParser()
    parser.feed(b"+OK\r\n" * 200_000)
    start = time.perf_counter()
    for _ in range(20_000):
        assert parser.next_reply() == Status(b"OK")
        parser.feed(b"+OK\r\n")
    assert time.perf_counter() - start < 5


def test_an_idle_parser_keeps_no_reply() -> None:
    parser = RespParser()
    tracemalloc.start()
    parser.feed(b"$1000000\r\n" + b"x" * 1_000_000 + b"\r\n")
    assert parser.next_reply() is not INCOMPLETE
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 10_000


trees = st.recursive(
    st.none()
    | st.binary(max_size=300)
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=50).filter(lambda text: b"\n" not in text).map(Status)
    | st.binary(max_size=50).filter(lambda text: b"\n" not in text).map(ErrorReply),
    lambda children: st.lists(children, max_size=6),
    max_leaves=15,
)


def depth_of(tree: Reply) -> int:
    return 1 + max(map(depth_of, tree), default=0) if isinstance(tree, list) else 0


@given(st.lists(trees.filter(lambda tree: depth_of(tree) <= 8), max_size=5), st.randoms())
def test_round_trip(replies: list[Reply], random: Random) -> None:
    data = reference.stream(*replies)
    assert read_all(RespParser(), [data]) == replies
    assert read_all(RespParser(), cut(data, random)) == replies
    parser = RespParser()
    for piece in cut(data, random):
        parser.feed(piece)
    assert parser.next_replies(len(replies)) == replies
    assert parser.is_idle


@given(st.lists(st.none() | st.binary(max_size=1100), max_size=9), st.binary(max_size=9))
def test_fast_paths_take_a_whole_reply_and_nothing_else(
    items: list[bytes | None], tail: bytes
) -> None:
    data = reference.encoded(list(items))
    short = all(len(item or b"") < 1024 for item in items)
    assert parse_bulks(data) in ((items,) if short else (items, INCOMPLETE))
    for item in items:
        bulk = reference.encoded(item)
        assert parse_bulk(bulk) in ((item,) if len(item or b"") < 1024 else (item, INCOMPLETE))
        assert parse_bulk(bulk + b"\r\n") is INCOMPLETE
        assert parse_bulk(bulk[:-1]) is INCOMPLETE
    for head, _ in halves(data[:200]):
        if head != data:
            assert parse_bulks(head) is INCOMPLETE
    if tail:
        assert parse_bulks(data + tail) is INCOMPLETE


def test_sizes_seen_once_take_the_fast_path() -> None:
    for size in (1024, 54_321):
        data = b"$%d\r\n%b\r\n" % (size, b"x" * size)
        assert read_all(RespParser(), [data]) == [b"x" * size]
        assert parse_bulk(data) == b"x" * size
        assert parse_bulks(b"*1\r\n" + data) == [b"x" * size]


def test_fuzzed_streams_are_read_as_the_reference_reads_them() -> None:
    random = seeded(6)
    verdicts = {WireError: 0, None: 0}
    for _ in range(3000):
        replies = [reference.random_reply(random) for _ in range(random.randint(1, 5))]
        data = reference.stream(*replies)
        for _ in range(random.randint(0, 3)):
            data = spoil(data, random)
        expected = reference.replies(data)
        assert read_all(RespParser(reference.LIMITS), [data]) == expected
        assert read_all(RespParser(reference.LIMITS), cut(data, random)) == expected
        verdicts[WireError if WireError in expected else None] += 1
        for quick in (parse_bulk(data), parse_bulks(data)):
            if quick is not INCOMPLETE:
                assert [quick] == expected
                assert reference.encoded(cast("Reply", quick)) == data
    assert min(verdicts.values()) > 500


def test_random_bytes() -> None:
    random = seeded(7)
    for _ in range(3000):
        data = bytes(random.choices(b"$*:+-0123456789\r\n\r\n\r\nab", k=40))
        assert read_all(RespParser(reference.LIMITS), cut(data, random)) == reference.replies(data)
