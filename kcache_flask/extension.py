"""The extension object."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar, Unpack
from weakref import WeakSet, ref

from flask import Flask

from kcache import ConfigurationError
from kcache.policy import FillOptions, policy_of
from kcache_flask.cached_view import Cached, ViewOptions
from kcache_flask.calls import Calls, no_app
from kcache_flask.cli import add_commands
from kcache_flask.conditions import Conditions
from kcache_flask.config import settings_of
from kcache_flask.finish import finish_last
from kcache_flask.http import CACHEABLE, Rules
from kcache_flask.jinja import add_tag
from kcache_flask.keys import Names, joined, names_of
from kcache_flask.memoize import Memoized, MemoizeOptions
from kcache_flask.state import EXTENSION, State
from kcache_flask.timeouts import Timeout, seconds_of
from kcache_flask.view_key import (
    QueryArgs,
    QueryString,
    ViewKey,
    checked_prefix,
    checked_query,
    of_method,
)

__all__ = ["Cache"]

P = ParamSpec("P")
R = TypeVar("R")


class Cache(Calls):
    """A cache for Flask: an extension object, of one app or of several.

    What belongs to an app is in `app.extensions["kcache"]`, under this object. Outside an app's
    context, calls go to the app that was initialised last.

    Args:
        app: to initialise; or `init_app` does it later.
        with_jinja2_ext: whether templates have the `{% cache %}` tag.
        config: goes before what `app.config` says: see `docs/flask.md` for the keys.

    Attributes:
        decorated: the functions that it has decorated, as far as they are still there, for
            `flask kcache doctor`.

    Raises:
        ConfigurationError: the configuration cannot be used.

    Example:
        >>> from flask import Flask
        >>> app, cache = Flask("shop"), Cache()
        >>> cache.init_app(app)
        >>> @app.route("/")
        ... @cache.cached(timeout=60)
        ... def index():
        ...     return "soup"
        >>> client = app.test_client()
        >>> client.get("/").headers["Cache-Status"], client.get("/").headers["Cache-Status"]
        ('kcache; fwd=uri-miss; stored', 'kcache; hit; ttl=59')
    """

    def __init__(
        self,
        app: Flask | None = None,
        with_jinja2_ext: bool = True,  # noqa: FBT001, FBT002 - as in Flask-Caching
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.with_jinja2_ext = with_jinja2_ext
        self.config = _checked(config)
        self._last = no_app
        self.decorated: WeakSet[Cached | Memoized] = WeakSet()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, config: Mapping[str, Any] | None = None) -> None:
        """Open the cache of an app.

        Args:
            app: its `config` counts least, then that of the constructor.
            config: counts most.

        Raises:
            ConfigurationError: the configuration cannot be used.
        """
        if not isinstance(app, Flask):
            raise TypeError(f"init_app takes a Flask app, not {app!r}")
        settings = settings_of(app.name, app.config, self.config, _checked(config))
        states = app.extensions.setdefault(EXTENSION, {})
        old = states.get(self)
        states[self] = State(app, self, settings)
        if old is not None:
            old.cache.close()
        self._last = ref(app)
        finish_last(app)
        if self.with_jinja2_ext:
            add_tag(app, self)
        add_commands(app)

    def cached(  # noqa: PLR0917 - as in Flask-Caching
        self,
        timeout: Timeout = None,
        key_prefix: str | Callable[[], str] = "view/%s",
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        is_stale: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        query_string: QueryString = False,  # noqa: FBT002 - as in Flask-Caching
        hash_method: Callable[..., Any] | None = None,
        cache_none: bool = False,  # noqa: FBT001, FBT002 - as in Flask-Caching
        make_cache_key: Callable[..., str] | None = None,
        source_check: bool | None = None,  # noqa: FBT001 - as in Flask-Caching
        response_hit_indication: bool | None = False,  # noqa: FBT001, FBT002 - as in Flask-Caching
        *,
        namespace: Names = (),
        methods: Iterable[str] = ("GET", "HEAD"),
        statuses: Iterable[int] | None = None,
        vary: Iterable[str] = (),
        client_ttl: Timeout = None,
        honour_request: bool = False,
        **options: Unpack[FillOptions],
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Keep what a view gives, by path, as HTTP allows it; or what any function gives, by a key.

        The decorated function has `uncached`, the function itself; `make_cache_key`, whose keys
        `get` and `delete` take; `cache_timeout`, which can be changed. `docs/flask.md` says what is
        stored, and for whom.

        Args:
            timeout: seconds, or a timedelta; None is the default, 0 is no end.
            key_prefix: the key, with %s for the path of the request; or a function that gives it.
            unless: whether to leave the cache out; with or without the call's arguments.
            forced_update: whether to compute and keep it, whatever is kept.
            is_stale: given what is kept, whether to compute anew.
            response_filter: given what the view gave, whether to keep it.
            query_string: True if the query counts; a list of names that count; or
                `ignore_query(...)` with those that do not.
            hash_method: of the query in the key.
            cache_none: whether a function's None is kept.
            make_cache_key: gives the key, from the arguments of the call.
            source_check: whether the function's source is a part of the key.
            response_hit_indication: whether a hit has the header `hit_cache`.
            namespace: a name or a tuple of names; `cache.namespace(...).invalidate()` drops what is
                in there.
            methods: whose responses are kept.
            statuses: that are kept, in the place of those that HTTP allows.
            vary: headers of the request that responses vary on, whether they say so or not.
            client_ttl: how long browsers may keep the page without asking; None: they ask.
            honour_request: whether `Cache-Control: no-cache` and `no-store` of a request count.
            **options: `stale_ttl`, `stale_on_error` and others: see `kcache.policy.Policy`.

        Raises:
            ConfigurationError: an option that cannot be used.
        """
        _check_timeout("cached", timeout)
        policy_of(options)
        shown = _texts("vary", vary)
        if "*" in shown:
            raise ConfigurationError("vary is a list of headers; what varies on all is not kept")
        rules = Rules(
            frozenset(method.upper() for method in _texts("methods", methods)),
            CACHEABLE if statuses is None else _statuses(statuses),
            frozenset(name.lower() for name in shown),
        )
        _check_callable("make_cache_key", make_cache_key)
        _check_callable("hash_method", hash_method)
        view_options = ViewOptions(
            Conditions(unless, forced_update, is_stale, response_filter),
            names_of(namespace),
            rules,
            shown,
            None if client_ttl is None else seconds_of(client_ttl, None) or 0,
            cache_none,
            honour_request,
            bool(response_hit_indication),
            options,
        )

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            _check_function("cached", function)
            key = ViewKey(
                function,
                checked_prefix(key_prefix),
                checked_query(query_string),
                hash_method,
                source_check,
                make_cache_key,
            )
            cached = Cached(self.state, function, key, timeout, view_options)
            self.decorated.add(cached)
            made: Callable[P, R] = cached.wrapper
            return made

        return decorate

    def memoize(  # noqa: PLR0917 - as in Flask-Caching
        self,
        timeout: Timeout = None,
        make_name: Callable[[str], str] | None = None,
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        is_stale: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        hash_method: Callable[..., Any] | None = None,  # noqa: ARG002 - keys are not hashed
        cache_none: bool = False,  # noqa: FBT001, FBT002 - as in Flask-Caching
        source_check: bool | None = None,  # noqa: FBT001 - as in Flask-Caching
        args_to_ignore: Iterable[str] | None = None,
        *,
        namespace: Names = (),
        **options: Unpack[FillOptions],
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Keep the results of a function, by its arguments.

        The decorated function has `uncached`, `make_cache_key`, `cache_timeout` and
        `delete_memoized`. Coroutine functions stay coroutine functions.

        Args:
            timeout: seconds, or a timedelta; None is the default, 0 is no end.
            make_name: from the function's name to that which is used.
            unless: whether to leave the cache out; with or without the call's arguments.
            forced_update: whether to compute and keep it, whatever is kept.
            is_stale: given what is kept, whether to compute anew.
            response_filter: given a result, whether to keep it.
            hash_method: has no meaning here; keys are not hashed.
            cache_none: whether None is kept.
            source_check: whether the function's source is a part of the key.
            args_to_ignore: parameters that make no difference.
            namespace: as for `cached`.
            **options: `stale_ttl`, `stale_on_error` and others: see `kcache.policy.Policy`.

        Raises:
            ConfigurationError: an option that cannot be used.
        """
        _check_timeout("memoize", timeout)
        policy_of(options)
        memoize_options = MemoizeOptions(
            Conditions(unless, forced_update, is_stale, response_filter),
            names_of(namespace),
            make_name,
            source_check,
            cache_none,
            _texts("args_to_ignore", args_to_ignore or ()),
            options,
        )

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            _check_function("memoize", function)
            memoized = Memoized(self.state, function, timeout, memoize_options)
            self.decorated.add(memoized)
            made: Callable[P, R] = memoized.wrapper
            return made

        return decorate

    def delete_cached(
        self,
        f: Callable[..., Any],
        path: str | None = None,
        query_args: QueryArgs | None = None,
        **view_args: Any,
    ) -> bool:
        """Delete what is kept of a view, for all hosts and languages; whether it was there.

        Args:
            f: the decorated view.
            path: of the request; or the view's arguments say it.
            query_args: of the request, where the query counts.
            **view_args: of the view.

        Raises:
            TypeError: the function is not cached.
            BuildError: it has no URL with these arguments.
        """
        cached: Cached | None = getattr(f, "kcache_cached", None)
        if cached is None:
            raise TypeError(f"{f!r} is not cached: give the decorated function itself")
        named = dict(view_args)
        if path is not None:
            named["path"] = path
        if query_args is not None:
            named["query_args"] = query_args
        options = cached.options
        others = options.rules.methods - {"GET", "HEAD"}
        return (
            sum(
                self.delete(joined(options.names, each))
                for key in cached.keys((), named)
                for each in (key, *(of_method(key, method) for method in sorted(others)))
            )
            > 0
        )

    def delete_memoized(self, f: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Drop results of a memoized function: of one call, of one instance, or all.

        Args:
            f: the function. A method of an instance stands for that instance, one of its class for
                all.
            *args: of the call whose result is dropped; all are, without.
            **kwargs: of the call.

        Raises:
            TypeError: it is no memoized function.
            ValueError: the call of a method without its instance or class.
        """
        memoized = _memoized(f)
        instance = getattr(f, "__self__", None)
        is_of_instance = instance is not None and not inspect.isclass(instance)
        if not args and not kwargs:
            if is_of_instance and memoized.is_by_instance:
                memoized.delete_of_instance(instance)
            else:
                memoized.delete_all()
            return
        memoized.delete_call(memoized.whole(instance if is_of_instance else None, args), kwargs)

    def delete_memoized_verhash(self, f: Callable[..., Any], *args: Any) -> None:  # noqa: ARG002
        """Drop all results of a memoized function; as `delete_memoized` without arguments.

        Raises:
            TypeError: it is no memoized function.
        """
        self.delete_memoized(f)


def _checked(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if config is not None and not isinstance(config, Mapping):
        raise ConfigurationError(f"config is a dict, not {type(config).__name__}")
    return config


def _check_function(decorator: str, function: Any) -> None:
    if isinstance(function, (classmethod, staticmethod)):
        kind = type(function).__name__
        raise ConfigurationError(
            f"{decorator} comes below @{kind}: write @{kind} first, @cache.{decorator}(...) second"
        )
    if not callable(function):
        raise ConfigurationError(
            f"{decorator} decorates a function, not {function!r}: it is called first, as in "
            f"@cache.{decorator}(timeout=60)"
        )


def _check_timeout(decorator: str, timeout: Any) -> None:
    if callable(timeout):
        raise ConfigurationError(
            f"{decorator} is called first, as in @cache.{decorator}() above the function"
        )
    seconds_of(timeout, None)


def _check_callable(name: str, given: Any) -> None:
    if given is not None and not callable(given):
        raise ConfigurationError(f"{name} is a function, not {given!r}")


def _texts(name: str, given: Any) -> tuple[str, ...]:
    """A list of names; one by itself is a list of one."""
    listed = (given,) if isinstance(given, str) else tuple(given) if _is_list(given) else (None,)
    if not all(isinstance(each, str) and each for each in listed):
        raise ConfigurationError(f"{name} is a list of names, not {given!r}")
    return listed


def _statuses(given: Any) -> frozenset[int]:
    listed = tuple(given) if _is_list(given) else (given,)
    if not all(isinstance(each, int) for each in listed):
        raise ConfigurationError(f"statuses is a list of numbers, not {given!r}")
    return frozenset(listed)


def _is_list(given: Any) -> bool:
    return isinstance(given, Iterable) and not isinstance(given, (str, bytes))


def _memoized(function: Callable[..., Any]) -> Memoized:
    memoized = getattr(function, "kcache_memoized", None)
    if memoized is None:
        raise TypeError(f"{function!r} is not memoized: give the decorated function itself")
    found: Memoized = memoized
    return found
