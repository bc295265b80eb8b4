"""Cases that are easily got wrong: failures, decorators that hide views, keys, bodies."""

# What is cached has arguments that make its key, whether it looks at them or not.
# ruff: noqa: ARG001, ARG002, ARG005, PLC0415, PLW0108, RUF012

from __future__ import annotations

import asyncio
import functools
import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, make_response, render_template_string, request
from flask.views import MethodView
from jinja2 import DictLoader
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from kcache import Node, NodeError
from kcache_flask import Cache
from tests.flask.site import Site, at_once, soon

ADA = {"Authorization": "Basic YWRhOmxvdmVsYWNl"}


# Results that are lost or wrong.


def test_a_memoized_function_that_fails_gives_the_stale_result(timed: Site) -> None:
    @timed.cache.memoize(60, stale_on_error=600)
    def f() -> str:
        if timed.count() > 1:
            raise KeyError("no")
        return "old"

    assert f() == "old"
    timed.time += 61
    assert f() == "old"


def test_a_cached_function_that_fails_gives_the_stale_result(timed: Site) -> None:
    @timed.cache.cached(60, key_prefix="f", stale_on_error=600)
    def f() -> str:
        if timed.count() > 1:
            raise KeyError("no")
        return "old"

    assert f() == "old"
    timed.time += 61
    assert f() == "old"


def _refresh_and_wait(begun: Event) -> Callable[[Any], None]:
    def refresh(task: Any) -> None:
        Thread(target=task).start()
        assert begun.wait(5)

    return refresh


def test_a_memoized_result_that_is_refreshed_is_served_meanwhile(timed: Site) -> None:
    begun, go_on = Event(), Event()

    @timed.cache.memoize(60, stale_ttl=600, refresh=_refresh_and_wait(begun))
    def f() -> str:
        number = timed.count()
        if number > 1:
            begun.set()
            assert go_on.wait(5)
        return f"result {number}"

    assert f() == "result 1"
    timed.time += 61
    try:
        assert f() == "result 1"
    finally:
        go_on.set()


def test_a_cached_result_that_is_refreshed_is_served_meanwhile(timed: Site) -> None:
    begun, go_on = Event(), Event()

    @timed.cache.cached(60, key_prefix="f", stale_ttl=600, refresh=_refresh_and_wait(begun))
    def f() -> str:
        number = timed.count()
        if number > 1:
            begun.set()
            assert go_on.wait(5)
        return f"result {number}"

    assert f() == "result 1"
    timed.time += 61
    try:
        assert f() == "result 1"
    finally:
        go_on.set()


def test_a_page_that_is_refreshed_is_served_meanwhile(timed: Site) -> None:
    begun, go_on = Event(), Event()

    def view() -> str:
        number = timed.count()
        if number > 1:
            begun.set()
            assert go_on.wait(5)
        return f"page {number}"

    timed.route("/", view, timeout=60, stale_ttl=600, refresh=_refresh_and_wait(begun))
    assert timed.get().text == "page 1"
    timed.time += 61
    answers = at_once(lambda: timed.get().text, lambda: go_on.wait(0.5))
    go_on.set()
    assert answers[0] == "page 1"
    assert timed.count.calls == 2


def test_a_node_error_of_the_function_itself_is_raised(site: Site) -> None:
    @site.cache.memoize()
    def f() -> str:
        raise NodeError(Node("redis://another"), "of another cache")

    with pytest.raises(NodeError):
        f()


def test_a_node_error_of_a_cached_function_itself_is_raised(site: Site) -> None:
    @site.cache.cached(key_prefix="f")
    def f() -> str:
        raise NodeError(Node("redis://another"), "of another cache")

    with pytest.raises(NodeError):
        f()


def test_a_node_error_in_a_fragment_is_raised(site: Site) -> None:
    def fail() -> str:
        raise NodeError(Node("redis://another"), "of another cache")

    with site.app.test_request_context(), pytest.raises(NodeError):
        render_template_string("{% cache 60, 'x' %}{{ fail() }}{% endcache %}", fail=fail)


def test_markup_stays_markup_in_a_memoized_function(site: Site) -> None:
    @site.cache.memoize()
    def navigation() -> Markup:
        return Markup("<b>home</b>")

    with site.app.test_request_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pages = [render_template_string("{{ f() }}", f=navigation) for _ in range(2)]
    assert pages == ["<b>home</b>"] * 2


def test_markup_stays_markup_in_a_cached_function(site: Site) -> None:
    @site.cache.cached(key_prefix="navigation")
    def navigation() -> Markup:
        return Markup("<b>home</b>")

    with site.app.test_request_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pages = [render_template_string("{{ f() }}", f=navigation) for _ in range(2)]
    assert pages == ["<b>home</b>"] * 2


def test_callers_who_wait_get_results_of_their_own(site: Site) -> None:
    @site.cache.memoize()
    def f() -> dict[str, str]:
        site.count()
        time.sleep(0.3)
        return {}

    def call(name: str) -> dict[str, str]:
        given = f()
        given[name] = "mine"
        time.sleep(0.2)
        return given

    answers = at_once(*(functools.partial(call, name) for name in "abc"))
    assert answers == [{"a": "mine"}, {"b": "mine"}, {"c": "mine"}]


def test_visitors_who_wait_get_a_context_of_their_own(site: Site) -> None:
    def templated(view: Callable[[], dict[str, str]]) -> Callable[[], str]:
        @functools.wraps(view)
        def inner() -> str:
            context = view()
            context[request.args["user"]] = "here"
            time.sleep(0.2)
            return " ".join(sorted(context))

        return inner

    @site.app.route("/")
    @templated
    @site.cache.cached()
    def view() -> dict[str, str]:
        time.sleep(0.3)
        return {}

    answers = at_once(
        lambda: site.get("/?user=ada").text,
        lambda: site.get("/?user=bob").text,
    )
    assert sorted(answers) == ["ada", "bob"]


def test_two_memoized_functions_of_one_name_do_not_share_silently(site: Site) -> None:
    def multiplier(factor: int) -> Callable[[int], int]:
        @site.cache.memoize()
        def multiply(number: int) -> int:
            return number * factor

        return multiply

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        double, triple = multiplier(2), multiplier(3)
        is_right = (double(5), triple(5)) == (10, 15)
    assert is_right or caught


# Views: decorators outside.


def _templated(view: Callable[..., Any]) -> Callable[..., Any]:
    """As in Flask's documentation."""

    @functools.wraps(view)
    def inner(*args: Any, **kwargs: Any) -> Any:
        context = view(*args, **kwargs)
        if context is None:
            context = {}
        elif not isinstance(context, dict):
            return context
        return render_template_string("hello {{ name }}", **context)

    return inner


def test_a_templated_view_may_give_none(site: Site) -> None:
    @site.app.route("/")
    @_templated
    @site.cache.cached()
    def view() -> None:
        site.count()

    assert site.texts("/", "/") == ["hello ", "hello "]


def test_a_templated_view_may_give_what_is_no_json(site: Site) -> None:
    class Album:
        def __str__(self) -> str:
            return "ada"

    @site.app.route("/")
    @_templated
    @site.cache.cached()
    def view() -> dict[str, object]:
        return {"name": Album()}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert site.texts("/", "/") == ["hello ada", "hello ada"]


def _passed_on(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return inner


@pytest.mark.parametrize(
    "give",
    [
        lambda: iter(["one ", "two"]),
        lambda: ((part for part in ("one ", "two")), 200),
        lambda: ((part for part in ("one ", "two")), {"X-Shop": "1"}),
        lambda: map(str, ("one ", "two")),
        lambda: itertools.chain(["one "], ["two"]),
        lambda: Response(part for part in ("one ", "two")),
        lambda: (Response(part for part in ("one ", "two")), 200),
        lambda: (part for part in ("one ", "two")),
    ],
    ids=["iterator", "tuple", "headers", "map", "chain", "response", "response-tuple", "generator"],
)
def test_a_stream_goes_through_a_decorator_outside(site: Site, give: Callable[[], Any]) -> None:
    @site.app.route("/")
    @_passed_on
    @site.cache.cached()
    def view() -> Any:
        return give()

    assert site.texts("/", "/") == ["one two", "one two"]


def test_a_generator_of_texts_and_bytes_is_a_stream_as_without_the_cache(site: Site) -> None:
    def view() -> Iterator[str | bytes]:
        yield "one "
        yield b"two"

    site.route("/", view)
    assert site.texts("/", "/") == ["one two", "one two"]


# Views that are not known as such.


def test_a_bound_method_is_a_view(site: Site) -> None:
    class Pages:
        @site.cache.cached()
        def index(self) -> str:
            user = request.authorization
            return "nobody" if user is None else f"secrets of {user.username}"

    site.app.add_url_rule("/", view_func=Pages().index, endpoint="index")
    assert [site.get("/", ADA).text, site.get().text] == ["secrets of ada", "nobody"]


def test_a_view_behind_a_decorator_without_wraps_keeps_secrets(site: Site) -> None:
    def plain(view: Callable[[], str]) -> Callable[[], str]:
        return lambda: view()

    @site.cache.cached()
    def view() -> str:
        user = request.authorization
        return "nobody" if user is None else f"secrets of {user.username}"

    site.app.add_url_rule("/", "index", plain(view))
    assert [site.get("/", ADA).text, site.get().text] == ["secrets of ada", "nobody"]


def test_a_view_behind_a_decorator_without_wraps_keeps_hosts_apart(site: Site) -> None:
    def plain(view: Callable[[], str]) -> Callable[[], str]:
        return lambda: view()

    @site.cache.cached()
    def view() -> str:
        return request.host

    site.app.add_url_rule("/", "index", plain(view))
    hosts = ["one.example", "two.example"]
    assert [site.get(base_url=f"http://{host}").text for host in hosts] == hosts


def test_dispatch_request_gets_what_a_method_gives(site: Site) -> None:
    class Enveloped(MethodView):
        def dispatch_request(self, **kwargs: Any) -> Any:
            return {"data": super().dispatch_request(**kwargs)}

    class Albums(Enveloped):
        @site.cache.cached()
        def get(self) -> Any:
            site.count()
            return ["blue"]

    site.app.add_url_rule("/", view_func=Albums.as_view("albums"))
    assert [site.get().json, site.get().json] == [{"data": ["blue"]}] * 2
    assert site.count.calls == 1


# Two decorated functions under one key.


def _seconds(call: Callable[[], Any]) -> float:
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def test_a_cached_helper_in_a_cached_view_does_not_wait_for_itself(site: Site) -> None:
    @site.cache.cached()
    def helper() -> str:
        return "helped"

    site.route("/", lambda: helper())
    assert _seconds(lambda: site.get()) < 2


def test_two_decorators_of_one_view_do_not_wait_for_each_other(site: Site) -> None:
    site.route("/", site.cache.cached()(lambda: "twice"))  # type: ignore[misc]
    assert _seconds(lambda: site.get()) < 2
    assert site.get().text == "twice"


def test_class_and_method_may_both_be_cached(site: Site) -> None:
    class Page(MethodView):
        decorators = [site.cache.cached()]

        @site.cache.cached()
        def get(self) -> str:
            return "twice"

    site.app.add_url_rule("/", view_func=Page.as_view("page"))
    assert _seconds(lambda: site.get()) < 2


def test_a_cached_view_and_a_helper_of_it_are_both_kept(site: Site) -> None:
    helped = itertools.count(1)

    @site.cache.cached()
    def helper() -> str:
        return f"help {next(helped)}"

    site.app.before_request(lambda: helper() and None)
    site.route("/", lambda: f"page {site.count()}")
    site.texts("/", "/", "/")
    assert (site.count.calls, next(helped) - 1) == (1, 1)


# Queries.


def test_delete_cached_takes_lists_of_values(site: Site) -> None:
    view = site.route("/", lambda: f"{site.count()}", query_string=True)
    site.get("/?a=1&a=2")
    assert site.cache.delete_cached(view, query_args={"a": ["1", "2"]})


# Which page is it.


def test_apps_below_different_roots_have_pages_of_their_own(site: Site) -> None:
    site.route("/", lambda: request.script_root)
    roots = ["/one", "/two"]
    assert [site.get(base_url=f"http://localhost{root}").text for root in roots] == roots


def test_delete_cached_of_a_view_on_a_subdomain(new_site: Callable[..., Site]) -> None:
    site = new_site(SERVER_NAME="shop.example")
    site.app.subdomain_matching = True
    site.app.url_map.default_subdomain = ""
    pages = Blueprint("pages", "pages", subdomain="api")
    view = site.cache.cached()(lambda number: f"{number} {site.count()}")
    pages.add_url_rule("/albums/<int:number>", "album", view)
    site.app.register_blueprint(pages)
    url = "http://api.shop.example"
    assert site.get("/albums/5", base_url=url).text == "5 1"
    assert site.cache.delete_cached(view, number=5)
    assert site.get("/albums/5", base_url=url).text == "5 2"


def test_delete_cached_of_a_view_on_a_host() -> None:
    app = Flask("hosts", host_matching=True, static_host="static.example")
    cache = Cache(app)
    view = cache.cached()(lambda number: f"{number}")
    app.add_url_rule("/albums/<int:number>", "album", view, host="shop.example")
    client = app.test_client()
    client.get("/albums/5", base_url="http://shop.example")
    assert cache.delete_cached(view, number=5)


def test_delete_cached_of_a_view_whose_argument_is_called_path(site: Site) -> None:
    view = site.cache.cached()(lambda path: f"{path} {site.count()}")
    site.app.add_url_rule("/files/<path:path>", "file", view)
    site.get("/files/a/b.txt")
    assert site.cache.delete_cached(view, path="a/b.txt")


def test_delete_cached_of_a_view_on_two_endpoints_deletes_both(site: Site) -> None:
    view = site.cache.cached()(lambda number: f"{site.count()}")
    site.app.add_url_rule("/albums/<number>", "one", view)
    site.app.add_url_rule("/records/<number>", "two", view)
    site.texts("/albums/1", "/records/1")
    site.cache.delete_cached(view, number=1)
    assert site.texts("/albums/1", "/records/1") == ["3", "4"]


# Keys of the user's own.


def test_delete_cached_after_make_cache_key_was_assigned(site: Site) -> None:
    view: Any = site.route("/", lambda: f"{site.count()}")
    view.make_cache_key = lambda *args, **kwargs: "front"
    assert site.texts("/", "/") == ["1", "1"]
    assert site.cache.delete_cached(view)
    assert site.get().text == "2"


def test_delete_cached_after_a_key_function_without_arguments_was_assigned(site: Site) -> None:
    view: Any = site.route("/", lambda: f"{site.count()}")
    view.make_cache_key = lambda: "front"
    assert site.texts("/", "/") == ["1", "1"]
    assert site.cache.delete_cached(view, path="/")
    assert site.get().text == "2"


def test_an_assigned_key_function_in_a_namespace(site: Site) -> None:
    view: Any = site.route("/", lambda: f"{site.count()}", namespace="albums")
    view.make_cache_key = lambda *args, **kwargs: "front"
    assert site.texts("/", "/") == ["1", "1"]
    assert site.cache.delete_cached(view)


def test_the_own_key_of_a_plain_function_outside_of_a_request(site: Site) -> None:
    @site.cache.cached(make_cache_key=lambda number: f"square-{number}")
    def square(number: int) -> int:
        return number * number

    assert square(3) == 9
    assert square.make_cache_key(3) == "square-3"  # type: ignore[attr-defined]
    assert site.cache.get("square-3") == 9


def test_delete_cached_of_a_plain_function_with_a_key_of_its_own(site: Site) -> None:
    @site.cache.cached(make_cache_key=lambda number: f"square-{number}")
    def square(number: int) -> int:
        return number * number

    square(3)
    assert site.cache.delete_cached(square, number=3)


def test_delete_cached_of_a_method_with_a_key_of_its_own(site: Site) -> None:
    class Album(MethodView):
        @site.cache.cached(make_cache_key=lambda self, number: f"album-{number}")
        def get(self, number: int) -> str:
            return f"{site.count()}"

    site.app.add_url_rule("/<int:number>", view_func=Album.as_view("album"))
    site.get("/5")
    assert site.cache.delete_cached(Album.get, number=5)


# Aborts.


def test_an_abort_of_an_own_class_meets_its_error_handler_on_a_hit(site: Site) -> None:
    class NoAlbum(NotFound):
        pass

    @site.app.errorhandler(404)
    def not_found(error: HTTPException) -> tuple[str, int]:
        return "we are sorry", 404

    def view() -> str:
        raise NoAlbum

    site.route("/", view)
    assert site.texts("/", "/") == ["we are sorry", "we are sorry"]


def test_a_405_with_methods_meets_its_error_handler_on_a_hit(site: Site) -> None:
    @site.app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> tuple[str, int]:
        return "we are sorry", error.code or 500

    def view() -> str:
        raise MethodNotAllowed(["POST"])

    site.route("/", view)
    assert site.texts("/", "/") == ["we are sorry", "we are sorry"]


# Headers.


def test_all_lines_of_vary_count(site: Site) -> None:
    def view() -> Response:
        response = make_response(request.headers["Accept-Language"])
        response.headers.add("Vary", "Accept")
        response.headers.add("Vary", "Accept-Language")
        return response

    site.route("/", view)
    seen = [site.get("/", {"Accept-Language": each}).text for each in ("de", "en")]
    assert seen == ["de", "en"]


def test_all_lines_of_cache_control_count(timed: Site) -> None:
    def view() -> Response:
        response = make_response(f"{timed.count()}")
        response.headers.add("Cache-Control", "public")
        response.headers.add("Cache-Control", "s-maxage=10")
        return response

    timed.route("/", view)
    timed.get()
    timed.time += 11
    assert timed.get().text == "2"


def test_a_header_that_was_taken_away_is_not_there_on_a_hit(site: Site) -> None:
    def view() -> Response:
        response = Response(status=204)
        del response.headers["Content-Type"]
        return response

    site.route("/", view)
    assert ["Content-Type" in site.get().headers for _ in range(2)] == [False, False]


def test_client_ttl_is_counted_from_the_answer(timed: Site) -> None:
    timed.route("/", lambda: "page", timeout=600, client_ttl=60)
    timed.get()
    timed.time += 300
    answer = timed.get()
    fresh = (answer.cache_control.max_age or 0) - int(answer.headers.get("Age", "0"))
    assert fresh == 60


def test_head_honours_no_cache(site: Site) -> None:
    site.route("/", lambda: f"{site.count()}", honour_request=True)
    site.get()
    answer = site.get("/", {"Cache-Control": "no-cache"}, method="HEAD")
    assert "hit" not in answer.headers["Cache-Status"]


def test_head_asks_is_stale(site: Site) -> None:
    site.route("/", lambda: f"{site.count()}", is_stale=lambda value: True)
    site.get()
    assert "hit" not in site.get(method="HEAD").headers["Cache-Status"]


def test_an_after_request_that_changes_the_body_changes_the_etag(site: Site) -> None:
    site.route("/", lambda: "hello ")

    @site.app.after_request
    def sign(response: Response) -> Response:
        if response.status_code == 200:
            response.set_data(response.get_data() + request.args["user"].encode())
        return response

    ada = site.get("/?user=ada").headers["ETag"]
    assert site.get("/?user=bob", {"If-None-Match": ada}).status_code == 200


# Coroutines.


def test_a_cached_coroutine_function_may_be_run(site: Site) -> None:
    @site.cache.cached(key_prefix="f")
    async def f() -> str:
        return "awaited"

    assert [asyncio.run(f()) for _ in range(2)] == ["awaited"] * 2


# One computation.


def test_a_function_without_result_does_not_slow_others_down(site: Site) -> None:
    @site.cache.memoize()
    def nothing(number: int) -> None:
        return None

    @site.cache.memoize()
    def something(number: int) -> int:
        time.sleep(0.3)
        return site.count()

    nothing(1)
    assert at_once(*[lambda: something(1)] * 5) == [1] * 5


def test_a_task_that_is_done_in_another_request_does_not_see_that(timed: Site) -> None:
    tasks: list[Callable[[], None]] = []

    @timed.app.after_request
    def work(response: Response) -> Response:
        if request.path == "/other":
            while tasks:
                tasks.pop()()
        return response

    timed.route(
        "/", lambda: f"{request.path} {timed.count()}", timeout=60, stale_ttl=600,
        refresh=tasks.append,
    )  # fmt: skip
    timed.app.add_url_rule("/other", "other", lambda: "other")
    timed.get()
    timed.time += 61
    timed.texts("/", "/other")
    assert timed.get().text.startswith("/ ")


# Fragments.


def test_two_fragments_without_names_on_one_line(site: Site) -> None:
    text = "{% cache %}one{% endcache %}{% cache %}two{% endcache %}"
    with site.app.test_request_context():
        assert render_template_string(text) == "onetwo"


def test_fragments_without_names_of_two_texts(site: Site) -> None:
    with site.app.test_request_context():
        pages = [
            render_template_string(f"{{% cache %}}{each}{{% endcache %}}")
            for each in ("one", "two")
        ]
    assert pages == ["one", "two"]


def test_fragments_without_names_of_templates_that_are_no_files(site: Site) -> None:
    texts = {name: f"{{% cache %}}{name}{{% endcache %}}" for name in ("one", "two")}
    site.app.jinja_loader = DictLoader(texts)
    from flask import render_template

    with site.app.test_request_context():
        assert [render_template(name) for name in texts] == ["one", "two"]


def test_a_fragment_whose_key_is_not_defined(site: Site) -> None:
    with site.app.test_request_context():
        page = render_template_string("{% cache 60, 'x', nobody %}hello{% endcache %}")
    assert page == "hello"


def test_fragments_of_asynchronous_templates(site: Site) -> None:
    env = site.app.jinja_env.overlay(enable_async=True)
    template = env.from_string("{% cache 60, 'x' %}hello{% endcache %}")
    with site.app.test_request_context():
        assert [template.render(), template.render()] == ["hello", "hello"]


# Whoever makes mistakes.


def test_a_key_prefix_with_another_percent_sign_is_refused_when_decorated(site: Site) -> None:
    from kcache import ConfigurationError

    with pytest.raises(ConfigurationError, match="%"):
        site.cache.cached(key_prefix="100%/%s")(lambda: "")


def test_delete_cached_of_what_is_not_cached_says_so(site: Site) -> None:
    with pytest.raises(TypeError, match="cached"):
        site.cache.delete_cached(lambda: "", path="/")


def test_a_source_that_is_not_to_be_had_does_not_break_the_page(site: Site) -> None:
    names: dict[str, Any] = {}
    exec("def view(): return 'page'", names)  # noqa: S102
    site.route("/", names["view"], source_check=True)
    assert site.get().text == "page"


def test_the_message_for_a_class_method_says_what_to_do(site: Site) -> None:
    from kcache import ConfigurationError

    with pytest.raises(ConfigurationError, match="classmethod"):
        site.cache.memoize()(classmethod(lambda cls: 1))  # type: ignore[arg-type]


def test_a_posted_form_counts(site: Site) -> None:
    site.route("/", lambda: request.form.get("q", ""), methods=["GET", "POST"], on=["GET", "POST"])
    client = site.app.test_client()
    assert [client.post("/", data={"q": q}).text for q in ("blue", "kind")] == ["blue", "kind"]


# More.


def test_a_stale_variant_does_not_take_the_place_of_another(timed: Site) -> None:
    def view() -> Any:
        language = request.headers["Accept-Language"]
        return f"{language} {timed.count()}", {"Vary": "Accept-Language"}

    def seen(language: str) -> Any:
        return timed.get("/", {"Accept-Language": language})

    timed.route("/", view, timeout=60, stale_ttl=600)
    assert [seen("de").text, seen("en").text] == ["de 1", "en 2"]
    timed.time += 61
    statuses = [seen("en").headers["Cache-Status"]]
    assert soon(lambda: timed.count.calls > 2)
    time.sleep(0.3)
    statuses.append(seen("de").headers["Cache-Status"])
    assert all("hit" in status for status in statuses), statuses


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("options", [{"forced_update": lambda: True}, {"stale_ttl": 60}])
def test_pages_are_served_where_failures_raise(
    new_site: Callable[..., Site], method: str, options: dict[str, Any]
) -> None:
    url = "redis://127.0.0.1:1"
    site = new_site(KCACHE_NODES=[url], KCACHE_ON_ERROR="raise", TESTING=True)
    site.route("/", lambda: f"{site.count()}", **options)
    answers = [site.get(method=method) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "stored" not in answers[0].headers["Cache-Status"]


def test_a_page_that_no_node_took_is_not_said_to_be_stored(new_site: Callable[..., Site]) -> None:
    site = new_site(KCACHE_NODES=["redis://127.0.0.1:1"])
    site.route("/", lambda: "page")
    assert "stored" not in site.get().headers["Cache-Status"]


def test_a_callable_object_is_a_view(site: Site) -> None:
    class Page:
        @site.cache.cached()
        def __call__(self) -> str:
            user = request.authorization
            return "nobody" if user is None else f"secrets of {user.username}"

    site.app.add_url_rule("/", "page", Page())
    assert [site.get("/", ADA).text, site.get().text] == ["secrets of ada", "nobody"]


def test_a_view_may_be_an_object_without_a_hash(site: Site) -> None:
    class Page:
        __slots__ = ()
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> str:
            return helper()

    @site.cache.cached(key_prefix="helper")
    def helper() -> str:
        return "page"

    site.app.add_url_rule("/", "page", Page())
    assert site.get().text == "page"


def test_containers_of_other_classes_count_as_they_are_now(site: Site) -> None:
    from collections import defaultdict

    @site.cache.memoize()
    def total(numbers: dict[str, int]) -> int:
        return sum(numbers.values())

    numbers: dict[str, int] = defaultdict(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert total(numbers) == 0
        numbers["a"] = 5
        assert total(numbers) == 5


def test_arrays_count_as_they_are_now(site: Site) -> None:
    from array import array

    @site.cache.memoize()
    def total(numbers: Any) -> int:
        return sum(numbers)

    numbers = array("i", [1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert total(numbers) == 1
        numbers[0] = 5
        assert total(numbers) == 5


def test_a_post_is_never_not_modified(site: Site) -> None:
    site.route("/", lambda: "page", methods=["GET", "POST"], on=["GET", "POST"])
    answers = [site.get("/", {"If-None-Match": "*"}, method="POST") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_response_that_the_view_gives_again_and_again_stays_as_it_is(site: Site) -> None:
    always = Response("page")
    site.route("/", lambda: always, timeout=60, response_filter=lambda response: site.count() > 1)
    site.route("/other", lambda: always)
    site.get("/other", {"If-None-Match": "*"})
    assert site.get().status_code == 200


def test_a_view_that_answers_conditions_itself_is_refreshed_whole(timed: Site) -> None:
    def view() -> Response:
        response = make_response(f"page {timed.count() > 1}")
        response.add_etag()
        response.make_conditional(request)
        return response

    timed.route("/", view, timeout=60, stale_ttl=600)
    etag = timed.get().headers["ETag"]
    # A page of another content has another tag; of this one, the visitor has the newest.
    timed.time += 61
    new = timed.get(headers={"If-None-Match": "*"})
    assert new.status_code == 304
    assert etag
    assert soon(lambda: timed.count.calls > 1)
    time.sleep(0.2)
    assert timed.get().text == "page True"
