"""Memoized functions and methods."""

# What is cached has arguments that make its key, whether it looks at them or not.
# ruff: noqa: ARG001, ARG005

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import enum
import gc
import inspect
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import current_app

from kcache import SameNameWarning
from kcache_flask import (
    CacheWarning,
    IdentityWarning,
    cache_memoize_hit,
    cache_memoize_miss,
)
from tests.flask.site import Named, Site, at_once


class Colour(enum.Enum):
    RED = 1


VALUES = [
    *(None, True, 1, 1.0, "1", b"1", 2, -1, "", b"", (), [], {}, (1,), [1], {1: 2}, {"1": 2}),
    "a_b",
    *(["a_b", "c"], ["a", "b_c"], ("a", ("b", "c")), {1}, frozenset({2}), Colour.RED),
    *(decimal.Decimal("1.0"), dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
    *(uuid.UUID(int=1), "ö", float("inf"), 10**30),
]


def test_arguments_are_told_apart(anywhere: Site) -> None:
    @anywhere.cache.memoize()
    def f(value: Any) -> int:
        return anywhere.count()

    numbers = [f(value) for value in VALUES]
    assert numbers == [f(value) for value in VALUES]
    assert len(set(numbers)) == len(VALUES)


def test_however_a_call_is_written(anywhere: Site) -> None:
    @anywhere.cache.memoize()
    def f(a: int, b: int = 2, *rest: int, c: int = 3, **more: int) -> int:
        return anywhere.count()

    assert {f(1), f(a=1), f(1, 2), f(1, b=2), f(b=2, a=1), f(1, 2, c=3)} == {1}
    assert [f(1, 2, 3), f(1, c=4), f(1, d=5), f(2)] == [2, 3, 4, 5]
    assert f(1, e=1, d=2) == f(1, d=2, e=1)


def test_mutable_arguments_count_as_they_are_now(site: Site) -> None:
    @site.cache.memoize()
    def total(numbers: list[int]) -> int:
        site.count()
        return sum(numbers)

    numbers = [1, 2]
    assert [total(numbers), total([1, 2])] == [3, 3]
    numbers.append(3)
    assert total(numbers) == 6
    assert site.count.calls == 2


def test_arguments_that_make_no_difference(site: Site) -> None:
    @site.cache.memoize(args_to_ignore=["log", "user"])
    def f(number: int, log: object, **more: Any) -> int:
        return site.count()

    assert [f(1, object()), f(1, object(), user=5), f(1, None, other=1)] == [1, 1, 2]


def test_wrong_arguments_are_a_type_error(site: Site) -> None:
    @site.cache.memoize()
    def f(a: int) -> int:
        return a

    with pytest.raises(TypeError, match="argument"):
        f(1, 2)  # type: ignore[call-arg]


class Slotted:
    __slots__ = ("__weakref__", "name")

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return "<slotted>"


class Closed:
    """Nobody can tell when it is gone."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@dataclass(frozen=True)
class Album:
    name: str

    def __cache_key__(self) -> str:
        return self.name


def test_objects_say_what_identifies_them(anywhere: Site) -> None:
    @anywhere.cache.memoize()
    def name_of(thing: Any) -> str:
        anywhere.count()
        return f"{type(thing).__name__} {thing.name}"

    for kind in (Named, Album):
        names = [name_of(kind(name)) for name in ("a", "b", "a")]
        assert names == [f"{kind.__name__} {name}" for name in ("a", "b", "a")]
    assert anywhere.count.calls == 4


def test_objects_that_look_alike_are_told_apart_with_one_warning(site: Site) -> None:
    @site.cache.memoize()
    def name_of(thing: Slotted) -> str:
        site.count()
        return thing.name

    one, two = Slotted("one"), Slotted("two")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [name_of(each) for each in (one, two, one, two)] == ["one", "two"] * 2
    assert [each.category for each in caught] == [IdentityWarning]
    assert site.count.calls == 2


def test_an_object_at_the_place_of_another_is_another(site: Site) -> None:
    @site.cache.memoize()
    def name_of(thing: Slotted) -> str:
        return thing.name

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(200):
            assert name_of(Slotted(f"{number}")) == f"{number}"
            gc.collect(0)


def test_objects_that_cannot_be_watched_are_not_memoized_with_one_warning(site: Site) -> None:
    @site.cache.memoize()
    def name_of(thing: Closed) -> str:
        site.count()
        return thing.name

    with pytest.warns(CacheWarning, match=r"name_of is not memoized: .*__cache_key__") as caught:
        assert [name_of(Closed(name)) for name in ("one", "two")] == ["one", "two"]
    assert len(caught) == 1


def test_coroutines(anywhere: Site) -> None:
    @anywhere.cache.memoize()
    async def f(number: int) -> str:
        await asyncio.sleep(0.05)
        return f"{number} {current_app.name} {anywhere.count()}"

    async def main() -> list[str]:
        return [*await asyncio.gather(*[f(1) for _ in range(10)]), await f(1)]

    assert inspect.iscoroutinefunction(f)
    with anywhere.app.app_context():
        assert asyncio.run(main()) == ["1 site 1"] * 11
        assert asyncio.run(f(1)) == "1 site 1"
        anywhere.cache.delete_memoized(f, 1)
        assert asyncio.run(f(1)) == "1 site 2"


def test_coroutines_that_fail_or_give_nothing(site: Site) -> None:
    @site.cache.memoize()
    async def f(*, fails: bool) -> None:
        site.count()
        if fails:
            raise KeyError("cover")

    for _ in range(2):
        assert asyncio.run(f(fails=False)) is None
        with pytest.raises(KeyError, match="cover"):
            asyncio.run(f(fails=True))
    assert site.count.calls == 4


def test_a_coroutine_that_is_cancelled_does_not_hold_up_others(site: Site) -> None:
    @site.cache.memoize()
    async def f() -> int:
        if site.count() == 1:
            await asyncio.sleep(60)
        return site.count.calls

    async def main() -> int:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(f(), 0.2)
        return await asyncio.wait_for(f(), 5)

    assert asyncio.run(main()) == 2


def test_one_computation_for_all_who_come_at_once(anywhere: Site) -> None:
    @anywhere.cache.memoize()
    def f(number: int) -> int:
        asyncio.run(asyncio.sleep(0.2))
        return anywhere.count()

    assert at_once(*[lambda: f(1)] * 8) == [1] * 8


def test_recursion(site: Site) -> None:
    @site.cache.memoize()
    def fib(n: int) -> int:
        site.count()
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(30) == 832040
    assert site.count.calls == 31


def test_results_that_are_dropped_while_they_are_computed(anywhere: Site) -> None:
    @anywhere.cache.memoize()
    def f(number: int) -> int:
        calls = anywhere.count()
        if calls < 3:
            anywhere.cache.delete_memoized(f, *([1] if calls == 1 else []))
        return calls

    assert [f(1), f(1), f(1), f(1)] == [1, 2, 3, 3]


@pytest.mark.filterwarnings(f"ignore::{SameNameWarning.__module__}.SameNameWarning")
def test_names_and_source(site: Site) -> None:
    one = site.cache.memoize(make_name=lambda name: "shared")(lambda number: site.count())
    two = site.cache.memoize(make_name=lambda name: "shared")(lambda number: site.count())
    assert [one(1), two(1)] == [1, 1]
    first = site.cache.memoize(source_check=True)(lambda number: site.count())
    again = site.cache.memoize(source_check=True)(lambda number: 0 * 1 + site.count())
    assert [first(1), again(1), first(1)] == [2, 3, 2]
    site.cache.delete_memoized(first)
    assert [first(1), again(1)] == [4, 3]


def test_timeouts_and_the_wrapper(timed: Site) -> None:
    def f(number: int) -> int:
        return timed.count()

    made: Any = timed.cache.memoize(60)(f)
    assert (made.uncached, made.cache_timeout) == (f, 60)
    assert [made(1), made(1)] == [1, 1]
    timed.time += 61
    made.cache_timeout = 600
    assert made(1) == 2
    timed.time += 500
    assert made(1) == 2
    assert timed.cache.get(made.make_cache_key(made, 1)) == 2


def test_conditions(site: Site) -> None:
    now: dict[str, Any] = {"unless": 0, "forced": 0, "stale": 0, "keep": 1}

    @site.cache.memoize(
        unless=lambda f, a, b=0: now["unless"],
        forced_update=lambda a, b=0: now["forced"],
        is_stale=lambda found: now["stale"],
        response_filter=lambda result: now["keep"],
        cache_none=True,
    )
    def f(a: int, b: int = 0) -> int:
        return site.count()

    assert [f(1), f(1)] == [1, 1]
    for name, numbers in (("unless", [2, 3, 1]), ("stale", [4, 5, 5]), ("forced", [6, 7, 7])):
        now[name] = "yes"
        seen = [f(1), f(1)]
        now[name] = []
        assert [*seen, f(1)] == numbers
    now["keep"] = None
    assert [f(2), f(2)] == [8, 9]


def test_signals(new_site: Callable[..., Site]) -> None:
    site = new_site(KCACHE_SIGNALS=True)
    heard: list[Any] = []

    def hear(sender: Any, **said: Any) -> None:
        heard.append((sender is site.app, said["f"], said["args"], said["kwargs"]))

    def f(a: int, b: int) -> int:
        return a + b

    made = site.cache.memoize()(f)
    with cache_memoize_miss.connected_to(hear):
        made(1, b=2)
        made(1, 2)
    with cache_memoize_hit.connected_to(hear):
        made(1, b=2)
    assert heard == [(True, f, (1,), {"b": 2})] * 2


def test_a_generator_of_numbers_is_a_list(site: Site) -> None:
    @site.cache.memoize()
    def f() -> Iterator[int]:
        yield from (1, 2)

    assert [list(f()), list(f())] == [[1, 2]] * 2
