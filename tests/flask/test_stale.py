"""Pages that are made while others want them: what is stale, visitors at once, deletions."""

# What is cached has arguments that make its key, whether it looks at them or not.

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from flask import Response, abort, g, request

from tests.flask.site import Site, at_once, soon

DAY = 86400.0
THEN = "Sun, 06 Nov 1994 08:49:37 GMT"


def test_what_is_stale_is_served_while_the_whole_app_makes_it_anew(timed: Site) -> None:
    ended: list[str] = []

    @timed.app.before_request
    def load() -> None:
        g.user = "user of g"

    timed.app.teardown_request(lambda _: ended.append(request.path))

    def view(name: str) -> Response:
        return Response(f"{name} {g.user} {request.args['q']} {timed.count()}")

    timed.route("/<name>", view, timeout=60, stale_ttl=600)
    assert timed.get("/x?q=1").text == "x user of g 1 1"
    timed.time += 61
    stale = timed.get("/x?q=1")
    assert (stale.text, stale.headers["Age"]) == ("x user of g 1 1", "61")
    assert stale.headers["Cache-Status"] == "kcache; hit; ttl=-1"
    assert soon(lambda: timed.get("/x?q=1").text == "x user of g 1 2")
    assert soon(lambda: len(ended) == timed.count.calls + 2 or len(ended) > 4)
    timed.time += 661
    assert timed.get("/x?q=1").text == "x user of g 1 3"


@pytest.mark.parametrize("fail", [lambda: abort(500), lambda: ("broken", 503), lambda: 1 // 0])
def test_what_is_stale_is_served_where_the_view_fails(timed: Site, fail: Callable[[], Any]) -> None:
    timed.app.testing = True
    timed.route(
        "/", lambda: "page" if timed.count() == 1 else fail(), timeout=60, stale_on_error=600
    )
    timed.get()
    timed.time += 61
    for _ in range(2):
        answer = timed.get()
        assert (answer.status_code, answer.text) == (200, "page")
        assert answer.headers["Cache-Status"] == "kcache; hit; ttl=-1"
    assert timed.count.calls == 3


def test_a_page_that_fails_in_the_background_stays(timed: Site) -> None:
    def view() -> str:
        if timed.count() > 1:
            raise KeyError("cover")
        return "page"

    timed.route("/", view, timeout=60, stale_ttl=600)
    timed.get()
    timed.time += 61
    assert timed.get().text == "page"
    assert soon(lambda: timed.count.calls >= 2)
    assert timed.get().text == "page"


def test_visitors_who_come_at_once_have_one_page_made(anywhere: Site) -> None:
    go_on = Event()

    def view() -> str:
        go_on.wait(0.3)
        return f"{anywhere.count()}"

    anywhere.route("/", view)
    assert at_once(*[lambda: anywhere.get().text] * 8) == ["1"] * 8


def test_visitors_who_come_at_once_do_not_get_what_is_for_another(site: Site) -> None:
    go_on = Event()

    def view() -> Response:
        go_on.wait(0.2)
        return Response(f"for {request.args['user']}", headers={"Cache-Control": "private"})

    site.route("/", view)
    names = "abcdef"
    pages = at_once(*[lambda name=name: site.get(f"/?user={name}").text for name in names])
    assert pages == [f"for {name}" for name in names]


def test_pages_that_are_not_kept_are_made_side_by_side(site: Site) -> None:
    busy, most = [0], [0]
    go_on = Event()

    def view() -> Any:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        go_on.wait(0.3)
        busy[0] -= 1
        return "x", {"Cache-Control": "private"}

    site.route("/", view)
    site.get()
    at_once(*[site.get] * 5)
    assert most[0] == 5


@pytest.mark.parametrize("drop", ["delete", "invalidate", "clear"])
def test_a_page_that_is_dropped_while_it_is_made_is_not_kept(anywhere: Site, drop: str) -> None:
    def view() -> str:
        number = anywhere.count()
        if number == 1:
            drops[drop]()
        return f"{number}"

    cached = anywhere.route("/", view, namespace="albums")
    drops: dict[str, Callable[[], Any]] = {
        "delete": lambda: anywhere.cache.delete_cached(cached, path="/"),
        "invalidate": anywhere.cache.namespace("albums").invalidate,
        "clear": anywhere.cache.clear,
    }
    assert anywhere.texts("/", "/", "/") == ["1", "2", "2"]


def test_a_variant_does_not_come_back_by_a_forced_update(anywhere: Site) -> None:
    def view() -> str:
        number = anywhere.count()
        if number == 3:
            anywhere.cache.delete_cached(cached, path="/")
        return f"{number}"

    cached = anywhere.route("/", view, vary=["X-A"], forced_update=lambda: request.args)
    seen = [
        anywhere.get(path, {"X-A": a}).text for path, a in (("/", "a"), ("/", "b"), ("/?f=1", "a"))
    ]
    assert seen == ["1", "2", "3"]
    # Deleted while the page of a was made: so is that of b.
    assert anywhere.get("/", {"X-A": "b"}).text == "4"
