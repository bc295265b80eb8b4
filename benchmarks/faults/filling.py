"""F13, F14, F19, F20: what is computed, by how many, and whether it is seen too late."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

from benchmarks.faults.clients import served
from benchmarks.faults.fillers import DISTRIBUTED, DJANGO, DOGPILE, FLASK, NAMESPACE, opening_of
from benchmarks.faults.killing import killed
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario
from kcache import Cache
from tests.faults.fills import deletions, expiry, invalidations, stampedes

__all__ = ["SCENARIOS"]

_MS = 1000
_LEASE = 1.0
_SLACK = 0.1


def _stale(count: int) -> dict[str, int]:
    return {"stale": count} if count else {}


def _invalidations(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with served(contender) as server:
        seen = invalidations(opening_of(contender.who, server), effort.seconds, effort.seed)
        yield Finding(seen.reads, _stale(seen.stale))


def _deletions(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with served(contender) as server:
        seen = deletions(opening_of(contender.who, server), effort.count, effort.seed)
        yield Finding(seen.reads, _stale(seen.stale))


def _stampedes(
    contender: Contender, effort: Effort, *, namespace: str | None = NAMESPACE
) -> Iterator[Finding]:
    with served(contender) as server:
        seen = stampedes(opening_of(contender.who, server, namespace), effort.count)
        more = sum(each.computations - 1 for each in seen)
        readings = {
            "most computations": max(each.computations for each in seen),
            "all done after, ms": median(max(each.took) for each in seen) * _MS,
            "half of them, ms": median(median(each.took) for each in seen) * _MS,
        }
        yield Finding(len(seen), {"computed again": more} if more else {}, readings)


def _kills(
    contender: Contender, effort: Effort, *, namespace: str | None = NAMESPACE
) -> Iterator[Finding]:
    late, more, longest, asked = 0, 0, 0.0, 0.0
    deadline = time.monotonic() + effort.seconds
    with served(contender) as server:
        for turn in range(effort.count):
            server.flush()
            seen = killed(opening_of(contender.who, server, namespace, lock_ttl=_LEASE))
            asked = max(asked, seen.asked)
            longest = max(longest, seen.done - _LEASE)
            late += seen.done > _LEASE + _SLACK
            more += seen.computations - 1
            faults = {"late": late, "computed again": more}
            yield Finding(
                turn + 1,
                {name: count for name, count in faults.items() if count},
                {
                    "after the lease at most, ms": longest * _MS,
                    "asked after it began, ms": asked * _MS,
                },
            )
            if time.monotonic() > deadline:
                return


def _expiry(
    contender: Contender, effort: Effort, *, namespace: str | None = NAMESPACE
) -> Iterator[Finding]:
    with served(contender) as server, Cache([server.url], namespace=namespace, timeout=5) as cache:
        seen = expiry(cache, effort.seconds)
        faults = {"blocked": seen.blocked, "at once": seen.at_once - 1}
        yield Finding(
            seen.calls,
            {name: count for name, count in faults.items() if count},
            {"computations": seen.computations, "longest call, ms": seen.longest * _MS},
        )


def _everywhere(scenario: Scenario, *peers: Contender) -> Iterator[Scenario]:
    """In a namespace, where peers are compared, and on plain keys."""
    run: Any = scenario.run
    for namespace, where in ((NAMESPACE, "in a namespace"), (None, "on plain keys")):
        yield replace(
            scenario,
            name=f"{scenario.name}; {where}",
            run=partial(run, namespace=namespace),
            contenders=(*BOTH, *peers) if namespace else BOTH,
            limit=300.0,
        )


SCENARIOS = (
    Scenario(
        "F13",
        "a namespace is invalidated while 5 other processes read and compute what is missing",
        "reads",
        "none gives what was computed before",
        _invalidations,
        Effort(0, 30),
        Effort(0, 1),
        (*BOTH, Contender(FLASK, "redis")),
    ),
    Scenario(
        "F14",
        "6 processes delete a key while others compute it",
        "reads after it",
        "none gives what was computed before",
        _deletions,
        Effort(1_800, 60),
        Effort(60, 5),
        (
            *BOTH,
            Contender(FLASK, "redis"),
            Contender(DJANGO, "redis"),
            Contender(DISTRIBUTED, "redis"),
        ),
    ),
    *_everywhere(
        Scenario(
            "F19",
            "2 processes of 32 threads ask for a cold key, which takes 200 ms",
            "keys",
            "one computation",
            _stampedes,
            Effort(100, 90),
            Effort(2, 5),
        ),
        Contender(FLASK, "redis"),
        Contender(DJANGO, "redis"),
        Contender(DOGPILE, "redis"),
        Contender(DISTRIBUTED, "redis"),
    ),
    *_everywhere(
        Scenario(
            "F19",
            "kill -9 of a process that computes, with a lease of 1 s, while 2 others, ready "
            "before, wait",
            "kills",
            "one of them computes, and all are done <= 0.1 s after the lease",
            _kills,
            Effort(8, 60),
            Effort(1, 5),
        )
    ),
    *_everywhere(
        Scenario(
            "F20",
            "500 calls/s for a key of ttl 5 s that takes 0.2 s, early=1",
            "calls",
            "<= 1 computation at once, 0 calls take > 10 ms",
            _expiry,
            Effort(0, 60),
            Effort(0, 1),
        )
    ),
)
