"""`memoize`: functions that compute once, for all processes."""

# A coroutine function is a function, too: the first overload that suits is meant.
# mypy: disable-error-code="overload-overlap"

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, Unpack, overload

from kcache.arguments import Arguments
from kcache.calls import UNSET, Unset
from kcache.defined import check_name, name_of_function, register
from kcache.errors import ConfigurationError
from kcache.memoized import Memoized, MemoizedClassMethod, MemoizedFunction, Recipe, Wrapper
from kcache.memoized_async import AsyncMemoized, AsyncMemoizedClassMethod, AsyncMemoizedFunction
from kcache.policy import FillOptions, policy_of
from kcache.ttl import Ttl, seconds

if TYPE_CHECKING:
    from kcache.cache import Namespace
    from kcache.core import Core

__all__ = ["Memoizer", "Memoizes"]

P = ParamSpec("P")
R = TypeVar("R")

Names = str | bytes | tuple[str | bytes, ...]


class Settings(NamedTuple):
    """What `memoize` was told."""

    ttl: Ttl | Unset
    namespace: Names
    name: str | None
    version: str | int | None
    key: Callable[..., Any] | None
    ignore: Iterable[str]
    self_key: str | None
    options: FillOptions


class Memoizer:
    """A decorator, of functions and coroutine functions, class and static methods."""

    def __init__(self, home: Memoizes, settings: Settings) -> None:
        self._home = home
        self._settings = settings

    @overload
    def __call__(
        self, function: classmethod[Any, P, Coroutine[Any, Any, R]]
    ) -> AsyncMemoized[P, R]: ...

    @overload
    def __call__(self, function: classmethod[Any, P, R]) -> Memoized[P, R]: ...

    @overload
    def __call__(
        self, function: staticmethod[P, Coroutine[Any, Any, R]]
    ) -> AsyncMemoized[P, R]: ...

    @overload
    def __call__(self, function: staticmethod[P, R]) -> Memoized[P, R]: ...

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> AsyncMemoizedFunction[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R]) -> MemoizedFunction[P, R]: ...

    def __call__(self, function: Any) -> Any:
        """Memoize a function."""
        return _memoized(self._home, function, self._settings)


class Memoizes:
    """What caches and namespaces do with functions."""

    _core: Core

    if TYPE_CHECKING:

        def namespace(self, *names: str | bytes, ttl: Ttl | Unset = UNSET) -> Namespace:
            """As of `Cache` and `Namespace`."""

    @overload
    def memoize(
        self, function: classmethod[Any, P, Coroutine[Any, Any, R]], /
    ) -> AsyncMemoized[P, R]: ...

    @overload
    def memoize(self, function: classmethod[Any, P, R], /) -> Memoized[P, R]: ...

    @overload
    def memoize(
        self, function: staticmethod[P, Coroutine[Any, Any, R]], /
    ) -> AsyncMemoized[P, R]: ...

    @overload
    def memoize(self, function: staticmethod[P, R], /) -> Memoized[P, R]: ...

    @overload
    def memoize(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncMemoizedFunction[P, R]: ...

    @overload
    def memoize(self, function: Callable[P, R], /) -> MemoizedFunction[P, R]: ...

    @overload
    def memoize(
        self,
        function: None = None,
        /,
        *,
        ttl: Ttl | Unset = UNSET,
        namespace: Names = (),
        name: str | None = None,
        version: str | int | None = None,
        key: Callable[..., Any] | None = None,
        ignore: Iterable[str] = (),
        self_key: str | None = None,
        **options: Unpack[FillOptions],
    ) -> Memoizer: ...

    def memoize(
        self,
        function: Any = None,
        /,
        *,
        ttl: Ttl | Unset = UNSET,
        namespace: Names = (),
        name: str | None = None,
        version: str | int | None = None,
        key: Callable[..., Any] | None = None,
        ignore: Iterable[str] = (),
        self_key: str | None = None,
        **options: Unpack[FillOptions],
    ) -> Any:
        """Keep the results of a function: a decorator, with options or without.

        It takes functions, methods, class and static methods, and coroutine functions. Calls with
        equal arguments are one entry, however they are written; what is told apart, and what can
        be an argument, is said in `docs/memoize.md`. The function that it gives has `key`,
        `delete`, `refresh`, `get_many`, `invalidate`, `uncached` and `namespace`; of a coroutine
        function those that talk to nodes are awaited.

        Args:
            function: to memoize.
            ttl: how long results live: seconds, a timedelta, None for no end; left out, as in
                the cache or namespace.
            namespace: of a function's own namespace: one name, or a tuple from the outermost to
                the innermost. What drops it drops the results.
            name: of the function's namespace; left out, its module and qualified name.
            version: of the function; a new one begins without results.
            key: a function of the same arguments that gives the key: a str, or a value of which
                one can be made, such as a tuple.
            ignore: the names of parameters that make no difference to the result.
            self_key: the attribute that identifies the instance of a method, or the first
                argument of a function.
            **options: of fills, as for `get_or_set`.

        Raises:
            ConfigurationError: a generator function; or an option that does not suit the function.
            InvalidKey: a name in `namespace` that is empty, or neither str nor bytes.

        Warns:
            SameNameWarning: another function has this name.

        Example:
            >>> from kcache import Cache
            >>> cache = Cache()
            >>> @cache.memoize(ttl=60)
            ... def area(width, height=1):
            ...     print("computing")
            ...     return width * height
            >>> area(3), area(height=1, width=3)
            computing
            (3, 3)
            >>> area.invalidate().complete
            True
        """
        settings = Settings(ttl, namespace, name, version, key, ignore, self_key, options)
        if function is None:
            return Memoizer(self, settings)
        return _memoized(self, function, settings)


_KINDS: dict[tuple[type, bool], type[Wrapper[Any]]] = {
    (classmethod, False): MemoizedClassMethod,
    (classmethod, True): AsyncMemoizedClassMethod,
    (staticmethod, False): Memoized,
    (staticmethod, True): AsyncMemoized,
}


def _memoized(home: Memoizes, given: Any, settings: Settings) -> Wrapper[Any]:
    kind = type(given)
    function = given.__func__ if kind in (classmethod, staticmethod) else given
    _check(function)
    name = settings.name
    if name is None:
        name = name_of_function(function)
    else:
        check_name(name)
    ignore = (settings.ignore,) if isinstance(settings.ignore, str) else tuple(settings.ignore)
    arguments = Arguments(
        function, name, ignore=ignore, key=settings.key, self_key=settings.self_key
    )
    policy = policy_of(settings.options)
    space = _space(home, name, settings)
    nodes = home._core.ring.nodes  # noqa: SLF001 - of the cache that this is a part of
    is_local = all(node.kind == "memory" for node in nodes)
    register(
        home._core,  # noqa: SLF001 - the same
        space.names,
        function,
        (settings.key, sorted(ignore), settings.self_key),
    )
    recipe = Recipe(
        function,
        arguments,
        space,
        settings.options,
        is_instant=is_local and not policy.is_dated and not policy.errors,
    )
    is_async = _is_coroutine_function(function)
    default = AsyncMemoizedFunction if is_async else MemoizedFunction
    return _KINDS.get((kind, is_async), default)(recipe)


def _space(home: Memoizes, name: str, settings: Settings) -> Namespace:
    """The function's own namespace."""
    outer = settings.namespace
    names = outer if isinstance(outer, tuple) else (outer,)
    version = () if settings.version is None else (str(settings.version),)
    ttl = settings.ttl if settings.ttl is UNSET else seconds(settings.ttl)
    return home.namespace(*names, name, *version, ttl=ttl)


def _check(function: Any) -> None:
    """Check that a function has results that can be kept.

    Raises:
        ConfigurationError: it has none.
    """
    if not callable(function):
        raise ConfigurationError(
            f"memoize takes a function, not {function!r}: the ttl is given as ttl=, and with "
            "@property memoize comes second"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            f"cannot memoize the generator function {function!r}: what it yields "
            "can be had but once; memoize a function that returns a list"
        )
    if isinstance(function, type):
        raise ConfigurationError(f"cannot memoize the class {function.__qualname__}")


def _is_coroutine_function(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - what a callable object is called by
    )
