"""Cached views: what they give is what visitors get, on a miss and on a hit."""

# What is cached has arguments that make its key, whether it looks at them or not.

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import (
    Response,
    abort,
    after_this_request,
    jsonify,
    redirect,
    request,
    send_file,
    stream_template_string,
    stream_with_context,
)
from werkzeug.exceptions import HTTPException, NotFound

from kcache_flask import CachedResponse
from tests.flask.site import Site

OWN = {"Cache-Status", "Age", "ETag", "Cache-Control"}


class _Special(Response):
    default_mimetype = "application/special"


def _parts() -> Iterator[str]:
    yield "one "
    yield "zwölf"


KEPT: dict[str, Callable[[], Any]] = {
    "text": lambda: "zwölf",
    "empty": lambda: "",
    "bytes": lambda: b"\x00\xff",
    "dict": lambda: {"b": 1, "a": [None, 1.5, "ö"]},
    "list": lambda: [1, {"a": 2}],
    "text and status": lambda: ("gone", 404),
    "text and headers": lambda: ("x", {"X-Shop": "blue", "Content-Type": "text/plain"}),
    "all three": lambda: ("x", 203, {"X-Shop": "blue"}),
    "list of headers": lambda: ("x", 200, [("X-Shop", "a"), ("X-Shop", "b")]),
    "dict and status": lambda: ({"a": 1}, 200),
    "json": lambda: jsonify(a=1),
    "response": lambda: Response("x", 200, {"X-Shop": "blue"}, mimetype="text/css"),
    "response and status": lambda: (Response("x"), 203),
    "own reason": lambda: Response("x", "200 Fine"),
    "own class": lambda: _Special("x"),
    "no content": lambda: ("", 204),
    "permanent redirect": lambda: redirect("/elsewhere", 301),
    "generator": _parts,
    "response of generator": lambda: Response(_parts(), mimetype="text/csv"),
    "generator and status": lambda: (_parts(), 200),
    "template in a stream": lambda: stream_template_string("{{ request.path }} {{ 1 + 1 }}"),
    "with context": lambda: Response(stream_with_context(_parts())),
    "iterator": lambda: iter(["a", "b"]),
    "two links": lambda: Response("x", headers=[("Link", "</a>"), ("Link", "</b>")]),
    "last modified": lambda: ("x", {"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}),
    "own etag": lambda: ("x", {"ETag": '"mine"'}),
    "own cache control": lambda: ("x", {"Cache-Control": "max-age=60"}),
    "no type": lambda: Response("x", content_type="x/unknown; a=b"),
    "abort 404": lambda: abort(404),
    "abort with words": lambda: abort(410, "it was sold"),
    "abort with a response": lambda: abort(Response("x", 404, {"X-Shop": "blue"})),
}
NOT_KEPT: dict[str, Callable[[], Any]] = {
    "redirect": lambda: redirect("/elsewhere"),
    "500": lambda: ("x", 500),
    "abort 401": lambda: abort(401),
    "abort 403": lambda: abort(403),
    "abort 503": lambda: abort(503),
    "file": lambda: send_file(io.BytesIO(b"a file"), mimetype="text/plain"),
    "events": lambda: Response(iter(["data: 1\n\n"]), mimetype="text/event-stream"),
    "cookie": lambda: ("x", {"Set-Cookie": "a=b"}),
    "large stream": lambda: Response(b"x" * 2**20 for _ in range(18)),
    "partial": lambda: ("x", 206),
}


def _seen(site: Site, path: str = "/", method: str = "GET") -> tuple[Any, ...]:
    answer = site.get(path, method=method)
    headers = sorted(pair for pair in answer.headers.items() if pair[0] not in OWN)
    return answer.status, headers, answer.data


@pytest.mark.parametrize("name", KEPT)
def test_a_hit_is_what_the_view_gives(anywhere: Site, name: str) -> None:
    give = KEPT[name]

    def view() -> Any:
        anywhere.count()
        return give()

    anywhere.app.add_url_rule("/plain", "plain", give)
    anywhere.route("/", view)
    plain = _seen(anywhere, "/plain")
    plain = (plain[0], plain[1], plain[2].replace(b"/plain", b"/"))
    length = [("Content-Length", str(len(plain[2])))]
    assert [_drop_length(_seen(anywhere)) for _ in range(3)] == [_drop_length(plain)] * 3
    assert anywhere.count.calls == 1
    if length[0] in plain[1]:
        assert length[0] in _seen(anywhere)[1]


def _drop_length(seen: tuple[Any, ...]) -> tuple[Any, ...]:
    """A stream has no length; as it is kept, it has."""
    status, headers, body = seen
    return status, [pair for pair in headers if pair[0] != "Content-Length"], body


@pytest.mark.parametrize("name", NOT_KEPT)
def test_what_is_not_kept_is_what_the_view_gives(site: Site, name: str) -> None:
    give = NOT_KEPT[name]

    def view() -> Any:
        site.count()
        return give()

    site.app.add_url_rule("/plain", "plain", give)
    site.route("/", view)
    assert [_seen(site) for _ in range(2)] == [_seen(site, "/plain")] * 2
    assert site.count.calls == 2


@pytest.mark.parametrize("name", ["text", "dict", "response", "generator", "abort 404"])
def test_head_has_the_headers_of_get_and_no_body(site: Site, name: str) -> None:
    site.route("/", KEPT[name])
    assert site.get(method="HEAD").data == b""
    miss = site.get()
    hit, head = site.get(), site.get(method="HEAD")
    assert (head.status, head.data) == (miss.status, b"")
    assert head.headers == hit.headers


def test_head_alone_keeps_nothing(site: Site) -> None:
    site.route("/", lambda: f"{request.method} {site.count()}")
    assert [site.get(method=each).text for each in ("HEAD", "GET", "HEAD")] == ["", "GET 2", ""]
    assert site.count.calls == 2


def test_exceptions_go_through_and_are_not_kept(site: Site) -> None:
    site.app.testing = True
    error = KeyError("cover")

    def view() -> str:
        if site.count() < 3:
            raise error
        return "fine"

    site.route("/", view)
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            site.get()
        assert caught.value is error
    assert site.texts("/", "/") == ["fine", "fine"]
    assert site.count.calls == 3


def test_a_view_that_gives_none_has_flasks_own_message(site: Site) -> None:
    site.app.testing = True
    site.route("/", lambda: None)
    with pytest.raises(TypeError, match="did not return a valid response"):
        site.get()


def test_error_handlers_make_the_page_of_an_abort_on_hits_too(site: Site) -> None:
    @site.app.errorhandler(404)
    def sorry(error: NotFound) -> tuple[str, int]:
        return f"sorry: {error.description}", 404

    def view() -> str:
        site.count()
        abort(404, "no such album")

    site.route("/", view)
    assert site.texts("/", "/") == ["sorry: no such album"] * 2
    assert site.count.calls == 1


def test_exceptions_of_ones_own_are_raised_each_time(site: Site) -> None:
    class TeapotError(HTTPException):
        code = 418
        description = "short and stout"

    def view() -> str:
        site.count()
        raise TeapotError

    site.route("/", view, statuses=[418])
    answers = [site.get() for _ in range(2)]
    assert [answer.status_code for answer in answers] == [418, 418]
    assert answers[0].data == answers[1].data
    assert site.count.calls == 2


def test_handlers_of_the_app_run_on_hits_too(site: Site) -> None:
    calls: list[str] = []
    site.app.before_request(lambda: calls.append("before"))
    site.app.teardown_request(lambda _: calls.append("teardown"))

    @site.app.after_request
    def after(response: Response) -> Response:
        calls.append("after")
        response.set_cookie("visitor", f"{len(calls)}")
        return response

    def view() -> str:
        @after_this_request
        def once(response: Response) -> Response:
            calls.append("this")
            return response

        return "page"

    site.route("/", view)
    cookies = [site.get().headers["Set-Cookie"] for _ in range(2)]
    assert calls == ["before", "this", "after", "teardown", "before", "after", "teardown"]
    assert cookies[0] != cookies[1]


def test_cached_response_has_a_timeout_of_its_own(timed: Site) -> None:
    timed.route("/", lambda: CachedResponse(Response(f"{timed.count()}"), 10), timeout=100)
    assert timed.get().headers["Cache-Status"] == "kcache; fwd=uri-miss; stored"
    timed.time += 9
    assert timed.get().headers["Cache-Status"] == "kcache; hit; ttl=1"
    timed.time += 2
    assert timed.get().text == "2"
