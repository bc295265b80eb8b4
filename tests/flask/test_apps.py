"""Extension objects and apps: several of either, outside of contexts, and switched off."""

# What is cached has arguments that make its key, whether it looks at them or not.
# ruff: noqa: ARG001, ARG005

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, render_template_string

from kcache import Cache as CoreCache
from kcache import ConfigurationError
from kcache_flask import Cache, make_template_fragment_key
from tests.flask.site import Counter, Site


def test_two_apps_of_one_extension() -> None:
    cache, count = Cache(), Counter()

    @cache.cached(key_prefix="%s of the page")
    def view() -> str:
        return f"{count()}"

    @cache.memoize()
    def f(number: int) -> int:
        return count()

    apps = [Flask(name) for name in ("one", "two")]
    for app in apps:
        app.add_url_rule("/", "page", view)
        cache.init_app(app)
    pages = [[app.test_client().get("/").text for app in apps] for _ in range(2)]
    assert pages == [["1", "2"]] * 2
    for app in apps:
        with app.app_context():
            assert cache.app is app
            f(1)
    assert count.calls == 4
    with apps[0].app_context():
        assert cache.clear()
    assert [app.test_client().get("/").text for app in apps] == ["5", "2"]
    # Outside of any context it is the last one.
    assert cache.app is apps[1]
    assert cache.get("/ of the page") == "2"


def test_two_extensions_of_one_app(site: Site) -> None:
    other = Cache(site.app, config={"KCACHE_NAMESPACE": "other"})
    for cache in (site.cache, other):
        cache.set("key", id(cache))
    assert [site.cache.get("key"), other.get("key")] == [id(site.cache), id(other)]
    both = [each.memoize()(lambda number: site.count()) for each in (site.cache, other)]
    assert [both[0](1), both[1](1), both[0](1), both[1](1)] == [1, 2, 1, 2]
    other.clear()
    assert [both[0](1), both[1](1)] == [1, 3]


def test_an_app_factory() -> None:
    cache, count = Cache(), Counter()

    @cache.memoize()
    def f() -> int:
        return count()

    def create_app(**config: Any) -> Flask:
        app = Flask("made")
        app.config.update(config)
        cache.init_app(app)

        @app.route("/")
        @cache.cached()
        def index() -> str:
            return f"{count()} {f()}"

        return app

    first = create_app(KCACHE_TTL=60)
    assert [first.test_client().get("/").text for _ in range(2)] == ["1 2"] * 2
    second = create_app()
    assert [second.test_client().get("/").text for _ in range(2)] == ["3 4"] * 2
    assert first.test_client().get("/").text == "1 2"


def test_before_there_is_an_app() -> None:
    cache = Cache()

    @cache.memoize()
    def f() -> int:
        return 1

    for call in (lambda: cache.get("a"), f, lambda: cache.cache, lambda: cache.app):
        with pytest.raises(RuntimeError, match=r"no app yet: call cache\.init_app\(app\) first"):
            call()


def test_an_app_that_was_not_initialised() -> None:
    cache = Cache(Flask("one"))
    with Flask("two").app_context(), pytest.raises(RuntimeError, match=r"not been given.*'two'"):
        cache.get("a")


def test_outside_of_contexts(site: Site) -> None:
    view: Any = site.route("/<number>", lambda number: f"{site.count()}", query_string=True)
    site.get("/5?a=1")
    key = view.make_cache_key(number=5, query_args={"a": 1})
    assert key == view.make_cache_key(5, query_args="a=1")
    assert key == view.make_cache_key(path="/5", query_args=[("a", "1")])
    assert site.cache.get(key) == "1"
    assert site.cache.delete(key)
    assert not site.cache.has(key)


def test_configuration_of_three_places() -> None:
    now = [0.0]
    app = Flask("shop")
    app.config.update(KCACHE_NAMESPACE="app", KCACHE_TTL=1, KCACHE_CLOCK=lambda: now[0])
    cache = Cache(config={"KCACHE_NAMESPACE": "object", "KCACHE_TTL": 20})
    cache.init_app(app, {"KCACHE_TTL": 10})
    assert isinstance(cache.cache, CoreCache)
    cache.set("a", 1)
    now[0] = 9
    assert cache.get("a") == 1
    now[0] = 11
    assert cache.get("a") is None
    with pytest.raises(ConfigurationError, match="dict"):
        cache.init_app(app, "KCACHE_TTL=3")  # type: ignore[arg-type]


def test_initialised_twice(site: Site) -> None:
    site.cache.set("a", 1)
    site.cache.init_app(site.app)
    assert site.cache.get("a") is None
    assert site.cache.set("a", 2)
    with site.app.test_request_context():
        text = "{% cache 60, 'x' %}1{% endcache %}"
        assert render_template_string(text) == "1"


@pytest.mark.parametrize("config", [{"KCACHE_ENABLED": False}, {"CACHE_TYPE": "NullCache"}])
def test_switched_off(new_site: Callable[..., Site], config: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        site = new_site(**config)
    cache, count = site.cache, site.count
    view: Any = site.route("/", lambda: f"{count()}", namespace="albums")

    @cache.memoize()
    def f(number: int) -> int:
        return count()

    @cache.memoize()
    async def g() -> int:
        return count()

    assert site.texts("/", "/") == ["1", "2"]
    assert "ETag" not in site.get().headers
    assert [f(1), f(1)] == [4, 5]
    assert asyncio.run(g()) == 6
    with site.app.test_request_context():
        text = "{% cache 60, 'x', 1, namespace='a' %}{{ count() }}{% endcache %}"
        assert [render_template_string(text, count=count) for _ in range(2)] == ["7", "8"]
    assert [cache.set("a", 1), cache.add("a", 1), cache.delete("a"), cache.has("a")] == [False] * 4
    assert cache.get("a") is None
    assert cache.get_many("a", "b") == [None, None]
    assert cache.set_many({"a": 1}) == []
    assert cache.delete_many("a") == ["a"]
    assert cache.incr("n") is None
    assert cache.clear()
    assert cache.namespace("albums").invalidate().complete
    assert not cache.delete_cached(view)
    assert not cache.delete(view.make_cache_key())
    cache.delete_memoized(f)
    assert cache.get(make_template_fragment_key("x", [1])) is None


def test_signed_pickles(redises: Any, new_site: Callable[..., Site]) -> None:
    site = new_site(
        KCACHE_NODES=[redises[0].url],
        KCACHE_CODEC="pickle",
        KCACHE_SECRET="of a test, and of nothing else",
    )

    @site.cache.memoize()
    def f() -> Any:
        return site.count(), {1, 2}, Counter

    site.route("/", lambda: f"{site.count()}", vary=["X-A"])
    assert [f(), f()] == [(1, {1, 2}, Counter)] * 2
    assert [site.get("/", {"X-A": each}).text for each in "aba"] == ["2", "3", "2"]
