"""get_or_set_many: what is missing is computed in one call."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import Any

import pytest

from kcache import Cache
from tests.cache.places import Place
from tests.fills.computing import Caller, Clock, Computation

KEYS = [f"key{i}" for i in range(30)]


class Unknown:
    """Of no type that a codec takes."""


class Lengths:
    """A factory that remembers what it was asked."""

    def __init__(self, *, without: tuple[str, ...] = (), held: bool = False) -> None:
        self.asked: list[list[Any]] = []
        self.gate = Computation(None, held=held)
        self._without = without

    def __call__(self, keys: list[Any]) -> Mapping[Any, int]:
        self.asked.append(list(keys))
        self.gate()
        return {key: len(key) for key in keys if key not in self._without}


def test_one_call_computes_what_is_missing(cache: Cache, other: Cache) -> None:
    cache.set_many({"key3": "there", "key4": None})
    compute = Lengths()
    expected = {key: len(key) for key in KEYS} | {"key3": "there", "key4": None}
    assert cache.get_or_set_many(iter(KEYS), compute) == expected
    assert compute.asked == [[key for key in KEYS if key not in {"key3", "key4"}]]
    assert list(other.get_or_set_many(KEYS, compute)) == KEYS
    assert other.get_many(KEYS) == expected
    assert len(compute.asked) == 1


def test_of_no_keys_nothing_is_computed(cache: Cache) -> None:
    compute = Lengths()
    assert cache.get_or_set_many([], compute) == {}
    assert compute.asked == []


def test_the_same_key_twice_is_computed_once(cache: Cache) -> None:
    compute = Lengths()
    keys: list[str | bytes] = ["a", b"a", "a", b"bb", "bb"]
    assert cache.get_or_set_many(keys, compute) == {
        "a": 1,
        b"a": 1,
        b"bb": 2,
        "bb": 2,
    }
    assert compute.asked == [["a", b"bb"]]


def test_both_forms_of_a_key_that_is_left_out_are_asked_for_once(cache: Cache) -> None:
    compute = Lengths(without=("a",))
    keys: list[str | bytes] = ["a", b"a"]
    assert cache.get_or_set_many(keys, compute) == {}
    assert compute.asked == [["a"]]


def test_a_key_that_is_left_out_has_no_value(cache: Cache) -> None:
    compute = Lengths(without=("key1",))
    assert cache.get_or_set_many(["key0", "key1"], compute) == {"key0": 4}
    assert "key1" not in cache
    assert cache.get_or_set_many(["key0", "key1"], compute, wait=60) == {"key0": 4}
    assert compute.asked == [["key0", "key1"], ["key1"]]


def test_what_is_given_beyond_what_was_asked_is_not_stored(cache: Cache) -> None:
    assert cache.get_or_set_many(["a"], lambda _: {"a": 1, "more": 2}) == {"a": 1}
    assert "more" not in cache


def test_the_ttl_is_given(cache: Cache) -> None:
    cache.get_or_set_many(["a", "b"], lambda keys: dict.fromkeys(keys, 1), ttl=100)
    assert 90 < (cache.ttl("a") or 0) < 103


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=repr)
def test_what_a_factory_raises_comes_out_and_nobody_waits(
    cache: Cache, other: Cache, error: BaseException
) -> None:
    failing = Computation(error, held=True)
    leader = Caller(lambda: cache.get_or_set_many(KEYS, lambda _: failing()))
    assert failing.has_begun()
    compute = Lengths()
    callers = [
        Caller(partial(c.get_or_set_many, KEYS[:3], compute, wait=60)) for c in (cache, other)
    ]
    assert all(caller.comes_to_wait() for caller in callers)
    failing.let_go()
    assert leader.error() is error
    assert [caller.result() for caller in callers] == [{key: len(key) for key in KEYS[:3]}] * 2
    assert sorted(chain.from_iterable(compute.asked)) == KEYS[:3]
    assert KEYS[5] not in cache


def test_what_others_compute_is_waited_for(cache: Cache, other: Cache) -> None:
    first, second = Lengths(held=True), Lengths()
    leader = Caller(lambda: cache.get_or_set_many(KEYS[:4], first))
    assert first.gate.has_begun()
    callers = [Caller(partial(c.get_or_set_many, KEYS[:6], second)) for c in (cache, other)]
    assert all(caller.comes_to_wait() for caller in callers)
    one = Caller(lambda: other.get_or_set(KEYS[0], lambda: "not needed"))
    assert one.comes_to_wait()
    first.gate.let_go()
    assert leader.result() == dict.fromkeys(KEYS[:4], 4)
    assert [caller.result() for caller in callers] == [dict.fromkeys(KEYS[:6], 4)] * 2
    assert one.result() == 4
    assert sorted(chain.from_iterable(second.asked)) == KEYS[4:6]


def test_what_one_call_computes_many_wait_for(cache: Cache, other: Cache) -> None:
    compute = Computation("one", held=True)
    leader = Caller(lambda: cache.get_or_set(KEYS[0], compute))
    assert compute.has_begun()
    callers = [
        Caller(partial(c.get_or_set_many, KEYS[:2], lambda keys: dict.fromkeys(keys, "many")))
        for c in (cache, other)
    ]
    assert all(caller.comes_to_wait() for caller in callers)
    compute.let_go()
    assert leader.result() == "one"
    for caller in callers:
        assert caller.result() == {KEYS[0]: "one", KEYS[1]: "many"}


def test_the_wait_is_that_of_the_call_whatever_the_number_of_keys(
    cache: Cache, other: Cache
) -> None:
    first, second = Lengths(held=True), Lengths()
    leader = Caller(lambda: cache.get_or_set_many(KEYS, first))
    assert first.gate.has_begun()
    begun = time.monotonic()
    assert other.get_or_set_many(KEYS, second, wait=0.2) == {key: len(key) for key in KEYS}
    assert time.monotonic() - begun < 3
    first.gate.let_go()
    leader.result()


def test_a_value_that_cannot_be_stored_costs_the_others_nothing(cache: Cache) -> None:
    values = {"a": Unknown(), "b": 2}
    assert cache.get_or_set_many(["a", "b"], lambda _: values) == values
    assert cache.get_many(["a", "b"]) == {"b": 2}
    assert cache.get_or_set("a", lambda: 1, wait=60) == 1


def test_a_factory_that_gives_no_mapping_leaves_nobody_waiting(cache: Cache) -> None:
    nothing: Any = None
    with pytest.raises(TypeError):
        cache.get_or_set_many(["a", "b"], lambda _: nothing)
    begun = time.monotonic()
    assert cache.get_or_set("a", lambda: 1, wait=5) == 1
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize("refresh", ["caller", "thread"])
def test_a_stale_key_that_is_left_out_keeps_its_value(
    timed: Cache, clock: Clock, refresh: Any
) -> None:
    options: dict[str, Any] = {"ttl": 100, "stale_ttl": 1000, "refresh": refresh}
    assert timed.get_or_set_many(["a", "b"], Lengths(), **options) == {"a": 1, "b": 1}
    clock.go_on(101)
    compute = Lengths(without=("a",))
    assert timed.get_or_set_many(["a", "b"], compute, **options) == {"a": 1, "b": 1}


def test_an_exception_that_is_kept_is_no_reason_not_to_compute_the_others(timed: Cache) -> None:
    errors: dict[type[Exception], float] = {ValueError: 100}
    with pytest.raises(ValueError, match="no"):
        timed.get_or_set("a", Computation(ValueError("no")), errors=errors)
    assert timed.get_or_set_many(["a", "b"], Lengths(), errors=errors) == {"a": 1, "b": 1}
    assert timed.get("a") == 1


def test_nothing_computed_before_a_write_is_seen_after_it(place: Place) -> None:
    with place.open(namespace="shop") as cache:
        compute = Lengths(held=True)
        caller = Caller(lambda: cache.get_or_set_many(["a", "b", "c"], compute))
        assert compute.gate.has_begun()
        cache.delete("a")
        cache.set("b", "set")
        compute.gate.let_go()
        assert caller.result() == {"a": 1, "b": 1, "c": 1}
        assert cache.get_many(["a", "b", "c"]) == {"b": "set", "c": 1}


def test_who_waits_for_a_key_that_is_left_out_computes_it(cache: Cache) -> None:
    cache.get_or_set("k", lambda: "old", ttl=0.05, stale_on_error=60)
    time.sleep(0.2)
    held = Lengths(held=True)

    def leaves_out(keys: list[str]) -> dict[str, int]:
        held(keys)
        return {}

    many = Caller(
        lambda: cache.get_or_set_many(
            ["k"], leaves_out, ttl=10, stale_ttl=60, refresh="caller", stale_on_error=60
        )
    )
    assert held.gate.has_begun()
    one = Caller(lambda: cache.get_or_set("k", lambda: "new", ttl=10, stale_on_error=60))
    assert one.comes_to_wait()
    held.gate.let_go()
    assert many.result() == {"k": "old"}
    assert one.result() == "new"
