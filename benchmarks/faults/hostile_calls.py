"""F22: arguments of memoized functions that are made to look like others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from benchmarks.faults.canary import watched
from benchmarks.faults.clients import served
from benchmarks.faults.scenario import Contender, Effort, Finding, Scenario
from kcache import Cache
from tests.memoize.test_arguments import hostile

__all__ = ["SCENARIOS"]

_CHUNK = 1_000
_ROOM = {"memcached": ("-m", "512"), "redis": ()}

Call = tuple[tuple[Any, ...], dict[str, Any]]
_SHAPES: tuple[Callable[[Any], Call], ...] = (
    lambda value: ((value,), {}),
    lambda value: ((0, value), {}),
    lambda value: ((0, 0, value), {}),
    lambda value: ((0, 0, (value,)), {}),
    lambda value: ((0,), {"a": value}),
    lambda value: ((0, 0), {"b": value}),
    lambda value: ((0, 0, 0), {"a": {"b": value}}),
)
"""Calls that nothing makes the same, but for values that are."""


def _calls() -> Iterator[Call]:
    for shape in _SHAPES:
        for value in hostile():
            yield shape(value)


def _memoized(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Each result is the number of its call, so that one of another call is seen."""
    with (
        served(contender, *_ROOM[contender.node]) as server,
        watched(server) as canary,
        Cache([server.url], timeout=20, on_error="raise") as cache,
    ):
        asked = 0

        @cache.memoize(ttl=600)
        def number(*_args: Any, **_others: Any) -> int:
            return asked

        count = crossed = missed = injected = 0
        deadline = time.monotonic() + effort.seconds
        calls = islice(_calls(), effort.count)
        while (chunk := list(islice(calls, _CHUNK))) and time.monotonic() < deadline:
            for asked, (args, named) in enumerate(chunk, count):
                crossed += number(*args, **named) != asked
                injected += not canary.is_well()
            for wanted, (args, named) in enumerate(chunk, count):
                # A call that is computed again is no hit, and has another number.
                asked = -1
                again = number(*args, **named)
                missed += again == -1
                crossed += again not in {-1, wanted}
            count += len(chunk)
            faults = {"injected": injected, "crossed": crossed, "missed": missed}
            yield Finding(count, {name: times for name, times in faults.items() if times})


SCENARIOS = (
    Scenario(
        "F22",
        "hostile arguments of a memoized function, which look like each other and like each "
        "other's texts, in seven places of a call; each called twice, a canary looked at",
        "calls",
        "0 injections, 0 cross-key hits",
        _memoized,
        Effort(100_000, 90),
        Effort(500, 3),
        limit=200.0,
    ),
)
