"""F4: processes that share what was opened before they were made."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.faults.clients import filled, opened, served
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario, found
from tests.faults.forks import in_children

__all__ = ["SCENARIOS"]


def _children(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with served(contender) as server, opened(contender, server) as client:
        get = filled(client)
        get("key 0")
        yield found(in_children(get, effort.count // 5, effort.seconds))


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
)
