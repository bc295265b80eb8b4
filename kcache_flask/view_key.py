"""The key of a `cached` call: what names the resource, in a request and outside of one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from flask import has_request_context, request
from werkzeug.datastructures import MultiDict
from werkzeug.routing import BuildError

from kcache import ConfigurationError, InvalidKey
from kcache_flask.role import endpoints_of

if TYPE_CHECKING:
    from flask import Flask

    from kcache_flask.state import State

__all__ = [
    "IgnoreQuery",
    "QueryArgs",
    "QueryString",
    "ViewKey",
    "checked",
    "checked_prefix",
    "checked_query",
    "ignore_query",
    "of_method",
    "source_of",
]

Pairs: TypeAlias = Iterable[tuple[str, str]]
QueryArgs: TypeAlias = str | Mapping[str, Any] | Iterable[tuple[str, Any]]
"""A query: as text, as a mapping, or as pairs."""


@dataclass(frozen=True)
class IgnoreQuery:
    """Parameters of the query that make no difference, as patterns."""

    patterns: tuple[str, ...]


QueryString: TypeAlias = bool | Iterable[str] | IgnoreQuery
"""Whether the query counts; or the names of those parameters that do; or of those that do not."""


def ignore_query(*patterns: str) -> IgnoreQuery:
    """For `query_string=`: all parameters count but these.

    Args:
        *patterns: names, in which `*` stands for anything.

    Example:
        >>> ignore_query("utm_*", "fbclid")
        IgnoreQuery(patterns=('utm_*', 'fbclid'))
    """
    return IgnoreQuery(patterns)


@dataclass(frozen=True, eq=False)
class ViewKey:
    """Makes the keys of a decorated function.

    Attributes:
        function: that is decorated.
        key_prefix: a text, in which %s stands for the path; or a function that gives the key.
        query_string: whether the query counts.
        hash_method: of the query and the source; None for that of the app.
        source_check: whether the function's source counts; None for what the app says.
        make_cache_key: of the user, instead of all that; None for none.
    """

    function: Callable[..., Any]
    key_prefix: str | Callable[[], str]
    query_string: QueryString
    hash_method: Callable[..., Any] | None
    source_check: bool | None
    make_cache_key: Callable[..., Any] | None

    @property
    def is_of_path(self) -> bool:
        """Whether the path of the request is a part of the key."""
        prefix = self.key_prefix
        return self.make_cache_key is None and isinstance(prefix, str) and "%s" in prefix

    def of_call(self, state: State, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The key of a call that is made now.

        Raises:
            RuntimeError: the path is a part of it, and there is no request.
            InvalidKey: the user's function gave no text.
        """
        if self.make_cache_key is not None:
            return checked(self.make_cache_key(*args, **kwargs))
        path = request.path if self.is_of_path else ""
        return self._text(state, path, None)

    def of(
        self,
        state: State,
        wrapper: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list[str]:
        """The keys of any call, one for each path that it has; at least one.

        Args:
            state: of the app.
            wrapper: the decorated function.
            args: of the function.
            kwargs: of the function; `path` and `query_args` say which request, without one.
        """
        named = dict(kwargs)
        path, query = self._path_in(named), named.pop("query_args", None)
        named = {**dict(zip(self._names(), args, strict=False)), **named}
        if self.make_cache_key is not None:
            return [self._own(state.app, wrapper, (path, query), named)]
        if path is not None or not self.is_of_path:
            return [self._text(state, path or "", query)]
        return [
            self._text(state, each, built if query is None and built else query)
            for each, built in self._places_of(state.app, wrapper, named)
        ]

    def _path_in(self, named: dict[str, Any]) -> str | None:
        """The `path` of a request, taken out; an argument of the view may have this name, too."""
        path = named.get("path")
        if not isinstance(path, str) or ("path" in self._names() and not path.startswith("/")):
            return None
        del named["path"]
        return path

    def _own(
        self,
        app: Flask,
        wrapper: Callable[..., Any],
        place: tuple[str | None, QueryArgs | None],
        named: dict[str, Any],
    ) -> str:
        """What the user's function gives: in this request, or in one like that which is named."""
        path, query = place
        is_here = path is None and query is None and has_request_context()
        if path is None and not is_here and endpoints_of(app, wrapper):
            path = self._places_of(app, wrapper, named)[0][0]
        if path is None:
            return self._made(named)
        pairs = MultiDict(_pairs_of(query)) if query is not None else None
        with app.test_request_context(path, query_string=pairs):
            return self._made(named or dict(request.view_args or {}))

    def _made(self, named: dict[str, Any]) -> str:
        make = self.make_cache_key
        if make is None:
            raise ConfigurationError("there is no make_cache_key")
        # As a method of nobody: who calls it from outside has no instance.
        is_method = next(iter(inspect.signature(self.function).parameters), "") == "self"
        takes_nothing = not inspect.signature(make).parameters
        if takes_nothing:
            return checked(make())
        return checked(make(None, **named) if is_method else make(**named))

    def _places_of(
        self, app: Flask, wrapper: Callable[..., Any], named: dict[str, Any]
    ) -> list[tuple[str, str]]:
        """The paths of a call, and their queries, as `url_for` has them.

        Raises:
            BuildError: it has none.
        """
        endpoints = endpoints_of(app, wrapper)
        places = []
        if has_request_context() and named in ({}, request.view_args):
            is_view = request.endpoint in endpoints
            if is_view or (not endpoints and not named):
                places.append((request.path, ""))
            if is_view:
                named = dict(request.view_args or {})
        urls = [urlsplit(url) for each in endpoints for url in _urls(app, each, named)]
        places += [(unquote(url.path), url.query) for url in urls]
        if not places and has_request_context() and not named:
            places.append((request.path, ""))
        if not places:
            raise BuildError(self.function.__name__, named, None)
        return list(dict.fromkeys(places))

    def _text(self, state: State, path: str, query: QueryArgs | None) -> str:
        prefix = self.key_prefix
        text = checked(prefix()) if callable(prefix) else prefix
        key = text % path if self.is_of_path else text
        counts = self.query_string is not False
        source = state.settings.source_check if self.source_check is None else self.source_check
        if not counts and not source:
            return key
        hashed = (self.hash_method or state.settings.hash_method)()
        if counts:
            hashed.update(str(self._counting(query)).encode(errors="surrogatepass"))
        if source:
            hashed.update(source_of(self.function).encode())
        return f"{key}{hashed.hexdigest()}"

    def _counting(self, query: QueryArgs | None) -> tuple[tuple[str, str], ...]:
        """The parameters that count, whatever their order."""
        if query is not None:
            pairs = _pairs_of(query)
        else:
            pairs = list(request.args.items(multi=True)) if has_request_context() else []
        return tuple(sorted(pair for pair in pairs if self._takes(pair[0])))

    def _takes(self, name: str) -> bool:
        chosen = self.query_string
        if isinstance(chosen, bool):
            return chosen
        if isinstance(chosen, IgnoreQuery):
            return not any(fnmatchcase(name, pattern) for pattern in chosen.patterns)
        return name in chosen

    def _names(self) -> list[str]:
        """The parameters that positional arguments of a view are for."""
        single = inspect.Parameter.POSITIONAL_OR_KEYWORD
        names = [
            each.name
            for each in inspect.signature(self.function).parameters.values()
            if each.kind is single
        ]
        return names[1:] if names[:1] == ["self"] else names


def _urls(app: Flask, endpoint: str, named: dict[str, Any]) -> Iterator[str]:
    """The URLs of a call, by each rule of an endpoint that takes these arguments."""
    values = dict(named)
    app.inject_url_defaults(endpoint, values)
    adapter = app.url_map.bind("localhost")
    with suppress(BuildError):
        # It knows which rule is the first choice.
        yield adapter.build(endpoint, values)
    for rule in app.url_map.iter_rules(endpoint):
        built = rule.build(values) if rule.suitable_for(values) else None
        if built is None:
            continue
        yield built[1]
        if not rule.strict_slashes:
            path, mark, query = built[1].partition("?")
            other = path[:-1] if path.endswith("/") else f"{path}/"
            yield f"{other}{mark}{query}"


def source_of(function: Callable[..., Any]) -> str:
    """The source of a function; where there is none to be had, what stands for it."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(inspect.unwrap(function), "__code__", None)
        return f"{code.co_code!r}{code.co_consts!r}" if code is not None else ""


def checked_prefix(prefix: str | Callable[[], str]) -> str | Callable[[], str]:
    """What `key_prefix=` may be.

    Raises:
        ConfigurationError: it is neither, or a text in which more than %s is a format.
    """
    if not prefix or not (isinstance(prefix, str) or callable(prefix)):
        raise ConfigurationError(f"key_prefix is a text, or a function, not {prefix!r}")
    if isinstance(prefix, str) and "%s" in prefix:
        try:
            prefix % "path"
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"key_prefix {prefix!r} has one %s, for the path; any other % is written %%"
            ) from None
    return prefix


def of_method(key: str, method: str) -> str:
    """The key of a method other than GET and HEAD."""
    return f"{key}\x1f{method}"


def checked(key: Any) -> str:
    """A key that a user's function gave.

    Raises:
        InvalidKey: it is no text, or empty.
    """
    if not isinstance(key, str) or not key:
        raise InvalidKey(f"make_cache_key and key_prefix give a text as key, not {key!r}")
    return key


def checked_query(query_string: QueryString) -> QueryString:
    """What `query_string=` may be.

    Raises:
        ConfigurationError: it is a text by itself.
    """
    if isinstance(query_string, str):
        raise ConfigurationError(
            f"query_string is True, False, a list of names, or ignore_query(...), not "
            f"{query_string!r}: give [{query_string!r}]"
        )
    if isinstance(query_string, (bool, IgnoreQuery)):
        return query_string
    return frozenset(query_string)


def _pairs_of(query: QueryArgs) -> list[tuple[str, str]]:
    if isinstance(query, str):
        return parse_qsl(query.lstrip("?"), keep_blank_values=True)
    if isinstance(query, MultiDict):
        return [(name, str(value)) for name, value in query.items(multi=True)]
    pairs = query.items() if isinstance(query, Mapping) else query
    return [
        (name, str(each))
        for name, value in pairs
        for each in (value if isinstance(value, (list, tuple)) else (value,))
    ]
