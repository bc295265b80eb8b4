"""What is for one visitor is given to no other, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from threading import Event
from time import monotonic
from typing import Any

import pytest
import redis
from flask import Response, abort, request, session, stream_with_context
from werkzeug.exceptions import Forbidden
from werkzeug.test import TestResponse

from kcache import ConfigurationError
from kcache.events import Found
from tests.flask.site import Site
from tests.servers import frozen

ADA, BOB = "user=ada", "user=bob"


def asked(site: Site, cookie: str) -> TestResponse:
    """What whoever has this cookie is answered."""
    return site.app.test_client(use_cookies=False).get("/", headers={"Cookie": cookie})


@pytest.mark.parametrize("fail", [lambda: abort(500), lambda: 1 / 0])
def test_a_view_that_fails_gives_nobody_elses_stale_page(
    timed: Site, fail: Callable[[], Any]
) -> None:
    def view() -> str:
        if timed.count() > 1:
            fail()
        return f"orders of {request.cookies['user']}"

    timed.route("/", view, timeout=60, stale_on_error=600, vary=["Cookie"])
    assert asked(timed, ADA).text == "orders of ada"
    timed.time += 61
    timed.app.config["PROPAGATE_EXCEPTIONS"] = False
    assert asked(timed, BOB).status_code == 500
    assert asked(timed, ADA).text == "orders of ada"


def test_credentials_are_not_answered_with_a_stale_page_of_nobody(timed: Site) -> None:
    def view() -> str:
        if timed.count() > 1:
            abort(500)
        return "for nobody"

    timed.route("/", view, timeout=60, stale_on_error=600)
    timed.get()
    timed.time += 61
    assert timed.get("/", {"Authorization": "Basic YWRhOmE="}).status_code == 500


def test_a_stream_that_reads_the_session_is_not_kept(site: Site) -> None:
    @site.app.get("/login/<name>")
    def login(name: str) -> str:
        session["user"] = name
        return "ok"

    def view() -> Response:
        def lines() -> Iterator[str]:
            yield f"secrets of {session.get('user')}"

        return Response(stream_with_context(lines()))

    site.route("/", view)
    ada = site.app.test_client()
    ada.get("/login/ada")
    assert ada.get("/").text == "secrets of ada"
    assert site.get().text == "secrets of None"


@pytest.mark.parametrize("options", [{"vary": ["*"]}, {"vary": "*"}])
def test_vary_on_everything_is_refused(site: Site, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="vary"):
        site.cache.cached(**options)


def test_errors_of_views_are_kept_for_nobody(site: Site) -> None:
    def view() -> str:
        if request.cookies.get("user") != "ada":
            abort(403)
        return "secrets"

    site.route("/", view, vary=["Cookie"], errors={Forbidden: 60})
    assert [asked(site, who).status_code for who in (BOB, ADA, BOB)] == [403, 200, 403]


def test_what_is_posted_counts_whoever_reads_it(site: Site) -> None:
    def view() -> str:
        return f"{request.form.get('x')} {site.count()}"

    site.route("/", view, methods=["POST"], on=["POST"], stale_ttl=60)
    client = site.app.test_client()
    assert [client.post("/", data=data).text for data in ({"x": "1"}, {}, {"x": "1"})] == [
        "1 1",
        "None 2",
        "1 1",
    ]


def test_a_page_is_not_renewed_under_the_key_of_another(timed: Site) -> None:
    logged_in = {"sid": "ada"}
    tasks: list[Callable[[], None]] = []
    timed.route(
        "/",
        lambda: f"secrets of {logged_in[request.cookies['sid']]}",
        timeout=60,
        stale_ttl=600,
        refresh=tasks.append,
        make_cache_key=lambda: f"of {logged_in[request.cookies['sid']]}",
    )
    assert asked(timed, "sid=sid").text == "secrets of ada"
    timed.time += 61
    assert asked(timed, "sid=sid").text == "secrets of ada"
    logged_in["sid"] = "bob"
    (task,) = tasks
    task()
    logged_in["sid"] = "ada"
    assert asked(timed, "sid=sid").text == "secrets of ada"


def test_no_credentials_are_stored_in_clear(redises: Any, new_site: Callable[..., Site]) -> None:
    site = new_site(KCACHE_NODES=[redises[0].url])
    site.route("/", lambda: "page", vary=["Authorization", "Cookie"])
    site.get("/", {"Authorization": "Bearer geheim-1", "Cookie": "sid=geheim-2"})
    host, port = redises[0].address
    client: Any = redis.Redis(host, port)
    stored = [client.dump(key) for key in client.scan_iter()]
    client.close()
    assert stored
    assert not any(b"geheim" in each for each in stored)


def test_a_page_of_ones_own_key_is_private_to_browsers(site: Site) -> None:
    site.route("/", lambda: "page", client_ttl=60, make_cache_key=lambda: "front")
    assert [site.get().headers["Cache-Control"] for _ in range(2)] == ["private, max-age=60"] * 2


def test_a_deleted_variant_does_not_come_back_by_a_forced_update(anywhere: Site) -> None:
    is_forced = Event()
    decorated = anywhere.route(
        "/",
        lambda: f"page {anywhere.count()}",
        vary=["Accept-Language"],
        forced_update=is_forced.is_set,
    )

    def seen(language: str) -> str:
        return anywhere.get("/", {"Accept-Language": language}).text

    def delete_once(event: object) -> None:
        # It has found the page that it is going to make anew.
        if isinstance(event, Found) and is_forced.is_set():
            is_forced.clear()
            anywhere.cache.delete_cached(decorated, path="/")

    assert [seen("de"), seen("en"), seen("en")] == ["page 1", "page 2", "page 2"]
    with anywhere.app.app_context():
        anywhere.cache.cache.listen(delete_once)
    is_forced.set()
    seen("de")
    assert seen("en") != "page 2"


def test_delete_cached_deletes_all_urls_of_a_call(site: Site) -> None:
    view = site.cache.cached()(lambda n: f"{n} {site.count()}")
    site.app.add_url_rule("/a/<int:n>", "one", view)
    site.app.add_url_rule("/b/<int:n>", "one", view)
    site.app.add_url_rule("/c/<int:n>/", "two", view, strict_slashes=False)
    site.app.add_url_rule("/d/<int:n>", "three", view)

    @site.app.put("/change/<int:n>")
    def change(n: int) -> str:
        site.cache.delete_cached(view, n=n)
        return "ok"

    paths = ["/a/5", "/b/5", "/c/5/", "/c/5", "/d/5"]
    first = site.texts(*paths)
    assert site.texts(*paths) == first
    assert site.cache.delete_cached(view, n=5)
    assert set(site.texts(*paths)).isdisjoint(first)

    second = site.texts(*paths)
    site.app.test_client().put("/change/5")
    assert set(site.texts(*paths)).isdisjoint(second)


def test_delete_cached_in_a_request_for_the_view_itself(site: Site) -> None:
    def view(n: int) -> str:
        if request.method == "PUT":
            site.cache.delete_cached(decorated, n=n)
            return "deleted"
        return f"{site.count()}"

    decorated = site.cache.cached()(view)
    for version in ("v1", "v2"):
        site.app.add_url_rule(f"/{version}/<int:n>", version, decorated, methods=["GET", "PUT"])
    assert site.texts("/v1/5", "/v2/5") == ["1", "2"]
    site.get("/v1/5", method="PUT")
    assert site.texts("/v1/5", "/v2/5") == ["3", "4"]


def test_a_page_that_asks_for_itself_does_not_wait_for_itself(site: Site) -> None:
    def view() -> str:
        if site.count() > 1:
            return "inner"
        return f"outer {site.get().text}"

    site.route("/", view, wait=8)
    begin = monotonic()
    assert site.get().text == "outer inner"
    assert monotonic() - begin < 6


def test_many_equal_calls_of_coroutines_that_await_others(site: Site) -> None:
    @site.cache.memoize()
    async def inner() -> int:
        await asyncio.sleep(0.01)
        return 1

    @site.cache.memoize()
    async def outer(number: int) -> int:
        return await inner() + number

    async def main() -> list[int]:
        return await asyncio.wait_for(asyncio.gather(*[outer(1) for _ in range(100)]), 8)

    assert asyncio.run(main()) == [2] * 100


@pytest.mark.parametrize(
    "options",
    [
        {"key_prefix": 5},
        {"make_cache_key": "x"},
        {"hash_method": "md5"},
        {"unless": True},
        {"statuses": ["200"]},
        {"statuses": "200"},
        {"methods": [1]},
        {"timeout": lambda: ""},
    ],
)
def test_options_that_cannot_be_are_refused_when_decorated(
    site: Site, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        site.cache.cached(**options)(lambda: "")


def test_a_function_that_fails_gives_no_stale_value_of_another(timed: Site) -> None:
    @timed.cache.cached(60, stale_on_error=600)
    def one() -> str:
        return "of one"

    @timed.cache.cached(60, stale_on_error=600)
    def two() -> str:
        raise KeyError("two")

    with timed.app.test_request_context("/"):
        assert one() == "of one"
        timed.time += 61
        with pytest.raises(KeyError, match="two"):
            two()
        assert one() == "of one"


def test_a_node_that_fails_while_a_page_learns_what_it_varies_on(
    redises: Any, new_site: Callable[..., Site]
) -> None:
    url = redises[0].url
    site = new_site(KCACHE_NODES=[url], KCACHE_ON_ERROR="raise", KCACHE_TIMEOUT=0.3)
    is_down = Event()

    def view() -> tuple[str, dict[str, str]]:
        language = request.headers["Accept-Language"]
        if is_down.is_set():
            go_down()
        vary = "Accept-Language, X-A" if is_down.is_set() else "Accept-Language"
        return f"{language} {site.count()}", {"Vary": vary}

    site.route("/", view)
    assert site.get("/", {"Accept-Language": "de"}).text == "de 1"
    is_down.set()
    with ExitStack() as stack:
        go_down = partial(stack.enter_context, frozen(redises[0]))
        assert site.get("/", {"Accept-Language": "en"}).text == "en 2"
