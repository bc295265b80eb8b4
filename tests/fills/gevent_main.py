"""Fills under gevent, which is to be told of before anything else is imported.

python -m gevent.monkey --module tests.fills.gevent_main URL NAMESPACE
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from kcache import Cache

MANY = 50
PATIENCE = 20


class Computation:
    """A factory that counts its calls, and ends when it is told to."""

    def __init__(self, value: Any) -> None:
        self.calls = 0
        self.begun, self.go = Event(), Event()
        self._value = value

    def __call__(self) -> Any:
        self.calls += 1
        self.begun.set()
        assert self.go.wait(PATIENCE)
        return self._value


def all_of(calls: list[gevent.Greenlet[..., Any]]) -> list[Any]:
    """What greenlets give; it raises what they raise."""
    assert len(gevent.joinall(calls, timeout=PATIENCE, raise_error=True)) == len(calls)
    return [call.value for call in calls]


def one_computes(cache: Cache, other: Cache) -> None:
    """Many greenlets on one key that is not there."""
    compute = Computation({"n": 1})
    callers = [
        gevent.spawn(each.get_or_set, "cold", compute)
        for each in (cache, other)
        for _ in range(MANY)
    ]
    assert compute.begun.wait(PATIENCE)
    # All of them come to wait; and others go on meanwhile.
    gevent.sleep(0.05)
    assert cache.get_or_set("aside", lambda: 1) == 1
    compute.go.set()
    assert all_of(callers) == [{"n": 1}] * len(callers)
    assert compute.calls == 1


def taken_over(cache: Cache, other: Cache, end: Callable[[Any], None], key: str) -> None:
    """The greenlet that computes is ended; one of those who wait computes."""
    ended, sound = Computation("never"), Computation("yes")
    sound.go.set()
    leader = gevent.spawn(cache.get_or_set, key, ended, wait=PATIENCE)
    assert ended.begun.wait(PATIENCE)
    callers = [
        gevent.spawn(each.get_or_set, key, sound, wait=PATIENCE)
        for each in (cache, other)
        for _ in range(MANY // 2)
    ]
    gevent.sleep(0.05)
    end(leader)
    assert all_of(callers) == ["yes"] * len(callers)
    assert (ended.calls, sound.calls) == (1, 1)


def timed_out(cache: Cache, other: Cache) -> None:
    """A timeout around the call that computes."""
    sound = Computation("yes")
    sound.go.set()

    def leads() -> str:
        with gevent.Timeout(0.1, exception=False):
            cache.get_or_set("timeout", lambda: gevent.sleep(PATIENCE))
        return "timed out"

    leader = gevent.spawn(leads)
    gevent.sleep(0.02)
    callers = [
        gevent.spawn(each.get_or_set, "timeout", sound, wait=PATIENCE) for each in (cache, other)
    ]
    assert all_of([leader, *callers]) == ["timed out", "yes", "yes"]
    assert sound.calls == 1


def waiter_timed_out(cache: Cache, other: Cache) -> None:
    """A timeout around a call that waits takes nobody with it."""
    compute = Computation("yes")
    leader = gevent.spawn(cache.get_or_set, "waiter", compute)
    assert compute.begun.wait(PATIENCE)
    patient = [gevent.spawn(each.get_or_set, "waiter", compute) for each in (cache, other)]
    for each in (cache, other):
        with gevent.Timeout(0.05, exception=False):
            each.get_or_set("waiter", compute)
    compute.go.set()
    assert all_of([leader, *patient]) == ["yes"] * 3
    assert compute.calls == 1


def renewed(cache: Cache) -> None:
    """What is stale is given, and computed behind the caller."""
    options: Any = {"ttl": 0.05, "stale_ttl": 60}
    cache.get_or_set("stale", lambda: "old", **options)
    gevent.sleep(0.1)
    compute = Computation("new")
    assert cache.get_or_set("stale", compute, **options) == "old"
    assert compute.begun.wait(PATIENCE)
    compute.go.set()
    with gevent.Timeout(PATIENCE):
        while cache.get_or_set("stale", compute, ttl=60, stale_ttl=60) == "old":
            gevent.sleep(0.001)


def main(url: str, namespace: str | None) -> None:
    """All of it, in two caches, as in two processes."""
    with (
        Cache([url], namespace=namespace, timeout=PATIENCE, on_error="raise") as cache,
        Cache([url], namespace=namespace, timeout=PATIENCE, on_error="raise") as other,
    ):
        one_computes(cache, other)
        taken_over(cache, other, lambda leader: leader.kill(), "killed")
        taken_over(cache, other, lambda leader: leader.kill(gevent.Timeout), "ended")
        timed_out(cache, other)
        waiter_timed_out(cache, other)
        renewed(cache)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] or None)
    print("all is well")  # noqa: T201 - whoever started it reads this
