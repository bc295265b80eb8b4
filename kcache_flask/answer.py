"""From what a view gives to what is stored of it, and back."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask
from markupsafe import Markup
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, default_exceptions

from kcache_flask.conditional import etag_of
from kcache_flask.entry import ABORT, JSON, PAGE, TEXT, VIEW, Entry, packed, unpacked
from kcache_flask.fetch import Unkept
from kcache_flask.http import may_serve_authorized

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

__all__ = ["Described", "described", "is_whole", "joined_header", "raw", "value_of"]

_MOST_STREAMED = 16 * 1024 * 1024
"""Bytes of a stream that are held to be stored."""
_SIMPLE = (str, bytes, int, dict, list)
_FINE = 200


class Described(NamedTuple):
    """What is stored of a view's answer, but for what the request says.

    Attributes:
        kind: of the entry.
        content: as for `Entry`.
        is_public: whether it may answer a request with credentials.
        etag: of the response; empty for none.
        last_modified: the header; empty for none.
        has_cache_control: whether the view said itself how clients are to keep it.
    """

    kind: int
    content: Any
    is_public: bool = False
    etag: str = ""
    last_modified: str = ""
    has_cache_control: bool = False


def joined_header(response: Response, name: str) -> str | None:
    """All lines of a header in one; None if there is none."""
    values = response.headers.getlist(name)
    return ", ".join(values) if values else None


def is_whole(response: Response) -> bool:
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


def described(result: Any, response: Response) -> Described:
    """What is stored of what a view gave, and of the response that it makes.

    Raises:
        Unkept: it cannot be given back as it is.
    """
    headers = response.headers
    kind, content = _content(result, response)
    etag = ""
    if response.status_code == _FINE:
        etag = headers.get("ETag") or etag_of(_FINE, response.content_type, response.get_data())
    return Described(
        kind,
        content,
        may_serve_authorized(joined_header(response, "Cache-Control")),
        etag,
        headers.get("Last-Modified", ""),
        "Cache-Control" in headers,
    )


def raw(result: Any) -> Described:
    """What is stored of a result that makes no response by itself."""
    return Described(VIEW, packed(result))


def value_of(app: Flask, entry: Entry) -> Any:
    """What a function gave, from its entry; an abort is an exception that can be raised."""
    if entry.kind == PAGE:
        status, headers, body = entry.content
        response = app.response_class(body, status=status)
        # Exactly these: a response has headers of its own from the beginning.
        response.headers = Headers(headers)
        return response
    if entry.kind == ABORT:
        status, description = entry.content
        return default_exceptions[status](description)
    if entry.kind == TEXT:
        return entry.content.decode()
    return entry.content[0] if entry.kind == JSON else unpacked(entry.content)


def _content(result: Any, response: Response) -> tuple[int, Any]:
    if isinstance(result, HTTPException):
        return _abort(result, response)
    if isinstance(result, str):
        return (VIEW, packed(result)) if type(result) is Markup else (TEXT, result.encode())
    kind = type(result)
    if kind in (dict, list):
        return JSON, [result, response.get_data(), response.content_type]
    if kind is bytes:
        return VIEW, result
    if kind is tuple and all(type(part) in _SIMPLE for part in result):
        return VIEW, result
    return _page(response)


def _abort(error: HTTPException, response: Response) -> tuple[int, Any]:
    if error.code is None:
        # It is a response, and no error handler is asked.
        return _page(response)
    has_more = vars(error).keys() - {"description", "response", "code"} or error.response
    if type(error) is not default_exceptions.get(error.code) or has_more:
        raise Unkept("an abort with more than a description")
    return ABORT, [error.code, error.description]


def _page(response: Response) -> tuple[int, Any]:
    headers = [[name, value] for name, value in response.headers.items()]
    return PAGE, [response.status, headers, response.get_data()]
