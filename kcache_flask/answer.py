"""From what a view gives to an entry, and back to a response."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flask import Flask
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, default_exceptions

from kcache_flask.conditional import etag_of, is_not_modified
from kcache_flask.entry import ABORT, PAGE, VIEW, Entry
from kcache_flask.http import Answered, may_serve_authorized

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

__all__ = [
    "Described",
    "Finish",
    "answered",
    "described",
    "finish",
    "is_whole",
    "value_of",
]

Sent = TypeVar("Sent", bound="AnyResponse")

_MOST_STREAMED = 16 * 1024 * 1024
"""Bytes of a stream that are held to be stored."""
_SIMPLE = (str, bytes, int, dict, list)
_FINE, _NOT_MODIFIED = 200, 304


class Described(NamedTuple):
    """What is stored of a view's answer, but for what the request says.

    Attributes:
        kind: VIEW, PAGE or ABORT.
        content: as for `Entry`.
        is_public: whether it may answer a request with credentials.
        etag: of the response; empty for none.
        last_modified: the header; empty for none.
        has_cache_control: whether the view said itself how clients are to keep it.
    """

    kind: int
    content: Any
    is_public: bool
    etag: str
    last_modified: str
    has_cache_control: bool


def answered(response: AnyResponse) -> Answered:
    """What counts of a response where it is judged."""
    headers = response.headers
    # Not the property: to ask it is to read the session.
    session = vars(request_ctx).get("_session", None)
    uses_session = bool(getattr(session, "accessed", False) or getattr(session, "modified", False))
    return Answered(
        response.status_code,
        _joined(headers.getlist("Cache-Control")),
        _joined(headers.getlist("Vary")),
        "Set-Cookie" in headers,
        uses_session,
    )


def is_whole(response: AnyResponse) -> bool:
    """Whether the body of a response is there, or can be had without end of memory or time.

    A stream is read, up to 16 MiB. What is larger goes on as a stream.
    """
    if response.direct_passthrough or response.mimetype == "text/event-stream":
        return False
    if response.is_sequence:
        return True
    parts: list[bytes] = []
    size = 0
    stream = iter(response.iter_encoded())
    for part in stream:
        parts.append(part)
        size += len(part)
        if size > _MOST_STREAMED:
            response.response = chain(parts, stream)
            return False
    response.set_data(b"".join(parts))
    return True


def described(result: Any, response: AnyResponse) -> Described:
    """What is stored of what a view gave, and of the response that it makes."""
    headers = response.headers
    kind, content = _content(result, response)
    etag = ""
    if response.status_code == _FINE:
        etag = headers.get("ETag") or etag_of(_FINE, response.content_type, response.get_data())
    return Described(
        kind,
        content,
        may_serve_authorized(headers.get("Cache-Control")),
        etag,
        headers.get("Last-Modified", ""),
        "Cache-Control" in headers,
    )


def value_of(app: Flask, entry: Entry) -> Any:
    """What a view gave, from its entry; an abort is an exception that can be raised."""
    if entry.kind == PAGE:
        status, headers, body = entry.content
        return app.response_class(body, status=status, headers=headers)
    if entry.kind == ABORT:
        return _revived(*entry.content)
    return entry.content


def _revived(status: int, description: str | None) -> HTTPException:
    """An abort as it was."""
    return default_exceptions[status](description)


class Finish(NamedTuple):
    """What is put on a response in the end.

    Attributes:
        etag: of the entry; empty for none.
        last_modified: of the entry.
        cache_status: the header.
        age: in seconds; None if it was made just now.
        cache_control: the header, where the response has none; empty for none.
        vary: the headers that the decorator says it varies on.
        is_marked: whether a hit is told by a header of its own.
    """

    etag: str
    last_modified: str
    cache_status: str
    age: float | None
    cache_control: str
    vary: tuple[str, ...]
    is_marked: bool


def finish(response: Sent, end: Finish, environ: Mapping[str, Any]) -> Sent:
    """Put the headers on a response, and make it a 304 for a client that has it already."""
    headers = response.headers
    headers["Cache-Status"] = end.cache_status
    if end.age is not None:
        headers["Age"] = str(max(int(end.age), 0))
    if end.cache_control and "Cache-Control" not in headers:
        headers["Cache-Control"] = end.cache_control
    for name in end.vary:
        response.vary.add(name)
    if end.is_marked:
        headers["hit_cache"] = "True"
    if not end.etag and not end.last_modified:
        return response
    if end.etag and "ETag" not in headers:
        headers["ETag"] = end.etag
    none_match = environ.get("HTTP_IF_NONE_MATCH")
    since = environ.get("HTTP_IF_MODIFIED_SINCE")
    if none_match is None and since is None:
        return response
    etag, date = headers.get("ETag"), headers.get("Last-Modified")
    if response.status_code == _FINE and is_not_modified(none_match, since, etag, date):
        response.status_code = _NOT_MODIFIED
    return response


def _content(result: Any, response: AnyResponse) -> tuple[int, Any]:
    if isinstance(result, HTTPException):
        return _abort(result, response)
    if isinstance(result, str):
        return VIEW, str(result)
    kind = type(result)
    if kind in (bytes, dict, list):
        return VIEW, result
    if kind is tuple and all(type(part) in _SIMPLE for part in result):
        return VIEW, result
    return _page(response)


def _abort(error: HTTPException, response: AnyResponse) -> tuple[int, Any]:
    # What else an exception has, such as a response or the methods that are allowed, is in a page.
    is_plain = type(error) is default_exceptions.get(error.code or 0) and not (
        vars(error).keys() - {"description", "response", "code"} or error.response
    )
    return (ABORT, [error.code, error.description]) if is_plain else _page(response)


def _page(response: AnyResponse) -> tuple[int, Any]:
    headers = [[name, value] for name, value in response.headers.items()]
    return PAGE, [response.status, headers, response.get_data()]


def _joined(values: list[str]) -> str | None:
    return ", ".join(values) if values else None
