"""What each command is on the wire, and what the replies to it mean, without a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import pytest

from kcache.command import (
    ABSENT,
    PRESENT,
    Command,
    Condition,
    Count,
    CountIf,
    Delete,
    Flush,
    Get,
    Gets,
    Held,
    Identify,
    NotANumber,
    Ping,
    Refused,
    Set,
    SetIf,
    Swap,
    Touch,
    Ttl,
)
from kcache.wire import resp
from kcache.wire.errors import WireError
from kcache.wire.memcached_talk import MemcachedTalk, encode_get_each, exptime_of
from kcache.wire.redis_scripts import CAS, COUNT
from kcache.wire.redis_talk import IDENTITY_SIZE, MAX_COUNT, MAX_PX, RedisTalk, px_of
from kcache.wire.talk import Talk
from tests.wire.streams import single_bytes

NOW = 1_700_000_000.5
MONTH = 30 * 24 * 3600
YEAR_2038 = 2**31 - 1
K = (b"k", b"v", 3)
BIG = 10**9
"""Seconds, more than there are until 2038."""


def redis(*commands: Command) -> Talk:
    return RedisTalk(commands)


def memcached(*commands: Command) -> Talk:
    return MemcachedTalk(commands, NOW)


Make = Callable[..., Talk]


def spoken(make: Make, commands: Sequence[Command], data: bytes) -> list[Any]:
    """What a talk makes of the bytes, which is the same however they come."""
    whole = make(*commands)
    assert whole.receive(data) is True
    pieces = make(*commands)
    *before, last = single_bytes(data)
    for byte in before:
        assert pieces.receive(byte) is False
    assert pieces.receive(last) is True
    assert pieces.replies == whole.replies
    return whole.replies


REDIS_REQUESTS = [
    (Get((b"k",)), [b"GET", b"k"]),
    (Get((b"a", b"b")), [b"MGET", b"a", b"b"]),
    (Gets(b"k"), [b"GET", b"k"]),
    (Set((K,), None), [b"SET", b"k", b"v"]),
    (Set((K,), 1.5), [b"SET", b"k", b"v", b"PX", 1500]),
    (Set((K,), 1e-9), [b"SET", b"k", b"v", b"PX", 1]),
    (Set((K,), inf), [b"SET", b"k", b"v", b"PX", MAX_PX]),
    (Set((K,), 0.001), [b"SET", b"k", b"v", b"PX", 1]),
    (Set((K,), 0), [b"SET", b"k", b"v", b"PXAT", 1]),
    (Set((K,), -1), [b"SET", b"k", b"v", b"PXAT", 1]),
    (SetIf(K, None, ABSENT), [b"SET", b"k", b"v", b"NX"]),
    (SetIf(K, 2, PRESENT), [b"SET", b"k", b"v", b"PX", 2000, b"XX"]),
    (SetIf(K, 2, Condition(None, b"old")), [b"EVAL", CAS, 1, b"k", b"old", b"v", b"PX", 2000]),
    (SetIf(K, None, Condition(None, 7)), [b"PING"]),
    (Swap(K, Held(0, b"old", b"old")), [b"EVAL", CAS, 1, b"k", b"old", b"v", b"KEEPTTL"]),
    (Delete((b"a", b"b")), [b"DEL", b"a", b"b"]),
    (Touch(b"k", 1.5), [b"PEXPIRE", b"k", 1500]),
    (Touch(b"k", 0.001), [b"PEXPIRE", b"k", 1]),
    (Touch(b"k", 0), [b"PEXPIREAT", b"k", 1]),
    (Touch(b"k", -1), [b"PEXPIREAT", b"k", 1]),
    (Ttl(b"k"), [b"PTTL", b"k"]),
    (Count(b"k", 5, 1, 2, 0), [b"EVAL", COUNT, 1, b"k", 5, 1, b"PX", 2000]),
    (Count(b"k", 5, None, None, 0), [b"EVAL", COUNT, 1, b"k", 5, b""]),
    (Count(b"k", -(2**63), None, None, 0), [b"EVAL", COUNT, 1, b"k", 1 - 2**63, b""]),
    (Flush(), [b"FLUSHDB"]),
    (Ping(), [b"PING"]),
]


@pytest.mark.parametrize(("command", "parts"), REDIS_REQUESTS)
def test_what_redis_is_told(command: Command, parts: list[bytes | int]) -> None:
    talk = redis(command)
    assert talk.request == resp.encode(*parts)
    assert talk.again().request == talk.request


def test_redis_is_told_to_keep_an_entry_without_an_end_only_if_it_is_there() -> None:
    expected = resp.encode(b"EXISTS", b"k") + resp.encode(b"PERSIST", b"k")
    assert redis(Touch(b"k", None)).request == expected
    for there in (0, 1):
        for had_an_end in (0, 1):
            data = b":%d\r\n:%d\r\n" % (there, had_an_end)
            assert spoken(redis, [Touch(b"k", None)], data) == [bool(there)]


MEMCACHED_REQUESTS = [
    (Get((b"k",)), b"get k\r\n"),
    (Get((b"a", b"b")), b"get a b\r\n"),
    (Gets(b"k"), b"mg k k f c t v\r\n"),
    (Set((K, (b"l", b"", 0)), None), b"ms k 1 F3 T0\r\nv\r\nms l 0 F0 T0\r\n\r\n"),
    (Set((K,), 5), b"ms k 1 F3 T6\r\nv\r\n"),
    (Set((K,), 0), b"ms k 1 F3 T-1\r\nv\r\n"),
    (SetIf(K, None, ABSENT), b"ms k 1 F3 T0 ME\r\nv\r\n"),
    (SetIf(K, 5, PRESENT), b"ms k 1 F3 T6 MR\r\nv\r\n"),
    (SetIf(K, 5, Condition(None, 7)), b"ms k 1 F3 T6 C7\r\nv\r\n"),
    (SetIf(K, 5, Condition(None, 1)), b"ms k 1 F3 T6 C1\r\nv\r\n"),
    (SetIf(K, 5, Condition(None, 2**64 - 1)), b"ms k 1 F3 T6 C18446744073709551615\r\nv\r\n"),
    (SetIf(K, 5, Condition(None, 0)), b"mn\r\n"),
    (SetIf(K, 5, Condition(None, 2**64)), b"mn\r\n"),
    (SetIf(K, 5, Condition(None, b"old")), b"mn\r\n"),
    (Swap(K, Held(0, b"old", 7)), b"ms k 1 F3 T0 C7\r\nv\r\n"),
    (Swap(K, Held(0, b"old", 7, 0)), b"ms k 1 F3 T1 C7\r\nv\r\n"),
    (Swap(K, Held(0, b"old", 7, 60)), b"ms k 1 F3 T60 C7\r\nv\r\n"),
    (Swap(K, Held(0, b"old", 7, MONTH)), b"ms k 1 F3 T2592000 C7\r\nv\r\n"),
    (Swap(K, Held(0, b"old", 7, MONTH + 1)), b"ms k 1 F3 T1702592000 C7\r\nv\r\n"),
    (Swap(K, Held(0, b"old", 7, BIG)), b"ms k 1 F3 T2147483647 C7\r\nv\r\n"),
    (Delete((b"a", b"b")), b"md a\r\nmd b\r\n"),
    (Touch(b"k", 5), b"mg k T6\r\n"),
    (Touch(b"k", None), b"mg k T0\r\n"),
    (Ttl(b"k"), b"mg k t\r\n"),
    (CountIf(b"k", 5, None), b"ma k D5 v\r\n"),
    (CountIf(b"k", -5, 7), b"ma k D5 MD C7 v\r\n"),
    (CountIf(b"k", 0, None), b"ma k D0 v\r\n"),
    (Identify(), b"mn\r\n"),
    (Flush(), b"flush_all\r\n"),
    (Ping(), b"mn\r\n"),
]


@pytest.mark.parametrize(("command", "request_"), MEMCACHED_REQUESTS)
def test_what_memcached_is_told(command: Command, request_: bytes) -> None:
    talk = memcached(command)
    assert talk.request == request_
    assert talk.again().request == talk.request


REDIS_REPLIES: list[tuple[Command, bytes, Any]] = [
    (Get((b"k",)), b"$1\r\nv\r\n", [(b"k", 0, b"v")]),
    (Get((b"k",)), b"$-1\r\n", []),
    (Get((b"k",)), b"-WRONGTYPE it is a list\r\n", []),
    (Get((b"k",)), b"-LOADING\r\n", Refused("LOADING")),
    (Get((b"a", b"b")), b"*2\r\n$1\r\nv\r\n$-1\r\n", [(b"a", 0, b"v")]),
    (Get((b"a", b"b")), b"*2\r\n$-1\r\n$2\r\n\r\n\r\n", [(b"b", 0, b"\r\n")]),
    (Get((b"a", b"b")), b"-LOADING\r\n", Refused("LOADING")),
    (Gets(b"k"), b"$1\r\nv\r\n", Held(0, b"v", b"v")),
    (Gets(b"k"), b"$-1\r\n", None),
    (Gets(b"k"), b"-WRONGTYPE it is a list\r\n", None),
    (Gets(b"k"), b"-LOADING\r\n", Refused("LOADING")),
    (Set((K,), None), b"+OK\r\n", []),
    (Set((K,), None), b"-OOM\r\n", [(b"k", Refused("OOM"))]),
    (Set((K, (b"l", b"", 0)), 0), b"+OK\r\n-OOM\r\n", [(b"l", Refused("OOM"))]),
    (SetIf(K, None, ABSENT), b"+OK\r\n", True),
    (SetIf(K, None, ABSENT), b"$-1\r\n", False),
    (SetIf(K, None, ABSENT), b"-OOM\r\n", Refused("OOM")),
    (SetIf(K, None, Condition(None, b"old")), b":1\r\n", True),
    (SetIf(K, None, Condition(None, b"old")), b":0\r\n", False),
    (SetIf(K, None, Condition(None, b"old")), b"-OOM\r\n", Refused("OOM")),
    (SetIf(K, None, Condition(None, 7)), b"+PONG\r\n", False),
    (Swap(K, Held(0, b"old", b"old")), b":1\r\n", True),
    (Swap(K, Held(0, b"old", b"old")), b":0\r\n", False),
    (Delete((b"a", b"b")), b":2\r\n", 2),
    (Delete((b"a", b"b")), b"-READONLY\r\n", Refused("READONLY")),
    (Touch(b"k", 1), b":1\r\n", True),
    (Touch(b"k", 0), b":0\r\n", False),
    (Touch(b"k", 1), b"-READONLY\r\n", Refused("READONLY")),
    (Ttl(b"k"), b":1500\r\n", 1.5),
    (Ttl(b"k"), b":0\r\n", 0.0),
    (Ttl(b"k"), b":-1\r\n", inf),
    (Ttl(b"k"), b":-2\r\n", None),
    (Ttl(b"k"), b"-LOADING\r\n", Refused("LOADING")),
    (Count(b"k", 1, 1, None, 0), b"$2\r\n10\r\n", 10),
    (Count(b"k", 1, None, None, 0), b"$-1\r\n", None),
    (Count(b"k", 1, None, None, 0), b"+NAN\r\n", NotANumber()),
    (Count(b"k", 1, None, None, 0), b"-OOM\r\n", Refused("OOM")),
    (Flush(), b"+OK\r\n", True),
    (Flush(), b"-READONLY\r\n", Refused("READONLY")),
    (Ping(), b"+PONG\r\n", True),
    (Ping(), b"+OK\r\n", True),
    (Ping(), b"-LOADING\r\n", Refused("LOADING")),
]


@pytest.mark.parametrize(("command", "data", "reply"), REDIS_REPLIES)
def test_what_redis_answers(command: Command, data: bytes, reply: object) -> None:
    assert spoken(redis, [command], data) == [reply]
    # Among others it means the same.
    batch = [Ping(), command, Flush()]
    assert spoken(redis, batch, b"+PONG\r\n" + data + b"+OK\r\n") == [True, reply, True]


MEMCACHED_REPLIES: list[tuple[Command, bytes, Any]] = [
    (Gets(b"k"), b"VA 1 kk f3 c7 t-1\r\nv\r\n", Held(3, b"v", 7, None)),
    (Gets(b"k"), b"VA 0 kk f0 c7 t60\r\n\r\n", Held(0, b"", 7, 60)),
    (Gets(b"k"), b"EN\r\n", None),
    (Gets(b"k"), b"EN kk\r\n", None),
    (Gets(b"k"), b"SERVER_ERROR x\r\n", Refused("SERVER_ERROR x")),
    (Set((K,), None), b"HD\r\n", []),
    (Set((K,), None), b"SERVER_ERROR x\r\n", [(b"k", Refused("SERVER_ERROR x"))]),
    (
        Set((K, (b"l", b"", 0), K), 0),
        b"HD\r\nSERVER_ERROR x\r\nHD\r\n",
        [(b"l", Refused("SERVER_ERROR x"))],
    ),
    (SetIf(K, None, ABSENT), b"HD\r\n", True),
    (SetIf(K, None, ABSENT), b"NS\r\n", False),
    (SetIf(K, None, ABSENT), b"SERVER_ERROR x\r\n", Refused("SERVER_ERROR x")),
    (SetIf(K, None, Condition(None, 7)), b"EX\r\n", False),
    (SetIf(K, None, Condition(None, 7)), b"NF\r\n", False),
    (SetIf(K, None, Condition(None, b"old")), b"MN\r\n", False),
    (Swap(K, Held(0, b"old", 7)), b"HD\r\n", True),
    (Swap(K, Held(0, b"old", 7)), b"NS\r\n", False),
    (Swap(K, Held(0, b"old", 7)), b"EX\r\n", False),
    (Swap(K, Held(0, b"old", 7)), b"NF\r\n", False),
    (Delete((b"a", b"b", b"c")), b"HD\r\nNF\r\nHD\r\n", 2),
    (Delete((b"a", b"b")), b"SERVER_ERROR x\r\nHD\r\n", Refused("SERVER_ERROR x")),
    (Touch(b"k", 1), b"HD\r\n", True),
    (Touch(b"k", 1), b"EN\r\n", False),
    (Touch(b"k", 1), b"SERVER_ERROR x\r\n", Refused("SERVER_ERROR x")),
    (Ttl(b"k"), b"HD t60\r\n", 60.0),
    (Ttl(b"k"), b"HD t0\r\n", 0.0),
    (Ttl(b"k"), b"HD t-1\r\n", inf),
    (Ttl(b"k"), b"EN\r\n", None),
    (Ttl(b"k"), b"SERVER_ERROR x\r\n", Refused("SERVER_ERROR x")),
    (CountIf(b"k", 1, None), b"VA 2\r\n10\r\n", 10),
    (CountIf(b"k", 1, None), b"NF\r\n", None),
    (CountIf(b"k", 1, 7), b"EX\r\n", None),
    (CountIf(b"k", 1, 7), b"NS\r\n", None),
    (CountIf(b"k", 1, None), b"CLIENT_ERROR x\r\n", Refused("CLIENT_ERROR x")),
    (Identify(), b"MN\r\n", b""),
    (Identify(), b"ERROR\r\n", Refused("ERROR")),
    (Flush(), b"OK\r\n", True),
    (Flush(), b"CLIENT_ERROR x\r\n", Refused("CLIENT_ERROR x")),
    (Ping(), b"MN\r\n", True),
    (Ping(), b"ERROR\r\n", Refused("ERROR")),
]
MEMCACHED_READS: list[tuple[Command, bytes, Any]] = [
    (Get((b"k",)), b"VALUE k 3 1\r\nv\r\nEND\r\n", [(b"k", 3, b"v")]),
    (Get((b"k",)), b"VALUE k 3 2\r\n\r\n\r\nEND\r\n", [(b"k", 3, b"\r\n")]),
    (Get((b"k",)), b"END\r\n", []),
    (Get((b"k",)), b"SERVER_ERROR x\r\n", Refused("SERVER_ERROR x")),
    (Get((b"a", b"b")), b"VALUE b 0 0\r\n\r\nEND\r\n", [(b"b", 0, b"")]),
]


@pytest.mark.parametrize(("command", "data", "reply"), [*MEMCACHED_REPLIES, *MEMCACHED_READS])
def test_what_memcached_answers(command: Command, data: bytes, reply: object) -> None:
    assert spoken(memcached, [command], data) == [reply]


@pytest.mark.parametrize(("command", "data", "reply"), MEMCACHED_REPLIES)
def test_what_memcached_answers_means_the_same_among_others(
    command: Command, data: bytes, reply: object
) -> None:
    batch = [Ping(), command, Flush()]
    assert spoken(memcached, batch, b"MN\r\n" + data + b"OK\r\n") == [True, reply, True]


def test_memcached_is_asked_for_a_few_keys_one_by_one_among_other_commands() -> None:
    batch: list[Command] = [Get((b"a", b"b", b"c")), Ping()]
    request = encode_get_each((b"a", b"b", b"c"))
    assert request == b"mg a k f v\r\nmg b k f v\r\nmg c k f v\r\n"
    assert memcached(*batch).request == request + b"mn\r\n"
    data = b"VA 1 ka f3\r\nv\r\nEN\r\nVA 0 kc f0\r\n\r\nMN\r\n"
    assert spoken(memcached, batch, data) == [[(b"a", 3, b"v"), (b"c", 0, b"")], True]
    data = b"EN\r\nSERVER_ERROR x\r\nVA 0 kc f0\r\n\r\nMN\r\n"
    assert spoken(memcached, batch, data) == [Refused("SERVER_ERROR x"), True]
    for wrong in (b"VA 1 kz f3\r\nv\r\n", b"VA 1 ka\r\nv\r\n", b"HD\r\n", b"NF\r\n", b"OK\r\n"):
        with pytest.raises(WireError):
            memcached(*batch).receive(wrong + b"EN\r\nEN\r\nMN\r\n")


def test_memcached_is_asked_for_many_keys_in_one_line_among_other_commands() -> None:
    few, many = ([b"k%d" % i for i in range(count)] for count in (20, 21))
    assert memcached(Get(few), Ping()).request == encode_get_each(few) + b"mn\r\n"
    batch: list[Command] = [Get(many), Ping()]
    assert memcached(*batch).request == b"get " + b" ".join(many) + b"\r\nmn\r\n"
    data = b"VALUE k20 0 1\r\nv\r\nEND\r\nMN\r\n"
    assert spoken(memcached, batch, data) == [[(b"k20", 0, b"v")], True]


WRONG: list[tuple[Make, Command, bytes]] = [
    (redis, Get((b"k",)), b":1\r\n"),
    (redis, Get((b"k",)), b"+OK\r\n"),
    (redis, Get((b"k",)), b"*0\r\n"),
    (redis, Get((b"a", b"b")), b"*1\r\n$1\r\nv\r\n"),
    (redis, Get((b"a", b"b")), b"*3\r\n$-1\r\n$-1\r\n$-1\r\n"),
    (redis, Get((b"a", b"b")), b"*2\r\n:1\r\n$-1\r\n"),
    (redis, Get((b"a", b"b")), b"+OK\r\n"),
    (redis, Gets(b"k"), b":1\r\n"),
    (redis, Set((K,), None), b"$-1\r\n"),
    (redis, Set((K,), None), b"+QUEUED\r\n"),
    (redis, SetIf(K, None, ABSENT), b":1\r\n"),
    (redis, Swap(K, Held(0, b"old", b"old")), b"+OK\r\n"),
    (redis, Delete((b"k",)), b"+OK\r\n"),
    (redis, Touch(b"k", 1), b"$-1\r\n"),
    (redis, Ttl(b"k"), b"+OK\r\n"),
    (redis, Count(b"k", 1, None, None, 0), b"$1\r\nx\r\n"),
    (redis, Count(b"k", 1, None, None, 0), b"$0\r\n\r\n"),
    (redis, Count(b"k", 1, None, None, 0), b":1\r\n"),
    (redis, Flush(), b":1\r\n"),
    (redis, Ping(), b"$4\r\nPONG\r\n"),
    (redis, Ping(), b"MN\r\n"),
    (memcached, Get((b"k",)), b"VALUE l 0 1\r\nv\r\nEND\r\n"),
    (memcached, Get((b"k",)), b"VALUE l 0 2\r\n\r\n\r\nEND\r\n"),
    (memcached, Get((b"k",)), b"HD\r\n"),
    (memcached, Gets(b"k"), b"VA 1 kl f3 c7 t-1\r\nv\r\n"),
    (memcached, Gets(b"k"), b"VA 1 f3 c7 t-1\r\nv\r\n"),
    (memcached, Gets(b"k"), b"VA 1 kk c7 t-1\r\nv\r\n"),
    (memcached, Gets(b"k"), b"VA 1 kk f3 t-1\r\nv\r\n"),
    (memcached, Gets(b"k"), b"VA 1 kk f3 c7\r\nv\r\n"),
    (memcached, Gets(b"k"), b"VA 1 kk f3 c7 t-2\r\nv\r\n"),
    (memcached, Gets(b"k"), b"HD kk f3 c7 t-1\r\n"),
    (memcached, Gets(b"k"), b"OK\r\n"),
    (memcached, Set((K,), None), b"NS\r\n"),
    (memcached, Set((K,), None), b"HD O1\r\n"),
    (memcached, SetIf(K, None, ABSENT), b"EN\r\n"),
    (memcached, SetIf(K, None, Condition(None, b"old")), b"HD\r\n"),
    (memcached, Swap(K, Held(0, b"old", 7)), b"MN\r\n"),
    (memcached, Delete((b"k",)), b"EX\r\n"),
    (memcached, Touch(b"k", 1), b"NF\r\n"),
    (memcached, Ttl(b"k"), b"HD\r\n"),
    (memcached, Ttl(b"k"), b"NF t1\r\n"),
    (memcached, Ttl(b"k"), b"OK\r\n"),
    (memcached, CountIf(b"k", 1, None), b"VA 1\r\nx\r\n"),
    (memcached, CountIf(b"k", 1, None), b"HD\r\n"),
    (memcached, Flush(), b"HD\r\n"),
    (memcached, Ping(), b"HD\r\n"),
    (memcached, Ping(), b"+PONG\r\n"),
]


@pytest.mark.parametrize(("make", "command", "data"), WRONG)
def test_a_reply_to_another_command_is_refused(make: Make, command: Command, data: bytes) -> None:
    for batch in ([command], [command, Ping()]):
        for pieces in ([data + b"+PONG\r\n"], [*single_bytes(data), b"+PONG\r\n"]):
            with pytest.raises(WireError):
                any(map(make(*batch).receive, pieces))


def test_a_key_that_nobody_asked_for_is_told() -> None:
    data = b"VALUE l 3 1\r\nv\r\nVALUE m 3 1\r\nv\r\nEND\r\n"
    with pytest.raises(WireError, match="keys that nobody asked for") as raised:
        memcached(Get((b"k", b"m"))).receive(data)
    assert raised.value.evidence == b"b'l'"


@pytest.mark.parametrize(
    ("make", "command", "data"),
    [
        (redis, Ping(), b"+PONG\r\n"),
        (redis, Get((b"a", b"b")), b"*2\r\n$-1\r\n$-1\r\n"),
        (redis, Set((K,), None), b"+OK\r\n"),
        (memcached, Ping(), b"MN\r\n"),
        (memcached, Get((b"k",)), b"END\r\n"),
        (memcached, Set((K,), None), b"HD\r\n"),
    ],
)
def test_more_than_the_replies_is_refused(make: Make, command: Command, data: bytes) -> None:
    for more in (data, data[:1]):
        with pytest.raises(WireError, match="more replies than commands"):
            make(command).receive(data + more)


@pytest.mark.parametrize(
    ("make", "head", "missing"), [(redis, b"$9\r\n12", 9), (memcached, b"VALUE k 0 9\r\n12", 9)]
)
def test_a_talk_knows_how_much_is_missing(make: Make, head: bytes, missing: int) -> None:
    talk = make(Get((b"k",)))
    assert talk.missing == 1
    assert not talk.receive(head)
    assert talk.missing == missing
    assert talk.again().missing == 1


@pytest.mark.parametrize("make", [redis, memcached])
@pytest.mark.parametrize(
    ("command", "is_harmless"),
    [
        (Get((b"k",)), True),
        (Gets(b"k"), True),
        (Set((K,), None), True),
        (Set((K,), None, once=True), False),
        (SetIf(K, None, ABSENT), False),
        (Swap(K, Held(0, b"old", 7)), False),
        (Delete((b"k",)), True),
        (Touch(b"k", None), True),
        (Ttl(b"k"), True),
        (Flush(), True),
        (Ping(), True),
        (Identify(), True),
    ],
)
def test_only_what_may_be_done_twice_is_harmless(
    make: Make,
    command: Command,
    is_harmless: bool,  # noqa: FBT001 - a parameter
) -> None:
    assert make(command).is_harmless is is_harmless
    assert make(Ping(), command, Ping()).is_harmless is is_harmless


def test_counting_twice_is_not_harmless() -> None:
    assert not redis(Count(b"k", 1, None, None, 0)).is_harmless
    assert not memcached(CountIf(b"k", 1, None)).is_harmless


RUN = b"# Server\r\nredis_version:7\r\nrun_id:abc\r\nold_run_id:x"
HISTORY = b"# Replication\r\nrole:master\r\nmaster_replid:def\r\nmaster_replid2:000\r\n"


def identity(run: bytes, history: bytes) -> Any:
    data = b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(run), run, len(history), history)
    (found,) = spoken(redis, [Identify()], data)
    return found


def test_a_redis_is_known_by_its_run_and_its_history() -> None:
    request = resp.encode(b"INFO", b"server") + resp.encode(b"INFO", b"replication")
    assert redis(Identify()).request == request
    found = identity(RUN, HISTORY)
    assert len(found) == IDENTITY_SIZE == 12
    assert found == identity(b"run_id:abc", b"role:master\r\nmaster_replid:def")
    others = [
        identity(RUN.replace(b"abc", b"abd"), HISTORY),
        identity(RUN, HISTORY.replace(b"def", b"deg")),
        identity(RUN, HISTORY.replace(b"master\r", b"slave\r")),
        identity(RUN, b"# Replication\r\n"),
        identity(b"# Server\r\n", HISTORY),
        found,
    ]
    assert len(set(others)) == len(others)
    # A record with this beside its token lies on nodes for weeks.
    assert found.hex() == "57b47541f5bb0f1cc6dd1bf7"


def test_a_server_that_does_not_say_which_it_is_has_no_identity() -> None:
    assert identity(b"", b"") == b""
    assert identity(b"# Server\r\n", b"role:master\r\n") == b""


def test_a_redis_that_refuses_to_say_which_it_is_is_no_other() -> None:
    for data in (b"-NOPERM\r\n$0\r\n\r\n", b"$0\r\n\r\n-NOPERM\r\n", b"-NOPERM\r\n-X\r\n"):
        assert spoken(redis, [Identify()], data) == [Refused("NOPERM")]
    for data in (b":1\r\n$0\r\n\r\n", b"$0\r\n\r\n+OK\r\n", b"$-1\r\n$-1\r\n"):
        with pytest.raises(WireError):
            redis(Identify()).receive(data)


def test_redis_is_asked_for_more_keys_than_an_array_holds_in_parts() -> None:
    keys = [b"%d" % i for i in range(2**16 + 1)]
    talk = redis(Get(keys))
    assert talk.request == resp.encode_mget(keys[:-1]) + resp.encode_mget(keys[-1:])
    assert redis(Get(keys[:-1])).request == resp.encode_mget(keys[:-1])
    first = b"*65536\r\n$1\r\nv\r\n" + b"$-1\r\n" * 65535
    assert not talk.receive(first)
    assert talk.receive(b"*1\r\n$1\r\nw\r\n")
    assert talk.replies == [[(b"0", 0, b"v"), (b"65536", 0, b"w")]]
    refused = redis(Get(keys))
    assert refused.receive(first + b"-LOADING\r\n")
    assert refused.replies == [Refused("LOADING")]
    with pytest.raises(WireError):
        redis(Get(keys)).receive(first + b"+OK\r\n")


@pytest.mark.parametrize(
    ("ttl", "exptime"),
    [
        (None, 0),
        (0, -1),
        (-0.1, -1),
        (0.1, 2),
        (1, 2),
        (1.5, 3),
        (MONTH - 1, MONTH),
        (MONTH - 0.5, 1_700_000_001 + MONTH),
        (MONTH, 1_700_000_002 + MONTH),
        (BIG, YEAR_2038),
        (inf, YEAR_2038),
    ],
)
def test_memcached_never_ends_an_entry_early(ttl: float | None, exptime: int) -> None:
    assert exptime_of(ttl, NOW) == exptime


@pytest.mark.parametrize(
    ("ttl", "px"),
    [(0.001, 1), (0.0011, 2), (1, 1000), (1e12, MAX_PX), (1e12 - 1, MAX_PX - 1000), (inf, MAX_PX)],
)
def test_redis_never_ends_an_entry_early(ttl: float, px: int) -> None:
    assert px_of(ttl) == px


def test_limits_of_redis() -> None:
    assert MAX_PX == 10**15
    assert MAX_COUNT == 2**63 - 1
