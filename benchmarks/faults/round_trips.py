"""F18: how often a call goes to a server and back, counted on the way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from benchmarks.faults.clients import Server, served
from benchmarks.faults.fillers import FLASK, NAMESPACE, opening_of
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario
from kcache import Cache
from tests.faults.nodes import fleet
from tests.faults.proxy import Proxy, Rule, proxy
from tests.faults.tally import EXPECTED

__all__ = ["SCENARIOS"]

_MS = 1e3
_DELAY = 0.2
_KEYS = tuple(EXPECTED)


@contextmanager
def _watched(server: Server) -> Iterator[tuple[Proxy, Server]]:
    """A proxy, and the server as it is reached through it."""
    with proxy(server.address) as between:
        yield between, replace(server, address=between.address)


def _counted(
    call: Callable[[int], object], proxies: list[Proxy], effort: Effort
) -> Iterator[tuple[int, tuple[int, ...], float]]:
    """Of each call its number, its round trips at each proxy, and the seconds it took."""
    deadline = time.monotonic() + effort.seconds
    for turn in range(effort.count):
        before = [sum(each.round_trips) for each in proxies]
        begun = time.monotonic()
        call(turn)
        took = time.monotonic() - begun
        after = [sum(each.round_trips) for each in proxies]
        yield turn + 1, tuple(b - a for a, b in zip(before, after, strict=True)), took
        if time.monotonic() > deadline:
            return


def _each(call: Callable[[int], object], between: Proxy, effort: Effort) -> Iterator[Finding]:
    """Calls of which each takes one."""
    more = total = 0
    for count, (trips,), _ in _counted(call, [between], effort):
        more += trips != 1
        total += trips
        faults = {"not exactly 1": more} if more else {}
        yield Finding(count, faults, {"round trips of a call": total / count})


def _gets(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Of what is there and what is not, on the levels of a path."""
    with (
        served(contender) as server,
        _watched(server) as (between, seen),
        Cache([seen.url], timeout=5) as cache,
    ):
        places = [cache.namespace("shop"), cache.namespace("shop").namespace("photos")]
        for place in places:
            place.set_many(EXPECTED)
            place.get(_KEYS[0])

        def get(turn: int) -> None:
            key = _KEYS[turn % len(_KEYS)]
            place = places[turn // 2 % len(places)]
            is_there = turn % 3 > 0
            if place.get(key if is_there else f"no {key}") != (EXPECTED[key] if is_there else None):
                raise AssertionError("it is not what was stored")

        yield from _each(get, between, effort)


def _hits(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Of computed values, which are all there."""
    with served(contender) as server, _watched(server) as (between, seen):
        filler = opening_of(contender.who, seen)()

        def call(turn: int) -> None:
            key = _KEYS[turn % len(_KEYS)]
            if filler.get_or_set(key, lambda: EXPECTED[key]) != EXPECTED[key]:
                raise AssertionError("it is not what was computed")

        for turn in range(len(_KEYS)):
            call(turn)
        yield from _each(call, between, effort)


def _many(namespace: str | None, contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Replies take a while, so that it shows whether one node is asked after the other."""
    faults: Counter[str] = Counter()
    longest = 0.0
    with ExitStack() as stack:
        servers = stack.enter_context(fleet(contender.node))
        proxies, seen = zip(*(stack.enter_context(_watched(each)) for each in servers), strict=True)
        # A look for debts is a call of its own, in a thread.
        cache = stack.enter_context(
            Cache([each.url for each in seen], namespace=namespace, timeout=5, debt_interval=3600)
        )
        cache.set_many(EXPECTED)

        def get(_turn: int) -> None:
            if cache.get_many(_KEYS) != EXPECTED:
                raise AssertionError("it is not what was stored")

        get(0)
        for between in proxies:
            between.switch(replies=Rule(delay=_DELAY))
        for count, trips, took in _counted(get, list(proxies), effort):
            faults["not exactly 1 of each node"] += any(each != 1 for each in trips)
            faults["one after the other"] += took >= 2 * _DELAY
            longest = max(longest, took)
            shown = {name: times for name, times in faults.items() if times}
            yield Finding(count, shown, {"longest, ms": longest * _MS})


SCENARIOS = (
    Scenario(
        "F18",
        "round trips of a get in a namespace of one level, and of two, after the first use; hits "
        "and misses",
        "gets",
        "exactly 1",
        _gets,
        Effort(10_000, 30),
        Effort(60, 2),
    ),
    Scenario(
        "F18",
        "round trips of a computed value that is there: get_or_set in a namespace; of "
        "Flask-Caching, a memoized function",
        "hits",
        "exactly 1",
        _hits,
        Effort(10_000, 30),
        Effort(64, 2),
        (*BOTH, Contender(FLASK, "redis")),
    ),
    *(
        Scenario(
            "F18",
            f"round trips of a get_many of 64 keys on 4 nodes, {where}, whose replies take 200 ms; "
            "looks for debts are not counted",
            "calls",
            "exactly 1 of each node, all at once: < 400 ms",
            partial(_many, namespace),
            Effort(100, 30),
            Effort(3, 2),
        )
        for namespace, where in ((None, "plain keys"), (NAMESPACE, "in a namespace"))
    ),
)
