"""One request that a decorated view answers: from the cache, or by calling the view.

The entry under the key of a resource answers one variant of its requests: scheme, host, root, and
the values of the headers that it varies on. Other variants have entries of their own, under keys
that are made of a random token in that first entry. So whoever deletes the first one drops them
all, and need not know them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache, partial
from hashlib import blake2b
from io import BytesIO
from os import urandom
from typing import TYPE_CHECKING, Any

from flask import request
from flask.wrappers import Request

from kcache import NodeError
from kcache_flask.answer import Described, joined_header, value_of
from kcache_flask.cache_status import Forward, forward_status, hit_status
from kcache_flask.called import Called, Invocation, call_view, kept_of
from kcache_flask.entry import ABORT, VALUE, Entry, entry_in
from kcache_flask.fetch import Maker, Making, Unkept, fetched
from kcache_flask.finish import FINISH, Finish
from kcache_flask.http import Asked, shared_lifetime, variant_of, vary_names, wish_of
from kcache_flask.keys import joined
from kcache_flask.role import Role
from kcache_flask.timeouts import seconds_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from kcache_flask.cached_view import Cached
    from kcache_flask.state import State

__all__ = ["Visit", "pass_by"]

_BEHIND = "kcache_flask.behind"
"""In the environ of a request that is made again behind one that was answered."""
_busy: ContextVar[frozenset[Any]] = ContextVar("kcache_flask.busy", default=frozenset())
"""The keys that are being made here, also by a request within a request. Who waited for one would
wait for itself."""
_OF_REQUEST = ("werkzeug.", "flask.", "kcache_flask.")
_CONDITIONS = frozenset(
    f"HTTP_{name}"
    for name in ("IF_NONE_MATCH", "IF_MODIFIED_SINCE", "IF_MATCH", "IF_UNMODIFIED_SINCE")
) | {"HTTP_RANGE", "HTTP_IF_RANGE"}
"""Under which a view may give less than a page."""
_TOKEN_SIZE, _DIGEST_SIZE = 12, 16
_SAFE = ("GET", "HEAD")


class _Behind:
    """What the request that is made again is for."""

    def __init__(self, cached: Cached, place: Any, token: str) -> None:
        self.cached = cached
        self.place = place
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

    _is_taken = False
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
        # Before the view reads it: what is in a form is gone then.
        method = request.environ["REQUEST_METHOD"]
        self._body = "" if method in _SAFE else f"\n{_digest(request.get_data())}"

    def answer(self) -> Any:
        """What the view gives, or gave."""
        environ, options = self._environ, self._options
        if _BEHIND in environ and environ[_BEHIND].cached is self._cached:
            return self._answer_behind(environ[_BEHIND])
        if self._place() in _busy.get():
            return self._call.run()
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        if options.is_plain and not is_head:
            return self._found_or_made()
        return self._answer_as_asked(is_head=is_head)

    def _answer_as_asked(self, *, is_head: bool) -> Any:
        """The same, where the request or the user's functions have a say."""
        options = self._options
        wish = wish_of(self._asked()) if options.honours_request else None
        if wish == "no-store":
            return self._pass_by("request")
        is_forced = options.conditions.forces(self._call.args, self._call.kwargs)
        if is_head:
            return self._pass_by("request") if wish or is_forced else self._looked()
        if wish or is_forced:
            return self._forced("request" if wish else "bypass")
        return self._found_or_made()

    # Finding.

    def _found_or_made(self) -> Any:
        stored = self._fetched(self._space.get_or_set, self._key, self)
        if self.has_run:
            return self._made(self, stored, "uri-miss")
        first = _page_in(stored)
        if first is None:
            return self._forced("miss")
        variant = self._variant(first.names)
        if variant == first.variant:
            return self._given(first, self._key, self)
        return self._found_or_made_variant(first, variant)

    def _found_or_made_variant(self, first: Entry, variant: str) -> Any:
        key = self._variant_key(first, variant)
        making = self._maker_of_variant(first)
        stored = self._fetched(self._space.get_or_set, key, making)
        if making.has_run:
            return self._made(making, stored, "vary-miss")
        entry = _page_in(stored)
        if entry is None or entry.variant != variant:
            return self._pass_by("miss")
        return self._given(entry, key, making)

    def _given(self, entry: Entry, key: str, making: Making) -> Any:
        """Answer with the entry of this variant, if that may be."""
        if not entry.is_public and self._is_authorized():
            return self._pass_by("bypass")
        if not self._options.is_plain and self._is_stale(entry):
            return self._refilled(key, making, "stale")
        return self._hit(entry)

    def _suits(self, entry: Entry | None) -> bool:
        """Whether an entry of any variant may answer this request."""
        if entry is None or entry.variant != self._variant(entry.names):
            return False
        return entry.is_public or not self._is_authorized()

    def _forced(self, reason: Forward) -> Any:
        """Call the view, and keep what it gives in the place of what is kept."""
        first = self._kept(self._key)
        if first is not None:
            variant = self._variant(first.names)
            if variant != first.variant:
                making = self._maker_of_variant(first)
                return self._refilled(self._variant_key(first, variant), making, reason)
        make = partial(self._make_first, is_anew=True)
        return self._refilled(self._key, Maker(make, self.renew), reason)

    def _maker_of_variant(self, first: Entry) -> Making:
        return Maker(partial(self._make_variant, first), partial(self._renewed, first.token))

    def _refilled(self, key: str, making: Making, reason: Forward) -> Any:
        return self._made(making, self._fetched(self._space.refill, key, making), reason)

    def _looked(self) -> Any:
        """Answer a HEAD, of which nothing is kept."""
        entry = self._kept(self._key)
        if entry is not None:
            variant = self._variant(entry.names)
            if variant != entry.variant:
                entry = self._kept(self._variant_key(entry, variant))
        if entry is None or not self._suits(entry):
            return self._pass_by("miss")
        return self._pass_by("stale") if self._is_stale(entry) else self._hit(entry)

    def _kept(self, key: str) -> Entry | None:
        try:
            return _page_in(self._space.get(key))
        except NodeError:
            return None

    def _fetched(self, fill: Callable[..., Any], key: str, making: Making) -> Any:
        return fetched(
            fill,
            (self._options.names, key),
            making,
            ttl=self._ttl_of,
            options=self._options.page_fill if not self._body else {},
            passes=self._state.passes,
        )

    def _ttl_of(self, stored: list[Any]) -> float | None:
        """The ttl of what is going to be stored; that it is asked for shows that it is."""
        self._is_taken = True
        entry = entry_in(stored)
        return None if entry is None or entry.lifetime < 0 else entry.lifetime

    def _is_stale(self, entry: Entry) -> bool:
        conditions = self._options.conditions
        if not conditions.judges_age:
            return False
        value = value_of(self._state.app, entry)
        return conditions.is_stale(value, self._call.args, self._call.kwargs)

    # Making.

    def make(self) -> Any:
        """Make the first entry."""
        return self._make_first(is_anew=self._options.keeps_stale)

    def renew(self) -> Any:
        """Make the request again, with all that the app does before and after it.

        That is behind a caller who has been answered, in a thread or elsewhere. The entry of one
        variant is not made anew by a request of another one.
        """
        old = self._old()
        if old is not None and old.variant != self._variant(old.names):
            raise Unkept("another variant")
        return self._renewed("" if old is None else old.token)

    def _renewed(self, token: str) -> Any:
        app = self._state.app
        behind = _Behind(self._cached, self._place(), token)
        environ = {
            name: value
            for name, value in self._environ.items()
            if name not in _CONDITIONS and not name.startswith(_OF_REQUEST)
        }
        environ.update({"wsgi.input": BytesIO(), "CONTENT_LENGTH": "0", _BEHIND: behind})
        with app.request_context(environ):
            app.full_dispatch_request().close()
        if behind.stored is None:
            raise behind.unkept
        return behind.stored

    def _answer_behind(self, behind: _Behind) -> Any:
        """Call the view for an entry that somebody else stores."""
        if behind.place != self._place():
            # Such as of somebody who has logged out in the meantime.
            return self._call.run()
        try:
            behind.stored = self._make_first(behind.token)
        except Unkept as error:
            behind.unkept = error
        return self._outcome()

    def _make_first(self, token: str = "", *, is_anew: bool = False) -> Any:
        """Call the view for the entry under the resource's own key.

        Args:
            token: of the entry in whose place it comes; empty for a new one.
            is_anew: whether there may be such an entry. It is looked for here, under the lease: if
                it is deleted after that, what is made is not stored.
        """
        old = self._old() if is_anew else None
        if old is not None:
            token = old.token
        called, about = self._made_of_view()
        names = " ".join(sorted(self._learnt(self._names(called))))
        return self._keep(called, about, token or urandom(_TOKEN_SIZE).hex(), names)

    def _make_variant(self, first: Entry) -> Any:
        """Call the view for another variant."""
        called, about = self._made_of_view()
        names = self._names(called)
        if not names <= frozenset(first.names.split()):
            # It varies on more than was known. The next one begins with that.
            self._learnt(names)
            with suppress(NodeError):
                self._space.delete(self._key)
            raise Unkept("it varies on more headers than before")
        return self._keep(called, about, first.token, first.names)

    def _made_of_view(self) -> tuple[Called, Described]:
        """Call the view; what came of it, and what is stored of that.

        Raises:
            Unkept: nothing is.
        """
        token = _busy.set(_busy.get() | {self._place()})
        try:
            called = call_view(self._state.app, self._call, self._environ, self._role)
        finally:
            _busy.reset(token)
        self._called = called
        options, rules = self._options, self._manner.rules
        if called.error is None and called.result is None and not options.cache_none:
            raise Unkept("None")
        about = kept_of(called, options.conditions, rules, self._asked(), self._role)
        self._state.check(about.content, self._cached.function)
        return called, about

    def _keep(self, called: Called, about: Described, token: str, names: str) -> Any:
        life = self._life(called.response)
        self._entry = Entry(
            about.kind,
            about.content,
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

    def _life(self, response: Response | None) -> float | None:
        """Seconds that a response is good for; None for no end."""
        own = getattr(response, "timeout", None)
        if own is not None:
            return float(own)
        timeout = self._cached.timeout
        if timeout is None and response is not None:
            shared = shared_lifetime(joined_header(response, "Cache-Control"))
            if shared is not None:
                return shared
        return seconds_of(timeout, self._state.default_ttl)

    def _names(self, called: Called) -> frozenset[str]:
        """The headers of the request that select a variant of a response."""
        vary = None if called.response is None else joined_header(called.response, "Vary")
        return frozenset(vary_names(vary, self._manner.rules)) - self._manner.covered

    def _learnt(self, names: frozenset[str]) -> frozenset[str]:
        """The headers that the resource has varied on."""
        known = self._state.learnt.get(self._place()) or frozenset()
        if not names <= known:
            self._state.learnt.put(self._place(), names | known)
        return names | known

    def _old(self) -> Entry | None:
        """What is kept, fresh or stale."""
        try:
            found = self._space.lookup(self._key)
        except NodeError:
            return None
        return _page_in(found.value) if found else None

    # Giving.

    def _made(self, making: Making, stored: Any, reason: Forward) -> Any:
        """What the view gave just now; or what is kept, if that is better."""
        if not making.has_run:
            # Somebody else did, while this one waited.
            entry = _page_in(stored)
            if entry is None or not self._suits(entry):
                return self._pass_by("miss")
            return self._hit(entry)
        unkept = making.unkept
        if unkept is not None and unkept.is_failure and stored is not None:
            old = _page_in(stored)
            if old is not None and self._suits(old):
                return self._hit(old)
        if self._state.has_signals:
            self._signal(is_hit=False)
        detail = None if unkept is None else unkept.reason
        return self._live(
            forward_status(reason, stored=unkept is None and self._is_taken, detail=detail)
        )

    def _live(self, status: str) -> Any:
        """The view's own result."""
        called, entry = self._called, self._entry
        response = None if called is None else called.response
        self._finish(entry, status, None, None if response is None else response.response)
        if self._role is Role.VIEW and called is not None and called.error is None:
            return response
        return self._outcome()

    def _outcome(self) -> Any:
        """What the view gave, or raised."""
        called = self._called
        if called is None:
            return self._call.run()
        if called.error is not None:
            raise called.error
        return called.result

    def _hit(self, entry: Entry) -> Any:
        age = self._state.now() - entry.created
        status = hit_status(float("inf") if entry.lifetime < 0 else entry.lifetime - age)
        if self._state.has_signals:
            self._signal(is_hit=True)
        if self._role is Role.VIEW:
            ready = self._state.ready.response(entry)
            if ready is not None:
                ready.kcache_end = self._end(entry, status, age, ready.response)
                return ready
        value = value_of(self._state.app, entry)
        if entry.kind == ABORT:
            self._finish(entry, status, age, None)
            raise value
        if self._role is not Role.VIEW:
            self._finish(entry, status, age, None)
            return value
        response = self._state.app.make_response(value)
        self._finish(entry, status, age, response.response)
        return response

    def _finish(self, entry: Entry | None, status: str, age: float | None, body: Any) -> None:
        """Have headers put on the response in the end. Helpers of a view have no say in that."""
        if self._role is not Role.UNKNOWN:
            self._environ[FINISH] = self._end(entry, status, age, body)

    def _end(self, entry: Entry | None, status: str, age: float | None, body: Any) -> Finish:
        options = self._options
        if entry is None:
            return Finish(status, age, vary=options.vary)
        return Finish(
            status,
            age,
            ""
            if entry.has_cache_control
            else options.cache_control(age or 0, is_private=bool(self._manner.covered)),
            options.vary,
            options.is_marked and age is not None,
            True,  # noqa: FBT003 - is_kept; by their places it takes half the time
            entry.etag,
            body if self._role is Role.VIEW else None,
        )

    def _cache_control(self, age: float) -> str:
        return self._options.cache_control(age, is_private=bool(self._manner.covered))

    def _pass_by(self, reason: Forward) -> Any:
        return pass_by(reason, self._call, self._role)

    def _signal(self, *, is_hit: bool) -> None:
        said = {
            "cache_key": joined(*self._place()),
            "args": self._call.args,
            "kwargs": self._call.kwargs,
        }
        self._state.tell_of_view(is_hit=is_hit, **said)

    # The request.

    def _place(self) -> tuple[tuple[str, ...], str]:
        return self._options.names, self._key

    def _asked(self) -> Asked:
        environ = self._environ
        return Asked(
            environ["REQUEST_METHOD"],
            "HTTP_AUTHORIZATION" in environ,
            environ.get("HTTP_CACHE_CONTROL"),
            environ.get("HTTP_PRAGMA"),
        )

    def _is_authorized(self) -> bool:
        if "HTTP_AUTHORIZATION" not in self._environ:
            return False
        return "authorization" not in self._manner.rules.covers

    def _variant(self, names: str) -> str:
        """What tells requests of the resource apart: the function, too, if it has a common key."""
        environ = self._environ
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        root = environ.get("SCRIPT_NAME")
        if root:
            host += root
        if not names and not self._body:
            return _plain_variant(self._manner.name, environ["wsgi.url_scheme"], host)
        variant = variant_of(environ["wsgi.url_scheme"], host, tuple(names.split()), environ)
        # A digest: there may be credentials in these headers.
        digest = _digest(variant.encode(errors="surrogatepass"))
        return f"{self._manner.name}\n{digest}{self._body}"

    def _variant_key(self, first: Entry, variant: str) -> str:
        of = f"{first.token}\n{variant}".encode(errors="surrogatepass")
        return f"{self._key}\x1f{_digest(of)}"


def pass_by(reason: Forward, call: Invocation, role: Role) -> Any:
    """Call a view, and keep nothing."""
    if role is not Role.UNKNOWN:
        request.environ[FINISH] = Finish(forward_status(reason, stored=False, detail=None))
    return call.run()


def _page_in(stored: Any) -> Entry | None:
    """The entry of a view in what is stored; None if it is anything else."""
    entry = entry_in(stored)
    return None if entry is None or entry.kind == VALUE else entry


@lru_cache(256)
def _plain_variant(name: str, scheme: str, host: str) -> str:
    return f"{name}\n{variant_of(scheme, host, (), {})}"


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=_DIGEST_SIZE).hexdigest()
