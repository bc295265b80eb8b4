"""refill: computed whatever is kept, and stored as fills are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import pytest

from kcache import Cache, ConfigurationError, Hit, InvalidKey, Miss, NodeError
from tests.cache.places import Place
from tests.fills.computing import Caller, Clock, Computation
from tests.fills.test_freshness import with_chance
from tests.fills.test_writes import each_write
from tests.servers import kill, memcached, redis

DATED: dict[str, Any] = {"ttl": 100, "stale_ttl": 1000, "refresh": "caller"}


class Unknown:
    """Of no type that a codec takes."""


def test_it_computes_whatever_is_kept(cache: Cache, other: Cache) -> None:
    compute = Computation({"n": 1}, {"n": 2}, None)
    for expected in ({"n": 1}, {"n": 2}, None):
        assert cache.refill("k", compute) == expected
        assert cache.get("k", "missing") == other.get(b"k", "missing") == expected
    assert compute.calls == 3


def test_the_ttl_is_that_of_the_call_or_of_the_cache(place: Place, name: str | None) -> None:
    with place.open(namespace=name, ttl=1000) as cache:
        for _ in range(2):
            cache.refill("default", lambda: 1)
            cache.refill("given", lambda: 1, ttl=100)
            cache.refill("endless", lambda: 1, ttl=None)
            lives = [cache.ttl(key) or 0 for key in ("default", "given", "endless")]
            assert 900 < lives[0] < 1003
            assert 90 < lives[1] < 103
            assert lives[2] == inf


def test_jitter_takes_a_share_of_the_ttl(cache: Cache) -> None:
    with_chance(cache, 0.5)
    for _ in range(2):
        cache.refill("k", lambda: 1, ttl=1000, jitter=0.5)
        assert 745 < (cache.ttl("k") or 0) < 753


@pytest.mark.parametrize("before", ["nothing", "set", "dated"])
def test_what_it_stores_gets_stale_as_fills_do(
    timed: Cache, other_timed: Cache, clock: Clock, before: str
) -> None:
    if before == "set":
        timed.set("k", "old", ttl=50)
    elif before == "dated":
        timed.get_or_set("k", lambda: "old", **DATED)
    assert timed.refill("k", lambda: "new", **DATED) == "new"
    clock.go_on(99)
    assert timed.lookup("k") == other_timed.lookup("k") == Hit("new")
    clock.go_on(2)
    assert timed.lookup("k") == other_timed.lookup("k") == Hit("new", stale=True)
    assert other_timed.get_or_set("k", lambda: "newer", **DATED) == "newer"


@pytest.mark.parametrize("is_dated", [True, False], ids=["dated", "set"])
def test_others_are_given_the_old_value_meanwhile(
    cache: Cache,
    other: Cache,
    is_dated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    options: dict[str, Any] = {"ttl": 100, "stale_ttl": 10} if is_dated else {"ttl": 100}
    cache.get_or_set("k", lambda: "old", **options)
    compute = Computation("new", held=True)
    caller = Caller(lambda: cache.refill("k", compute, **options))
    assert compute.has_begun()
    for each in (cache, other):
        assert each.get("k") == each.get_many(["k"])["k"] == "old"
        assert each.get_or_set("k", compute, **options) == "old"
        assert each.lookup("k") == Hit("old")
        assert 90 < (each.ttl("k") or 0) < 113
    compute.let_go()
    assert caller.result() == other.get("k") == "new"
    assert compute.calls == 1


def test_where_there_is_nothing_others_wait_for_it(cache: Cache, other: Cache) -> None:
    compute = Computation("new", held=True)
    caller = Caller(lambda: cache.refill("k", compute))
    assert compute.has_begun()
    waiters = [Caller(partial(each.get_or_set, "k", compute)) for each in (cache, other)]
    assert all(waiter.comes_to_wait() for waiter in waiters)
    compute.let_go()
    assert [each.result() for each in (caller, *waiters)] == ["new"] * 3
    assert compute.calls == 1


def test_what_is_stale_is_computed_by_the_one_who_forces_it(timed: Cache, clock: Clock) -> None:
    timed.get_or_set("k", lambda: "old", **DATED)
    clock.go_on(101)
    compute = Computation("new", held=True)
    caller = Caller(lambda: timed.refill("k", compute, **DATED))
    assert compute.has_begun()
    assert timed.get_or_set("k", compute, **DATED) == "old"
    compute.let_go()
    assert caller.result() == timed.get("k") == "new"
    assert compute.calls == 1


@each_write
@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "nothing"])
def test_what_was_computed_before_a_write_is_not_stored(
    place: Place,
    write: Callable[[Cache], Any],
    after: Any,
    is_kept: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    with place.open(namespace="shop") as cache, place.open(namespace="shop") as other:
        if is_kept:
            other.set("k", 4)
        compute = Computation("old", held=True)
        caller = Caller(lambda: cache.refill("k", compute))
        assert compute.has_begun()
        write(other)
        compute.let_go()
        assert caller.result() == "old"
        if is_kept and after == "new" and cache.get("k") == "old":
            # To `add` there was a value; it has changed nothing.
            assert not other.add("k", "new")
            return
        assert [each.get("k") for each in (cache, other)] == [after] * 2


def test_nor_is_it_if_the_very_same_was_stored_again(place: Place) -> None:
    with place.open(namespace="shop") as cache, place.open(namespace="shop") as other:
        other.set("k", "same")
        compute = Computation("computed", held=True)
        caller = Caller(lambda: cache.refill("k", compute))
        assert compute.has_begun()
        other.delete("k")
        other.set("k", "same")
        compute.let_go()
        assert caller.result() == "computed"
        assert cache.get("k") == other.get("k") == "same"


@pytest.mark.parametrize("order", ["forced first", "forced last"])
@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "nothing"])
def test_who_had_begun_before_stores_no_more(
    place: Place,
    clock: Clock,
    order: str,
    is_kept: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    with (
        place.open(namespace="shop", clock=clock) as cache,
        place.open(namespace="shop", clock=clock) as other,
    ):
        if is_kept:
            other.get_or_set("k", lambda: "stale", **DATED)
            clock.go_on(101)
        early, late = Computation("early", held=True), Computation("late", held=True)
        first = Caller(lambda: other.get_or_set("k", early, **DATED))
        assert early.has_begun()
        second = Caller(lambda: cache.refill("k", late, **DATED))
        assert late.has_begun()
        calls = [(early, first, "early"), (late, second, "late")]
        for compute, caller, expected in calls if order == "forced last" else reversed(calls):
            compute.let_go()
            assert caller.result() == expected
        assert cache.get("k") == other.get("k") == "late"


def test_of_two_the_one_that_began_later_is_kept(place: Place) -> None:
    with place.open(namespace="shop") as cache, place.open(namespace="shop") as other:
        early, late = Computation("early", held=True), Computation("late", held=True)
        first = Caller(lambda: cache.refill("k", early))
        assert early.has_begun()
        second = Caller(lambda: other.refill("k", late))
        assert late.has_begun()
        late.let_go()
        assert second.result() == "late"
        early.let_go()
        assert first.result() == "early"
        assert cache.get("k") == other.get("k") == "late"


@pytest.mark.parametrize("value", [Unknown(), bytes(range(256)) * (5 * 2**18)], ids=["no", "large"])
def test_what_cannot_be_stored_is_given_and_the_old_value_dropped(
    cache: Cache, other: Cache, value: Any
) -> None:
    for _ in range(2):
        assert cache.refill("k", lambda: value) is value
        assert cache.lookup("k") == other.lookup("k") == Miss()
        assert other.get_or_set("k", lambda: "old", wait=60) == "old"


def test_what_cannot_be_stored_drops_nothing_that_is_newer(place: Place) -> None:
    with place.open(namespace="shop") as cache, place.open(namespace="shop") as other:
        other.set("k", "old")
        value = Unknown()
        compute = Computation(value, held=True)
        caller = Caller(lambda: cache.refill("k", compute))
        assert compute.has_begun()
        other.set("k", "new")
        compute.let_go()
        assert caller.result() is value
        assert other.get("k") == "new"


def test_what_is_raised_comes_out_and_the_old_value_stays(
    timed: Cache, other_timed: Cache, clock: Clock
) -> None:
    options: dict[str, Any] = {**DATED, "stale_on_error": 2000}
    failing = Computation(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        timed.refill("k", failing, **options)
    assert timed.get_or_set("k", lambda: "old", wait=60, **options) == "old"
    for stale in (False, True):
        with pytest.raises(ValueError, match="no"):
            timed.refill("k", failing, **options)
        assert timed.lookup("k") == other_timed.lookup("k") == Hit("old", stale=stale)
        clock.go_on(101)
    # The lease was given up.
    assert other_timed.get_or_set("k", lambda: "new", **options) == "new"


def test_an_exception_that_is_kept_gives_way(timed: Cache, other_timed: Cache) -> None:
    errors: dict[type[Exception], float] = {LookupError: 100}
    failing = Computation(LookupError("none"))
    for cache in (timed, other_timed):
        with pytest.raises(LookupError, match="none"):
            cache.refill("k", failing, errors=errors)
        with pytest.raises(LookupError, match="none"):
            other_timed.get_or_set("k", lambda: "unwanted", errors=errors)
    assert failing.calls == 2
    assert timed.refill("k", lambda: "found", errors=errors) == "found"
    assert other_timed.get_or_set("k", failing, errors=errors) == "found"


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "nothing"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_one_that_is_ended_leaves_nobody_hanging(
    timed: Cache,
    other_timed: Cache,
    clock: Clock,
    kind: type[BaseException],
    is_kept: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    options: dict[str, Any] = {"ttl": 100, "stale_on_error": 1000}
    if is_kept:
        timed.get_or_set("k", lambda: "old", **options)
        clock.go_on(101)
    ended = Computation(kind(), held=True)
    leader = Caller(lambda: timed.refill("k", ended, **options))
    assert ended.has_begun()
    sound = Computation("yes")
    waiters = [
        Caller(partial(each.get_or_set, "k", sound, wait=60, **options))
        for each in (timed, other_timed)
    ]
    assert all(waiter.comes_to_wait() for waiter in waiters)
    ended.let_go()
    assert isinstance(leader.error(), kind)
    assert [waiter.result() for waiter in waiters] == ["yes"] * 2
    # Whoever looked at a stale value just before it was replaced computes, too, and does not store.
    assert 1 <= sound.calls <= 1 + is_kept


def test_it_is_counted(cache: Cache, name: str | None) -> None:
    cache.refill("k", lambda: 1)
    cache.refill("k", lambda: 2)
    counts = cache.stats()[(name,) if name else ()]
    assert (counts.computed, counts.stores, counts.hits, counts.misses) == (2, 2, 0, 0)


@pytest.mark.parametrize("start", [redis, memcached])
def test_where_a_node_is_down_it_computes_or_raises(start: Any, name: str | None) -> None:
    compute = Computation(1)
    with (
        start() as server,
        Cache([server.url], namespace=name, timeout=5) as lenient,
        Cache([server.url], namespace=name, timeout=5, on_error="raise") as strict,
    ):
        kill(server)
        assert lenient.refill("k", compute) == 1
        with pytest.raises(NodeError):
            strict.refill("k", compute)
        with pytest.raises(ValueError, match="no") as raised:
            lenient.refill("k", Computation(ValueError("no")))
    assert raised.value.__context__ is None
    assert compute.calls == 1


def test_what_is_wrong_is_refused_and_nothing_computed(cache: Cache) -> None:
    compute = Computation(1)
    wrong: Any = ""
    with pytest.raises(InvalidKey):
        cache.refill(wrong, compute)
    with pytest.raises(ConfigurationError):
        cache.refill("k", compute, jitter=2)
    assert compute.calls == 0


def test_signed_values_are_computed_again(place: Place, name: str | None) -> None:
    with place.open(namespace=name, secret="s" * 16) as cache:
        for number in range(3):
            assert cache.refill("k", lambda number=number: number) == number  # type: ignore[misc]
            assert cache.get("k") == number


def test_a_value_is_the_same_while_another_one_is_computed(cache: Cache, other: Cache) -> None:
    values = ["é\udc80", b"\x00" * 100_000, 2**80, 7, {"x": [1.5, None]}, "long " * 50_000, None]
    for value in values:
        cache.set("k", value, ttl=1000)
        with pytest.raises(ValueError, match="no"):
            other.refill("k", Computation(ValueError("no")))
        assert cache.lookup("k") == other.lookup("k") == Hit(value)
        assert 900 < (other.ttl("k") or 0) < 1003
    cache.set("n", 5)
    with pytest.raises(ValueError, match="no"):
        cache.refill("n", Computation(ValueError("no")))
    assert other.incr("n", 2) == 7
