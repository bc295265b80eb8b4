"""What can be wrong with a function that is `cached` and no view, or `memoize`d."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from kcache_flask.doctor_reading import of_user
from kcache_flask.doctor_views import ROUTES, steps_of
from kcache_flask.findings import ERROR, WARNING, Finding
from kcache_flask.role import endpoints_of
from kcache_flask.source import Source, source_of

if TYPE_CHECKING:
    from kcache_flask.cached_view import Cached
    from kcache_flask.memoize import Memoized
    from kcache_flask.state import State

__all__ = ["cached_findings", "memoized_findings"]

_OF_PATH = frozenset({"path", "full_path", "url_rule", "endpoint", "view_args"})


def cached_findings(state: State, cached: Cached) -> Iterator[Finding]:
    """What is wrong with a function that no endpoint leads to."""
    steps = steps_of(cached.function)
    passed_by = sorted({name for step in steps for name in endpoints_of(state.app, step)})
    if passed_by:
        yield Finding(
            ERROR,
            "above-route",
            "@cached is above the route, which has registered the function below it: the cache is "
            "never asked",
            "put @cached below the route",
            endpoint=", ".join(passed_by),
        )
        return
    source = source_of(cached.function)
    if ROUTES & {*source.decorators}:
        # A view of another app, or of a blueprint that this one does not have.
        return
    key = cached.key
    if key.make_cache_key is not None or callable(key.key_prefix):
        return
    yield from _arguments(cached)
    if key.is_of_path:
        yield Finding(
            WARNING,
            "path-key",
            f"it is no view of this app, and its key {key.key_prefix!r} is the path of whatever "
            "request calls it: there is an entry for each, in the place of that of the view",
            "give it a key_prefix= of its own, without %s, or memoize it",
        )
    if used := _of_request(source, skips_path=key.is_of_path):
        yield _asks(used)


def _arguments(cached: Cached) -> Iterator[Finding]:
    try:
        names = [*inspect.signature(cached.function).parameters]
    except (TypeError, ValueError):
        return
    if names:
        yield Finding(
            ERROR,
            "arguments",
            f"it takes {', '.join(names)}, of which its key {cached.key.key_prefix!r} says "
            "nothing: whatever they are, the first result is given",
            "use @cache.memoize, whose keys have the arguments",
        )


def memoized_findings(state: State, memoized: Memoized) -> Iterator[Finding]:
    """What is wrong with a memoized function."""
    source = source_of(memoized.function)
    endpoints = endpoints_of(state.app, memoized.wrapper)
    if endpoints:
        yield Finding(
            ERROR,
            "memoized-view",
            "@memoize is for functions: answers of a view are kept whatever their method, query, "
            "host, and user",
            "use @cache.cached",
            endpoint=", ".join(endpoints),
        )
    elif used := _of_request(source, skips_path=False):
        yield _asks(used)
    kind = _class_of(memoized.function) if memoized.is_by_instance else None
    if kind is not None and not _is_known(kind):
        yield Finding(
            WARNING,
            "identity",
            f"{kind.__qualname__} does not say what identifies its objects: results are kept for "
            "one object of one process only, and each new one begins with nothing",
            f"give {kind.__qualname__} a __cache_key__, or args_to_ignore=['self']",
        )


def _asks(used: str) -> Finding:
    return Finding(
        ERROR,
        "request",
        f"it uses {used}, which is not part of its key: what was made in one request is given in "
        "others",
        "hand it in as an argument of a memoized function",
    )


def _of_request(source: Source, *, skips_path: bool) -> str:
    """What a function takes from the request."""
    used = [
        f"request.{name}"
        for name in sorted(source.request)
        if not (skips_path and name in _OF_PATH)
    ]
    used += ["session"] if source.uses_session else []
    return ", ".join(used + of_user(source))


def _class_of(function: Callable[..., Any]) -> type | None:
    """The class that a method is written in; None where it cannot be found by its name."""
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split(".")[:-1]:
        found = vars(found).get(name) if hasattr(found, "__dict__") else None
    return found if isinstance(found, type) else None


def _is_known(kind: type) -> bool:
    own: Mapping[str, Any] = {
        name: value for each in kind.__mro__ for name, value in vars(each).items()
    }
    has_name = "__caching_id__" in own or "__cache_key__" in own
    return has_name or issubclass(kind, Enum) or is_dataclass(kind)
