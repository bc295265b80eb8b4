"""Many callers of a key that is missing: how often it is computed, and when all of them are done.

Run as `python -m benchmarks.stampede`. Servers are started for the run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.calls import say
from benchmarks.environment import describe
from benchmarks.faults.fillers import DISTRIBUTED, DJANGO, DOGPILE, FLASK, opening_of
from benchmarks.faults.scenario import KCACHE
from benchmarks.harness import Goal, Measurement, Result
from benchmarks.report import Report, markdown, store
from tests.faults.fills import Opening, Stampede, stampedes
from tests.servers import Memcached, Redis, memcached, redis

__all__ = ["main"]

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("kcache-client", "redis", "pymemcache", "Flask-Caching", "Django", "dogpile.cache")
_PROCESSES, _THREADS, _SECONDS = 2, 32, 0.2
_MS = 1000
_LIMIT = 225.0
Readings = dict[str, tuple[float, ...]]
_NAME = f"stampede: {_PROCESSES} processes x {_THREADS} callers, 200 ms"
_NOTES = (
    "All callers ask at once for one cold key after the other; the computation sleeps for 200 ms.",
    (
        "A reading is of one key: the time from a caller's own call to its end, in the median of "
        "the callers and for the last one, and how often the key was computed."
    ),
    "The processes share two CPUs with the servers.",
)


def _openings(stack: ExitStack) -> Iterator[tuple[str, Opening]]:
    servers: dict[str, Redis | Memcached] = {
        "Redis": stack.enter_context(redis()),
        "memcached": stack.enter_context(memcached()),
    }
    for kind, server in servers.items():
        for namespace, where in (("fills", "in a namespace"), (None, "plain keys")):
            yield f"kcache, {kind}, {where}", opening_of(KCACHE, server, namespace)
    for peer in (FLASK, DJANGO, DOGPILE, DISTRIBUTED):
        server = stack.enter_context(redis())
        yield peer, opening_of(peer, server)


def _results(seen: dict[str, list[Stampede]]) -> tuple[Result, ...]:
    ours = [way for way in seen if way.startswith(KCACHE)]
    peers = tuple(way for way in seen if way not in ours)

    def result(what: str, unit: str, limit: float, readings: Readings) -> Result:
        measurements = tuple(Measurement(way, taken) for way, taken in readings.items())
        goals = tuple(Goal(way, limit) for way in ours)
        return Result(f"{_NAME}, {what}", unit, None, peers, measurements, goals)

    def of_all(what: str) -> Readings:
        return {way: tuple(_reading(each, what) for each in rounds) for way, rounds in seen.items()}

    return (
        result("computations", "times", 1, of_all("computations")),
        result("the last one is done", "ms", _LIMIT, of_all("last")),
        result("half of them are done", "ms", _LIMIT, of_all("half")),
    )


def _reading(stampede: Stampede, what: str) -> float:
    took = sorted(stampede.took)
    readings = {
        "computations": float(stampede.computations),
        "last": took[-1] * _MS,
        "half": took[len(took) // 2] * _MS,
    }
    return readings[what]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and store it unless the run was a quick one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stampede", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run; stored nowhere")
    quick = parser.parse_args(arguments).quick
    environment = describe(_PACKAGES)
    rounds = 2 if quick else 30
    seen: dict[str, list[Stampede]] = {}
    with ExitStack() as stack:
        for way, opening in _openings(stack):
            seen[way] = stampedes(opening, rounds, _PROCESSES, _THREADS, _SECONDS)
    results = _results(seen)
    for result in results:
        say(result.name)
    report = Report("stampede", "Stampedes", environment, _NOTES, results)
    print(markdown(report))
    if not quick:
        store(report, _RESULTS)


if __name__ == "__main__":
    main()
