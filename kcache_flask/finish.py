"""What is put on a response in the end, when all handlers of the app have had their say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flask import Flask, request
from werkzeug.datastructures import Headers

from kcache_flask.conditional import etag_of, is_not_modified

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

__all__ = ["CONDITIONS", "FINISH", "Finish", "finish", "finish_last", "headers_of"]

Sent = TypeVar("Sent", bound="Response")

FINISH = "kcache_flask.finish"
"""In the environ of a request: what is to be put on its response."""
_FINE, _NOT_MODIFIED = 200, 304
_SAFE = ("GET", "HEAD")
_OF_OTHERS = ("Cache-Control", "ETag")
"""Headers that stay as somebody else has put them."""
CONDITIONS = frozenset({"HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"})
"""In the environ of a request that may be answered with 304."""


class Finish(NamedTuple):
    """What is put on a response.

    Attributes:
        cache_status: the header.
        age: in seconds; None if it was made just now.
        cache_control: the header, where the response has none; empty for none.
        vary: the headers that the decorator says it varies on.
        is_marked: whether a hit is told by a header of its own.
        is_kept: whether it is in the cache, so that clients can ask whether it is still the same.
        etag: of the body that is known.
        body: that body, as the response has it; None if it is not known.
    """

    cache_status: str
    age: float | None = None
    cache_control: str = ""
    vary: tuple[str, ...] = ()
    is_marked: bool = False
    is_kept: bool = False
    etag: str = ""
    body: Any = None


def finish_last(app: Flask) -> None:
    """Have the responses of an app finished after all of its handlers."""
    # They are called from the last to the first.
    handlers: list[Callable[..., Any]] = app.after_request_funcs.setdefault(None, [])
    if _finish_current not in handlers:
        handlers.insert(0, _finish_current)


def _finish_current(response: Sent) -> Sent:
    environ = request.environ
    if FINISH not in environ:
        return response
    return finish(response, environ.pop(FINISH), environ)


def finish(response: Sent, end: Finish, environ: Mapping[str, Any]) -> Sent:
    """Put the headers on a response, and make it a 304 for a client that has it already."""
    _put(response, end)
    if not end.is_kept or response.status_code != _FINE:
        return response
    if response.response is not end.body:
        _tag_anew(response, end)
    if environ["REQUEST_METHOD"] not in _SAFE or CONDITIONS.isdisjoint(environ):
        return response
    none_match = environ.get("HTTP_IF_NONE_MATCH")
    since = environ.get("HTTP_IF_MODIFIED_SINCE")
    etag, date = response.headers.get("ETag"), response.headers.get("Last-Modified")
    return _not_modified(response) if is_not_modified(none_match, since, etag, date) else response


def _not_modified(response: Sent) -> Sent:
    """Another response: a view may give the same one again."""
    made = type(response)(status=_NOT_MODIFIED)
    made.headers = Headers(response.headers)
    made.call_on_close(response.close)
    return made


def headers_of(end: Finish) -> list[tuple[str, str]]:
    """The headers that are put on a response, but for Vary."""
    pairs = [("Cache-Status", end.cache_status)]
    if end.age is not None:
        pairs.append(("Age", str(int(end.age)) if end.age > 0 else "0"))
    if end.cache_control:
        pairs.append(("Cache-Control", end.cache_control))
    if end.is_marked:
        pairs.append(("hit_cache", "True"))
    if end.etag and end.body is not None:
        pairs.append(("ETag", end.etag))
    return pairs


def _put(response: Response, end: Finish) -> None:
    headers = response.headers
    for name, value in headers_of(end):
        if name not in _OF_OTHERS or name not in headers:
            headers[name] = value
    for name in end.vary:
        response.vary.add(name)


def _tag_anew(response: Response, end: Finish) -> None:
    """Tag a body that others have made, or have changed."""
    own = response.headers.get("ETag")
    if own is not None and own != end.etag:
        # Whoever has made it has tagged it, too.
        return
    if response.is_sequence and not response.direct_passthrough:
        body = response.get_data()
        response.headers["ETag"] = etag_of(_FINE, response.content_type, body)
    elif own is not None:
        del response.headers["ETag"]
