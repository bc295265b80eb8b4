"""In a namespace, what was computed before a write is never seen after it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from kcache import Cache, Hit, Miss
from tests.cache.places import Place
from tests.fills.computing import PATIENCE, Caller, Clock, Computation

Write = Callable[[Cache], Any]

WRITES: dict[str, tuple[Write, Any]] = {
    "set": (lambda cache: cache.set("k", "new"), "new"),
    "set_many": (lambda cache: cache.set_many({"k": "new", "l": 1}), "new"),
    "add": (lambda cache: cache.add("k", "new"), "new"),
    "incr": (lambda cache: cache.incr("k", initial=5), 5),
    "delete": (lambda cache: cache.delete("k"), None),
    "delete_many": (lambda cache: cache.delete_many(["k", "l"]), None),
    "set for no time": (lambda cache: cache.set("k", "new", ttl=0), None),
    "touch for no time": (lambda cache: cache.touch("k", 0), None),
    "invalidate": (lambda cache: cache.invalidate(), None),
    "flush_nodes": (lambda cache: cache.flush_nodes(), None),
}
each_write = pytest.mark.parametrize(("write", "after"), WRITES.values(), ids=WRITES)


@pytest.fixture
def both(place: Place) -> Any:
    """Two caches in one namespace, that share nothing but the nodes."""
    with place.open(namespace="shop") as cache, place.open(namespace="shop") as other:
        yield cache, other


@each_write
@pytest.mark.parametrize("who", [0, 1], ids=["here", "elsewhere"])
def test_what_was_computed_before_a_write_is_not_stored(
    both: tuple[Cache, Cache], write: Write, after: Any, who: int
) -> None:
    cache = both[0]
    compute = Computation("old", held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    write(both[who])
    compute.let_go()
    assert caller.result() == "old"
    assert [each.get("k") for each in both] == [after] * 2
    assert both[1].get_or_set("k", lambda: "next") == (after or "next")


@each_write
def test_who_comes_after_a_write_does_not_wait_for_what_began_before(
    both: tuple[Cache, Cache], write: Write, after: Any
) -> None:
    compute = Computation("old", held=True)
    caller = Caller(lambda: both[0].get_or_set("k", compute))
    assert compute.has_begun()
    waiter = Caller(lambda: both[0].get_or_set("k", lambda: "next"))
    assert waiter.comes_to_wait()
    write(both[1])
    for each in both:
        assert each.get_or_set("k", lambda: "next", wait=60) == (after or "next")
    compute.let_go()
    assert caller.result() == waiter.result() == "old"
    for each in both:
        assert each.get("k") == (after or "next")


@each_write
def test_nor_is_what_outlived_its_lease(
    both: tuple[Cache, Cache], write: Write, after: Any
) -> None:
    cache, other = both
    compute = Computation("old", held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute, lock_ttl=0.01))
    assert compute.has_begun()
    # The lease is over when somebody else has one.
    assert other.get_or_set("k", lambda: "second", wait=PATIENCE) == "second"
    other.delete("k")
    write(other)
    compute.let_go()
    assert caller.result() == "old"
    assert [each.get("k") for each in both] == [after] * 2


@each_write
def test_nor_is_what_was_begun_to_replace_a_stale_value(
    place: Place, clock: Clock, write: Write, after: Any
) -> None:
    with (
        place.open(namespace="shop", clock=clock) as cache,
        place.open(namespace="shop", clock=clock) as other,
    ):
        cache.get_or_set("k", lambda: "stale", ttl=100, stale_on_error=1000)
        clock.go_on(101)
        compute = Computation("old", held=True)
        caller = Caller(lambda: cache.get_or_set("k", compute, ttl=100, stale_on_error=1000))
        assert compute.has_begun()
        write(other)
        compute.let_go()
        assert caller.result() == "old"
        for each in (cache, other):
            assert each.get("k") == after
            assert each.lookup("k") == (Hit(after) if after else Miss())


def test_who_comes_after_a_write_waits_for_no_renewal_that_began_before(
    place: Place, clock: Clock
) -> None:
    options: dict[str, Any] = {"ttl": 10, "stale_on_error": 1000}
    with place.open(namespace="shop", clock=clock) as cache:
        cache.get_or_set("k", lambda: "stale", **options)
        clock.go_on(11)
        compute = Computation("old", held=True)
        caller = Caller(lambda: cache.get_or_set("k", compute, **options))
        assert compute.has_begun()
        cache.delete("k")
        assert cache.get_or_set("k", lambda: "new", **options) == "new"
        clock.go_on(11)
        late = Caller(lambda: cache.get_or_set("k", lambda: "newer", **options))
        # It may wait until the computation is over; what that gives is not for it.
        late.join(0.2)
        compute.let_go()
        assert caller.result() == "old"
        assert late.result() == "newer"


def test_an_invalidation_of_what_is_around_it_counts(place: Place) -> None:
    with place.open() as cache:
        outer, inner = cache.namespace("p"), cache.namespace("p", "c")
        compute = Computation("old", held=True)
        caller = Caller(lambda: inner.get_or_set("k", compute))
        assert compute.has_begun()
        assert outer.invalidate().complete
        assert inner.get_or_set("k", lambda: "new", wait=60) == "new"
        compute.let_go()
        assert caller.result() == "old"
        assert inner.get("k") == "new"


def test_to_every_other_call_a_computation_is_a_miss(both: tuple[Cache, Cache]) -> None:
    cache, other = both
    compute = Computation("computed", held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    for each in both:
        assert each.get("k", "miss") == "miss"
        assert each.get_many(["k", "l"]) == {}
        assert each.lookup("k") == Miss()
        assert "k" not in each
        assert each.ttl("k") is None
        assert each.gets("k") is None
        assert each.replace("k", "x") is False
        assert each.incr("k") is None
    assert other.touch("k") is False
    compute.let_go()
    assert caller.result() == "computed"


@pytest.mark.parametrize("ttl", [None, 1000])
def test_a_touch_does_not_make_a_lease_last(both: tuple[Cache, Cache], ttl: float | None) -> None:
    cache, other = both
    never = Computation("late", held=True)
    caller = Caller(lambda: cache.get_or_set("k", never, lock_ttl=0.2))
    assert never.has_begun()
    assert other.touch("k", ttl) is False
    next_one = Caller(lambda: other.get_or_set("k", lambda: "next", wait=PATIENCE))
    next_one.join(PATIENCE / 2)
    assert not next_one.is_alive()
    assert next_one.result() == "next"
    never.let_go()
    assert caller.result() == "late"


def test_a_delete_tells_that_there_was_nothing(both: tuple[Cache, Cache]) -> None:
    cache, other = both
    compute = Computation("computed", held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    assert other.delete("k") is False
    assert other.delete_many(["k"]) == 0
    compute.let_go()
    assert caller.result() == "computed"
    assert other.get("k") is None


def test_on_plain_keys_the_last_one_to_store_wins(place: Place) -> None:
    with place.open() as cache:
        compute = Computation("computed", held=True)
        caller = Caller(lambda: cache.get_or_set("k", compute, ttl=None))
        assert compute.has_begun()
        assert cache.add("k", "added")
        assert cache.get_or_set("k", compute) == "added"
        compute.let_go()
        assert caller.result() == "computed"
        assert cache.get("k") == "computed"
        assert cache.ttl("k") == inf
