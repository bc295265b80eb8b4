"""F7: nodes are killed, one after the other, and started again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.clients import Client, Server
from benchmarks.faults.fleets import POLLING, VALUES, fleet_client, held_by
from benchmarks.faults.readers import Readers, Window, reading
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario
from kcache import Cache
from kcache.cache import DEFAULT_TIMEOUT
from tests.faults.nodes import fleet
from tests.servers import kill, memcached, redis

__all__ = ["SCENARIOS"]

_MS = 1e3
_NODES = 4
_TIMEOUT = DEFAULT_TIMEOUT
# Of a turn, of which there is one before the first kill and one for each node: 5 s of 12 s.
_DOWN = 5 / 12
_WARM = 1 / 12
_BACK = 1.5
_PATIENCE = 3.0
_SLOWER = 2
_ANY = min(VALUES)


@dataclass(frozen=True)
class _Outage:
    """Of one node.

    Attributes:
        killed, ready: when it was, on the clock of `time.monotonic`.
        back: seconds that it took after that until the client used it, or until it was given up.
        healthy: keys that were on other nodes when it was killed.
    """

    killed: float
    ready: float
    back: float
    healthy: frozenset[str]


def _killed(contender: Contender, effort: Effort) -> Iterator[Finding]:
    turn = effort.seconds / (_NODES + 1)
    with (
        ExitStack() as restarted,
        fleet(contender.node, _NODES) as servers,
        fleet_client(contender, servers, _TIMEOUT) as client,
    ):
        with reading(client.get) as readers:
            begun = time.monotonic()
            time.sleep(turn)
            outages = [_turn(client, servers, place, turn, restarted) for place in range(_NODES)]
            ended = time.monotonic()
        before = (begun + turn * _WARM, outages[0].killed)
        yield _found(readers, before, outages, readers.window(begun, ended))


def _turn(
    client: Client, servers: list[Server], place: int, turn: float, restarted: ExitStack
) -> _Outage:
    """Kill a node, start it again, and fill it once it is used."""
    server = servers[place]
    start: Any = memcached if server.url.startswith("memcached") else redis
    held = held_by(server)
    healthy = frozenset[str]().union(*(held_by(each) for each in servers if each is not server))
    killed = time.monotonic()
    kill(server)
    time.sleep(turn * _DOWN)
    servers[place] = restarted.enter_context(start(port=server.port))
    ready = time.monotonic()
    key = min(held, default=_ANY)
    # Where servers are slow to start, the next one is killed later.
    back = _used_again(client, servers[place], key, max(killed + turn, ready + _PATIENCE))
    with suppress(Exception):
        client.set_many(VALUES)
    time.sleep(max(0.0, killed + turn - time.monotonic()))
    return _Outage(killed, ready, back, healthy - held)


def _used_again(client: Client, server: Server, key: str, deadline: float) -> float:
    """Seconds until what is stored gets to a node, which is asked itself: peers may move keys."""
    begun = done = time.monotonic()
    with Cache([server.url], timeout=5) as direct:
        while done < deadline:
            with suppress(Exception):
                client.set(key, VALUES[key])
            done = time.monotonic()
            if key in direct:
                break
            time.sleep(0.01)
    return done - begun


def _found(
    readers: Readers, before: tuple[float, float], outages: list[_Outage], whole: Window
) -> Finding:
    """Each outage is compared with what calls for the same keys were before all of them."""
    missed, doubled = 0, 0
    shares: list[tuple[float, float]] = []
    for outage in outages:
        usual = readers.window(*before, outage.healthy)
        window = readers.window(outage.killed, outage.ready, outage.healthy)
        missed += window.missed
        doubled += window.p99 > _SLOWER * usual.p99
        shares.append((window.p99, usual.p99))
    longest, usually = max(shares, key=lambda share: share[0])
    faults = {
        "exceptions": whole.errors,
        "wrong": whole.wrong,
        "healthy keys missed": missed,
        "p99 more than doubled": doubled,
        "late": sum(outage.back > _BACK for outage in outages),
    }
    readings = {
        "p99 before, ms": usually * _MS,
        "in the worst outage, ms": longest * _MS,
        "longest call, ms": whole.longest * _MS,
        "used again after, s": max(outage.back for outage in outages),
    }
    return Finding(
        len(whole.took), {name: count for name, count in faults.items() if count}, readings
    )


SCENARIOS = (
    Scenario(
        "F7",
        "kill -9 of each of 4 nodes in turn, each started again after 5 s; 16 threads read for "
        "60 s; timeout 500 ms",
        "gets",
        "0 exceptions; 0 misses of other nodes' keys in an outage, their p99 <= 2x; used again "
        "<= 1.5 s after the start",
        _killed,
        Effort(0, 60),
        Effort(0, 3),
        (
            *BOTH,
            Contender("HashClient", "memcached"),
            Contender("pylibmc", "memcached"),
            Contender(POLLING, "memcached"),
        ),
        180,
    ),
)
