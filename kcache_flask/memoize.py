"""The `memoize` decorator: results by arguments, with Flask-Caching's options."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import has_app_context

from kcache import Arguments, EncodeError, Invalidation
from kcache.defined import register
from kcache.off_loop import Compute, off_loop, shared
from kcache_flask.called import Invocation
from kcache_flask.conditions import Conditions, joined_if_generator
from kcache_flask.entry import NOTHING, packed, unpacked
from kcache_flask.fetch import Making, Unkept, fetched
from kcache_flask.identity import identity_of
from kcache_flask.keys import joined
from kcache_flask.timeouts import Timeout, seconds_of
from kcache_flask.view_key import source_of

if TYPE_CHECKING:
    from kcache_flask.state import State

__all__ = ["MemoizeOptions", "Memoized"]

_HEADS = ("self", "cls")


@dataclass(frozen=True, eq=False)
class MemoizeOptions:
    """How a function is memoized.

    Attributes:
        conditions: the functions that the user gave.
        names: the namespace.
        make_name: from the function's name to another one; None for none.
        source_check: whether the function's source counts; None for what the app says.
        cache_none: whether None is kept, too.
        ignore: the parameters that make no difference.
        fill: options of `kcache`'s fills.
    """

    conditions: Conditions
    names: tuple[str, ...]
    make_name: Callable[[str], str] | None
    source_check: bool | None
    cache_none: bool
    ignore: tuple[str, ...]
    fill: Mapping[str, Any]


class Memoized:
    """A memoized function.

    Its results are in a namespace of its own; those of a method in one for each instance within
    it. So all of them can be dropped at once.

    Args:
        state_of: finds the state of the current app.
        function: that is decorated.
        timeout: of results.
        options: how it is memoized.
    """

    def __init__(
        self,
        state_of: Callable[[], State],
        function: Callable[..., Any],
        timeout: Timeout,
        options: MemoizeOptions,
    ) -> None:
        self.function = function
        self.options = options
        self._state_of = state_of
        self._is_async = inspect.iscoroutinefunction(function)
        first = next(iter(inspect.signature(function).parameters), "")
        self._head = first if first in _HEADS else ""
        self._is_method = first == "self" and "self" not in options.ignore
        name = f"{function.__module__}.{function.__qualname__}"
        self._name = options.make_name(name) if options.make_name is not None else name
        ignore = (*options.ignore, "self") if self._is_method else options.ignore
        self._arguments = Arguments(function, name, ignore=ignore, identify=identity_of)
        self._registered: State | None = None
        self.wrapper = self._wrapper(timeout)

    def _wrapper(self, timeout: Timeout) -> Any:
        if self._is_async:

            @functools.wraps(self.function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                begin = partial(off_loop, partial(self._called_for_loop, args, kwargs))
                name = self._name_of_call(args, kwargs)
                return await (begin() if name is None else shared(name, begin))

        else:

            @functools.wraps(self.function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return self._called(Invocation(self.function, args, kwargs))

        made: Any = wrapper
        made.uncached = self.function
        made.cache_timeout = timeout
        made.make_cache_key = self.make_cache_key
        made.delete_memoized = self.delete_all
        made.kcache_memoized = self
        return made

    def make_cache_key(self, _function: Any, /, *args: Any, **kwargs: Any) -> str:
        """The key of a call, for `cache.get` and `cache.delete`.

        Args:
            _function: the function that is memoized, as in Flask-Caching.
            *args: of the call, with the instance of a method.
            **kwargs: of the call.
        """
        state = self._state_of()
        return joined(self._path(state, args), self._arguments.key(args, kwargs))

    def _register(self, state: State) -> None:
        """Warn of another function under this name."""
        self._registered = state
        if state.is_enabled:
            options = (None, self.options.ignore, None)
            register(state, self._own_path(state), self.function, options, "name, by make_name=")

    def delete_all(self) -> None:
        """Drop all results."""
        state = self._state_of()
        state.space(self._own_path(state)).invalidate()

    def delete_of_instance(self, instance: object) -> Invalidation:
        """Drop all results of the method of one instance."""
        state = self._state_of()
        dropped: Invalidation = state.space(self._path(state, (instance,))).invalidate()
        return dropped

    @property
    def is_by_instance(self) -> bool:
        """Whether instances have results of their own."""
        return self._is_method

    def whole(self, instance: object, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of a call, with the instance or the class of a method.

        Args:
            instance: that the method was taken from; None for none.
            args: as they were given.

        Raises:
            ValueError: there is neither.
        """
        if self._head == "self" and instance is not None:
            return args if args and args[0] is instance else (instance, *args)
        if self._head == "self" and not args:
            raise ValueError("the method of a class needs the instance as its first argument")
        if self._head == "cls" and not (args and inspect.isclass(args[0])):
            raise ValueError("a class method needs the class as its first argument")
        return args

    def delete_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Drop the result of a call; whether it was there."""
        state = self._state_of()
        key = self._arguments.key(args, kwargs)
        was_there: bool = state.space(self._path(state, args)).delete(key)
        return was_there

    def _own_path(self, state: State) -> tuple[str, ...]:
        source = self.options.source_check
        if source is None:
            source = state.settings.source_check
        if not source:
            return (*self.options.names, self._name)
        return (*self.options.names, self._name, _source_of(self.function))

    def _path(self, state: State, args: tuple[Any, ...]) -> tuple[str, ...]:
        own = self._own_path(state)
        return (*own, f"{identity_of(args[0])}") if self._is_method and args else own

    def _name_of_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What equal calls have in common, of which one is made for all that wait in a loop."""
        if self.options.conditions.has_any:
            return None
        state = self._state_of()
        try:
            return self, state, self._path(state, args), self._arguments.key(args, kwargs)
        except EncodeError:
            return None

    def _called_for_loop(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], compute: Compute
    ) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            return compute(partial(self.function, *args, **kwargs))

        return self._called(Invocation(run, args, kwargs))

    def _called(self, call: Invocation) -> Any:
        state = self._state_of()
        if state is not self._registered:
            self._register(state)
        conditions = self.options.conditions
        if not state.is_enabled or conditions.leaves_out(self.function, call.args, call.kwargs):
            return call.run()
        try:
            key = self._arguments.key(call.args, call.kwargs)
            names = self._path(state, call.args)
        except EncodeError as error:
            state.warn(self.function, f"is not memoized: {error}")
            return call.run()
        is_forced = conditions.forces(call.args, call.kwargs)
        return _Call(self, state, names, key, call).result(is_forced=is_forced)


class _Call(Making):
    """A call of a memoized function."""

    def __init__(
        self, memoized: Memoized, state: State, names: tuple[str, ...], key: str, call: Invocation
    ) -> None:
        self._memoized = memoized
        self._state = state
        self._names = names
        self._space = state.space(names)
        self._key = key
        self._call = call
        self._made: Any = NOTHING

    def result(self, *, is_forced: bool) -> Any:
        """What it gives, or gave."""
        found = unpacked(self._fetched(is_forced=is_forced))
        conditions = self._memoized.options.conditions
        if not self.has_run and conditions.is_stale(found, self._call.args, self._call.kwargs):
            self._fetched(is_forced=True)
        if self._state.has_signals:
            self._signal(is_hit=not self.has_run)
        # Where it failed, what is stale stands for it.
        return found if self._made is NOTHING else self._made

    def _fetched(self, *, is_forced: bool) -> Any:
        fill = self._space.refill if is_forced else self._space.get_or_set
        ttl = seconds_of(self._memoized.wrapper.cache_timeout, self._state.default_ttl)
        options, passes = self._memoized.options.fill, self._state.passes
        place = (self._names, self._key)
        return fetched(fill, place, self, ttl=ttl, options=options, passes=passes)

    def make(self) -> Any:
        """Call the function."""
        with nullcontext() if has_app_context() else self._state.app.app_context():
            result = self._made = joined_if_generator(self._call.run())
        options = self._memoized.options
        if result is None and not options.cache_none:
            raise Unkept("None")
        if not options.conditions.keeps(result):
            raise Unkept("response_filter")
        stored = packed(result)
        self._state.check(stored, self._memoized.function)
        return stored

    def _signal(self, *, is_hit: bool) -> None:
        memoized = self._memoized
        self._state.tell_of_function(
            is_hit=is_hit,
            cache_key=memoized.make_cache_key(None, *self._call.args, **self._call.kwargs),
            f=memoized.function,
            args=self._call.args,
            kwargs=self._call.kwargs,
        )


@functools.lru_cache(1024)
def _source_of(function: Callable[..., Any]) -> str:
    return hashlib.sha256(source_of(function).encode()).hexdigest()
