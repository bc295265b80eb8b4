"""The `cached` decorator: views by the rules of HTTP, and any function by a key."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from flask import has_app_context, has_request_context
from flask.globals import request

from kcache.off_loop import Compute, off_loop
from kcache.policy import policy_of
from kcache_flask.called import Invocation
from kcache_flask.conditions import Conditions, joined_if_generator
from kcache_flask.entry import NOTHING, VALUE, Entry, entry_in, packed, unpacked
from kcache_flask.fetch import Making, Unkept, fetched
from kcache_flask.http import Rules
from kcache_flask.keys import joined
from kcache_flask.role import Role, role_of
from kcache_flask.timeouts import Timeout, seconds_of
from kcache_flask.view_key import ViewKey, of_method
from kcache_flask.visit import Visit, pass_by

if TYPE_CHECKING:
    from flask.wrappers import Request

    from kcache_flask.state import State

__all__ = ["Cached", "ViewOptions"]

_SAFE = ("GET", "HEAD")


@dataclass(frozen=True, eq=False)
class ViewOptions:
    """How a function is cached.

    Attributes:
        conditions: the functions that the user gave.
        names: the namespace.
        rules: what may be stored.
        vary: headers that responses are said to vary on.
        client_ttl: how long clients may keep a page without asking; None: they ask.
        cache_none: whether None is kept, too.
        honours_request: whether a request may have the view called.
        is_marked: whether a hit is told by a header of its own.
        fill: options of `kcache`'s fills.
    """

    conditions: Conditions
    names: tuple[str, ...]
    rules: Rules
    vary: tuple[str, ...]
    client_ttl: float | None
    cache_none: bool
    honours_request: bool
    is_marked: bool
    fill: Mapping[str, Any]

    def cache_control(self, age: float, *, is_private: bool) -> str:
        """The header for a page of this age. Clients count from when it was made.

        Args:
            age: in seconds.
            is_private: whether it depends on more than the URL and what Vary says.
        """
        if self.client_ttl is None:
            return "no-cache"
        private = "private, " if is_private else ""
        return f"{private}max-age={int(self.client_ttl + age)}"

    @cached_property
    def keeps_stale(self) -> bool:
        """Whether values are kept beyond their time."""
        policy = policy_of(self.fill)  # type: ignore[arg-type]
        return policy.keeps > 0 or policy.early > 0

    @cached_property
    def page_fill(self) -> Mapping[str, Any]:
        """The options of fills that count for pages. Whose an exception is nobody can tell."""
        return {name: value for name, value in self.fill.items() if name != "errors"}

    @cached_property
    def is_plain(self) -> bool:
        """Whether nobody has a say in whether to answer with what is kept."""
        conditions = self.conditions
        has_say = self.honours_request or conditions.judges_age or not conditions.always_apply
        return not has_say


class Manner(NamedTuple):
    """How the calls of a function are told apart.

    Attributes:
        given: the `make_cache_key` of the decorated function.
        key: makes the keys.
        name: in entries, that which tells them from those of other functions with the same path;
            empty where the key says all.
        template: the key, with %s for the path, where it needs nothing else; else empty.
        rules: what may be stored.
        covered: the headers that the user's own key takes into account.
    """

    given: Any
    key: ViewKey
    name: str
    template: str
    rules: Rules
    covered: frozenset[str]


def _manner_of(function: Callable[..., Any], key: ViewKey, rules: Rules, given: Any) -> Manner:
    name = f"{function.__module__}.{function.__qualname__}" if key.is_of_path else ""
    if key.make_cache_key is None:
        is_plain = key.is_of_path and key.query_string is False and not key.source_check
        template = f"{key.key_prefix}" if is_plain else ""
        return Manner(given, key, name, template, rules, frozenset())
    # Who makes the key answers for the session.
    covered = frozenset({"cookie"})
    rules = replace(rules, covers=rules.covers | covered)
    return Manner(given, key, name, "", rules, covered)


class Cached:
    """A decorated function.

    Args:
        state_of: finds the state of the current app.
        function: that is decorated.
        key: makes its keys.
        timeout: of what is stored.
        options: how it is cached.
    """

    def __init__(
        self,
        state_of: Callable[[], State],
        function: Callable[..., Any],
        key: ViewKey,
        timeout: Timeout,
        options: ViewOptions,
    ) -> None:
        self.function = function
        self.options = options
        self._state_of = state_of
        self._key = key
        self._roles: WeakKeyDictionary[Any, Role] = WeakKeyDictionary()
        self.wrapper = self._wrapper(timeout)

    def _wrapper(self, timeout: Timeout) -> Any:
        function = self.function
        call = self._called_async if inspect.iscoroutinefunction(function) else self._called

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return call(Invocation(function, args, kwargs))

        made: Any = wrapper
        made.uncached = self.function
        made.kcache_cached = self
        made.cache_timeout = timeout
        made.make_cache_key = self._default = self.make_cache_key
        self._manner = _manner_of(self.function, self._key, self.options.rules, self._default)
        return made

    @property
    def timeout(self) -> Timeout:
        """As it is now: users may change it."""
        timeout: Timeout = self.wrapper.cache_timeout
        return timeout

    @property
    def manner(self) -> Manner:
        """How calls are told apart now: users may change `make_cache_key`."""
        made = self.wrapper.make_cache_key
        if made is self._manner.given:
            return self._manner
        if made is self._default:
            self._manner = _manner_of(self.function, self._key, self.options.rules, made)
        else:
            key = replace(self._key, make_cache_key=made)
            self._manner = _manner_of(self.function, key, self.options.rules, made)
        return self._manner

    @property
    def key(self) -> ViewKey:
        """Makes its keys."""
        return self.manner.key

    @property
    def rules(self) -> Rules:
        """What may be stored."""
        return self.manner.rules

    @property
    def name(self) -> str:
        """What its entries are marked with; see `Manner`."""
        return self.manner.name

    def make_cache_key(self, *args: Any, **kwargs: Any) -> str:
        """The key of a call, for `cache.get` and `cache.delete`, in a request and outside of one.

        Args:
            *args: of the function.
            **kwargs: of the function. `path` and `query_args` say which request, where there is
                none: a path, and a query as a text, a mapping, or pairs.
        """
        return joined(self.options.names, self.keys(args, kwargs)[0])

    def keys(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        """The keys of a call in its namespace, for each path that the view has."""
        return self.key.of(self._state_of(), self.wrapper, args, kwargs)

    def _called_async(self, call: Invocation) -> Any:
        state = self._state_of()
        if _is_in_loop() or not self._is_dispatched(state):
            return off_loop(partial(self._called_for_loop, call))
        run = state.app.ensure_sync(self.function)
        return self._called(call._replace(function=run))

    def _is_dispatched(self, state: State) -> bool:
        """Whether it is Flask that calls, which wants a result."""
        if not has_request_context():
            return False
        current: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - of a proxy
        return self._role(state, current) in (Role.VIEW, Role.WITHIN)

    def _called_for_loop(self, call: Invocation, compute: Compute) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            return compute(partial(self.function, *args, **kwargs))

        return self._called(call._replace(function=run))

    def _called(self, call: Invocation) -> Any:
        state = self._state_of()
        options = self.options
        if not state.is_enabled or (
            not options.is_plain
            and options.conditions.leaves_out(self.function, call.args, call.kwargs)
        ):
            return call.run()
        if has_request_context():
            current: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - of a proxy
            role = self._role(state, current)
            if role is Role.VIEW or role is Role.WITHIN or self._is_unknown_view(role):
                return self._as_view(state, current, role, call)
        return self._as_function(state, call)

    def _is_unknown_view(self, role: Role) -> bool:
        """Whether it has to be taken for a view, since it is told apart by the request's path."""
        return role is Role.UNKNOWN and self.key.is_of_path

    def _role(self, state: State, current: Request) -> Role:
        if current.url_rule is None:
            return Role.NONE
        view = state.app.view_functions.get(current.url_rule.endpoint)
        if view is self.wrapper:
            return Role.VIEW
        try:
            role = self._roles.get(view)
            if role is None:
                role = self._roles[view] = role_of(view, self.wrapper)
        except TypeError:
            # An object that cannot be remembered.
            return role_of(view, self.wrapper)
        return role

    def _as_view(self, state: State, current: Request, role: Role, call: Invocation) -> Any:
        method = current.method
        if method not in self.options.rules.methods:
            return pass_by("method", call, role)
        template = self.manner.template
        if template and not state.settings.source_check:
            key = template % current.path
        else:
            key = self.key.of_call(state, call.args, call.kwargs)
        if method not in _SAFE:
            key = of_method(key, method)
        return Visit(self, state, current, call, role=role, key=key).answer()

    def _as_function(self, state: State, call: Invocation) -> Any:
        key_now = self.key
        if key_now.is_of_path and has_request_context() and request.method not in _SAFE:
            return call.run()
        return _Call(self, state, key_now.of_call(state, call.args, call.kwargs), call).result()


class _Call(Making):
    """A call of a function that is no view."""

    def __init__(self, cached: Cached, state: State, key: str, call: Invocation) -> None:
        self._cached = cached
        self._state = state
        self._key = key
        self._call = call
        self._space = state.space(cached.options.names)
        self._made: Any = NOTHING

    def result(self) -> Any:
        """What it gives, or gave."""
        conditions = self._cached.options.conditions
        is_forced = conditions.forces(self._call.args, self._call.kwargs)
        entry = self._fetched(is_forced=is_forced)
        if not self.has_run:
            if entry is not None and self._is_good(entry):
                self._signal(is_hit=True)
                return unpacked(entry.content)
            self._fetched(is_forced=True)
        self._signal(is_hit=False)
        if self._made is not NOTHING:
            return self._made
        if entry is None or not self._is_own(entry):
            return self._call.run()
        # It failed, and what is stale stands for it.
        return unpacked(entry.content)

    def _is_own(self, entry: Entry) -> bool:
        """Whether an entry is a value of this function."""
        return entry.kind == VALUE and entry.variant == self._cached.name

    def _is_good(self, entry: Entry) -> bool:
        if not self._is_own(entry):
            return False
        value = unpacked(entry.content)
        conditions = self._cached.options.conditions
        return not conditions.is_stale(value, self._call.args, self._call.kwargs)

    def _fetched(self, *, is_forced: bool) -> Entry | None:
        fill = self._space.refill if is_forced else self._space.get_or_set
        ttl = seconds_of(self._cached.timeout, self._state.default_ttl)
        options = self._cached.options
        place = (options.names, self._key)
        passes = self._state.passes
        return entry_in(fetched(fill, place, self, ttl=ttl, options=options.fill, passes=passes))

    def make(self) -> Any:
        """Call the function."""
        with nullcontext() if has_app_context() else self._state.app.app_context():
            result = joined_if_generator(self._call.run())
        self._made = result
        options = self._cached.options
        if result is None and not options.cache_none:
            raise Unkept("None")
        if not options.conditions.keeps(result):
            raise Unkept("response_filter")
        stored = packed(result)
        self._state.check(stored, self._cached.function)
        name, now = self._cached.name, self._state.now()
        return Entry(VALUE, stored, now, -1, variant=name).stored()

    def _signal(self, *, is_hit: bool) -> None:
        if self._state.has_signals:
            shown = joined(self._cached.options.names, self._key)
            said = {"cache_key": shown, "args": self._call.args, "kwargs": self._call.kwargs}
            self._state.tell_of_view(is_hit=is_hit, **said)


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
