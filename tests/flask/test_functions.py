"""Functions that are `cached` and are no views, and what the extension passes on to the cache."""

# What is cached has arguments that make its key, whether it looks at them or not.
# ruff: noqa: ARG001, ARG005

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from flask import render_template_string, request

from kcache import ConfigurationError, InvalidKey
from kcache_flask import CacheWarning, cache_view_hit, cache_view_miss
from tests.flask.site import Site, at_once


def test_a_function_is_kept_by_its_key(anywhere: Site) -> None:
    @anywhere.cache.cached(key_prefix="numbers")
    def numbers() -> dict[str, Any]:
        return {"call": anywhere.count(), "list": [1, None, "ö", b"\x00", (1, 2)]}

    expected = {"call": 1, "list": [1, None, "ö", b"\x00", (1, 2)]}
    assert [numbers(), numbers()] == [expected, expected]
    assert anywhere.cache.get("numbers") == expected
    assert anywhere.cache.delete("numbers")
    assert numbers()["call"] == 2
    assert anywhere.cache.delete_cached(numbers)
    assert not anywhere.cache.delete_cached(numbers)


def test_a_function_without_a_request_may_not_have_a_path_in_its_key(site: Site) -> None:
    @site.cache.cached()
    def f() -> str:
        return "f"

    with pytest.raises(RuntimeError, match="request"):
        f()


def test_a_helper_is_kept_by_the_path(site: Site) -> None:
    @site.cache.cached(key_prefix="helper of %s")
    def helper() -> str:
        return f"{request.path} {site.count()}"

    site.app.add_url_rule("/<name>", "page", lambda name: helper(), methods=["GET", "POST"])
    assert site.texts("/a", "/b", "/a") == ["/a 1", "/b 2", "/a 1"]
    assert site.get("/a", method="POST").text == "/a 3"
    assert site.cache.get("helper of /a") == "/a 1"


def test_two_helpers_of_one_path_do_not_get_mixed_up(site: Site) -> None:
    one = site.cache.cached()(lambda: "one")

    @site.cache.cached()
    def two() -> str:
        return "two"

    site.app.add_url_rule("/", "page", lambda: one() + two() + one() + two())
    assert site.texts("/", "/") == ["onetwoonetwo"] * 2


def test_what_is_kept_is_not_what_callers_change(site: Site) -> None:
    @site.cache.cached(key_prefix="list")
    def numbers() -> list[int]:
        return [1]

    for _ in range(3):
        given = numbers()
        assert given == [1]
        given.append(2)


@pytest.mark.parametrize(("cache_none", "calls"), [(False, 2), (True, 1)])
def test_none(site: Site, cache_none: bool, calls: int) -> None:  # noqa: FBT001
    @site.cache.cached(key_prefix="none", cache_none=cache_none)
    def none() -> None:
        site.count()

    assert [none(), none()] == [None, None]
    assert site.count.calls == calls


@pytest.mark.parametrize("value", [0, "", False, [], {}])
def test_falsy_results_are_kept(site: Site, value: Any) -> None:
    @site.cache.cached(key_prefix="falsy")
    def falsy() -> Any:
        site.count()
        return value

    assert [falsy(), falsy()] == [value, value]
    assert site.count.calls == 1


def test_a_result_that_cannot_be_kept_is_given_with_one_warning(site: Site) -> None:
    @site.cache.cached(key_prefix="thing")
    def thing() -> Any:
        return object

    with pytest.warns(CacheWarning, match=r"thing is not cached: .*type") as caught:
        assert [thing(), thing()] == [object, object]
    assert len(caught) == 1


def test_exceptions_are_raised_and_not_kept(site: Site) -> None:
    @site.cache.cached(key_prefix="f")
    def f() -> int:
        if site.count() == 1:
            raise KeyError("first")
        return site.count.calls

    with pytest.raises(KeyError, match="first"):
        f()
    assert [f(), f()] == [2, 2]


@pytest.mark.parametrize("with_arguments", [True, False])
def test_conditions(site: Site, with_arguments: bool) -> None:  # noqa: FBT001
    now = {"unless": 0, "forced": 0, "stale": 0, "filter": 1}
    seen: list[Any] = []

    def given(name: str) -> Callable[..., Any]:
        def with_some(*args: Any, **kwargs: Any) -> int:
            seen.append((name, args[-1], kwargs))
            return now[name]

        return with_some if with_arguments else lambda: now[name]

    @site.cache.cached(
        key_prefix="f",
        unless=given("unless"),
        forced_update=given("forced"),
        is_stale=lambda value: now["stale"],
        response_filter=lambda value: now["filter"],
    )
    def f(number: int) -> int:
        return site.count()

    assert [f(7), f(7)] == [1, 1]
    now["unless"] = 2
    assert [f(7), f(7)] == [2, 3]
    now["unless"] = 0
    now["forced"] = 3
    assert [f(7), f(7)] == [4, 5]
    now["forced"] = 0
    now["stale"] = 1
    assert [f(7), f(7)] == [6, 7]
    now.update(stale=0, forced=1, filter=0)
    assert [f(7), f(7)] == [8, 9]
    now.update(forced=0, filter=1)
    assert f(7) == 7
    assert {f"{argument} {keywords}" for _, argument, keywords in seen} <= {"7 {}"}


def test_a_generator_is_kept(site: Site) -> None:
    @site.cache.cached(key_prefix="numbers")
    def numbers() -> Iterator[int]:
        site.count()
        yield from (1, 2)

    assert [list(numbers()), list(numbers())] == [[1, 2], [1, 2]]
    assert site.count.calls == 1


def test_coroutines_in_a_loop(anywhere: Site) -> None:
    @anywhere.cache.cached(key_prefix="f")
    async def f() -> str:
        await asyncio.sleep(0.1)
        return f"{anywhere.count()}"

    async def main() -> list[str]:
        return [*await asyncio.gather(*[f() for _ in range(5)]), await f()]

    assert asyncio.run(main()) == ["1"] * 6


def test_coroutines_of_helpers_in_asynchronous_views(site: Site) -> None:
    @site.cache.cached(key_prefix="helper")
    async def helper() -> str:
        return f"{request.path} {site.count()}"

    async def view() -> str:
        return await helper()

    site.app.add_url_rule("/a", "a", view)
    site.app.add_url_rule("/b", "b", view)
    assert site.texts("/a", "/b") == ["/a 1", "/a 1"]


def test_callers_who_come_at_once_have_it_computed_once(anywhere: Site) -> None:
    @anywhere.cache.cached(key_prefix="f")
    def f() -> int:
        Event().wait(0.2)
        return anywhere.count()

    assert at_once(*[f] * 6) == [1] * 6


def test_a_namespace_drops_views_functions_and_fragments(anywhere: Site) -> None:
    cache = anywhere.cache
    text = "{% cache 60, 'part', namespace='albums' %}{{ count() }}{% endcache %}"

    @cache.cached(key_prefix="f", namespace="albums")
    def f() -> int:
        return anywhere.count()

    @cache.memoize(namespace="albums")
    def g(number: int) -> int:
        return anywhere.count()

    @cache.memoize()
    def other(number: int) -> int:
        return anywhere.count()

    def seen() -> list[int]:
        with anywhere.app.test_request_context():
            return [f(), g(1), int(render_template_string(text, count=anywhere.count)), other(1)]

    assert [seen(), seen()] == [[1, 2, 3, 4]] * 2
    cache.namespace("albums").invalidate()
    assert seen() == [5, 6, 7, 4]
    assert cache.clear()
    assert seen() == [8, 9, 10, 11]


def test_the_calls_of_flask_caching(anywhere: Site) -> None:
    cache = anywhere.cache
    assert cache.set("a", 1)
    assert cache.set_many({"b": 2, "c": [3]}, timeout=timedelta(minutes=1)) == ["b", "c"]
    assert cache.get("a") == 1
    assert cache.get_many("c", "no", "a") == [[3], None, 1]
    assert cache.get_dict("b", "no") == {"b": 2, "no": None}
    assert [cache.has("a"), cache.has("no")] == [True, False]
    assert [cache.add("a", 5), cache.add("d", 4)] == [False, True]
    assert [cache.delete("a"), cache.delete("a")] == [True, False]
    assert cache.delete_many("b", "no") == ["b", "no"]
    assert cache.unlink("c") == ["c"]
    assert cache.get_many("a", "b", "c", "d") == [None, None, None, 4]
    assert [cache.incr("n", initial=1), cache.incr("n", 5), cache.decr("n")] == [1, 6, 5]
    assert cache.get_many() == []
    assert cache.delete_many() == []
    assert cache.clear()
    assert cache.get("d") is None


def test_timeouts_of_values(timed: Site) -> None:
    timed.cache.set("default", 1)
    timed.cache.set("short", 1, timeout=10)
    timed.cache.set("never", 1, timeout=0)
    timed.time += 11
    assert timed.cache.get_many("default", "short", "never") == [1, None, 1]
    timed.time += 300
    assert timed.cache.get_many("default", "never") == [None, 1]


@pytest.mark.parametrize("key", ["", 5, None, b"\xff"])
def test_keys_that_are_none(site: Site, key: Any) -> None:
    for call in (site.cache.get, site.cache.delete, site.cache.has):
        if key == b"\xff":
            continue
        with pytest.raises(InvalidKey):
            call(key)


@pytest.mark.parametrize("key", ["ö", "a b", "x" * 1000, "line\nfeed", "\x00", "view//%s", "\x1f"])
def test_any_text_is_a_key(anywhere: Site, key: str) -> None:
    @anywhere.cache.cached(key_prefix=lambda: key)
    def f() -> int:
        return anywhere.count()

    assert [f(), f()] == [1, 1]
    assert anywhere.cache.get(key) == 1
    assert anywhere.cache.delete(key)


def test_signals(new_site: Callable[..., Site]) -> None:
    site = new_site(CACHE_ENABLE_SIGNALS=True)
    heard: list[Any] = []

    def hear(sender: Any, **said: Any) -> None:
        heard.append((sender is site.app, said["cache"] is site.cache, said["cache_key"]))

    with cache_view_hit.connected_to(hear), cache_view_miss.connected_to(hear):
        site.route("/", lambda: "page")
        site.texts("/", "/")
    assert heard == [(True, True, "view//")] * 2


@pytest.mark.parametrize("name", ["cached", "memoize"])
def test_decorators_that_are_not_called_say_so(site: Site, name: str) -> None:
    with pytest.raises(ConfigurationError):
        getattr(site.cache, name)(lambda: None)


@pytest.mark.parametrize("options", [{"stale": 5}, {"stale_ttl": -1}, {"wait": "long"}])
def test_options_that_are_none(site: Site, options: dict[str, Any]) -> None:
    for decorator in (site.cache.cached, site.cache.memoize):
        with pytest.raises((ConfigurationError, TypeError), match=next(iter(options))):
            decorator(**options)
