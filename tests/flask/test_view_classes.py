"""View classes, blueprints, and decorators outside."""

# What is cached has arguments that make its key, whether it looks at them or not.
# ruff: noqa: ARG001

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import (
    Blueprint,
    abort,
    render_template_string,
    request,
)
from flask.views import MethodView, View

from kcache_flask import Cache
from tests.flask.site import Site

OWN = {"Cache-Status", "Age", "ETag", "Cache-Control"}


def test_methods_of_a_view_class_have_entries_of_their_own(site: Site) -> None:
    class Album(MethodView):
        @site.cache.cached()
        def get(self, number: int) -> str:
            return f"get {number} {site.count()}"

        @site.cache.cached()
        def post(self, number: int) -> str:
            return f"post {number} {site.count()}"

        @site.cache.cached(methods=["PUT"])
        def put(self, number: int) -> str:
            return f"put {number} {site.count()}"

    site.app.add_url_rule("/<int:number>", view_func=Album.as_view("album"))
    asked = ["GET", "POST", "PUT", "PUT", "POST", "GET"]
    seen = [site.get("/5", method=method).text for method in asked]
    assert seen == ["get 5 1", "post 5 2", "put 5 3", "put 5 3", "post 5 4", "get 5 1"]
    assert site.cache.delete_cached(Album.get, number=5)
    assert site.cache.delete_cached(Album.put, number=5)
    assert [site.get("/5", method=method).text for method in ("GET", "PUT")] == [
        "get 5 5",
        "put 5 6",
    ]


def test_decorators_of_a_view_class(site: Site) -> None:
    class Page(View):
        methods = ("GET", "POST")
        decorators = (site.cache.cached(),)  # type: ignore[assignment]

        def dispatch_request(self) -> str:
            return f"{request.method} {site.count()}"

    site.app.add_url_rule("/", view_func=Page.as_view("page"))
    asked = ["GET", "POST", "GET"]
    assert [site.get(method=method).text for method in asked] == ["GET 1", "POST 2", "GET 1"]


def test_dispatch_request_may_be_cached(site: Site) -> None:
    class Page(View):
        @site.cache.cached()
        def dispatch_request(self) -> str:
            return f"{site.count()}"

    site.app.add_url_rule("/", view_func=Page.as_view("page"))
    assert site.texts("/", "/") == ["1", "1"]
    assert site.cache.delete_cached(Page.dispatch_request)
    assert site.get().text == "2"


def test_one_view_of_two_blueprints(site: Site) -> None:
    pages = Blueprint("pages", "pages")
    view = site.cache.cached()(lambda: f"{request.path} {site.count()}")
    pages.add_url_rule("/list", "list", view)
    site.app.register_blueprint(pages, url_prefix="/one", name="one")
    site.app.register_blueprint(pages, url_prefix="/two", name="two")
    paths = ["/one/list", "/two/list"] * 2
    assert site.texts(*paths) == ["/one/list 1", "/two/list 2"] * 2


def test_decorators_outside_see_what_the_view_gives(site: Site) -> None:
    def templated(view: Callable[[], dict[str, str]]) -> Callable[[], str]:
        @functools.wraps(view)
        def inner() -> str:
            site.count()
            return render_template_string("<b>{{ name }}</b>", **view())

        return inner

    @site.app.route("/")
    @templated
    @site.cache.cached()
    def view() -> dict[str, str]:
        return {"name": "<ada>"}

    answers = [site.get() for _ in range(2)]
    assert [answer.text for answer in answers] == ["<b>&lt;ada&gt;</b>"] * 2
    assert [answer.mimetype for answer in answers] == ["text/html"] * 2
    assert "hit" in answers[1].headers["Cache-Status"]
    assert site.count.calls == 2
    etag = answers[1].headers["ETag"]
    assert site.get("/", {"If-None-Match": etag}).status_code == 304


def test_whom_a_decorator_outside_turns_away_sees_nothing(site: Site) -> None:
    def for_ada(view: Callable[[], str]) -> Callable[[], str]:
        @functools.wraps(view)
        def inner() -> str:
            if request.args.get("user") != "ada":
                abort(401)
            return view()

        return inner

    @site.app.route("/")
    @for_ada
    @site.cache.cached()
    def view() -> str:
        return f"secret {site.count()}"

    paths = ["/?user=ada", "/", "/?user=ada"]
    assert [site.get(path).status_code for path in paths] == [200, 401, 200]
    assert site.count.calls == 1


def test_an_asynchronous_view(anywhere: Site) -> None:
    async def view(name: str) -> str:
        return f"{name} {request.path} {anywhere.count()}"

    anywhere.route("/<name>", view)
    assert anywhere.texts("/a", "/b", "/a") == ["a /a 1", "b /b 2", "a /a 1"]


def test_a_cached_view_is_the_function_still(site: Site) -> None:
    def view() -> str:
        """Says hello."""
        return "hello"

    cached: Any = Cache().cached()(view)
    assert (cached.__name__, cached.__doc__, cached.uncached) == ("view", "Says hello.", view)
