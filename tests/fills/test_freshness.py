"""Values that get old: who is given them, and who computes them again."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from kcache import Cache, Hit, Miss
from kcache.policy import Task
from tests.faults.tally import comes_true
from tests.fills.computing import Caller, Clock, Computation

STALE: dict[str, Any] = {"ttl": 100, "stale_ttl": 1000}


def with_chance(cache: Cache, chance: float) -> None:
    """Have a cache draw the same number each time."""
    cache._fills._chance = lambda: chance  # noqa: SLF001 - users need no say in it


def test_the_caller_who_finds_it_stale_computes_it(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    compute = Computation("old", "new")
    options: dict[str, Any] = {**STALE, "refresh": "caller"}
    assert timed.get_or_set("k", compute, **options) == "old"
    clock.go_on(99)
    assert timed.get_or_set("k", compute, **options) == "old"
    assert compute.calls == 1
    clock.go_on(2)
    assert timed.get_or_set("k", compute, **options) == "new"
    assert other_timed.get_or_set("k", compute, **options) == "new"
    assert compute.calls == 2


def test_while_one_caller_computes_the_others_are_given_what_is_stale(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    options: dict[str, Any] = {**STALE, "refresh": "caller"}
    timed.get_or_set("k", lambda: "old", **options)
    clock.go_on(101)
    compute = Computation("new", held=True)
    caller = Caller(lambda: timed.get_or_set("k", compute, **options))
    assert compute.has_begun()
    for cache in (timed, other_timed):
        assert cache.get_or_set("k", compute, **options) == "old"
        assert cache.get_or_set_many(["k"], lambda _: {"k": "x"}, **options) == {"k": "old"}
    compute.let_go()
    assert caller.result() == "new"
    assert compute.calls == 1
    for cache in (timed, other_timed):
        assert cache.get_or_set("k", compute, **options) == cache.get("k") == "new"


def test_a_thread_computes_it_behind_the_callers(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    timed.get_or_set("k", lambda: "old", **STALE)
    clock.go_on(101)
    compute = Computation("new", held=True)
    for cache in (timed, other_timed) * 5:
        assert cache.get_or_set("k", compute, **STALE) == "old"
    assert compute.has_begun()
    assert timed.get_or_set("k", compute, **STALE) == "old"
    compute.let_go()
    assert comes_true(lambda: timed.get("k") == "new")
    assert other_timed.get_or_set("k", compute, **STALE) == "new"


def test_a_function_is_given_the_task(timed: Cache, clock: Clock) -> None:
    tasks: queue.Queue[Callable[[], None]] = queue.Queue()
    compute = Computation("old", "new")
    options: dict[str, Any] = {**STALE, "refresh": tasks.put}
    timed.get_or_set("k", compute, **options)
    clock.go_on(101)
    assert timed.get_or_set("k", compute, **options) == "old"
    assert timed.get_or_set("k", compute, **options) == "old"
    assert compute.calls == 1
    # One that is asked for again at once would be the same.
    assert tasks.qsize() == 1
    tasks.get()()
    assert compute.calls == 2
    assert timed.get_or_set("k", compute, **options) == "new"


def test_a_task_that_comes_late_does_nothing(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    tasks: queue.Queue[Callable[[], None]] = queue.Queue()
    compute = Computation("old", "new", "once too often")
    options: dict[str, Any] = {**STALE, "refresh": tasks.put}
    timed.get_or_set("k", compute, **options)
    clock.go_on(101)
    for cache in (timed, other_timed):
        assert cache.get_or_set("k", compute, **options) == "old"
    tasks.get()()
    tasks.get()()
    assert timed.get("k") == "new"
    assert compute.calls == 2


def test_beyond_its_time_a_stale_value_is_not_given(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    compute = Computation("old", "new")
    timed.get_or_set("k", compute, ttl=100, stale_ttl=50)
    clock.go_on(151)
    assert other_timed.lookup("k") in (Miss(), Hit("old", stale=True))
    assert other_timed.get_or_set("k", compute, ttl=100, stale_ttl=50) == "new"
    assert compute.calls == 2


def test_who_asks_for_no_stale_value_is_given_none(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    timed.get_or_set("k", lambda: "old", **STALE)
    clock.go_on(101)
    for cache in (timed, other_timed):
        assert cache.get("k") is None
        assert cache.get_many(["k"]) == {}
        assert "k" not in cache
        assert cache.gets("k") is None
        assert cache.lookup("k") == Hit("old", stale=True)
    assert other_timed.get_or_set("k", lambda: "new", ttl=100) == "new"
    assert timed.lookup("k") == Hit("new")


def test_what_is_stale_is_no_entry_to_add_and_replace(
    timed: Cache, other_timed: Cache, clock: Clock, name: str | None
) -> None:
    if name is None:
        # A server decides that by itself, and knows no stale values.
        return
    timed.get_or_set("k", lambda: "old", **STALE)
    clock.go_on(101)
    assert other_timed.replace("k", "replaced") is False
    assert other_timed.add("k", "added") is True
    assert timed.get_or_set("k", lambda: "new", **STALE) == "added"


def test_if_it_cannot_be_computed_again_the_stale_value_is_given(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    options: dict[str, Any] = {"ttl": 100, "stale_on_error": 500}
    failing = Computation(ValueError("no"))
    timed.get_or_set("k", lambda: "old", **options)
    clock.go_on(101)
    for cache in (timed, other_timed):
        assert cache.get_or_set("k", failing, **options) == "old"
    assert failing.calls == 2
    assert timed.get_or_set("k", lambda: "new", **options) == "new"
    clock.go_on(601)
    with pytest.raises(ValueError, match="no"):
        other_timed.get_or_set("k", failing, **options)


def test_those_who_waited_are_given_the_stale_value_too(timed: Cache, clock: Clock) -> None:
    options: dict[str, Any] = {"ttl": 100, "stale_on_error": 500}
    failing = Computation(ValueError("no"), held=True)
    timed.get_or_set("k", lambda: "old", **options)
    clock.go_on(101)
    leader = Caller(lambda: timed.get_or_set("k", failing, **options))
    assert failing.has_begun()
    waiter = Caller(lambda: timed.get_or_set("k", failing, **options))
    assert waiter.comes_to_wait()
    failing.let_go()
    assert leader.result() == waiter.result() == "old"
    assert failing.calls == 1


def test_where_others_compute_it_what_is_stale_is_not_given_without_leave(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    options: dict[str, Any] = {"ttl": 100, "stale_on_error": 500}
    timed.get_or_set("k", lambda: "old", **options)
    clock.go_on(101)
    compute = Computation("new", held=True)
    leader = Caller(lambda: timed.get_or_set("k", compute, **options))
    assert compute.has_begun()
    waiters = [Caller(partial(c.get_or_set, "k", compute, **options)) for c in (timed, other_timed)]
    assert all(waiter.comes_to_wait() for waiter in waiters)
    compute.let_go()
    assert [each.result() for each in [leader, *waiters]] == ["new"] * 3
    assert compute.calls == 1


@pytest.mark.parametrize("refresh", ["caller", "thread"])
def test_early_it_is_computed_before_its_end(timed: Cache, clock: Clock, refresh: Any) -> None:
    options: dict[str, Any] = {"ttl": 100, "early": 1, "refresh": refresh}
    # Nearly 1: the earliest that there is.
    with_chance(timed, 1 - 2**-53)
    compute = Computation("old", "new")

    def slow() -> Any:
        clock.go_on(0)
        return compute()

    timed.get_or_set("k", slow, **options)
    clock.go_on(100 - 1e-9)
    timed.get_or_set("k", slow, **options)
    assert comes_true(lambda: compute.calls == 2)
    assert comes_true(lambda: timed.get("k") == "new")


def test_without_luck_nothing_is_computed_early(timed: Cache, clock: Clock) -> None:
    with_chance(timed, 0.0)
    compute = Computation("old", "new")
    options: dict[str, Any] = {"ttl": 100, "early": 1, "refresh": "caller"}
    timed.get_or_set("k", compute, **options)
    clock.go_on(99.9)
    assert timed.get_or_set("k", compute, **options) == "old"
    clock.go_on(0.1)
    assert timed.get_or_set("k", compute, **options) == "new"


@pytest.mark.parametrize(("chance", "low", "high"), [(0.0, 995, 1003), (0.5, 745, 753)])
def test_jitter_takes_a_share_of_the_ttl(
    cache: Cache, chance: float, low: float, high: float
) -> None:
    with_chance(cache, chance)
    cache.get_or_set("k", lambda: 1, ttl=1000, jitter=0.5)
    cache.get_or_set_many(["l"], lambda keys: dict.fromkeys(keys, 1), ttl=1000, jitter=0.5)
    for key in ("k", "l"):
        assert low < (cache.ttl(key) or 0) < high


def test_without_an_end_nothing_gets_old(timed: Cache, clock: Clock) -> None:
    compute = Computation("value")
    options: dict[str, Any] = {"ttl": None, "stale_ttl": 10, "early": 1, "jitter": 1}
    timed.get_or_set("k", compute, **options)
    clock.go_on(10**6)
    assert timed.get_or_set("k", compute, **options) == "value"
    assert timed.lookup("k") == Hit("value")
    assert compute.calls == 1


def test_what_fails_in_the_background_is_told_and_tried_again(
    timed: Cache, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    failing, sound = Computation(ValueError("no")), Computation("new")
    timed.get_or_set("k", lambda: "old", **STALE)
    clock.go_on(101)
    assert timed.get_or_set("k", failing, **STALE) == "old"
    assert comes_true(lambda: "could not be computed again" in caplog.text)

    def is_new() -> bool:
        return bool(timed.get_or_set("k", sound, **STALE) == "new")

    assert comes_true(is_new)
    assert (failing.calls, sound.calls) == (1, 1)


def test_a_value_that_was_set_is_good_for_as_long_as_it_is_there(timed: Cache) -> None:
    timed.set("k", "set", ttl=100)
    compute = Computation("new")
    assert timed.get_or_set("k", compute, **STALE) == "set"
    assert timed.lookup("k") == Hit("set")
    assert compute.calls == 0


def test_a_task_is_given_once_until_its_value_is_another_one(timed: Cache, clock: Clock) -> None:
    tasks: list[Task] = []
    options: dict[str, Any] = {**STALE, "refresh": tasks.append, "lock_ttl": 0.1}
    timed.get_or_set("k", lambda: 0, **options)
    for number in range(3):
        clock.go_on(101)
        for _ in range(5):
            assert timed.get_or_set("k", lambda: -1, **{**options, "lock_ttl": 60}) == number
        assert len(tasks) == number + 1
        timed.refill("k", lambda value=number + 1: value, **options)  # type: ignore[misc]
    clock.go_on(101)

    def is_given_again() -> bool:
        timed.get_or_set("k", lambda: -1, **options)
        return len(tasks) >= 5

    assert comes_true(is_given_again)


def test_a_task_tells_where_the_value_is(timed: Cache, clock: Clock, name: str | None) -> None:
    tasks: list[Task] = []
    options: dict[str, Any] = {**STALE, "refresh": tasks.append}
    timed.get_or_set_many(["a", "b"], lambda keys: dict.fromkeys(keys, 1), **options)
    timed.get_or_set("c", lambda: 1, **options)
    clock.go_on(101)
    timed.get_or_set_many(["a", "b"], lambda keys: dict.fromkeys(keys, 2), **options)
    timed.get_or_set("c", lambda: 2, **options)
    names = (name,) if name else ()
    assert [(task.names, task.key) for task in tasks] == [(names, key) for key in "abc"]
    assert {(task.args, *task.kwargs) for task in tasks} == {((),)}
    for task in tasks:
        task()
    assert timed.get_many(list("abc")) == {"a": 2, "b": 2, "c": 2}


def test_a_hook_that_raises_is_asked_again_soon(timed: Cache, clock: Clock) -> None:
    calls: list[Task] = []

    def full(task: Task) -> None:
        calls.append(task)
        raise queue.Full

    options: dict[str, Any] = {**STALE, "refresh": full}
    timed.get_or_set("k", lambda: "old", **options)
    clock.go_on(101)
    with pytest.raises(queue.Full):
        timed.get_or_set("k", lambda: "new", **options)
    assert timed.get_or_set("k", lambda: "new", **options) == "old"

    def is_asked() -> bool:
        with contextlib.suppress(queue.Full):
            timed.get_or_set("k", lambda: "new", **options)
        return len(calls) > 1

    assert comes_true(is_asked)
