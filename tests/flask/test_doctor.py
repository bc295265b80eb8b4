"""`flask kcache doctor`: each rule finds what it is for, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import flask
import pytest
from flask import Flask, Response, abort, flash, g, make_response, request, session
from flask.typing import ResponseReturnValue
from flask.views import MethodView, View
from jinja2 import DictLoader
from werkzeug.local import LocalProxy

from kcache_flask import Cache, ignore_query
from tests.servers import Redis, redis
from tests.servers.connect import free_port

current_user: Any = LocalProxy(lambda: g.user)


@dataclass
class Clinic:
    """An app, its cache, and what the doctor says of it."""

    app: Flask
    cache: Cache

    def asked(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        runner = self.app.test_cli_runner()
        result = runner.invoke(args=["kcache", "doctor", "--json", *arguments])
        return result.exit_code, json.loads(result.stdout)["findings"]

    def rules(self, *arguments: str) -> dict[str, str]:
        """What was found, by rule, with its level."""
        return {each["rule"]: each["level"] for each in self.asked(*arguments)[1]}

    def of_view(
        self, function: Callable[..., Any], path: str = "/", methods: Any = None, **options: Any
    ) -> dict[str, str]:
        """What was found of a view."""
        cached = self.cache.cached(**options)(function)
        self.app.add_url_rule(path, view_func=cached, methods=methods)
        return self.rules()


@pytest.fixture
def clinic() -> Clinic:
    app = Flask(__name__)
    # Where nodes in the process are what one wants.
    app.testing = True
    return Clinic(app, Cache(app, config={"KCACHE_NODES": ["redis://127.0.0.1:1"]}))


def login_required(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if request.headers.get("X-Key") != "open sesame":
            abort(401)
        return function(*args, **kwargs)

    return guarded


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def counting() -> Any:
        g.count = 1
        return function()

    return counting


def hello() -> str:
    return "hello"


def test_what_is_right_is_left_alone(clinic: Clinic) -> None:
    cache, app = clinic.cache, clinic.app

    @app.route("/albums/<int:number>")
    @login_required
    @cache.cached(query_string=["page"], vary=["Accept-Language"], namespace="albums")
    def album(number: int) -> str:
        return f"{number} {request.args.get('page')} {request.accept_languages.best}"

    @app.route("/mine")
    @cache.cached(make_cache_key=lambda: f"{session.get('user')}{request.args}")
    def mine() -> str:
        return f"{session['user']} {request.args['page']} {g.user}"

    @app.route("/front")
    @cache.cached(unless=lambda: bool(current_user))
    def front() -> str:
        return f"{current_user} {g.database}"

    @cache.memoize()
    def title(number: int) -> str:
        session = {"number": number}
        return f"{session} {flask.current_app.name}"

    @cache.cached(key_prefix="statistics")
    def statistics() -> int:
        return 1

    assert clinic.asked() == (0, [])
    assert (mine, front, title, statistics, album) is not None


def test_a_finding_says_where_it_is(clinic: Clinic) -> None:
    @clinic.app.route("/list")
    @clinic.cache.cached()
    def listed() -> str:
        return request.args["page"]

    status, (finding,) = clinic.asked()
    assert status == 1
    assert finding["endpoint"] == "listed"
    assert finding["function"].endswith("<locals>.listed")
    line = listed.uncached.__code__.co_firstlineno  # type: ignore[attr-defined]
    assert finding["place"] == f"tests/flask/test_doctor.py:{line}"
    text = clinic.app.test_cli_runner().invoke(args=["kcache", "doctor"]).stdout
    assert f"error: tests/flask/test_doctor.py:{line} " in text
    assert "give query_string=['page']" in text
    assert text.endswith("1 decorated function: 1 error, 0 warnings, 0 notes\n")


def test_above_the_route(clinic: Clinic) -> None:
    @clinic.cache.cached()
    @login_required
    @clinic.app.route("/")
    def index() -> str:
        return "hello"

    assert clinic.rules() == {"above-route": "error"}
    assert index is not None


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ({}, {"query": "error"}),
        ({"query_string": ["sort"]}, {"query": "error"}),
        ({"query_string": ["page", "sort"]}, {}),
        ({"query_string": True}, {}),
        ({"query_string": ignore_query("utm_*")}, {}),
        ({"make_cache_key": lambda: request.full_path}, {}),
        ({"key_prefix": lambda: request.full_path}, {}),
    ],
)
def test_the_query(clinic: Clinic, options: dict[str, Any], rules: dict[str, str]) -> None:
    def view() -> str:
        order = request.args.getlist("sort") if "sort" in request.args else ""
        return f"{request.args.get('page', 1)} {order}"

    assert clinic.of_view(view, **options) == rules


def test_the_query_as_a_whole(clinic: Clinic) -> None:
    def view() -> str:
        return f"{flask.request.args} {request.url}"

    assert clinic.of_view(view) == {"query": "error"}
    assert "query_string=True" in clinic.asked()[1][0]["advice"]


def test_the_address_of_the_page_alone_is_a_warning(clinic: Clinic) -> None:
    assert clinic.of_view(lambda_of_url()) == {"query": "warning"}


def lambda_of_url() -> Callable[[], str]:
    def view() -> str:
        from flask import request as asked  # noqa: PLC0415 - is seen through

        return asked.url

    return view


def of_language() -> str:
    return f"{request.accept_languages.best}"


def of_header() -> str:
    return f"{request.headers.get('X-Shop')} {request.headers['Host']}"


def of_cookie() -> str:
    return request.cookies["theme"]


def of_address() -> str:
    return f"{request.remote_addr}"


def of_language_said() -> Response:
    response = make_response(of_language())
    response.vary.add(f"{request.accept_languages.best}")
    return response


@pytest.mark.parametrize(
    ("view", "options", "rules"),
    [
        (of_language, {}, {"headers": "error"}),
        (of_language, {"vary": ["Accept-Language"]}, {}),
        (of_language_said, {}, {}),
        (of_header, {}, {"headers": "error"}),
        (of_header, {"vary": ["x-shop"]}, {}),
        (of_cookie, {}, {"headers": "error"}),
        (of_cookie, {"vary": "Cookie"}, {}),
        (of_address, {}, {"address": "error"}),
        (of_address, {"make_cache_key": of_address}, {}),
    ],
)
def test_what_else_is_read_of_the_request(
    clinic: Clinic,
    view: Callable[..., Any],
    options: dict[str, Any],
    rules: dict[str, str],
) -> None:
    assert clinic.of_view(view, **options) == rules


def with_session() -> str:
    return f"{session.get('cart')}"


def with_flash() -> str:
    flash("hello")
    return ""


def with_cookie() -> Response:
    response = make_response("hello")
    response.set_cookie("seen", "1")
    return response


def of_user() -> str:
    return f"hello {current_user}"


def of_g() -> str:
    return f"hello {g.user} {g.get('database')}"


@pytest.mark.parametrize(
    ("view", "rule"),
    [
        (with_session, "session"),
        (with_flash, "session"),
        (with_cookie, "set-cookie"),
        (of_user, "user"),
        (of_g, "user"),
    ],
)
def test_what_is_one_visitors_own(clinic: Clinic, view: Callable[..., Any], rule: str) -> None:
    assert clinic.of_view(view) == {rule: "warning"}
    assert clinic.asked()[0] == 0


def test_what_is_one_visitors_own_in_templates(clinic: Clinic) -> None:
    clinic.app.jinja_loader = DictLoader(
        {
            "page.html": "{% extends 'base.html' %}{% block body %}{{ title }}{% endblock %}",
            "base.html": "{% cache 60 %}{{ current_user }}{% endcache %}{% include 'x' %}"
            "{% block body %}{% endblock %}",
            "x": "{% for text in get_flashed_messages() %}{% endfor %}",
            "broken": "{% nonsense %}",
        }
    )

    def view() -> str:
        return flask.render_template("page.html") + flask.render_template("broken")

    assert clinic.of_view(view) == {"session": "warning", "user": "warning"}
    wrong = " ".join(each["wrong"] for each in clinic.asked()[1])
    assert "get_flashed_messages (in x)" in wrong
    assert "current_user (in base.html)" in wrong


def test_proxies_are_not_asked(clinic: Clinic) -> None:
    def view() -> str:
        return f"{current_user.name}"

    assert clinic.of_view(view) == {"user": "warning"}


def test_objects_that_can_be_called(clinic: Clinic) -> None:
    class Greeting:
        def __call__(self) -> str:
            return "hello"

    greeting = clinic.cache.cached(key_prefix="greeting")(Greeting())
    assert clinic.rules() == {}
    assert greeting is not None


def test_a_variable_that_is_called_session_is_none(clinic: Clinic) -> None:
    def view() -> str:
        session = {"a": 1}
        request = Flask("x")
        return f"{session} {request.name}"

    assert clinic.of_view(view) == {}


def test_a_check_below_the_cache(clinic: Clinic) -> None:
    @clinic.app.route("/a")
    @clinic.cache.cached()
    @login_required
    def secret() -> str:
        return "secret"

    assert clinic.rules() == {"check-skipped": "error"}
    assert "@login_required is below @cached" in clinic.asked()[1][0]["wrong"]
    assert secret is not None


def test_a_check_below_the_cache_with_unless(clinic: Clinic) -> None:
    view = login_required(hello)
    assert clinic.of_view(view, unless=lambda: False) == {"check-skipped": "warning"}


def test_a_check_that_does_not_say_what_it_wraps(clinic: Clinic) -> None:
    def admin_only(function: Callable[..., str]) -> Callable[..., str]:
        def inner(*args: Any, **kwargs: Any) -> str:
            return function(*args, **kwargs)

        return inner

    @clinic.app.route("/")
    @clinic.cache.cached()
    @admin_only
    def secret() -> str:
        return "secret"

    assert clinic.rules() == {"check-skipped": "error"}
    assert secret is not None


def create_admin_app(clinic: Clinic) -> None:
    helper = hello

    def index() -> str:
        return helper()

    clinic.app.add_url_rule("/", view_func=clinic.cache.cached()(counted(index)))


def test_the_name_of_what_makes_the_app_is_no_check(clinic: Clinic) -> None:
    create_admin_app(clinic)
    assert clinic.rules() == {"below": "note"}


def test_another_decorator_below_the_cache(clinic: Clinic) -> None:
    assert clinic.of_view(counted(hello)) == {"below": "note"}


def test_methods(clinic: Clinic) -> None:
    assert clinic.of_view(hello, "/a", ["GET", "POST"]) == {"methods": "note"}


def test_methods_that_are_never_kept(clinic: Clinic) -> None:
    assert clinic.of_view(hello, "/a", ["POST"]) == {"never-kept": "warning"}


def test_bodies_are_not_in_the_key(clinic: Clinic) -> None:
    options = {"methods": ["POST"]}
    cached = clinic.cache.cached(methods=["POST"])(hello)
    clinic.app.add_url_rule("/a", view_func=cached, **options)  # type: ignore[arg-type]
    assert clinic.rules() == {"body": "error"}


def test_literal_keys(clinic: Clinic) -> None:
    def view(number: int) -> str:
        return f"{number}"

    assert clinic.of_view(view, "/<int:number>", key_prefix="album") == {"literal-key": "error"}


def test_one_key_for_two_functions(clinic: Clinic) -> None:
    for path in ("/a", "/b"):

        def view() -> str:
            return "hello"

        view.__qualname__ = path
        cached = clinic.cache.cached(key_prefix="same")(view)
        clinic.app.add_url_rule(path, path, cached)
    assert clinic.rules() == {"same-key": "error"}
    assert len(clinic.asked()[1]) == 2


def test_without_end(clinic: Clinic) -> None:
    assert clinic.of_view(hello, timeout=0) == {"no-end": "note"}


def test_without_end_in_a_namespace(clinic: Clinic) -> None:
    assert clinic.of_view(hello, timeout=0, namespace="albums") == {}


def test_functions_by_a_key_that_does_not_have_their_arguments(clinic: Clinic) -> None:
    @clinic.cache.cached(key_prefix="title")
    def title(number: int) -> str:
        return f"{number}"

    assert clinic.rules() == {"arguments": "error"}
    assert title is not None


def test_functions_by_the_path_of_whatever_request(clinic: Clinic) -> None:
    @clinic.cache.cached()
    def statistics() -> str:
        return request.path

    assert clinic.rules() == {"path-key": "warning"}
    assert statistics is not None


def test_views_of_other_apps_are_not_looked_at(clinic: Clinic) -> None:
    other = flask.Blueprint("other", __name__)

    @other.get("/<int:number>")
    @clinic.cache.cached()
    def view(number: int) -> str:
        return f"{number} {request.args['page']}"

    assert clinic.rules() == {}
    assert view is not None


def test_functions_that_ask_the_request(clinic: Clinic) -> None:
    @clinic.cache.memoize()
    def cart(number: int) -> str:
        return f"{number} {session['user']}"

    @clinic.cache.cached(key_prefix="where")
    def where() -> str:
        return request.host

    assert clinic.rules() == {"request": "error"}
    assert [each["function"].rpartition(".")[2] for each in clinic.asked()[1]] == ["cart", "where"]
    assert (cart, where) is not None


def test_memoized_views(clinic: Clinic) -> None:
    clinic.app.add_url_rule("/", view_func=clinic.cache.memoize()(hello))
    assert clinic.rules() == {"memoized-view": "error"}


METHODS = Cache()


class Nameless:
    @METHODS.memoize()
    def get(self, number: int) -> int:
        return number


class Named:
    __cache_key__ = "one"

    @METHODS.memoize()
    def get(self, number: int) -> int:
        return number


@dataclass
class Data:
    size: int

    @METHODS.memoize()
    def get(self, number: int) -> int:
        return number


class Ignored:
    @METHODS.memoize(args_to_ignore=["self"])
    def get(self, number: int) -> int:
        return number


def test_methods_of_objects_that_nothing_identifies() -> None:
    app = Flask(__name__)
    app.testing = True
    METHODS.init_app(app, {"KCACHE_NODES": ["redis://127.0.0.1:1"]})
    clinic = Clinic(app, METHODS)
    (finding,) = clinic.asked()[1]
    assert (finding["rule"], finding["level"]) == ("identity", "warning")
    assert finding["function"].endswith("Nameless.get")


def test_classes(clinic: Clinic) -> None:
    class Pages(MethodView):
        @clinic.cache.cached()
        def get(self, number: int) -> str:
            return f"{number} {request.args['page']}"

        def post(self, number: int) -> str:
            return f"{number} {request.args['page']}"

    class Whole(View):
        decorators = (login_required, clinic.cache.cached())  # type: ignore[assignment]

        def dispatch_request(self) -> ResponseReturnValue:
            return request.cookies["theme"]

    clinic.app.add_url_rule("/<int:number>", view_func=Pages.as_view("pages"))
    clinic.app.add_url_rule("/whole", view_func=Whole.as_view("whole"))
    expected = {"check-skipped": "error", "headers": "error", "query": "error"}
    assert clinic.rules() == expected
    assert len(clinic.asked()[1]) == 3


def test_a_comment_silences_a_rule(clinic: Clinic) -> None:
    def view() -> str:
        # Whatever it says, it is the same. kcache: ignore
        return f"{request.args['page']}"

    def one() -> str:
        name = request.cookies["theme"]  # kcache: ignore[query, headers]
        return f"{name} {request.args['page']} {current_user}"

    def all_of_it() -> str:
        return request.cookies["theme"]  # kcache: ignore

    assert clinic.of_view(one, "/one") == {"user": "warning"}
    clinic.of_view(all_of_it, "/all")
    assert clinic.of_view(view, "/view") == {"query": "error", "user": "warning"}


def test_what_has_no_source(clinic: Clinic) -> None:
    scope: dict[str, Any] = {"request": request}
    exec("def view(): return request.args['page']", scope)  # noqa: S102 - that is the point
    assert clinic.of_view(scope["view"]) == {}
    clinic.app.add_url_rule("/l", "l", clinic.cache.cached()(lambda: "hello"))
    assert clinic.rules() == {}


def test_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def rules(**config: Any) -> dict[str, str]:
        app = Flask(__name__)
        return Clinic(app, Cache(app, config=config)).rules()

    remote = ["redis://127.0.0.1:1"]
    assert rules(KCACHE_NODES=remote) == {}
    assert rules() == {"in-process": "warning"}
    assert rules(KCACHE_NODES=remote, KCACHE_ON_ERROR="raise") == {"on-error": "warning"}
    assert rules(CACHE_TYPE="NullCache") == {"switched-off": "note"}
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert rules() == {"in-process": "note"}


def test_two_caches_in_one_place() -> None:
    app = Flask(__name__)
    for _ in range(2):
        Cache(app, config={"KCACHE_NODES": ["redis://127.0.0.1:1"]})
    assert Clinic(app, Cache()).rules() == {"same-place": "warning"}


def test_live_servers(redises: tuple[Redis, ...]) -> None:
    def rules(*urls: str) -> dict[str, str]:
        app = Flask(__name__)
        return Clinic(app, Cache(app, config={"KCACHE_NODES": urls})).rules("--live")

    assert rules(redises[0].url) == {"noeviction": "warning"}
    assert rules(f"redis://127.0.0.1:{free_port()}") == {"node-down": "error"}
    limits = ("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    with redis(options=limits) as server:
        assert rules(server.url) == {}
