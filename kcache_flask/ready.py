"""Responses from the cache: the most frequent ones, made without detours.

Werkzeug checks each header when it is set, and sets right what may be wrong when it sends them.
What is known to be right needs neither. Where an app has a response class with an `__init__` of its
own, or a handler has changed the response, all goes its usual way.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as BaseResponse

from kcache_flask.entry import JSON, PAGE, TEXT, Entry
from kcache_flask.finish import CONDITIONS, Finish, finish, headers_of

__all__ = ["Ready"]

_FINE = 200
_FINE_STATUS = "200 OK"
_OURS = frozenset({"cache-status", "age", "etag", "hit_cache", "vary"})
"""Headers that are put on in the end."""
Pairs = list[tuple[str, str]]


class Ready:
    """Makes responses for an app, of entries that have all that it takes.

    Args:
        kind: the app's class of responses.
    """

    def __init__(self, kind: type[Response]) -> None:
        self._kind = _kind_of(kind)
        template = self._kind("")
        self._content_type = template.headers["Content-Type"]
        # What a response has that is nobody's but its own.
        own = {"headers", "response", "_on_close"}
        is_known = kind.__init__ is BaseResponse.__init__ and (
            vars(template).keys() - own <= {"_status", "_status_code", "direct_passthrough"}
        )
        self._shared = vars(template) if is_known and _knows_headers() else None

    def response(self, entry: Entry) -> Any:
        """The response of an entry; None if it has to be made the usual way.

        What is put on it in the end is its attribute `kcache_end`.
        """
        kind, content = entry.kind, entry.content
        if kind == TEXT:
            return self._made(content, self._content_type)
        if kind == JSON:
            return self._made(content[1], content[2])
        if kind == PAGE and content[0] == _FINE_STATUS:
            pairs = [(name, value) for name, value in content[1]]
            names = {name.lower() for name, _ in pairs}
            if "content-length" in names and _OURS.isdisjoint(names):
                return self._made_of(content[2], pairs)
        return None

    def _made(self, body: bytes, content_type: str) -> Any:
        pairs = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        return self._made_of(body, pairs)

    def _made_of(self, body: bytes, pairs: Pairs) -> Any:
        bodies = [body]
        if self._shared is None:
            made = self._kind(bodies, headers=pairs)
        else:
            headers = Headers()
            headers._list = pairs  # noqa: SLF001 - as above
            made = self._kind.__new__(self._kind)
            made.__dict__.update(self._shared)
            made.headers, made.response, made._on_close = headers, bodies, []  # noqa: SLF001 - as above
        made.kcache_count = len(pairs)
        return made


def _knows_headers() -> bool:
    return vars(Headers([("a", "b")])) == {"_list": [("a", "b")]}


def _kind_of(kind: type[Response]) -> Any:
    class ReadyResponse(kind):  # type: ignore[valid-type, misc]
        """A response from the cache, which needs nothing but to be finished."""

        kcache_end: Finish | None = None
        kcache_count = 0

        def get_wsgi_response(self, environ: Any) -> Any:
            """As of any response; without detours, unless a handler has changed it."""
            end = self.kcache_end
            if end is None:
                return super().get_wsgi_response(environ)
            self.kcache_end = None
            pairs = self.headers.to_wsgi_list()
            if (
                len(pairs) == self.kcache_count
                and self.response is end.body
                and not self._on_close
                and self.status_code == _FINE
                and environ["REQUEST_METHOD"] == "GET"
                and CONDITIONS.isdisjoint(environ)
                and not end.vary
            ):
                return self.response, self.status, pairs + headers_of(end)
            return finish(self, end, environ).get_wsgi_response(environ)

    return ReadyResponse
