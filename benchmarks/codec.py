"""What it costs to turn values into bytes and back: codecs, entries, keys, compression.

Run as `python -m benchmarks.codec`; see README.md here.
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import ormsgpack

from benchmarks.environment import describe
from benchmarks.harness import Contender, Goal, Result, Row, Work, measure, pin_to_one_cpu
from benchmarks.report import Report, markdown, store
from kcache.codec import SafeCodec
from kcache.compress import Compression
from kcache.entry import Entries
from kcache.key import wire_key

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("kcache-client", "ormsgpack", "msgpack", "msgspec", "lz4", "zstandard")
_SAFE = "kcache, SafeCodec"
_PEERS = ("pickle", "json")

_NOTES = (
    "The bare libraries stand for what was to choose from: none of them is exact by itself.",
    "`ormsgpack, plain types` refuses all but what MessagePack has, as SafeCodec uses it.",
    "pickle is protocol 5. json and msgspec turn tuples into lists; json cannot hold bytes.",
    "Where a value holds types that MessagePack lacks, only pickle gives it back as well.",
    "A call of Python's own is part of every figure.",
)

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class Way:
    """One way to encode and decode."""

    name: str
    encode: Function
    decode: Function


@dataclass(frozen=True)
class Effort:
    """How many calls a reading is of, and how many readings are taken."""

    calls: int
    rounds: int


_FULL = Effort(5_000, 31)
_QUICK = Effort(200, 5)

_PLAIN_ONLY = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
_codec = SafeCodec()


def _pickled(value: Any) -> bytes:
    return pickle.dumps(value, 5)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _ormsgpack(value: Any) -> bytes:
    return ormsgpack.packb(value, None, _PLAIN_ONLY)


def _unmsgpack(data: bytes) -> Any:
    return msgpack.unpackb(data, strict_map_key=False)


_WAYS = (
    Way("ormsgpack, plain types", _ormsgpack, ormsgpack.unpackb),
    Way("msgpack, strict", msgpack.Packer(strict_types=True).pack, _unmsgpack),
    Way("msgspec", msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode),
    Way("json", _json, json.loads),
    Way("pickle", _pickled, pickle.loads),
    Way(_SAFE, _codec.encode, _codec.decode),
)

_PERSON = {
    "id": 12345,
    "name": "Ada Lovelace",
    "email": "ada@example.org",
    "admin": False,
    "score": 3.75,
}
_PEOPLE = [{**_PERSON, "id": i} for i in range(100)]
_NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
_VALUES: Mapping[str, Any] = {
    "small dict": _PERSON,
    "list of 100 dicts": _PEOPLE,
    "str of 100 B": "x" * 100,
    "bytes of 10 KB": bytes(10_240),
    "nested": {"user": _PERSON, "roles": ["a", "b"], "deep": {"er": {"still": [1, [2, [3]]]}}},
    "small dict with bytes": {**_PERSON, "digest": bytes(16)},
    "small dict with a datetime": {**_PERSON, "at": _NOON},
    "list of 100 tuples": [tuple(person.values()) for person in _PEOPLE],
}
_LONG = {"list of 100 dicts", "list of 100 tuples"}


def _calls(function: Function, given: Any, number: int) -> Work:
    def work() -> None:
        for _ in range(number):
            function(given)

    return work


def _contender(name: str, function: Function, given: Any, number: int) -> Contender:
    return Contender(name, lambda: _calls(function, given, number))


def _exact(value: Any) -> list[Way]:
    """The ways that give this value back as it was."""

    def is_exact(way: Way) -> bool:
        try:
            return repr(way.decode(way.encode(value))) == repr(value)
        except (TypeError, ValueError):
            return False

    found = [way for way in _WAYS if is_exact(way)]
    if _SAFE not in {way.name for way in found}:
        raise SystemExit(f"SafeCodec does not give {value!r} back")
    return found


def _codec_rows(effort: Effort) -> Iterable[Row]:
    for what, value in _VALUES.items():
        number = max(1, effort.calls // 50) if what in _LONG else effort.calls
        ways = _exact(value)
        names = [way.name for way in ways]
        encoders = [_contender(way.name, way.encode, value, number) for way in ways]
        decoders = [_contender(way.name, way.decode, way.encode(value), number) for way in ways]
        for verb, contenders in (("encode", encoders), ("decode", decoders)):
            yield Row(
                f"{verb} {what}",
                tuple(contenders),
                operations=number,
                floor=names[0] if names[0] != "pickle" else None,
                peers=tuple(name for name in _PEERS if name in names),
                goals=() if "msgpack" not in names[0] else (Goal(_SAFE, 1.0, "pickle"),),
                rounds=effort.rounds,
            )


def _entry_rows(effort: Effort) -> Iterable[Row]:
    entries = Entries()
    for what, value in {
        "str of 100 B": "x" * 100,
        "bytes of 100 B": b"\xfe" * 100,
        "int": 123_456,
        "small dict": _PERSON,
    }.items():
        flags, data = entries.to_memcached(value)
        raw, framed = entries.to_redis(value), entries.frame(value, bytes(44))
        raw_goal = [] if isinstance(value, dict) else [("memcached", 0.4)]
        raw_goal += [("Redis", 0.4)] if isinstance(value, (str, int)) else []
        writers: dict[str, Function] = {
            "memcached": entries.to_memcached,
            "Redis": entries.to_redis,
            "in a namespace": partial(entries.frame, stamp=bytes(44)),
        }
        readers: dict[str, tuple[Function, Any]] = {
            "memcached": (partial(entries.from_memcached, flags), data),
            "Redis": (entries.from_redis, raw),
            "in a namespace": (entries.unframe, framed),
        }
        goals = tuple(Goal(name, limit) for name, limit in raw_goal)
        writing = [_contender(n, f, value, effort.calls) for n, f in writers.items()]
        reading = [_contender(n, f, given, effort.calls) for n, (f, given) in readers.items()]
        for verb, contenders in (("write", writing), ("read", reading)):
            name = f"{verb} an entry, {what}"
            yield Row(name, tuple(contenders), effort.calls, goals=goals, rounds=effort.rounds)


def _key_row(effort: Effort) -> Row:
    keys: Mapping[str, str | bytes] = {
        "str": "user:1234567:profile",
        "bytes": b"user:1234567:profile",
        "str that is not ASCII": "user:josé:profile",
        "hashed": "two words",
    }
    contenders = [_contender(name, wire_key, key, effort.calls) for name, key in keys.items()]
    encode = Contender(
        "floor: str.encode", lambda: _calls(str.encode, "user:1234567:profile", effort.calls)
    )
    return Row(
        "a key",
        (encode, *contenders),
        effort.calls,
        floor=encode.name,
        rounds=effort.rounds,
    )


def _text(size: int) -> bytes:
    choice = random.Random(size)  # noqa: S311 - a text, not a secret
    people = ({**_PERSON, "id": choice.randrange(10**6)} for _ in range(size // 60))
    return json.dumps([{**p, "score": choice.random()} for p in people]).encode()[:size]


def _compression_rows(effort: Effort) -> Iterable[Row]:
    plans = {name: Compression(name, threshold=0) for name in ("lz4", "zstd", "zlib")}
    for size in (10_000, 100_000):
        number = max(1, effort.calls * 100 // size)
        text, noise = _text(size), random.Random(1).randbytes(size)  # noqa: S311 - the same
        packed = {name: plan.compress(text) for name, plan in plans.items()}
        shares = {n: f"{n}, to {len(data) / size:.0%}" for n, (_, data) in packed.items()}
        for what, given in (("JSON", text), ("noise", noise)):
            contenders = [
                _contender(shares[name] if what == "JSON" else name, plan.compress, given, number)
                for name, plan in plans.items()
            ]
            name = f"compress {size // 1000} KB of {what}"
            yield Row(name, tuple(contenders), number, rounds=effort.rounds)
        expanders = [
            _contender(shares[name], partial(_expanded, plan), packed[name], number)
            for name, plan in plans.items()
        ]
        name = f"expand {size // 1000} KB of JSON"
        yield Row(name, tuple(expanders), number, rounds=effort.rounds)


def _expanded(plan: Compression, packed: tuple[int, bytes]) -> bytes:
    return plan.expand(*packed)


def _rows(effort: Effort) -> Iterable[Row]:
    yield from _codec_rows(effort)
    yield from _entry_rows(effort)
    yield _key_row(effort)
    yield from _compression_rows(effort)


def _measured(row: Row) -> Result:
    _say(row.name)
    return measure(row)


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every row, print the tables, and store them unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codec", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    quick = parser.parse_args(arguments).quick
    pin_to_one_cpu()
    environment = describe(_PACKAGES)
    results = tuple(_measured(row) for row in _rows(_QUICK if quick else _FULL))
    report = Report("codec", "Values to bytes and back", environment, _NOTES, results)
    print(markdown(report))
    if not quick:
        for path in store(report, _RESULTS):
            _say(f"stored {path.relative_to(_RESULTS.parent)}")


if __name__ == "__main__":
    main()
