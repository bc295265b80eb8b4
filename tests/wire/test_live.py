"""Both protocols with real servers, whatever the pieces in which their replies come."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from kcache.wire import memcached as mc
from kcache.wire.memcached_parser import END, MemcachedParser, Meta, Value, parse_metas, parse_value
from kcache.wire.reply import ErrorReply, Status
from kcache.wire.resp import (
    OK,
    RespParser,
    encode,
    encode_get,
    encode_mget,
    encode_set,
    parse_bulk,
    parse_bulks,
)
from tests import servers
from tests.wire.live import Conversation
from tests.wire.streams import seeded

BINARY = bytes(range(256)) + b"\r\n+OK\r\n$3\r\nEND\r\n"
STRANGE = b"\xff\x80\xc3("
MN = Meta(b"MN")


def test_redis_replies_of_every_kind(redis: Conversation[RespParser]) -> None:
    assert redis.ask(
        encode_set(b"k", BINARY),
        encode_get(b"k"),
        encode_get(b"none"),
        encode_set(b"k", b"", 60_000, b"NX"),
        encode_set(b"empty", b"", 60_000),
        encode_mget([b"k", b"none", b"empty"]),
        encode(b"INCRBY", b"n", -5),
        encode(b"INCR", b"k"),
        encode(b"NOSUCH", b"\r\n"),
        encode(b"TTL", b"none"),
        encode(b"EVAL", b"return {1, {'a', false, {}}, {err='E x'}, {ok='fine'}}", 0),
    ) == [
        OK,
        BINARY,
        None,
        None,
        OK,
        [BINARY, None, b""],
        -5,
        ErrorReply(b"ERR value is not an integer or out of range"),
        ErrorReply(b"ERR unknown command 'NOSUCH', with args beginning with: '  ' "),
        -2,
        [1, [b"a", None, []], ErrorReply(b"E x"), Status(b"fine")],
    ]


def test_redis_keys_are_data(redis: Conversation[RespParser]) -> None:
    keys = [b"", b"\r\n", b"*1\r\n$8\r\nFLUSHALL\r\n", b" ", b"\x00", STRANGE, b"x" * 10_000]
    redis.ask(encode_set(b"canary", b"alive"))
    assert redis.ask(*[encode_set(key, b"v" + key) for key in keys]) == [OK] * len(keys)
    assert redis.ask(*map(encode_get, keys)) == [b"v" + key for key in keys]
    assert redis.ask(encode_mget(keys)) == [[b"v" + key for key in keys]]
    assert redis.ask(encode(b"DBSIZE"), encode_get(b"canary")) == [len(keys) + 1, b"alive"]


def test_redis_replies_together(redis: Conversation[RespParser]) -> None:
    commands = [encode_set(b"k%d" % i, b"%d" % i, 1000 + i) for i in range(200)]
    commands += [encode_get(b"k%d" % i) for i in range(202)]
    redis.ask(b"".join(commands), replies=0)
    replies = redis.read(partial(redis.parser.next_replies, len(commands)))
    assert replies == [OK] * 200 + [b"%d" % i for i in range(200)] + [None, None]


def test_what_redis_sends_takes_the_fast_path(redis: Conversation[RespParser]) -> None:
    redis.ask(encode_set(b"k", BINARY))
    assert parse_bulk(redis.raw(encode_get(b"k"), BINARY + b"\r\n")) == BINARY
    assert parse_bulk(redis.raw(encode_get(b"none"), b"\r\n")) is None
    data = redis.raw(encode_mget([b"none", b"k"]), BINARY + b"\r\n")
    assert parse_bulks(data) == [None, BINARY]


def test_memcached_text(memcached: Conversation[MemcachedParser]) -> None:
    for key in (b"k", STRANGE, b"x" * 250):
        assert memcached.ask(mc.encode_ms(key, BINARY, 2**32 - 1)) == [Meta(b"HD")]
        found = memcached.ask(mc.encode_get(key), replies=2)
        assert found == [Value(key, 2**32 - 1, BINARY), END]
    first, last = memcached.ask(mc.encode_gets([b"k", b"none"]), replies=2)
    assert first.data == BINARY
    assert first.cas > 0
    assert last is END
    assert memcached.ask(mc.encode_get(b"none")) == [END]
    assert memcached.ask(mc.VERSION)[0].text.startswith(b"VERSION 1.")
    assert memcached.ask(mc.FLUSH_ALL) == [Status(b"OK")]
    assert memcached.ask(b"nonsense\r\n", mc.MN) == [ErrorReply(b"ERROR"), MN]


def test_memcached_meta(memcached: Conversation[MemcachedParser]) -> None:
    assert memcached.ask(
        mc.encode_mg(b"k", b"vf", opaque=1),
        mc.encode_ms(b"k", b"new", mode=b"R", opaque=2),
        mc.encode_ms(b"k", BINARY, 9, 60, mode=b"E", opaque=3),
        mc.encode_ms(b"k", b"new", mode=b"E", opaque=4),
        mc.encode_mg(b"k", b"vft", opaque=5),
        mc.encode_ms(b"k", b"new", cas=1, opaque=6),
        mc.encode_ms(b"none", b"new", cas=1, want=b"k", opaque=7),
        mc.encode_mg(b"k", b"", exptime=0),
        mc.encode_mg(b"k", b"t"),
        mc.encode_md(b"k", cas=1, opaque=8),
        mc.encode_md(b"k", opaque=9),
        mc.encode_md(b"k", opaque=10),
        mc.encode_mg(STRANGE, b"k"),
    ) == [
        Meta(b"EN", (b"O1",)),
        Meta(b"NS", (b"O2",)),
        Meta(b"HD", (b"O3",)),
        Meta(b"NS", (b"O4",)),
        Meta(b"VA", (b"f9", b"t60", b"O5"), BINARY),
        Meta(b"EX", (b"O6",)),
        Meta(b"NF", (b"knone", b"O7")),
        Meta(b"HD"),
        Meta(b"HD", (b"t-1",)),
        Meta(b"EX", (b"O8",)),
        Meta(b"HD", (b"O9",)),
        Meta(b"NF", (b"O10",)),
        Meta(b"EN", (b"k" + STRANGE,)),
    ]


def test_memcached_cas(memcached: Conversation[MemcachedParser]) -> None:
    (stored,) = memcached.ask(mc.encode_ms(b"k", b"1", want=b"c"))
    token = int(stored.flag(b"c"))
    assert memcached.ask(mc.encode_mg(b"k", b"c")) == [Meta(b"HD", (b"c%d" % token,))]
    first, second = memcached.ask(
        mc.encode_ms(b"k", b"2", cas=token), mc.encode_ms(b"k", b"3", cas=token)
    )
    assert (first.code, second.code) == (b"HD", b"EX")


def test_memcached_arithmetic(memcached: Conversation[MemcachedParser]) -> None:
    assert memcached.ask(
        mc.encode_ma(b"n", 5, opaque=1),
        mc.encode_ma(b"n", 5, initial=100, vivify=60, want=b"vt"),
        mc.encode_ma(b"n"),
        mc.encode_ma(b"n", 200, decrement=True),
        mc.encode_ma(b"n", 2**64 - 1),
        mc.encode_ma(b"n", 2),
        mc.encode_ma(b"n", 1, cas=1, opaque=2),
        mc.encode_ms(b"s", b"text"),
        mc.encode_ma(b"s", opaque=3),
    ) == [
        Meta(b"NF", (b"O1",)),
        Meta(b"VA", (b"t60",), b"100"),
        Meta(b"VA", (), b"101"),
        Meta(b"VA", (), b"0"),
        Meta(b"VA", (), b"%d" % (2**64 - 1)),
        Meta(b"VA", (), b"1"),
        Meta(b"EX", (b"O2",)),
        Meta(b"HD"),
        # Errors come without the opaque.
        ErrorReply(b"CLIENT_ERROR cannot increment or decrement non-numeric value"),
    ]


def test_memcached_many_and_quiet(memcached: Conversation[MemcachedParser]) -> None:
    items = [(b"k%d" % i, b"%d" % i, i, 0) for i in range(100)]
    assert memcached.ask(mc.encode_set_many(items), replies=100) == [Meta(b"HD")] * 100
    memcached.ask(mc.encode_get_many([b"k%d" % i for i in range(102)]), replies=0)
    values = memcached.read(memcached.parser.next_values)
    assert values == [(key, flags, value) for key, value, flags, _ in items]
    assert memcached.ask(
        mc.encode_mg(b"none", opaque=1, quiet=True),
        mc.encode_mg(b"k7", b"v", opaque=2, quiet=True),
        mc.encode_md(b"k7", opaque=3, quiet=True),
        mc.encode_ms(b"k8", b"", mode=b"E", opaque=4, quiet=True),
        mc.encode_ms(b"k7", b"", mode=b"E", opaque=5, quiet=True),
        mc.MN,
        replies=3,
    ) == [Meta(b"VA", (b"O2",), b"7"), Meta(b"NS", (b"O4",)), MN]


def test_a_value_too_large_leaves_memcached_in_step(
    memcached: Conversation[MemcachedParser],
) -> None:
    large = b"x" * (2 << 20)
    refused = ErrorReply(b"SERVER_ERROR object too large for cache")
    memcached.ask(mc.encode_ms(b"k", b"old"))
    assert memcached.ask(mc.encode_ms(b"k", large, opaque=1), mc.MN) == [refused, MN]
    assert memcached.ask(mc.encode_get(b"k")) == [END]
    items = [(b"a", b"1", 0, 0), (b"k", large, 0, 0), (b"b", b"2", 0, 0)]
    done = Meta(b"HD")
    assert memcached.ask(mc.encode_set_many(items), replies=3) == [done, refused, done]
    memcached.ask(mc.encode_get_many([b"a", b"k", b"b"]), replies=0)
    values = memcached.read(memcached.parser.next_values)
    assert values == [(b"a", 0, b"1"), (b"b", 0, b"2")]


def test_what_memcached_sends_takes_the_fast_path(memcached: Conversation[MemcachedParser]) -> None:
    memcached.ask(mc.encode_ms(b"k", BINARY, 7))
    data = memcached.raw(mc.encode_get(b"k"), BINARY + b"\r\nEND\r\n")
    assert parse_value(data) == Value(b"k", 7, BINARY)
    both = mc.encode_mg(b"none") + mc.encode_mg(b"k")
    assert parse_metas(memcached.raw(both, BINARY + b"\r\n"), 2) == [
        Meta(b"EN"),
        Meta(b"VA", (b"f7",), BINARY),
    ]


def test_memcached_asks_for_a_password(tmp_path: Path) -> None:
    refused = ErrorReply(b"CLIENT_ERROR unauthenticated")
    failed = ErrorReply(b"CLIENT_ERROR authentication failure")
    with (
        servers.memcached(tmp_path / "sock", username="user", password="p:w") as server,
        servers.connection(server.address) as sock,
    ):
        conversation = Conversation(sock, MemcachedParser(), 1 << 16)
        assert conversation.ask(mc.encode_mg(b"k")) == [refused]
        assert conversation.ask(mc.encode_auth(b"user", b"wrong")) == [failed]
        assert conversation.ask(mc.encode_ms(b"k", b"x")) == [refused]
        assert conversation.ask(mc.encode_auth(b"user", b"p:w")) == [Status(b"STORED")]
        assert conversation.ask(mc.encode_mg(b"k")) == [Meta(b"EN")]


def test_every_key_that_is_let_through_is_one_key(memcached: Conversation[MemcachedParser]) -> None:
    random = seeded(21)
    allowed = bytes(byte for byte in range(256) if byte > 0x20 and byte != 0x7F)
    keys = {bytes([byte]) for byte in allowed}
    keys |= {bytes(random.choices(allowed, k=random.randint(1, 250))) for _ in range(300)}
    items = [(key, b"v" + key, 0, 0) for key in sorted(keys)]
    memcached.ask(mc.encode_ms(b"canary", b"alive"))
    stored = memcached.ask(mc.encode_set_many(items), replies=len(items))
    assert stored == [Meta(b"HD")] * len(items)
    memcached.ask(mc.encode_get_many([key for key, *_ in items]), replies=0)
    values = memcached.read(memcached.parser.next_values)
    assert values == [(key, 0, value) for key, value, *_ in items]
    assert memcached.ask(mc.encode_get(b"canary"), replies=2)[0].data == b"alive"


def test_servers_that_speak_another_protocol_are_noticed(
    redis: Conversation[RespParser], memcached: Conversation[MemcachedParser]
) -> None:
    assert redis.raw(mc.encode_get(b"k"), b"\r\n").startswith(b"$-1")
    for command in (mc.encode_mg(b"k"), mc.VERSION):
        assert redis.raw(command, b"\r\n").startswith(b"-ERR unknown command")
    assert memcached.raw(encode(b"PING"), b"ERROR\r\n" * 3) == b"ERROR\r\n" * 3
