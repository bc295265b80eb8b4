"""What a call of the cache costs, on servers and in memory, against a floor and its peers.

Run as `python -m benchmarks.cache`; see README.md here. Servers are started for the run.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import cache_ways as ways
from benchmarks.cache_ways import FLOOR, KCACHE
from benchmarks.calls import Call, measured, repeated, row_of, say
from benchmarks.chart import Chart, Style, lines_of
from benchmarks.environment import describe
from benchmarks.harness import Contender, Goal, Result, Row, Work, pin_to_one_cpu
from benchmarks.report import Report, markdown, store
from tests.servers import Memcached, Redis, memcached, redis

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "kcache-client",
    "redis",
    "hiredis",
    "pymemcache",
    "pylibmc",
    "cachelib",
    "cachetools",
    "Flask-Caching",
    "Django",
)
_NODES = 4
_SMALL, _LARGE = "x" * 100, "x" * 100_000
_KEYS = (1, 10, 100, 1000, 10_000)
_SIZES = (100, 1000, 10_000, 100_000, 1_000_000)
_THREADS = (1, 4, 16, 32)
_NOTES = (
    "Client and servers run on one CPU, over loopback.",
    "redis-py reads with hiredis; kcache reads in Python.",
    "Values are str; pymemcache and the floor are given their bytes.",
    "`redis-py, by hand` asks one node after the other, with MGET or a pipeline each.",
)
_STYLES = {FLOOR: Style("#6e6e6e", dash="--"), KCACHE: Style("#0072b2", width=2.6)}
_REDIS_STYLES = {**_STYLES, "redis-py": Style("#d55e00")}
_MANY_STYLES = {
    **_STYLES,
    "pylibmc (C)": Style("#009e73"),
    "pymemcache HashClient": Style("#d55e00"),
}


@dataclass(frozen=True)
class Effort:
    """How much is done: calls in a round, and rounds."""

    calls: int
    rounds: int
    full: bool


_FULL = Effort(1000, 7, full=True)
_QUICK = Effort(50, 3, full=False)


@dataclass(frozen=True)
class Fleet:
    """The servers of a run."""

    redises: Sequence[Redis]
    memcacheds: Sequence[Memcached]


def _row(
    name: str, calls: Mapping[str, Call], goals: Sequence[Goal], times: int, effort: Effort
) -> Row:
    return row_of(name, calls, goals, times, rounds=effort.rounds, ours={KCACHE})


def _against(**limits: float) -> list[Goal]:
    names = {"floor": FLOOR, "redis": "redis-py", "hand": "redis-py, by hand"}
    names |= {"lib": "pylibmc (C)", "ring": "pymemcache HashClient", "cachelib": "cachelib"}
    return [Goal(KCACHE, limit, names[name]) for name, limit in limits.items()]


def _single(fleet: Fleet, effort: Effort) -> Iterator[Row]:
    times = effort.calls
    for size, value in (("100 B", _SMALL), ("100 KB", _LARGE)):
        small = value is _SMALL
        on_redis = ways.one_on_redis(fleet.redises[0], value)
        on_memcached = ways.one_on_memcached(fleet.memcacheds[0], value)
        goals = (
            (_against(floor=1.3, redis=0.4), _against(floor=1.3, redis=0.35)),
            (_against(lib=1.2, ring=0.5), _against(lib=1.15)),
        )
        none: list[Goal] = []
        large = (_against(redis=0.6), _against(redis=0.6)), (none, none)
        for kind, calls, limits in zip(
            ("Redis", "memcached"), (on_redis, on_memcached), goals if small else large, strict=True
        ):
            for work, by_way, limit in zip(("get", "set"), calls, limits, strict=True):
                count = times if small else max(times // 5, 5)
                yield _row(f"{work} {size}, {kind}", by_way, limit, count, effort)


def _many(fleet: Fleet, effort: Effort) -> Iterator[Row]:
    times = max(effort.calls // 10, 5)
    gets, sets = ways.many_on_memcached(fleet.memcacheds[:_NODES], 100, _SMALL)
    limits = _against(lib=1.3, ring=0.06), _against(lib=0.2)
    yield _row("get_many 100 keys, 4 memcached", gets, limits[0], times, effort)
    yield _row("set_many 100 keys, 4 memcached", sets, limits[1], times, effort)
    gets, sets = ways.many_on_redis(fleet.redises[:_NODES], 100, _SMALL)
    limits = _against(hand=0.55), _against(hand=0.2)
    yield _row("get_many 100 keys, 4 Redis", gets, limits[0], times, effort)
    yield _row("set_many 100 keys, 4 Redis", sets, limits[1], times, effort)


def _in_memory(effort: Effort) -> Iterator[Row]:
    gets, sets = ways.one_in_memory(_SMALL)
    yield _row("memory node get", gets, _against(cachelib=1.0), 20 * effort.calls, effort)
    yield _row("memory node set", sets, _against(cachelib=0.8), 20 * effort.calls, effort)


def _threaded(
    name: str,
    way_of: Mapping[str, Callable[[], Call]],
    threads: int,
    goals: Sequence[Goal],
    effort: Effort,
) -> Row:
    times = max(effort.calls // threads, 10)

    def prepare(open_way: Callable[[], Call]) -> Work:
        calls = [open_way() for _ in range(threads)]
        workers = [threading.Thread(target=repeated(call, times)) for call in calls]

        def work() -> None:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

        return work

    return Row(
        name,
        tuple(Contender(way, partial(prepare, opened)) for way, opened in way_of.items()),
        operations=threads * times,
        floor=FLOOR,
        peers=tuple(way for way in way_of if way not in {FLOOR, KCACHE}),
        goals=tuple(goals),
        rounds=effort.rounds,
    )


def _threads(fleet: Fleet, effort: Effort) -> Iterator[Row]:
    # 0.85 of the floor's calls in a second are 1 / 0.85 of its time for each.
    goal = [Goal(KCACHE, round(1 / 0.85, 3), FLOOR)]
    more = Effort(effort.calls * 8, effort.rounds, effort.full)
    on_redis = ways.threads_on_redis(fleet.redises[0], _SMALL)
    on_memcached = ways.threads_on_memcached(fleet.memcacheds[0], _SMALL)
    yield _threaded("get in 16 threads, Redis", on_redis, 16, goal, more)
    yield _threaded("get in 16 threads, memcached", on_memcached, 16, goal, more)


def _growth(fleet: Fleet, effort: Effort) -> Iterator[tuple[str, int, Row]]:
    """The rows of the charts: what grows, how far, and the row.

    A row is made when it is asked for: the next one stores other values under the same keys.
    """
    for count in _KEYS:
        gets, _ = ways.many_on_memcached(fleet.memcacheds[:_NODES], count, _SMALL)
        times = max(effort.calls // (10 * count), 1) if count > 1 else effort.calls
        yield "keys", count, _row(f"get_many {count:,} keys, 4 memcached", gets, (), times, effort)
    for size in _SIZES:
        gets, _ = ways.one_on_redis(fleet.redises[0], "x" * size)
        shown = {way: call for way, call in gets.items() if way in _REDIS_STYLES}
        times = max(effort.calls // 10, 5)
        yield "sizes", size, _row(f"get {size:,} B, Redis", shown, (), times, effort)
    more = Effort(effort.calls * 4, effort.rounds, effort.full)
    for count in _THREADS:
        opened = ways.threads_on_redis(fleet.redises[0], _SMALL)
        yield "threads", count, _threaded(f"get in {count} threads, Redis", opened, count, (), more)


def _charts(grown: Mapping[str, dict[int, Result]]) -> tuple[Chart, ...]:
    return (
        Chart(
            "cache-keys",
            "get_many, 4 memcached, values of 100 B",
            "keys in a call",
            "microseconds a call, logarithmic",
            log_y=True,
            lines=lines_of(grown["keys"], _MANY_STYLES),
        ),
        Chart(
            "cache-sizes",
            "get, Redis",
            "bytes of the value",
            "microseconds a call, logarithmic",
            log_y=True,
            lines=lines_of(grown["sizes"], _REDIS_STYLES),
        ),
        Chart(
            "cache-threads",
            "get in many threads, Redis, values of 100 B",
            "threads",
            "microseconds a call, all threads together",
            log_y=False,
            lines=lines_of(grown["threads"], _REDIS_STYLES),
        ),
    )


def _run(effort: Effort, fleet: Fleet) -> Report:
    environment = describe(_PACKAGES)
    results = [
        measured(row)
        for rows in (
            _single(fleet, effort),
            _many(fleet, effort),
            _in_memory(effort),
            _threads(fleet, effort),
        )
        for row in rows
    ]
    charts: tuple[Chart, ...] = ()
    if effort.full:
        grown: dict[str, dict[int, Result]] = {"keys": {}, "sizes": {}, "threads": {}}
        for what, size, row in _growth(fleet, effort):
            grown[what][size] = measured(row)
        charts = _charts(grown)
    return Report("cache", "The cache", environment, _NOTES, tuple(results), charts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every row, print the tables, and store them unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    quick = parser.parse_args(arguments).quick
    pin_to_one_cpu()
    with ExitStack() as stack:
        fleet = Fleet(
            [stack.enter_context(redis()) for _ in range(_NODES)],
            [stack.enter_context(memcached()) for _ in range(_NODES)],
        )
        report = _run(_QUICK if quick else _FULL, fleet)
    print(markdown(report))
    if not quick:
        for path in store(report, _RESULTS):
            say(f"stored {path.relative_to(_RESULTS.parent)}")


if __name__ == "__main__":
    main()
