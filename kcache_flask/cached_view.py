"""The `cached` decorator: views by the rules of HTTP, and any function by a key."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from flask import has_app_context, has_request_context
from flask.globals import request

from kcache.off_loop import Compute, off_loop
from kcache_flask.called import Invocation
from kcache_flask.conditions import Conditions, joined_if_generator
from kcache_flask.entry import VALUE, Entry, entry_in
from kcache_flask.fetch import Making, Unkept, fetched
from kcache_flask.http import Rules
from kcache_flask.keys import joined
from kcache_flask.role import Role, role_of
from kcache_flask.timeouts import Timeout, seconds_of
from kcache_flask.view_key import ViewKey, of_method
from kcache_flask.visit import Visit, pass_by

if TYPE_CHECKING:
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
        cache_control: for clients, where the view says nothing.
        cache_none: whether None is kept, too.
        honours_request: whether a request may have the view called.
        is_marked: whether a hit is told by a header of its own.
        fill: options of `kcache`'s fills.
    """

    conditions: Conditions
    names: tuple[str, ...]
    rules: Rules
    vary: tuple[str, ...]
    cache_control: str
    cache_none: bool
    honours_request: bool
    is_marked: bool
    fill: Mapping[str, Any]

    @property
    def keeps_stale(self) -> bool:
        """Whether values are kept beyond their time."""
        return bool(self.fill)


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
        self._is_async = inspect.iscoroutinefunction(function)
        self._roles: WeakKeyDictionary[Any, Role] = WeakKeyDictionary()
        self.wrapper = self._wrapper(timeout)

    def _wrapper(self, timeout: Timeout) -> Any:
        call = self._call

        @functools.wraps(self.function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return call(args, kwargs)

        made: Any = wrapper
        made.uncached = self.function
        made.cache_timeout = timeout
        made.make_cache_key = self._default = self.make_cache_key
        return made

    @property
    def timeout(self) -> Timeout:
        """As it is now: users may change it."""
        timeout: Timeout = self.wrapper.cache_timeout
        return timeout

    @property
    def rules(self) -> Rules:
        """What may be stored."""
        if not self._key_now().make_cache_key:
            return self.options.rules
        # Who makes the key answers for the session.
        return replace(self.options.rules, covers=self.options.rules.covers | {"cookie"})

    @property
    def covered(self) -> frozenset[str]:
        """The headers that the user's own key takes into account."""
        return frozenset({"cookie"} if self._key_now().make_cache_key else ())

    @property
    def name_in_entries(self) -> str:
        """What tells its entries from those of other functions with the same path."""
        if not self._key_now().is_of_path:
            return ""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def make_cache_key(self, *args: Any, **kwargs: Any) -> str:
        """The key of a call, for `cache.get` and `cache.delete`, in a request and outside of one.

        Args:
            *args: of the function.
            **kwargs: of the function. `path` and `query_args` say which request, where there is
                none: a path, and a query as a text, a mapping, or pairs.
        """
        key = self._key_now().of(self._state_of(), self.wrapper, args, kwargs)
        return joined(self.options.names, key)

    def _key_now(self) -> ViewKey:
        made = self.wrapper.make_cache_key
        if made == self._default:
            return self._key
        return replace(self._key, make_cache_key=made)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._is_async:
            return self._called(Invocation(args, kwargs, partial(self.function, *args, **kwargs)))
        if _is_in_loop():
            return self._awaited(args, kwargs)
        run = self._state_of().app.ensure_sync(self.function)
        return self._called(Invocation(args, kwargs, partial(run, *args, **kwargs)))

    def _awaited(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        make = partial(self.function, *args, **kwargs)

        def called(compute: Compute) -> Any:
            return self._called(Invocation(args, kwargs, lambda: compute(make)))

        return off_loop(called)

    def _called(self, call: Invocation) -> Any:
        state = self._state_of()
        conditions = self.options.conditions
        if not state.is_enabled or conditions.leaves_out(self.function, call.args, call.kwargs):
            return call.run()
        role = self._role(state) if has_request_context() else Role.NONE
        if role is Role.NONE:
            return self._as_function(state, call)
        return self._as_view(state, role, call)

    def _role(self, state: State) -> Role:
        view = state.app.view_functions.get(request.endpoint or "")
        if view is None:
            return Role.NONE
        if view is self.wrapper:
            return Role.VIEW
        role = self._roles.get(view)
        if role is None:
            role = self._roles[view] = role_of(view, self.wrapper)
        return role

    def _as_view(self, state: State, role: Role, call: Invocation) -> Any:
        current = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        method = current.method
        if method not in self.options.rules.methods:
            return pass_by("method", call.run)
        key = self._key_now().of_call(state, call.args, call.kwargs)
        if method not in _SAFE:
            key = of_method(key, method)
        return Visit(self, state, current, call, role=role, key=key).answer()

    def _as_function(self, state: State, call: Invocation) -> Any:
        key_now = self._key_now()
        if key_now.is_of_path and has_request_context() and request.method not in _SAFE:
            return call.run()
        return _Call(self, state, key_now.of_call(state, call.args, call.kwargs), call).result()


class _Call:
    """A call of a function that is no view."""

    def __init__(self, cached: Cached, state: State, key: str, call: Invocation) -> None:
        self._cached = cached
        self._state = state
        self._key = key
        self._call = call
        self._space = state.space(cached.options.names)
        self._made: Any = None

    def result(self) -> Any:
        conditions = self._cached.options.conditions
        is_forced = conditions.forces(self._call.args, self._call.kwargs)
        making = Making(self._make)
        stored = self._fetched(making, is_forced=is_forced)
        if making.has_run:
            self._signal(is_hit=False)
            return self._made
        entry = entry_in(stored)
        name = self._cached.name_in_entries
        if (
            entry is None
            or entry.kind != VALUE
            or entry.name != name
            or conditions.is_stale(entry.content, self._call.args, self._call.kwargs)
        ):
            making = Making(self._make)
            self._fetched(making, is_forced=True)
            self._signal(is_hit=False)
            return self._made
        self._signal(is_hit=True)
        return entry.content

    def _fetched(self, making: Making, *, is_forced: bool) -> Any:
        fill = self._space.refill if is_forced else self._space.get_or_set
        ttl = seconds_of(self._cached.timeout, self._state.default_ttl)
        options, passes = self._cached.options.fill, self._state.passes
        return fetched(fill, self._key, making, ttl=ttl, options=options, passes=passes)

    def _make(self) -> Any:
        with nullcontext() if has_app_context() else self._state.app.app_context():
            result = self._made = joined_if_generator(self._call.run())
        options = self._cached.options
        if result is None and not options.cache_none:
            raise Unkept("None")
        if not options.conditions.keeps(result):
            raise Unkept("response_filter")
        self._state.check(result, self._cached.function)
        name, now = self._cached.name_in_entries, self._state.now()
        return Entry(VALUE, result, name, now, -1).stored()

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
