"""Responses of texts from the cache: the most frequent answer, made without detours.

Werkzeug checks each header when it is set, and sets right what may be wrong when it sends them.
What is known to be right needs neither. Where an app has a response class with an `__init__` of its
own, or a handler has changed the response, all goes its usual way.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as BaseResponse

__all__ = ["Texts", "add_headers"]

_FINE = 200
_OWN_HEADERS = 2
_SET_RIGHT = frozenset({"location", "content-location"})
Pairs = list[tuple[str, str]]


class Texts:
    """Makes responses of texts for an app.

    Args:
        kind: the app's class of responses.
    """

    def __init__(self, kind: type[Response]) -> None:
        self._kind = _kind_of(kind)
        template = self._kind("")
        self.content_type = template.headers["Content-Type"]
        """Of what a view gave as a text."""
        # What a response has that is nobody's but its own.
        own = {"headers", "response", "_on_close", "kcache_body"}
        is_known = kind.__init__ is BaseResponse.__init__ and (
            vars(template).keys() - own <= {"_status", "_status_code", "direct_passthrough"}
        )
        self._shared = vars(template) if is_known and _knows_headers() else None

    def response(self, text: str) -> Response:
        """The response of a text that a view gave."""
        body = text.encode()
        bodies = [body]
        heads = [("Content-Type", self.content_type), ("Content-Length", str(len(body)))]
        if self._shared is None:
            made = self._kind(bodies, headers=heads)
        else:
            made = self._kind.__new__(self._kind)
            made.__dict__.update(self._shared)
            made.headers, made.response, made._on_close = _headers(heads), bodies, []  # noqa: SLF001 - see above
        made.kcache_body = bodies
        response: Response = made
        return response


def add_headers(response: Any, pairs: Pairs) -> bool:
    """Put headers on the response of a text; whether that was done.

    It is not, if somebody else has put headers there.
    """
    own = vars(response.headers).get("_list")
    if getattr(response, "kcache_body", None) is None or own is None or len(own) != _OWN_HEADERS:
        return False
    own.extend(pairs)
    return True


def _headers(pairs: Pairs) -> Headers:
    headers = Headers()
    headers._list = pairs  # noqa: SLF001 - see above
    return headers


def _knows_headers() -> bool:
    return vars(Headers([("a", "b")])) == {"_list": [("a", "b")]}


def _kind_of(kind: type[Response]) -> Any:
    class TextResponse(kind):  # type: ignore[valid-type, misc]
        """A response from the cache, all headers of which are there."""

        kcache_body: Any = None

        def get_wsgi_response(self, environ: Any) -> Any:
            """As of any response; without detours, unless a handler has changed it."""
            pairs = self.headers.to_wsgi_list()
            is_same = self.response is self.kcache_body and not self._on_close
            if not is_same or self.status_code != _FINE or environ["REQUEST_METHOD"] != "GET":
                return super().get_wsgi_response(environ)
            for name, _ in pairs:
                if name.lower() in _SET_RIGHT:
                    return super().get_wsgi_response(environ)
            return self.response, self.status, pairs

    return TextResponse
