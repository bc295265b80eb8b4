"""What it costs to make commands out of keys and values, and replies out of bytes.

Run as `python -m benchmarks.wire`; see README.md here. No server takes part: the contenders are
given the bytes that one would send, in the pieces in which a socket would bring them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hiredis
from pymemcache.client.base import Client
from redis._parsers import _RESP2Parser
from redis.connection import Connection

from benchmarks.environment import describe
from benchmarks.harness import Contender, Goal, Result, Row, Work, measure, pin_to_one_cpu
from benchmarks.report import Report, markdown, store
from kcache.wire import memcached as mc
from kcache.wire import resp
from kcache.wire.memcached_parser import MemcachedParser, Meta, Value, parse_metas, parse_value
from kcache.wire.reply import Status

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("kcache-client", "hiredis", "redis", "pymemcache")
_AT_ONCE = "kcache, at once"
_PARSER = "kcache, parser"
_HIREDIS = "hiredis (C)"
_REDIS_PY = "redis-py"
_PYMEMCACHE = "pymemcache"
_RECEIVED = 1 << 16
_MANY = 100

_NOTES = (
    "`kcache, at once` reads what one receive brought, without a parser.",
    "Parsers and readers last over all replies, as they do on a connection.",
    "redis-py's is its parser in Python, pymemcache its whole `get_many`.",
    "Both read from an object that stands in for the socket: no system call is in any figure.",
    "100 values are of 90 to 109 bytes.",
)

Parse = Callable[[Sequence[bytes]], object]
"""From the pieces of a stream to what they say."""


@dataclass(frozen=True)
class Effort:
    """How much is done: replies in a round where they are small, and rounds."""

    replies: int
    rounds: int


_FULL = Effort(2000, 31)
_QUICK = Effort(200, 5)


class _Socket:
    """Has been sent bytes; each receive brings a piece of them."""

    def __init__(self) -> None:
        self.pieces: Iterator[bytes] = iter(())

    def recv(self, _size: int) -> bytes:
        return next(self.pieces)

    def sendall(self, data: bytes) -> None:
        """Send nothing."""

    def settimeout(self, seconds: float | None) -> None:
        """Wait for nothing."""


def _resp(count: int | None = None) -> Parse:
    parser = resp.RespParser()

    def parse(pieces: Sequence[bytes]) -> object:
        for piece in pieces:
            parser.feed(piece)
            reply = parser.next_reply() if count is None else parser.next_replies(count)
        return reply

    return parse


def _hiredis(count: int | None = None) -> Parse:
    reader = hiredis.Reader()

    def parse(pieces: Sequence[bytes]) -> object:
        for piece in pieces:
            reader.feed(piece)
            reply = reader.gets() if count is None else [reader.gets() for _ in range(count)]
        return reply

    return parse


def _redis_py(count: int | None = None) -> Parse:
    sock = _Socket()
    parser: Any = _RESP2Parser(_RECEIVED)  # type: ignore[no-untyped-call]  # it has none
    encoder: Any = Connection().encoder  # type: ignore[no-untyped-call]  # the same
    parser.on_connect(SimpleNamespace(_sock=sock, socket_timeout=None, encoder=encoder))

    def parse(pieces: Sequence[bytes]) -> object:
        sock.pieces = iter(pieces)
        if count is None:
            return parser.read_response()
        return [parser.read_response() for _ in range(count)]

    return parse


def _pymemcache(keys: Sequence[bytes]) -> Parse:
    client = Client("127.0.0.1")
    sock = _Socket()
    client.sock = sock

    def parse(pieces: Sequence[bytes]) -> object:
        sock.pieces = iter(pieces)
        return client.get_many(keys)

    return parse


def _values() -> Parse:
    parser = MemcachedParser()

    def parse(pieces: Sequence[bytes]) -> object:
        for piece in pieces:
            parser.feed(piece)
            values = parser.next_values()
        return values

    return parse


def _memcached_replies(count: int) -> Parse:
    parser = MemcachedParser()

    def parse(pieces: Sequence[bytes]) -> object:
        for piece in pieces:
            parser.feed(piece)
        return [parser.next_reply() for _ in range(count)]

    return parse


def _calls(call: Callable[[], object], times: int) -> Work:
    def work() -> None:
        for _ in range(times):
            call()

    return work


@dataclass(frozen=True)
class Reading:
    """Bytes, and those who read them.

    Attributes:
        name: of the row.
        data: what the server sends.
        says: what it means, as `_plain` puts it.
        ways: contenders by name.
        share: how many of a round's replies are read; long ones need fewer.
        peer: whose cost kcache's must not exceed.
    """

    name: str
    data: bytes
    says: object
    ways: dict[str, Parse]
    share: float = 1.0
    peer: str | None = None

    def row(self, effort: Effort) -> Row:
        """The row to measure, once it is seen that all contenders read the same."""
        pieces = [self.data[i : i + _RECEIVED] for i in range(0, len(self.data), _RECEIVED)]
        for name, parse in self.ways.items():
            if _plain(parse(pieces)) != self.says:
                raise AssertionError(f"{name} misreads {self.name}")
        times = max(10, int(effort.replies * self.share))
        return _row(
            self.name,
            {
                name: partial(_calls, partial(parse, pieces), times)
                for name, parse in self.ways.items()
            },
            times,
            effort,
            self.peer,
        )


def _row(
    name: str, ways: Mapping[str, Callable[[], Work]], times: int, effort: Effort, peer: str | None
) -> Row:
    return Row(
        name,
        tuple(Contender(way, prepare) for way, prepare in ways.items()),
        operations=times,
        peers=tuple(way for way in ways if not way.startswith("kcache")),
        goals=() if peer is None else (Goal(next(iter(ways)), 1.0, peer),),
        rounds=effort.rounds,
    )


def _plain(reply: object) -> object:
    """A reply without the types that each contender has of its own."""
    match reply:
        case Status():
            return reply.text
        case Value() | Meta():
            return reply.data
        case (bytes(), int(), bytes() as data):
            return data
        case list():
            return [_plain(item) for item in reply]
        case dict():
            return list(reply.values())
    return reply


def _resp_readings() -> Iterator[Reading]:
    short, long, values = _bodies()
    once: dict[str, Parse] = {_AT_ONCE: lambda pieces: resp.parse_bulk(pieces[0])}
    array: dict[str, Parse] = {_AT_ONCE: lambda pieces: resp.parse_bulks(pieces[0])}
    bulks = b"".join(map(_bulk, values))
    rows: tuple[tuple[str, bytes, object, dict[str, Parse], float], ...] = (
        ("a bulk of 100 B", _bulk(short), short, once, 1.0),
        ("a null", b"$-1\r\n", None, once, 1.0),
        ("an integer", b":12345\r\n", 12345, {}, 1.0),
        ("an array of 100 bulks of 100 B", b"*100\r\n" + bulks, values, array, 0.03),
        ("a bulk of 100 KB, received in 64 KB", _bulk(long), long, {}, 0.05),
    )
    for name, data, says, quick, share in rows:
        ways = {**quick, _PARSER: _resp(), _HIREDIS: _hiredis(), _REDIS_PY: _redis_py()}
        yield Reading(f"RESP: {name}", data, says, ways, share, _REDIS_PY)
    for name, data, replies in (
        ("100 replies, all OK", b"+OK\r\n" * _MANY, [b"OK"] * _MANY),
        ("100 replies, bulks of 100 B", bulks, values),
    ):
        ways = {
            _PARSER: _resp(_MANY),
            _HIREDIS: _hiredis(_MANY),
            _REDIS_PY: _redis_py(_MANY),
        }
        yield Reading(f"RESP: {name}", data, replies, ways, 0.03, _REDIS_PY)


def _memcached_readings() -> Iterator[Reading]:
    short, long, values = _bodies()
    keys = _keys()
    once: dict[str, Parse] = {_AT_ONCE: lambda pieces: [parse_value(pieces[0])]}
    hits = b"".join(map(_hit, keys, values)) + b"END\r\n"
    rows: tuple[tuple[str, bytes, list[bytes], dict[str, Parse], float], ...] = (
        ("a value of 100 B", _hit(keys[0], short) + b"END\r\n", [short], once, 1.0),
        ("100 values of 100 B", hits, values, {}, 0.03),
        (
            "a value of 100 KB, received in 64 KB",
            _hit(keys[0], long) + b"END\r\n",
            [long],
            {},
            0.05,
        ),
    )
    for name, data, says, quick, share in rows:
        ways = {**quick, _PARSER: _values(), _PYMEMCACHE: _pymemcache(keys[: len(says)])}
        yield Reading(f"memcached: {name}", data, says, ways, share, _PYMEMCACHE)
    for name, data, metas in (
        ("a meta value of 100 B", _VA % (len(short), short), [short]),
        ("meta HD", b"HD\r\n", [None]),
        ("two meta values", _VA % (8, short[:8]) + _VA % (len(short), short), [short[:8], short]),
    ):
        at_once = partial(_metas, len(metas))
        ways = {_AT_ONCE: at_once, _PARSER: _memcached_replies(len(metas))}
        yield Reading(f"memcached: {name}", data, metas, ways)


_VA = b"VA %d f0\r\n%b\r\n"


def _metas(count: int, pieces: Sequence[bytes]) -> object:
    return parse_metas(pieces[0], count)


def _bodies() -> tuple[bytes, bytes, list[bytes]]:
    return b"x" * 100, bytes(range(256)) * 400, [b"x" * (90 + i % 20) for i in range(_MANY)]


def _keys() -> list[bytes]:
    return [b"user:%d" % (10**9 + i) for i in range(_MANY)]


def _bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def _hit(key: bytes, value: bytes) -> bytes:
    return b"VALUE %b 0 %d\r\n%b\r\n" % (key, len(value), value)


def _writings(effort: Effort) -> Iterator[Row]:
    """Rows of making commands."""
    keys, value = _keys(), b"x" * 100
    key = keys[0]
    items = [(key, value, 0, 60) for key in keys]
    packer: Any = Connection()  # type: ignore[no-untyped-call]  # it has no types
    pack: Any = hiredis.pack_command
    for name, ours, parts in (
        ("GET", lambda: resp.encode_get(key), (b"GET", key)),
        (
            "SET of 100 B",
            lambda: resp.encode_set(key, value, 60_000),
            (b"SET", key, value, b"PX", 60_000),
        ),
        ("MGET of 100 keys", lambda: resp.encode_mget(keys), (b"MGET", *keys)),
    ):
        calls: dict[str, Callable[[], object]] = {
            "kcache": ours,
            "kcache, any command": partial(resp.encode, *parts),
            _HIREDIS: partial(pack, parts),
            _REDIS_PY: partial(packer.pack_command, *parts),
        }
        yield _writing(f"RESP: {name}, made", calls, effort, 0.5 if len(parts) < _MANY else 0.05)
    for name, call, share in (
        ("get", lambda: mc.encode_get(key), 1.0),
        ("meta get", lambda: mc.encode_mg(key), 1.0),
        ("meta set of 100 B", lambda: mc.encode_ms(key, value, 0, 60), 1.0),
        ("get of 100 keys", lambda: mc.encode_get_many(keys), 0.05),
        ("100 quiet meta sets of 100 B", lambda: mc.encode_set_many(items), 0.05),
    ):
        yield _writing(f"memcached: {name}, made", {"kcache": call}, effort, share)


def _writing(
    name: str, calls: dict[str, Callable[[], object]], effort: Effort, share: float
) -> Row:
    made = {b"".join(told) if isinstance(told := call(), list) else told for call in calls.values()}
    if len(made) != 1:
        raise AssertionError(f"the contenders do not agree on {name}: {made}")
    times = max(10, int(effort.replies * share))
    ways = {way: partial(_calls, call, times) for way, call in calls.items()}
    return _row(name, ways, times, effort, _REDIS_PY if _REDIS_PY in calls else None)


def _run(effort: Effort) -> Report:
    environment = describe(_PACKAGES)
    rows = [reading.row(effort) for reading in (*_resp_readings(), *_memcached_readings())]
    rows += _writings(effort)
    return Report("wire", "The wire", environment, _NOTES, tuple(map(_measured, rows)))


def _measured(row: Row) -> Result:
    _say(row.name)
    return measure(row)


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every row, print the tables, and store them unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    quick = parser.parse_args(arguments).quick
    pin_to_one_cpu()
    report = _run(_QUICK if quick else _FULL)
    print(markdown(report))
    if not quick:
        for path in store(report, _RESULTS):
            _say(f"stored {path.relative_to(_RESULTS.parent)}")


if __name__ == "__main__":
    main()
