"""F1 and F2: exceptions that come out of nowhere, in the middle of a call."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Any

from benchmarks.faults.clients import PACKAGES, Client, filled, opened, served
from benchmarks.faults.scenario import (
    BOTH,
    KCACHE,
    Contender,
    Effort,
    Finding,
    Scenario,
    found,
    repeated,
)
from benchmarks.faults.told import told
from kcache import Cache
from tests.faults.interruptions import Interrupted, Stopped, by_signals, handling
from tests.faults.points import OPERATIONS, Operation, at_point
from tests.faults.tally import Tally, descriptors

__all__ = ["SCENARIOS"]

_CHUNK = 250
_MOST = 20_000
_PATIENCE = 2.5


class _Hung(BaseException):
    """A call that did not come back."""


def _signals(kind: type[BaseException], contender: Contender, effort: Effort) -> Iterator[Finding]:
    with served(contender) as server, opened(contender, server) as client:
        get = filled(client)
        before = descriptors()
        for tally in repeated(
            effort, _CHUNK, lambda count, seed: by_signals(get, count, kind, seed)
        ):
            lost = max(client.held(), descriptors() - before - 1)
            yield found(_with_lost(tally, lost))


def _with_lost(tally: Tally, lost: int) -> Tally:
    sum_of = Tally(lost=max(0, lost))
    sum_of.add(tally)
    return sum_of


def _gevent(contender: Contender, effort: Effort) -> Iterator[Finding]:
    module = ("-m", "gevent.monkey", "--module", "tests.faults.gevent_main")
    with served(contender) as server:
        for tally in repeated(
            effort,
            effort.count,
            lambda count, seed: told([sys.executable, *module, server.url, f"{count}", f"{seed}"]),
        ):
            yield found(tally)


def _invalidate(cache: Any) -> object:
    return cache.invalidate()


_INVALIDATE = Operation("invalidate", _invalidate, (7, None), beside=("value", None))
_TEXT = ("7", "8")
_PEERS: tuple[Operation, ...] = (
    Operation("get", lambda client: client.get("k"), ("7",)),
    Operation("set", lambda client: client.set("k", 8), _TEXT),
    Operation("delete", lambda client: client.delete("k"), ("7", None)),
    Operation("get_many", lambda client: client.get_many(["k", "other", "none"]), ("7",)),
    Operation("incr", lambda client: client.incr("k"), _TEXT),
)


def _points(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """All points of all operations; the effort is the number of operations."""
    total, deadline = Tally(), time.monotonic() + effort.seconds
    faulty = 0
    with served(contender) as server:
        if contender.who == KCACHE:
            turns = _turns_of_kcache(server.url, effort.count)
        else:
            turns = _turns_of_peers(contender, server, effort.count)
        for tally in turns:
            total.add(tally)
            faulty += bool(tally.faults)
            if total.rounds % 50 == 0 or tally.faults:
                yield Finding(total.rounds, total.faults, {"points with a fault": faulty})
            if time.monotonic() > deadline:
                raise TimeoutError("not all points could be tried in time")
    yield Finding(total.rounds, total.faults, {"points with a fault": faulty})


def _turns_of_kcache(url: str, count: int) -> Iterator[Tally]:
    for operation in (_INVALIDATE, *OPERATIONS)[:count]:
        name = "shop" if operation is _INVALIDATE else None
        for kind in (Interrupted, Stopped):
            with Cache([url], namespace=name, timeout=5) as cache:
                operation.call(cache)
                before = descriptors()
                yield from _every(cache, operation, kind)
                yield Tally(lost=max(0, _settled(before) - before - 1))


def _settled(before: int) -> int:
    """Descriptors, once the threads that open connections have come to their end."""
    deadline = time.monotonic() + _PATIENCE
    while (now := descriptors()) > before + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return now


def _turns_of_peers(contender: Contender, server: Any, count: int) -> Iterator[Tally]:
    """As kcache's, but with a client for each point, since some don't survive one."""
    for operation in _PEERS[:count]:
        for kind in (Interrupted, Stopped):
            for at in range(1, _MOST):
                with opened(contender, server) as client:
                    operation.call(client)
                    tally = _guarded(client, operation, at, kind, contender.who)
                if not tally.rounds:
                    break
                yield tally


def _guarded(
    client: Client, operation: Operation, at: int, kind: type[BaseException], who: str
) -> Tally:
    """A point, and whether the client hangs then or lost a connection."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        raise _Hung

    with handling(handler):
        signal.setitimer(signal.ITIMER_REAL, 2 * _PATIENCE)
        try:
            tally = at_point(client, operation, at, kind, PACKAGES[who])
        except _Hung:
            return Tally(rounds=1, slow=1)
    tally.lost += client.held()
    return tally


def _every(cache: Cache, operation: Operation, kind: type[BaseException]) -> Iterator[Tally]:
    for at in range(1, _MOST):
        tally = at_point(cache, operation, at, kind)
        if not tally.rounds:
            return
        yield tally


_PEERS_OF_F1 = (
    Contender("redis-py", "redis"),
    Contender("PooledClient", "memcached"),
    Contender("python-memcached", "memcached"),
)
_MUST = "0 wrong, 0 false misses, 0 errors after, 0 lost connections"
_FULL, _QUICK = Effort(10_000, 30), Effort(100, 1)

SCENARIOS = (
    Scenario(
        "F1",
        "SIGALRM raises an Exception in get, 8 checked calls after each",
        "interruptions",
        _MUST,
        partial(_signals, Interrupted),
        _FULL,
        _QUICK,
        BOTH + _PEERS_OF_F1,
        60,
    ),
    Scenario(
        "F1",
        "SIGALRM raises a BaseException in get, 8 checked calls after each",
        "interruptions",
        _MUST,
        partial(_signals, Stopped),
        _FULL,
        _QUICK,
        BOTH + _PEERS_OF_F1,
        60,
    ),
    Scenario(
        "F1",
        "gevent.Timeout in get in 8 greenlets, 8 checked calls after each",
        "interruptions",
        _MUST,
        _gevent,
        Effort(10_000, 60),
        Effort(80, 1),
    ),
    Scenario(
        "F2",
        "an Exception, and a BaseException, at every point of an operation; a client of its own "
        "for each point of a peer, where slow is one that hangs",
        "points",
        "0 wrong, 0 hang, 0 lost connections",
        _points,
        Effort(10, 80),
        Effort(1, 20),
        (*BOTH, Contender("redis-py", "redis"), Contender("PooledClient", "memcached")),
    ),
)
