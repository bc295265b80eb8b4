"""Scenarios of views: what HTTP asks of whoever keeps a response."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response, abort, make_response, request, session

from tests.flask.scenario import Extension, Scenario, Verdict, counter, page

__all__ = ["PAGES"]

ADA = {"Authorization": "Basic YWRhOmxvdmVsYWNl"}


def _post(extension: Extension) -> Verdict:
    count = counter()
    app = page(extension, lambda: f"{request.method} {count()}", ("GET", "POST"))
    client = app.test_client()
    answers = [client.get("/").text, client.post("/").text, client.get("/").text]
    return Verdict(answers == ["GET 1", "POST 2", "GET 1"], f"GET, POST, GET: {answers}")


def _authorized(extension: Extension) -> Verdict:
    def view() -> str:
        user = request.authorization
        return "nobody" if user is None else f"secrets of {user.username}"

    client = page(extension, view).test_client()
    ada, anonymous = client.get("/", headers=ADA).text, client.get("/").text
    return Verdict(
        ada == "secrets of ada" and anonymous == "nobody", f"anonymous was given {anonymous!r}"
    )


def _set_cookie(extension: Extension) -> Verdict:
    count = counter()

    def view() -> Response:
        response = make_response("hello")
        response.set_cookie("visitor", f"number-{count()}")
        return response

    app = page(extension, view)
    cookies = [app.test_client().get("/").headers.get("Set-Cookie", "none") for _ in range(2)]
    return Verdict(len(set(cookies)) == len(cookies), f"two visitors: {cookies}")


def _recovered(app: Flask) -> Verdict:
    """After a first answer that is an error, the page works."""
    statuses = [app.test_client().get("/").status_code for _ in range(2)]
    return Verdict(
        statuses[0] in {401, 500} and statuses[1] == 200, f"statuses one after another: {statuses}"
    )


def _returned_500(extension: Extension) -> Verdict:
    count = counter()
    return _recovered(page(extension, lambda: "fine" if count() > 1 else ("broken", 500)))


def _failing_once(fail: Callable[[], Any]) -> Callable[[], str]:
    count = counter()

    def view() -> str:
        if count() == 1:
            fail()
        return "fine"

    return view


def _aborted_401(extension: Extension) -> Verdict:
    return _recovered(page(extension, _failing_once(lambda: abort(401))))


def _aborted_500(extension: Extension) -> Verdict:
    return _recovered(page(extension, _failing_once(lambda: abort(500))))


def _fail() -> None:
    raise KeyError("cover")


def _handled_exception(extension: Extension) -> Verdict:
    app = page(extension, _failing_once(_fail))
    app.register_error_handler(KeyError, lambda error: (f"no {error}", 500))
    return _recovered(app)


def _hosts(extension: Extension) -> Verdict:
    count = counter()
    client = page(extension, lambda: f"{request.host} {count()}").test_client()
    hosts = ["one.example", "two.example"] * 2
    seen = [client.get("/", base_url=f"http://{host}").text for host in hosts]
    return Verdict(seen == ["one.example 1", "two.example 2"] * 2, f"asked at {hosts}: {seen}")


def _schemes(extension: Extension) -> Verdict:
    count = counter()
    client = page(extension, lambda: f"{request.scheme} {count()}").test_client()
    schemes = ["https", "http"] * 2
    seen = [client.get("/", base_url=f"{scheme}://one.example").text for scheme in schemes]
    return Verdict(seen == ["https 1", "http 2"] * 2, f"asked by {schemes}: {seen}")


def _languages(extension: Extension) -> Verdict:
    count = counter()

    def view() -> Response:
        language = request.accept_languages.best_match(["en", "de"])
        response = make_response(f"{language} {count()}")
        response.vary.add("Accept-Language")
        return response

    client = page(extension, view).test_client()
    asked = ["de", "en", "de", "en"]
    seen = [client.get("/", headers={"Accept-Language": language}).text for language in asked]
    return Verdict(seen == ["de 1", "en 2", "de 1", "en 2"], f"asked for {asked}: {seen}")


def _kept_although(extension: Extension, directive: str) -> tuple[bool, str]:
    count = counter()

    def view() -> Response:
        return Response(f"{count()}", headers={"Cache-Control": directive})

    client = page(extension, view).test_client()
    seen = [client.get("/").text for _ in range(2)]
    return seen != ["1", "2"], f"{directive}: {seen}"


def _cache_control(extension: Extension) -> Verdict:
    directives = ("private", "no-store", "private, max-age=60")
    results = [_kept_although(extension, directive) for directive in directives]
    kept = [seen for is_kept, seen in results if is_kept]
    return Verdict(not kept, "; ".join(kept) or "none was kept")


def _session_read(extension: Extension) -> Verdict:
    app = page(extension, lambda: f"hello {session.get('user', 'stranger')}")

    @app.route("/login")
    def login() -> str:
        session["user"] = "ada"
        return "welcome"

    ada = app.test_client()
    ada.get("/login")
    greetings = [ada.get("/").text, app.test_client().get("/").text]
    return Verdict(greetings == ["hello ada", "hello stranger"], f"ada, a stranger: {greetings}")


def _session_written(extension: Extension) -> Verdict:
    def view() -> str:
        session["seen"] = True
        return "hello"

    app = page(extension, view)
    given = ["Set-Cookie" in app.test_client().get("/").headers for _ in range(2)]
    return Verdict(given == [True, True], f"two visitors have a session after it: {given}")


def _stream(extension: Extension) -> Verdict:
    count = counter()

    def chunks(number: int) -> Iterator[str]:
        yield from ("number ", str(number))

    client = page(extension, lambda: Response(chunks(count()))).test_client()
    seen = [client.get("/").text for _ in range(2)]
    return Verdict(seen == ["number 1", "number 1"], f"two requests: {seen}")


def _unless(extension: Extension) -> Verdict:
    count = counter()
    client = page(extension, lambda: str(count()), unless=lambda: 1).test_client()
    seen = [client.get("/").text for _ in range(2)]
    return Verdict(seen == ["1", "2"], f"two requests: {seen}")


def _own_key(extension: Extension) -> Verdict:
    app, cache = extension.new_app()
    count = counter()

    @app.route("/")
    @cache.cached(make_cache_key=lambda: "front-page")
    def view() -> str:
        return str(count())

    client = app.test_client()
    before = [client.get("/").text for _ in range(2)]
    with app.app_context():
        told = cache.delete_cached(view, path="/")
    seen = [*before, client.get("/").text]
    return Verdict(seen == ["1", "1", "2"], f"two requests, delete_cached ({told}), one: {seen}")


def _hit_header(extension: Extension) -> Verdict:
    cache = extension.new_cache()

    @cache.cached(response_hit_indication=True)
    def view() -> str:
        return "hello"

    apps = [extension.new_app(name, cache)[0] for name in ("first", "second")]
    for app in apps:
        app.add_url_rule("/", "page", view)
    seen = []
    for app in apps:
        client = app.test_client()
        seen += ["hit_cache" in client.get("/").headers for _ in range(2)]
    return Verdict(
        seen == [False, True, False, True], f"header at a miss and a hit of either app: {seen}"
    )


PAGES = (
    Scenario("post", "POST to a view that is cached", "the view is run", _post),
    Scenario(
        "authorized", "a page for Authorization, then without", "it is nobody else's", _authorized
    ),
    Scenario("set_cookie", "a view sets a cookie", "each visitor has a new one", _set_cookie),
    Scenario("returned_500", 'a view returns "...", 500 once', "it is not kept", _returned_500),
    Scenario("aborted_401", "a view calls abort(401) once", "it is not kept", _aborted_401),
    Scenario("aborted_500", "a view calls abort(500) once", "it is not kept", _aborted_500),
    Scenario(
        "handled_exception",
        "a view raises once, which an error handler makes a 500",
        "it is not kept",
        _handled_exception,
    ),
    Scenario("hosts", "two hosts", "each has its own page, and it is kept", _hosts),
    Scenario("schemes", "http and https", "each has its own page, and it is kept", _schemes),
    Scenario(
        "languages", "a response with Vary: Accept-Language", "each language is kept", _languages
    ),
    Scenario("cache_control", "Cache-Control private, no-store", "it is not kept", _cache_control),
    Scenario("session_read", "a view reads the session", "it is nobody else's", _session_read),
    Scenario(
        "session_written",
        "a view writes the session",
        "each visitor has a session",
        _session_written,
    ),
    Scenario("stream", "Response(generator)", "it is kept, and complete", _stream),
    Scenario("unless_cached", "cached(unless=lambda: 1)", "nothing is kept", _unless),
    Scenario(
        "own_key", "delete_cached of a view with make_cache_key", "the entry is gone", _own_key
    ),
    Scenario(
        "hit_header",
        "one extension on two apps, response_hit_indication",
        "both have the header on a hit, and neither on a miss",
        _hit_header,
    ),
)
