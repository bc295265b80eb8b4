"""F8: one of some nodes stops, and goes on later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.faults.fleets import POLLING, VALUES, fleet_client, held_by
from benchmarks.faults.readers import Readers, reading
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario
from tests.faults.nodes import fleet
from tests.servers import frozen

__all__ = ["SCENARIOS"]

_MS = 1e3
_TIMEOUT = 0.25
_WARM = 0.2
_LONGEST, _SLOW = 0.3, 0.05
_FEW = 25
_LEAST = 0.9


@dataclass(frozen=True)
class _Times:
    """Of `time.monotonic`.

    Attributes:
        begun: when calls began to be looked at.
        stopped, continued: when the node was.
        ended: when the last calls did, which may have waited for the node to go on.
    """

    begun: float
    stopped: float
    continued: float
    ended: float


def _stopped(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """As long before it as in it, so that one can be compared with the other."""
    with fleet(contender.node) as servers, fleet_client(contender, servers, _TIMEOUT) as client:
        lost = held_by(servers[0])
        with reading(client.get) as readers:
            time.sleep(effort.seconds * _WARM)
            begun = time.monotonic()
            time.sleep(effort.seconds)
            with frozen(servers[0]):
                stopped = time.monotonic()
                time.sleep(effort.seconds)
                continued = time.monotonic()
            time.sleep(effort.seconds * _WARM)
        yield _found(readers, _Times(begun, stopped, continued, time.monotonic()), lost)


def _found(readers: Readers, times: _Times, lost: frozenset[str]) -> Finding:
    usual = readers.window(times.begun, times.stopped)
    calls = readers.window(times.stopped, times.ended)
    healthy = frozenset(VALUES) - lost
    rate = readers.window(times.stopped, times.continued, healthy).rate
    share = rate / readers.window(times.begun, times.stopped, healthy).rate
    slow = calls.longer_than(_SLOW)
    faults = {
        "longer than 300 ms": calls.longer_than(_LONGEST),
        "slow": slow if slow > _FEW else 0,
        "% of throughput lost": 0 if share >= _LEAST else round((1 - share) * 100),
        "exceptions": calls.errors,
        "wrong": calls.wrong,
    }
    readings = {
        "longest, ms": calls.longest * _MS,
        "longest before, ms": usual.longest * _MS,
        "slow": slow,
        "of them for its keys": readers.window(times.stopped, times.ended, lost).longer_than(_SLOW),
        "slow before": usual.longer_than(_SLOW),
        "throughput of other nodes' keys, %": share * 100,
    }
    return Finding(
        len(calls.took), {name: count for name, count in faults.items() if count}, readings
    )


SCENARIOS = (
    Scenario(
        "F8",
        "1 of 4 nodes stops for 5 s, while 16 threads read; timeout 250 ms",
        "gets",
        "longest <= 300 ms; <= 25 slow ones, of > 50 ms; >= 90 % throughput of other nodes' keys",
        _stopped,
        Effort(0, 5),
        Effort(0, 1),
        (*BOTH, Contender("pylibmc", "memcached"), Contender(POLLING, "memcached")),
        60,
    ),
)
