"""One request that a decorated view answers: from the cache, or by calling the view.

The entry under the key of a resource answers one variant of its requests: scheme, host, and the
values of the headers that it varies on. Other variants have entries of their own, under keys that
are made of a random token in that first entry. So whoever deletes the first one drops them all, and
need not know them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from io import BytesIO
from os import urandom
from typing import TYPE_CHECKING, Any

from flask import after_this_request, has_request_context
from flask.wrappers import Request, Response

from kcache_flask.answer import Described, Finish, finish, value_of
from kcache_flask.cache_status import Forward, forward_status, hit_status
from kcache_flask.called import Called, Invocation, call_view, kept_of
from kcache_flask.conditional import etag_of
from kcache_flask.entry import ABORT, VALUE, VIEW, Entry, entry_in
from kcache_flask.fetch import Maker, Making, Unkept, fetched
from kcache_flask.http import (
    Asked,
    shared_lifetime,
    variant_of,
    vary_names,
    wish_of,
)
from kcache_flask.keys import joined
from kcache_flask.role import Role
from kcache_flask.timeouts import seconds_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from kcache_flask.cached_view import Cached
    from kcache_flask.state import State

__all__ = ["Visit", "pass_by"]

_BEHIND = "kcache_flask.behind"
_TOKEN_SIZE, _DIGEST_SIZE = 12, 16
_FINE = 200


class _Behind:
    """A request that is made again behind the one that was answered with what is stale."""

    def __init__(self, cached: Cached, token: str) -> None:
        self.cached = cached
        self.token = token
        self.stored: Any = None
        self.unkept = Unkept("the view was not called")


class Visit(Making):
    """A call of a view in a request. It makes the first entry of a resource.

    Args:
        cached: the decorated view.
        state: of the app.
        request: that is answered.
        call: of the view.
        role: of the view in the request.
        key: of the resource.
    """

    _called: Called | None = None
    _entry: Entry | None = None

    def __init__(
        self,
        cached: Cached,
        state: State,
        request: Request,
        call: Invocation,
        *,
        role: Role,
        key: str,
    ) -> None:
        # As few as can be: there is one of these for each request.
        self._cached = cached
        self._options = cached.options
        self._manner = cached.manner
        self._state = state
        self._environ = request.environ
        self._role = role
        self._key = key
        self._call = call
        self._space = state.space(self._options.names)

    def answer(self) -> Any:
        """What the view gives, or gave."""
        environ, options = self._environ, self._options
        if _BEHIND in environ and environ[_BEHIND].cached is self._cached:
            return self._answer_behind(environ[_BEHIND])
        if options.is_plain and environ["REQUEST_METHOD"] == "GET":
            return self._found_or_made()
        wish = wish_of(self._asked()) if options.honours_request else None
        if wish == "no-store":
            return pass_by("request", self._call)
        if environ["REQUEST_METHOD"] == "HEAD":
            return self._looked()
        if wish == "no-cache" or options.conditions.forces(self._call.args, self._call.kwargs):
            return self._forced("request" if wish else "bypass")
        return self._found_or_made()

    # Finding.

    def _found_or_made(self) -> Any:
        stored = self._fetched(self._space.get_or_set, self._key, self)
        if self.has_run:
            return self._made(self, stored, "uri-miss")
        first = self._own(entry_in(stored))
        if first is None:
            return self._forced("miss")
        variant = self._variant(first.names)
        if variant == first.variant:
            if self._options.is_plain and "HTTP_AUTHORIZATION" not in self._environ:
                return self._hit(first)
            return self._given(first, self._key, self._make_first)
        key = self._variant_key(first, variant)
        make = partial(self._make_variant, first)
        making: Making = Maker(make)
        stored = self._fetched(self._space.get_or_set, key, making)
        if making.has_run:
            return self._made(making, stored, "vary-miss")
        entry = self._own(entry_in(stored))
        return pass_by("miss", self._call) if entry is None else self._given(entry, key, make)

    def _given(self, entry: Entry, key: str, make: Callable[[], Any]) -> Any:
        """Answer with an entry, if it may be."""
        if not entry.is_public and self._is_authorized():
            return pass_by("bypass", self._call)
        conditions = self._options.conditions
        if conditions.judges_age:
            value = value_of(self._state.app, entry)
            if conditions.is_stale(value, self._call.args, self._call.kwargs):
                return self._refilled(key, make, "stale")
        return self._hit(entry)

    def _forced(self, reason: Forward) -> Any:
        """Call the view, and keep what it gives in the place of what is kept."""
        first = self._own(entry_in(self._space.get(self._key)))
        if first is not None:
            variant = self._variant(first.names)
            if variant != first.variant:
                key = self._variant_key(first, variant)
                return self._refilled(key, partial(self._make_variant, first), reason)
        token = "" if first is None else first.token
        return self._refilled(self._key, partial(self._make_first, token), reason)

    def _refilled(self, key: str, make: Callable[[], Any], reason: Forward) -> Any:
        making: Making = Maker(make)
        return self._made(making, self._fetched(self._space.refill, key, making), reason)

    def _looked(self) -> Any:
        """Answer a HEAD, of which nothing is kept."""
        entry = self._own(entry_in(self._space.get(self._key)))
        if entry is not None:
            variant = self._variant(entry.names)
            if variant != entry.variant:
                stored = self._space.get(self._variant_key(entry, variant))
                entry = self._own(entry_in(stored))
        if entry is None or (self._is_authorized() and not entry.is_public):
            return pass_by("miss", self._call)
        return self._hit(entry)

    def _fetched(self, fill: Callable[..., Any], key: str, making: Making) -> Any:
        options, passes = self._options.fill, self._state.passes
        return fetched(fill, key, making, ttl=_lifetime, options=options, passes=passes)

    def _own(self, entry: Entry | None) -> Entry | None:
        """The entry, unless it is of another function that happens to have the key."""
        if entry is None or entry.kind == VALUE or entry.name != self._manner.name:
            return None
        return entry

    # Making.

    def make(self) -> Any:
        """Make the first entry."""
        return self._make_first()

    def _make_first(self, token: str | None = None) -> Any:
        """Call the view for the entry under the resource's own key."""
        if not has_request_context():
            return self._make_behind(token)
        called, about = self._made_of_view()
        if token is None:
            token = self._old_token() if self._options.keeps_stale else ""
        names = " ".join(sorted(self._learnt(self._names(called))))
        return self._keep(called, about, token or urandom(_TOKEN_SIZE).hex(), names)

    def _make_variant(self, first: Entry) -> Any:
        """Call the view for another variant."""
        if not has_request_context():
            return self._make_behind(first.token)
        called, about = self._made_of_view()
        names = self._names(called)
        if not names <= frozenset(first.names.split()):
            # It varies on more than was known. The next one begins with that.
            self._learnt(names)
            self._space.delete(self._key)
            raise Unkept("it varies on more headers than before")
        return self._keep(called, about, first.token, first.names)

    def _make_behind(self, token: str | None) -> Any:
        """Make the request again, with all that the app does before and after; in a thread."""
        app = self._state.app
        behind = _Behind(self._cached, token or self._old_token())
        environ = {
            name: value
            for name, value in self._environ.items()
            if not name.startswith(("werkzeug.", "flask."))
        }
        environ.update({"wsgi.input": BytesIO(), "CONTENT_LENGTH": "0", _BEHIND: behind})
        with app.request_context(environ):
            app.full_dispatch_request().close()
        if behind.stored is None:
            raise behind.unkept
        return behind.stored

    def _answer_behind(self, behind: _Behind) -> Any:
        """Call the view for another thread's entry."""
        try:
            behind.stored = self._make_first(behind.token)
        except Unkept as error:
            behind.unkept = error
        return self._outcome()

    def _outcome(self) -> Any:
        """What the view gave, or raised."""
        called = self._called
        if called is None:
            return self._call.run()
        if called.error is not None:
            raise called.error
        return called.result

    def _made_of_view(self) -> tuple[Called, Described]:
        """Call the view; what came of it, and what is stored of that.

        Raises:
            Unkept: nothing is.
        """
        app, cached = self._state.app, self._cached
        called = self._called = call_view(app, self._call.run, self._environ)
        about = kept_of(called, self._options.conditions, self._manner.rules, self._asked())
        self._state.check(about.content, cached.function)
        return called, about

    def _keep(self, called: Called, about: Described, token: str, names: str) -> Any:
        life = self._life(called.response)
        self._entry = Entry(
            about.kind,
            about.content,
            self._manner.name,
            self._state.now(),
            -1 if life is None else life,
            token,
            names,
            self._variant(names),
            about.is_public,
            about.etag,
            about.last_modified,
            about.has_cache_control,
        )
        return self._entry.stored()

    def _life(self, response: AnyResponse | None) -> float | None:
        """Seconds that a response is good for; None for no end."""
        own = getattr(response, "timeout", None)
        if own is not None:
            return float(own)
        timeout = self._cached.timeout
        if timeout is None and response is not None:
            shared = shared_lifetime(response.headers.get("Cache-Control"))
            if shared is not None:
                return shared
        return seconds_of(timeout, self._state.default_ttl)

    def _names(self, called: Called) -> frozenset[str]:
        """The headers of the request that select a variant of a response."""
        vary = None if called.response is None else called.response.headers.get("Vary")
        return frozenset(vary_names(vary, self._manner.rules)) - self._manner.covered

    def _learnt(self, names: frozenset[str]) -> frozenset[str]:
        """The headers that the resource has varied on."""
        shown = joined(self._options.names, self._key)
        known = self._state.learnt.get(shown) or frozenset()
        if not names <= known:
            self._state.learnt.put(shown, names | known)
        return names | known

    def _old_token(self) -> str:
        found = self._space.lookup(self._key)
        old = entry_in(found.value) if found else None
        return "" if old is None else old.token

    # Giving.

    def _made(self, making: Making, stored: Any, reason: Forward) -> Any:
        """What the view gave just now; or what is kept, if that is better."""
        if not making.has_run:
            # Somebody else did, while this one waited.
            entry = self._own(entry_in(stored))
            if entry is None or entry.variant != self._variant(entry.names):
                return pass_by("miss", self._call)
            return self._hit(entry)
        unkept = making.unkept
        if unkept is not None and unkept.is_failure and stored is not None:
            old = self._own(entry_in(stored))
            if old is not None:
                return self._hit(old)
        self._signal(is_hit=False)
        if unkept is not None:
            return self._live(forward_status(reason, stored=False, detail=unkept.reason))
        return self._live(forward_status(reason, stored=True, detail=None))

    def _live(self, status: str) -> Any:
        """The view's own result."""
        called, entry = self._called, self._entry
        if called is None or called.response is None or called.error is not None:
            _tell(status)
        elif self._role is Role.VIEW:
            return finish(called.response, self._end(entry, status, None), self._environ)
        else:
            self._finish_later(self._end(entry, status, None), is_kept=entry is not None)
        return self._outcome()

    def _hit(self, entry: Entry) -> Any:
        age = self._state.now() - entry.created
        ttl = float("inf") if entry.lifetime < 0 else entry.lifetime - age
        if self._state.has_signals:
            self._signal(is_hit=True)
        if entry.kind == VIEW and self._role is Role.VIEW and type(entry.content) is str:
            return self._text(entry, hit_status(ttl), age)
        end = self._end(entry, hit_status(ttl), age)
        value = value_of(self._state.app, entry)
        if entry.kind == ABORT:
            after_this_request(partial(finish, end=end, environ=self._environ))
            raise value
        if self._role is Role.VIEW:
            return finish(self._state.app.make_response(value), end, self._environ)
        self._finish_later(end, is_kept=True)
        return value

    def _text(self, entry: Entry, status: str, age: float) -> Response:
        """The same headers as `finish` puts on any response, in the same order."""
        options = self._options
        pairs = [("Cache-Status", status), ("Age", str(int(age)) if age > 0 else "0")]
        if options.cache_control:
            pairs.append(("Cache-Control", options.cache_control))
        if options.vary:
            pairs.append(("Vary", ", ".join(options.vary)))
        if options.is_marked:
            pairs.append(("hit_cache", "True"))
        if entry.etag:
            pairs.append(("ETag", entry.etag))
        return self._state.texts.response(entry.content, pairs, self._environ)

    def _end(self, entry: Entry | None, status: str, age: float | None) -> Finish:
        options = self._options
        if entry is None:
            return Finish("", "", status, age, "", options.vary, is_marked=False)
        control = "" if entry.has_cache_control else options.cache_control
        is_marked = options.is_marked and age is not None
        date = entry.last_modified
        return Finish(entry.etag, date, status, age, control, options.vary, is_marked)

    def _finish_later(self, end: Finish, *, is_kept: bool) -> None:
        """Finish whatever response the decorators around the view make of its result."""

        def later(response: Response) -> Response:
            etag = ""
            if is_kept and response.status_code == _FINE and response.is_sequence:
                etag = etag_of(_FINE, response.content_type, response.get_data())
            return finish(response, end._replace(etag=etag, last_modified=""), self._environ)

        after_this_request(later)

    def _signal(self, *, is_hit: bool) -> None:
        if self._state.has_signals:
            shown = joined(self._options.names, self._key)
            said = {"cache_key": shown, "args": self._call.args, "kwargs": self._call.kwargs}
            self._state.tell_of_view(is_hit=is_hit, **said)

    # The request.

    def _asked(self) -> Asked:
        environ = self._environ
        return Asked(
            self._environ["REQUEST_METHOD"],
            "HTTP_AUTHORIZATION" in environ,
            environ.get("HTTP_CACHE_CONTROL"),
            environ.get("HTTP_PRAGMA"),
        )

    def _is_authorized(self) -> bool:
        if "HTTP_AUTHORIZATION" not in self._environ:
            return False
        return "authorization" not in self._manner.rules.covers

    def _variant(self, names: str) -> str:
        environ = self._environ
        host = environ.get("HTTP_HOST")
        if host is None:
            host = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        listed = tuple(names.split()) if names else ()
        return variant_of(environ["wsgi.url_scheme"], host, listed, environ)

    def _variant_key(self, first: Entry, variant: str) -> str:
        of = f"{first.token}\n{variant}".encode(errors="surrogatepass")
        return f"{self._key}\x1f{blake2b(of, digest_size=_DIGEST_SIZE).hexdigest()}"


def pass_by(reason: Forward, call: Invocation) -> Any:
    """Call a view, and keep nothing."""
    _tell(forward_status(reason, stored=False, detail=None))
    return call.run()


def _tell(status: str) -> None:
    def later(response: Response) -> Response:
        response.headers["Cache-Status"] = status
        return response

    after_this_request(later)


def _lifetime(stored: list[Any]) -> float | None:
    """The ttl of what is stored."""
    entry = entry_in(stored)
    return None if entry is None or entry.lifetime < 0 else entry.lifetime
