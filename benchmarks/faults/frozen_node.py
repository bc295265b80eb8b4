"""F9: a node that freezes, and clients without any options."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from benchmarks.faults.clients import filled, opened, served
from benchmarks.faults.scenario import BOTH, KCACHE, Contender, Effort, Finding, Scenario
from tests.faults.nodes import durations
from tests.servers import frozen

__all__ = ["SCENARIOS"]

_FIRST, _NEXT = 1.0, 0.005


def _frozen(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with served(contender) as server, opened(contender, server, bounded=False) as client:
        get = filled(client)
        get("key 0")

        def call() -> None:
            # Peers raise; how soon is what counts.
            with suppress(Exception):
                get("key 0")

        with frozen(server):
            (first,) = durations(call, 1)
            readings = {"first call, s": first}
            yield _found(1, [first], readings)
            # Those of peers, which may take as long as the first one, are few.
            few = effort.count - 1 if contender.who == KCACHE else 3
            deadline, after = time.monotonic() + effort.seconds, [0.0]
            while len(after) <= few and time.monotonic() < deadline:
                after += durations(call, 1)
            readings = {**readings, "slowest after it, ms": max(after) * 1e3}
            yield _found(len(after), [first, *after[1:]], readings)


def _found(count: int, seconds: list[float], readings: dict[str, float]) -> Finding:
    slow = (seconds[0] > _FIRST) + sum(each > _NEXT for each in seconds[1:])
    return Finding(count, {"slow": slow} if slow else {}, readings)


SCENARIOS = (
    Scenario(
        "F9",
        "no options at all, the node is frozen between two calls",
        "calls",
        "first call <= 1 s, next <= 5 ms",
        _frozen,
        Effort(1000, 5),
        Effort(50, 2),
        (
            *BOTH,
            Contender("redis-py", "redis"),
            Contender("PooledClient", "memcached"),
            Contender("pylibmc", "memcached"),
            Contender("python-memcached", "memcached"),
        ),
        65,
    ),
)
