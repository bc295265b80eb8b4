"""What a hit of a memoized function costs, in memory and on Redis.

Run as `python -m benchmarks.memoize`; see README.md here. Servers are started for the run.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cachetools
from dogpile.cache import make_region
from flask import Flask
from flask_caching import Cache as FlaskCaching

from benchmarks.bare import ask, open_sockets
from benchmarks.cache_ways import FLOOR, KCACHE, KEY, opened, place_of
from benchmarks.calls import Ways, measured, row_of
from benchmarks.environment import describe
from benchmarks.harness import Goal, Result, Row, pin_to_one_cpu
from benchmarks.report import Report, markdown, store
from kcache import Cache
from kcache.wire import resp
from tests.servers import Redis, redis

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("kcache-client", "redis", "hiredis", "cachetools", "dogpile.cache", "Flask-Caching")
_FLASK = "Flask-Caching"
_DOGPILE = "dogpile.cache"
_NOTES = (
    "Client and server run on one CPU, over loopback.",
    "The function takes a str and gives a str of 100 B; each call is a hit.",
    "A hit of Flask-Caching is two round trips: the function's version, then the entry.",
    "Entries of kcache live in the function's namespace: a hit is one round trip.",
)
_VALUE = "x" * 100
_TTL = 3600


@dataclass(frozen=True)
class Effort:
    """How much is done: calls in a round, and rounds."""

    calls: int
    rounds: int


_FULL, _QUICK = Effort(2000, 7), Effort(50, 2)


def _compute(_name: str) -> str:
    return _VALUE


def _kcache(cache: Cache) -> Any:
    return cache.memoize(ttl=_TTL, name="benchmark")(_compute)


def _dogpile(backend: str, **arguments: Any) -> Any:
    region = make_region().configure(backend, expiration_time=_TTL, arguments=arguments)
    return region.cache_on_arguments()(_compute)


def _flask(**config: Any) -> Any:
    app = Flask("benchmark")
    caching = FlaskCaching(app, config=config)
    app.app_context().push()
    return caching.memoize(_TTL)(_compute)


def _in_memory() -> Ways:
    table: cachetools.TTLCache[Any, str] = cachetools.TTLCache(100_000, _TTL)
    functions = {
        "floor: lru_cache": lru_cache(_compute),
        KCACHE: _kcache(Cache()),
        "cachetools and a lock": cachetools.cached(table, lock=threading.Lock())(_compute),
        _DOGPILE: _dogpile("dogpile.cache.memory"),
        _FLASK: _flask(CACHE_TYPE="SimpleCache"),
    }
    return {way: partial(function, KEY) for way, function in functions.items()}


def _on_redis(server: Redis) -> Ways:
    host, port = place_of(server)
    (sock,) = open_sockets([server.address])
    cache = opened([server])
    cache.set(KEY, _VALUE)
    functions = {
        KCACHE: _kcache(cache),
        _DOGPILE: _dogpile("dogpile.cache.redis", host=host, port=port),
        _FLASK: _flask(CACHE_TYPE="RedisCache", CACHE_REDIS_HOST=host, CACHE_REDIS_PORT=port),
    }
    hit = resp.encode_get(KEY.encode()), len(b"$100\r\n\r\n") + len(_VALUE)
    ways: Ways = {FLOOR: ask(sock, hit)}
    return ways | {way: partial(function, KEY) for way, function in functions.items()}


def _rows(server: Redis, effort: Effort) -> Iterator[Row]:
    # One after the other: the app that was opened last is the one that Flask-Caching asks.
    yield _row("memory", _in_memory(), 0.05, 10 * effort.calls, effort)
    yield _row("Redis", _on_redis(server), 0.1, effort.calls, effort)


def _row(where: str, ways: Ways, limit: float, times: int, effort: Effort) -> Row:
    goals = (Goal(KCACHE, limit, _FLASK),)
    return row_of(f"memoize hit, {where}", ways, goals, times, rounds=effort.rounds, ours={KCACHE})


def _run(effort: Effort) -> Report:
    environment = describe(_PACKAGES)
    with ExitStack() as stack:
        server = stack.enter_context(redis())
        results: tuple[Result, ...] = tuple(map(measured, _rows(server, effort)))
    return Report("memoize", "Memoized functions", environment, _NOTES, results, ())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every row, print the table, and store it unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memoize", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    quick = parser.parse_args(arguments).quick
    pin_to_one_cpu()
    report = _run(_QUICK if quick else _FULL)
    print(markdown(report))
    if not quick:
        store(report, _RESULTS)


if __name__ == "__main__":
    main()
