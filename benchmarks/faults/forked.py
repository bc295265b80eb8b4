"""F4, F5: processes that share what was opened before they were made."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.faults.clients import filled, opened, served
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario, found, repeated
from tests.faults.forks import in_busy_process, in_children

__all__ = ["SCENARIOS"]

_CHUNK = 25


def _children(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with served(contender) as server, opened(contender, server) as client:
        get = filled(client)
        get("key 0")
        yield found(in_children(get, effort.count // 5, effort.seconds))


def _busy(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with served(contender) as server, opened(contender, server) as client:
        get = filled(client)
        for tally in repeated(effort, _CHUNK, lambda count, _seed: in_busy_process(get, count)):
            yield found(tally)


SCENARIOS = (
    Scenario(
        "F4",
        "fork after connect: parent and 4 children read at the same time",
        "gets",
        "0 wrong, 0 errors, 0 misses",
        _children,
        Effort(20_000, 30),
        Effort(1000, 10),
        (
            *BOTH,
            Contender("redis-py", "redis"),
            Contender("PooledClient", "memcached"),
            Contender("HashClient", "memcached"),
            Contender("pylibmc", "memcached"),
            Contender("python-memcached", "memcached"),
        ),
        60,
    ),
    Scenario(
        "F5",
        "a fork while 16 threads read; each child makes 20 calls",
        "forks",
        "0 deadlocks, 0 wrong, 0 misses, 0 errors, in the threads too",
        _busy,
        Effort(500, 100),
        Effort(10, 1),
        limit=180,
    ),
)
