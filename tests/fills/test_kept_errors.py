"""errors=: exceptions that are kept in the place of a value."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from kcache import Cache, Miss
from tests.fills.computing import Caller, Clock, Computation


class NotThere(Exception):  # noqa: N818 - what a user may call it
    """There is no such thing."""


class NotHere(NotThere):
    """It is elsewhere."""


class Numbered(Exception):  # noqa: N818 - the same
    """Its arguments are not those that it was made with."""

    def __init__(self, number: str) -> None:
        super().__init__(f"number {int(number)}")


ERRORS: dict[str, Any] = {"errors": {NotThere: 100}}


def test_the_same_is_raised_everywhere_and_computed_once(cache: Cache, other: Cache) -> None:
    failing = Computation(NotThere("user", 42, (b"x", None)))
    raised = []
    for each in (cache, cache, other, other):
        with pytest.raises(NotThere) as caught:
            each.get_or_set("k", failing, **ERRORS)
        raised.append(caught.value)
    assert failing.calls == 1
    assert {type(error) for error in raised} == {NotThere}
    assert {error.args for error in raised} == {("user", 42, (b"x", None))}


def test_a_derived_class_is_raised_as_itself(cache: Cache, other: Cache) -> None:
    failing = Computation(NotHere("there"))
    for each in (cache, other):
        with pytest.raises(NotHere) as caught:
            each.get_or_set("k", failing, **ERRORS)
        assert type(caught.value) is NotHere
    assert failing.calls == 1


def test_it_ends_when_it_was_told_to(timed: Cache, other_timed: Cache, clock: Clock) -> None:
    compute = Computation(NotThere("no"), "found")
    with pytest.raises(NotThere):
        timed.get_or_set("k", compute, ttl=1000, errors={NotThere: 100})
    assert 90 < (seconds_left(timed, "k")) < 103
    timed.delete("k")
    clock.go_on(1)
    assert other_timed.get_or_set("k", compute, **ERRORS) == "found"


def seconds_left(cache: Cache, key: str) -> float:
    """What the node says of whatever lies there."""
    flows, core = cache._flows, cache._core  # noqa: SLF001 - to every call it is a miss
    index, place = flows.route(key)
    wire = getattr(place, "key", place)
    from kcache.command import Ttl  # noqa: PLC0415
    from kcache.executor import run  # noqa: PLC0415

    def flow() -> Any:
        return (yield {index: (Ttl(wire),)})

    (left,) = run(flow(), core.transport)[index]
    return float(left)


def test_to_every_other_call_it_is_a_miss(cache: Cache, other: Cache) -> None:
    with pytest.raises(NotThere):
        cache.get_or_set("k", Computation(NotThere("no")), **ERRORS)
    for each in (cache, other):
        assert each.get("k", "miss") == "miss"
        assert each.get_many(["k"]) == {}
        assert each.lookup("k") == Miss()
        assert "k" not in each
        assert each.gets("k") is None


def test_who_names_another_class_computes(cache: Cache, other: Cache) -> None:
    for options in ({}, {"errors": {KeyError: 100}}, {"stale_ttl": 100}, {"errors": {NotHere: 5}}):
        with pytest.raises(NotThere):
            cache.get_or_set("k", Computation(NotThere("no")), **ERRORS)
        assert other.get_or_set("k", lambda: "value", **options) == "value"
        assert cache.get("k") == "value"
        cache.delete("k")


def test_what_is_set_takes_its_place(cache: Cache, other: Cache) -> None:
    failing = Computation(NotThere("no"))
    with pytest.raises(NotThere):
        cache.get_or_set("k", failing, **ERRORS)
    other.set("k", "value")
    assert cache.get_or_set("k", failing, **ERRORS) == "value"
    other.delete("k")
    with pytest.raises(NotThere):
        cache.get_or_set("k", failing, **ERRORS)
    assert failing.calls == 2


def test_what_is_not_named_is_not_kept(cache: Cache) -> None:
    compute = Computation(KeyError("no"), "value")
    with pytest.raises(KeyError):
        cache.get_or_set("k", compute, **ERRORS)
    assert cache.get_or_set("k", compute, wait=60, **ERRORS) == "value"


def test_what_cannot_be_encoded_is_not_kept(cache: Cache) -> None:
    compute = Computation(NotThere(object()), "value")
    with pytest.raises(NotThere):
        cache.get_or_set("k", compute, **ERRORS)
    assert cache.get_or_set("k", compute, wait=60, **ERRORS) == "value"


def test_what_cannot_be_made_again_is_computed(cache: Cache, other: Cache) -> None:
    compute = Computation(Numbered("5"), "value")
    with pytest.raises(Numbered, match="number 5"):
        cache.get_or_set("k", compute, errors={Numbered: 100})
    assert other.get_or_set("k", compute, wait=60, errors={Numbered: 100}) == "value"


def test_a_lease_does_not_outlive_an_exception_that_was_kept_meanwhile(
    cache: Cache, other: Cache
) -> None:
    def keep() -> None:
        with pytest.raises(NotThere):
            other.get_or_set("k", Computation(NotThere("no")), **ERRORS)

    # Between its look and its lease, somebody else keeps an exception.
    flows: Any = cache._flows  # noqa: SLF001 - there is no other way to be in between
    lease = flows.lease

    def late(*args: Any, **options: Any) -> Any:
        keep()
        return lease(*args, **options)

    flows.lease = late
    with pytest.raises(NotThere):
        cache.get_or_set("k", lambda: "value", **ERRORS)
    del flows.lease
    other.delete("k")
    compute = Computation("mine")
    assert other.get_or_set("k", compute, wait=0.5) == "mine"
    assert other.get("k") == "mine"


def test_many_wait_for_it(cache: Cache, other: Cache) -> None:
    failing = Computation(NotThere("no"), held=True)
    leader = Caller(lambda: cache.get_or_set("k", failing, **ERRORS))
    assert failing.has_begun()
    callers = [Caller(partial(c.get_or_set, "k", failing, **ERRORS)) for c in (cache, other) * 3]
    assert all(caller.comes_to_wait() for caller in callers)
    failing.let_go()
    assert {type(caller.error()) for caller in [leader, *callers]} == {NotThere}
    assert failing.calls == 1


def test_a_stale_value_is_better_than_an_exception(timed: Cache, clock: Clock) -> None:
    options: dict[str, Any] = {"ttl": 100, "stale_on_error": 1000, **ERRORS}
    compute = Computation("old", NotThere("no"))
    timed.get_or_set("k", compute, **options)
    clock.go_on(101)
    assert timed.get_or_set("k", compute, **options) == "old"
    assert timed.get_or_set("k", compute, **options) == "old"
    assert compute.calls == 3
