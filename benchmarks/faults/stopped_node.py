"""F8: one of some nodes stops, and goes on later, again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

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
    """Of one outage, on `time.monotonic`.

    Attributes:
        begun: when calls began to be looked at.
        stopped, continued: when the node was.
        ended: when calls that waited for the node had gone on.
    """

    begun: float
    stopped: float
    continued: float
    ended: float


def _stopped(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """As long before each outage as in it, so that one can be compared with the other."""
    with fleet(contender.node) as servers, fleet_client(contender, servers, _TIMEOUT) as client:
        lost = held_by(servers[0])
        outages = []
        with reading(client.get) as readers:
            for _ in range(effort.count):
                time.sleep(effort.seconds * _WARM)
                begun = time.monotonic()
                time.sleep(effort.seconds)
                with frozen(servers[0]):
                    stopped = time.monotonic()
                    time.sleep(effort.seconds)
                    continued = time.monotonic()
                time.sleep(effort.seconds * _WARM)
                outages.append(_Times(begun, stopped, continued, time.monotonic()))
        yield _found(readers, outages, lost)


def _found(readers: Readers, outages: Sequence[_Times], lost: frozenset[str]) -> Finding:
    usual = [readers.window(each.begun, each.stopped) for each in outages]
    calls = [readers.window(each.stopped, each.ended) for each in outages]
    shares = [_share(readers, each, frozenset(VALUES) - lost) for each in outages]
    # A machine that stands still for a moment makes all calls of that moment slow: not the rule.
    share, slow = median(shares), median(each.longer_than(_SLOW) for each in calls)
    faults = {
        "longer than 300 ms": sum(each.longer_than(_LONGEST) for each in calls),
        "slow": slow if slow > _FEW else 0,
        "% of throughput lost": 0 if share >= _LEAST else round((1 - share) * 100),
        "exceptions": sum(each.errors for each in calls),
        "wrong": sum(each.wrong for each in calls),
    }
    readings = {
        "longest, ms": max(each.longest for each in calls) * _MS,
        "longest before, ms": max(each.longest for each in usual) * _MS,
        "slow": slow,
        "most slow": max(each.longer_than(_SLOW) for each in calls),
        "slow before": median(each.longer_than(_SLOW) for each in usual),
        "throughput of other nodes' keys, %": share * 100,
        "least, %": min(shares) * 100,
    }
    return Finding(
        sum(len(each.took) for each in calls),
        {name: round(count) for name, count in faults.items() if count},
        readings,
    )


def _share(readers: Readers, times: _Times, keys: frozenset[str]) -> float:
    """Of the usual throughput of keys, what there was in an outage."""
    rate = readers.window(times.stopped, times.continued, keys).rate
    return rate / readers.window(times.begun, times.stopped, keys).rate


SCENARIOS = (
    Scenario(
        "F8",
        "1 of 4 nodes stops for 5 s, while 16 threads read; timeout 250 ms; five times, of slow "
        "calls and throughput the median",
        "gets",
        "longest <= 300 ms; <= 25 slow ones, of > 50 ms; >= 90 % throughput of other nodes' keys",
        _stopped,
        Effort(5, 5),
        Effort(1, 1),
        (*BOTH, Contender("pylibmc", "memcached"), Contender(POLLING, "memcached")),
        120,
    ),
)
