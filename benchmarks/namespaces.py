"""What a namespace costs, beside plain keys, and what it takes to drop one.

Run as `python -m benchmarks.namespaces`; see README.md here. Servers are started for the run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cache_ways, namespaces_ways
from benchmarks.cache_ways import FLOOR, KCACHE
from benchmarks.calls import Ways, measured, row_of, say
from benchmarks.chart import Chart, Style, lines_of
from benchmarks.environment import describe
from benchmarks.harness import Goal, Result, Row, pin_to_one_cpu
from benchmarks.namespaces_invalidating import (
    CLEAR,
    DELETE_MEMOIZED,
    ON_MEMCACHED,
    ON_REDIS,
    SCAN,
    Grounds,
    Namespaces,
    entries_row,
)
from benchmarks.namespaces_memory import memory_rows
from benchmarks.namespaces_ways import NAMESPACE, SAME_BYTES
from benchmarks.report import Report, markdown, store
from kcache.known import MAX_KNOWN
from tests.servers import Memcached, Redis, memcached, redis

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("kcache-client", "redis", "hiredis", "pymemcache", "Flask-Caching")
_NODES = 4
_VALUE = "x" * 100
_MANY = 100
_LARGE = 1_000_000
_REDIS_OPTIONS = ("--enable-debug-command", "local")
_MEMCACHED_OPTIONS = ("-m", "2048")
_NOTES = (
    "Client and servers run on one CPU, over loopback.",
    (
        "`floor: bare socket` sends what a plain key takes, `floor: in a namespace` what an entry "
        "and two version records take."
    ),
    (
        "A hit of Flask-Caching's `memoize` is two round trips: the function's version, then the "
        "entry. It was not measured on memcached."
    ),
    (
        "Entries are dropped by one call on one node in each reading. Before that one call more "
        "warms up; what the peers have dropped is stored again, and kcache's entries are made "
        "alive again. `delete_memoized` is about one function, on a server that holds as many "
        "keys. The floor replaces one record."
    ),
    (
        "Namespaces in use each have a record and an entry on the node; one of them is dropped "
        "again and again."
    ),
    (
        "Memory on a server is that of a namespace's record, which lives 30 days, without entries: "
        "Redis counts its tables and what its allocator rounds up, memcached the items alone."
    ),
    (
        "A namespace that is kept and has read also holds what it needs for that node, and the "
        f"figure includes its token. A process remembers at most {MAX_KNOWN:,} tokens for a node, "
        "and some thousands of keys' owners and of records besides."
    ),
)
_LINES = {
    FLOOR: Style("#6e6e6e", dash="--"),
    ON_REDIS: Style("#0072b2", width=2.6),
    ON_MEMCACHED: Style("#56b4e9", width=2.6),
}
_PEERS = {
    DELETE_MEMOIZED: Style("#009e73"),
    CLEAR: Style("#e69f00"),
    SCAN: Style("#d55e00"),
}


@dataclass(frozen=True)
class Effort:
    """How much is done: calls in a round, rounds, and how far the charts go."""

    calls: int
    rounds: int
    sizes: tuple[int, ...]
    remembered: tuple[int, int]


_FULL = Effort(1000, 7, (1, 100, 10_000, _LARGE), (MAX_KNOWN, 100_000))
_QUICK = Effort(50, 1, (1, 1000), (200, 1000))


@dataclass(frozen=True)
class Fleet:
    """The servers of a run."""

    redises: Sequence[Redis]
    memcacheds: Sequence[Memcached]


def _row(name: str, calls: Ways, limit: float | None, times: int, effort: Effort) -> Row:
    goals = () if limit is None else (Goal(NAMESPACE, limit, KCACHE),)
    ours = {KCACHE, NAMESPACE, SAME_BYTES}
    return row_of(name, calls, goals, times, rounds=effort.rounds, ours=ours)


def _single(fleet: Fleet, effort: Effort) -> Iterator[Row]:
    on_redis = namespaces_ways.one_on_redis(fleet.redises[0], _VALUE)
    on_memcached = namespaces_ways.one_on_memcached(fleet.memcacheds[0], _VALUE)
    for kind, (gets, sets) in (("Redis", on_redis), ("memcached", on_memcached)):
        yield _row(f"get 100 B, {kind}", gets, 1.15, effort.calls, effort)
        yield _row(f"set 100 B, {kind}", sets, 1.2, effort.calls, effort)


def _many(fleet: Fleet, effort: Effort) -> Iterator[Row]:
    times = max(effort.calls // 10, 5)
    plain = cache_ways.many_on_redis(fleet.redises, _MANY, _VALUE)
    on_redis = namespaces_ways.many(fleet.redises, _MANY, _VALUE, plain)
    plain = cache_ways.many_on_memcached(fleet.memcacheds, _MANY, _VALUE)
    on_memcached = namespaces_ways.many(fleet.memcacheds, _MANY, _VALUE, plain)
    for kind, (gets, sets) in (("Redis", on_redis), ("memcached", on_memcached)):
        yield _row(f"get_many 100 keys, 4 {kind}", gets, 1.1, times, effort)
        yield _row(f"set_many 100 keys, 4 {kind}", sets, None, times, effort)


def _rounds(size: int, effort: Effort) -> int:
    # One call is one reading: where it takes little, more of them are taken.
    return effort.rounds * 3 if size < _LARGE else effort.rounds // 2


def _dropping_entries(grounds: Grounds, effort: Effort) -> dict[int, Result]:
    return {
        size: measured(entries_row(grounds, size, _rounds(size, effort))) for size in effort.sizes
    }


def _dropping_among(grounds: Grounds, effort: Effort) -> dict[int, Result]:
    namespaces = Namespaces(grounds)
    return {
        size: measured(namespaces.row(size, effort.calls // 10, effort.rounds))
        for size in effort.sizes
    }


def _charts(entries: Mapping[int, Result], among: Mapping[int, Result]) -> tuple[Chart, ...]:
    return (
        Chart(
            "namespaces-entries",
            "Dropping all entries, one node",
            "entries",
            "milliseconds, logarithmic",
            log_y=True,
            lines=lines_of(entries, {**_LINES, **_PEERS}, 1e-3),
        ),
        Chart(
            "namespaces-in-use",
            "Dropping one namespace, one node",
            "namespaces in use",
            "microseconds",
            log_y=False,
            lines=lines_of(among, _LINES),
        ),
    )


def _flatness(what: str, results: Mapping[int, Result]) -> str:
    """How far the cost of dropping grew, in words."""
    least, most = min(results), max(results)
    grown = {
        way: results[most][way].median / results[least][way].median
        for way in (*results[least].peers, ON_REDIS, ON_MEMCACHED)
    }
    told = ", ".join(f"{ratio:,.2f}x ({way})" for way, ratio in grown.items())
    return f"`invalidate` with {most:,} {what}, over the same with {least:,}: {told}."


def _run(effort: Effort, fleet: Fleet) -> Report:
    environment = describe(_PACKAGES)
    grounds = Grounds(fleet.redises[0], fleet.memcacheds[0], *fleet.redises[1:])
    results = [measured(row) for rows in (_single, _many) for row in rows(fleet, effort)]
    entries = _dropping_entries(grounds, effort)
    among = _dropping_among(grounds, effort)
    rows = memory_rows(fleet.redises[1], fleet.memcacheds[1], effort.remembered)
    return Report(
        "namespaces",
        "Namespaces",
        environment,
        (*_NOTES, _flatness("entries", entries), _flatness("namespaces in use", among)),
        (*results, *entries.values(), *among.values(), *map(measured, rows)),
        _charts(entries, among),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every row, print the tables, and store them unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.namespaces", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    quick = parser.parse_args(arguments).quick
    pin_to_one_cpu()
    with ExitStack() as stack:
        fleet = Fleet(
            [stack.enter_context(redis(options=_REDIS_OPTIONS)) for _ in range(_NODES)],
            [stack.enter_context(memcached(options=_MEMCACHED_OPTIONS)) for _ in range(_NODES)],
        )
        report = _run(_QUICK if quick else _FULL, fleet)
    print(markdown(report))
    if not quick:
        for path in store(report, _RESULTS):
            say(f"stored {path.relative_to(_RESULTS.parent)}")


if __name__ == "__main__":
    main()
