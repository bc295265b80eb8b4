"""How long pages are kept, what browsers are told, and when a page is made anew."""

# What is cached has arguments that make its key, whether it looks at them or not.
# ruff: noqa: ARG005

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import abort, request

from kcache import ConfigurationError
from kcache_flask import Cache
from tests.flask.site import Site

DAY = 86400.0
THEN = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("timeout", "life"),
    [
        (None, 300),
        (60, 60),
        (0.5, 0.5),
        ("60", 60),
        (timedelta(minutes=2), 120),
        (0, None),
        (-1, None),
    ],
)
def test_timeouts(timed: Site, timeout: Any, life: float | None) -> None:
    timed.route("/", lambda: f"{timed.count()}", timeout=timeout)
    timed.get()
    timed.time += 20 * DAY if life is None else life - 0.1
    assert timed.get().text == "1"
    if life is not None:
        timed.time += 0.2
        assert timed.get().text == "2"
    else:
        assert timed.get().headers["Cache-Status"] == "kcache; hit"


@pytest.mark.parametrize("timeout", [-2, "soon", float("nan"), True, [], timedelta(0, -5)])
def test_timeouts_that_are_none(timeout: Any) -> None:
    for decorator in (Cache().cached, Cache().memoize):
        with pytest.raises(ConfigurationError, match=r"timeout is a number of seconds"):
            decorator(timeout)


def test_the_timeout_can_be_changed(timed: Site) -> None:
    view: Any = timed.route("/", lambda: f"{timed.count()}", timeout=60)
    view.cache_timeout = 600
    timed.get()
    timed.time += 599
    assert timed.get().text == "1"


def test_s_maxage_of_the_view_counts_where_the_decorator_says_nothing(timed: Site) -> None:
    headers = {"Cache-Control": "s-maxage=10"}
    timed.route("/a", lambda: (f"{timed.count()}", headers))
    timed.route("/b", lambda: (f"{timed.count()}", headers), timeout=60)
    timed.texts("/a", "/b")
    timed.time += 11
    assert timed.texts("/a", "/b") == ["3", "2"]


def test_age_and_status_say_how_old_a_page_is(timed: Site) -> None:
    timed.route("/", lambda: "page", timeout=60)
    miss = timed.get().headers
    timed.time += 25
    hit = timed.get().headers
    assert ("Age" in miss, hit["Age"]) == (False, "25")
    assert hit["Cache-Status"] == "kcache; hit; ttl=35"
    assert miss["ETag"] == hit["ETag"]
    assert miss["Cache-Control"] == hit["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("options", "headers", "expected"),
    [
        ({}, {}, "no-cache"),
        ({"client_ttl": 60}, {}, "max-age=60"),
        ({"client_ttl": timedelta(minutes=1)}, {}, "max-age=60"),
        ({"client_ttl": 60}, {"Cache-Control": "max-age=5"}, "max-age=5"),
        ({}, {"Cache-Control": "public, max-age=5"}, "public, max-age=5"),
    ],
)
def test_what_browsers_are_told(site: Site, options: Any, headers: Any, expected: str) -> None:
    site.route("/", lambda: ("page", headers), **options)
    assert [site.get().headers["Cache-Control"] for _ in range(2)] == [expected] * 2


def test_browsers_that_have_the_page_are_told_so(anywhere: Site) -> None:
    anywhere.route("/", lambda: f"page {anywhere.count()}")
    etag = anywhere.get().headers["ETag"]
    for given in (etag, f"W/{etag}", "*", f'"other", {etag}'):
        answer = anywhere.get("/", {"If-None-Match": given})
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == etag
    assert anywhere.get("/", {"If-None-Match": '"other"'}).status_code == 200
    head = anywhere.get("/", {"If-None-Match": etag}, method="HEAD")
    assert head.status_code == 304


def test_a_miss_may_be_not_modified_and_is_kept_whole(site: Site) -> None:
    view = site.route("/", lambda: "page")
    etag = site.get().headers["ETag"]
    site.cache.delete_cached(view)
    assert site.get("/", {"If-None-Match": etag}).status_code == 304
    answer = site.get()
    assert (answer.text, "hit" in answer.headers["Cache-Status"]) == ("page", True)


def test_dates_of_the_view_count(site: Site) -> None:
    site.route("/", lambda: ("page", {"Last-Modified": THEN}))
    for _ in range(2):
        assert site.get("/", {"If-Modified-Since": THEN}).status_code == 304
        other = {"If-Modified-Since": "Sat, 05 Nov 1994 08:49:37 GMT"}
        assert site.get("/", other).status_code == 200


def test_errors_are_never_not_modified(site: Site) -> None:
    site.route("/", lambda: ("none", 404))
    assert [site.get("/", {"If-None-Match": "*"}).status_code for _ in range(2)] == [404, 404]


@pytest.mark.parametrize("header", [{"Cache-Control": "no-cache"}, {"Pragma": "no-cache"}])
def test_a_request_may_ask_for_a_new_page(site: Site, header: dict[str, str]) -> None:
    site.route("/", lambda: f"{site.count()}", honour_request=True)
    site.route("/deaf", lambda: f"{site.count()}")
    assert [site.get("/", each).text for each in ({}, header, {})] == ["1", "2", "2"]
    assert [site.get("/deaf", each).text for each in ({}, header)] == ["3", "3"]


def test_a_request_may_ask_that_nothing_is_kept(site: Site) -> None:
    site.route("/", lambda: f"{site.count()}", honour_request=True)
    header = {"Cache-Control": "no-store"}
    assert [site.get("/", each).text for each in (header, {}, header, {})] == ["1", "2", "3", "2"]


@pytest.mark.parametrize(
    "unless",
    [
        lambda: request.args.get("a"),
        lambda function, *args, **kwargs: request.args.get("a"),
        lambda function, number: request.args.get("a"),
    ],
)
def test_unless(site: Site, unless: Callable[..., Any]) -> None:
    site.route("/<number>", lambda number: f"{number} {site.count()}", unless=unless)
    assert site.texts("/x", "/x?a=1", "/x?a=1", "/x") == ["x 1", "x 2", "x 3", "x 1"]


@pytest.mark.parametrize(
    "forced", [lambda: request.args.get("a"), lambda number: request.args.get("a")]
)
def test_forced_update(site: Site, forced: Callable[..., Any]) -> None:
    site.route("/<number>", lambda number: f"{number} {site.count()}", forced_update=forced)
    assert site.texts("/x", "/x?a=1", "/x", "/x?a=1") == ["x 1", "x 2", "x 2", "x 3"]


def test_forced_update_keeps_other_variants(site: Site) -> None:
    site.route("/", lambda: f"{site.count()}", forced_update=lambda: request.args, vary=["X-A"])

    def seen(path: str, value: str) -> str:
        return site.get(path, {"X-A": value}).text

    assert [seen("/", "a"), seen("/", "b"), seen("/?a=1", "a"), seen("/", "a"), seen("/", "b")] == [
        "1",
        "2",
        "3",
        "3",
        "2",
    ]


def test_is_stale_is_given_what_the_view_gave(site: Site) -> None:
    given: list[Any] = []

    def is_stale(value: Any) -> bool:
        given.append(value)
        return bool(value["number"] < 3)

    site.route("/", lambda: {"number": site.count()}, is_stale=is_stale)
    assert [site.get().json for _ in range(4)] == [{"number": each} for each in (1, 2, 3, 3)]
    assert given == [{"number": each} for each in (1, 2, 3)]


def test_response_filter_judges_by_truth(site: Site) -> None:
    site.route("/", lambda: f"{site.count()}", response_filter=lambda text: int(text) // 2)
    assert site.texts("/", "/", "/") == ["1", "2", "2"]


def test_response_filter_is_given_the_response_of_an_abort(site: Site) -> None:
    given: list[Any] = []

    def view() -> None:
        site.count()
        abort(404)

    site.route("/", view, response_filter=lambda response: given.append(response.status_code))
    site.texts("/", "/")
    assert (given, site.count.calls) == ([404, 404], 2)


def test_statuses_may_be_narrower_or_wider(site: Site) -> None:
    site.route("/a", lambda: (f"{site.count()}", 404), statuses=[200])
    site.route("/b", lambda: (f"{site.count()}", 302), statuses=[200, 302])
    assert site.texts("/a", "/a", "/b", "/b") == ["1", "2", "3", "3"]
