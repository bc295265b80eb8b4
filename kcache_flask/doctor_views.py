"""What can be wrong with a view that is `cached`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from werkzeug.routing import Rule

from kcache_flask.doctor_reading import reading_findings
from kcache_flask.findings import ERROR, NOTE, WARNING, Finding, Level, listed
from kcache_flask.source import Source, source_of
from kcache_flask.timeouts import seconds_of

if TYPE_CHECKING:
    from kcache_flask.cached_view import Cached
    from kcache_flask.state import State

__all__ = ["ROUTES", "Case", "steps_of", "view_findings"]

ROUTES: Final = frozenset({"route", "get", "post", "put", "patch", "delete"})
"""What registers a function as a view, as decorators."""

_CHECKS: Final = re.compile(
    r"log_?in|logged|auth|permission|permit|role|admin|jwt|token|oidc|protect|acl|access|member"
    r"|signed_?in|require|verified|staff|restrict|guard|identity|principal",
    re.IGNORECASE,
)
_NO_CHECKS: Final = ROUTES | {"cached", "memoize", "exempt", "wraps", "staticmethod", "classmethod"}
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_THIS_PACKAGE: Final = __name__.partition(".")[0]


@dataclass(frozen=True)
class Case:
    """A decorated view.

    Attributes:
        state: of the app.
        cached: the decorated function.
        endpoint: that it answers.
        rules: of that endpoint.
        methods: that it answers.
        kind: the class that is decorated as a whole; None for a function, or a method.
    """

    state: State
    cached: Cached
    endpoint: str
    rules: tuple[Rule, ...]
    methods: frozenset[str]
    kind: type | None


def view_findings(view: Case) -> Iterator[Finding]:
    """What is wrong with a view."""
    cached = view.cached
    yield from _methods(view)
    yield from _key(view)
    yield from _life(view)
    handlers = list(_handlers(view))
    for source in handlers:
        yield from reading_findings(view.state.app, cached, source)
    yield from _below(view, [source_of(cached.function), *handlers])


def _handlers(view: Case) -> Iterator[Source]:
    """The sources of what answers: of a class that is decorated as a whole, its methods."""
    if view.kind is None:
        yield source_of(view.cached.function)
        return
    methods = view.cached.rules.methods
    for name in ("dispatch_request", *(method.lower() for method in sorted(methods))):
        handler = vars(view.kind).get(name)
        if inspect.isfunction(handler):
            yield source_of(handler)


def _methods(view: Case) -> Iterator[Finding]:
    kept = view.cached.rules.methods
    if view.methods and not view.methods & kept:
        yield Finding(
            WARNING,
            "never-kept",
            f"it answers {listed(view.methods - {'OPTIONS'})}, and answers to {listed(kept)} are "
            "kept: the cache does nothing here",
            "take the decorator away, or say methods=",
        )
    elif others := view.methods - kept - _READS:
        yield Finding(
            NOTE,
            "methods",
            f"it answers {listed(others)}, too: the view runs for these each time",
            "nothing, if that is what you want; a view for each method says it more clearly",
        )
    if (unsafe := kept - _READS) and view.cached.key.make_cache_key is None:
        yield Finding(
            ERROR,
            "body",
            f"answers to {listed(unsafe)} are kept, and the body of the request is not part of "
            "the key: one sender gets the answer to another",
            "give make_cache_key= that takes the body into account, or leave methods= as it is",
        )


def _key(view: Case) -> Iterator[Finding]:
    key = view.cached.key
    variables = sorted({name for rule in view.rules for name in rule.arguments})
    if key.make_cache_key is None and isinstance(key.key_prefix, str) and not key.is_of_path:
        if variables:
            yield Finding(
                ERROR,
                "literal-key",
                f"its key is {key.key_prefix!r} for every {listed(variables)}: all of them get "
                "the page that was asked for first",
                'put %s, for the path, into key_prefix=, as in "view/%s"',
            )
        elif len(view.rules) > 1:
            yield Finding(
                NOTE,
                "literal-key",
                f"its key is {key.key_prefix!r} for all of its {len(view.rules)} routes",
                "put %s, for the path, into key_prefix= if they are not one page",
            )


def _life(view: Case) -> Iterator[Finding]:
    if _is_for_ever(view) and not view.cached.options.names:
        yield Finding(
            NOTE,
            "no-end",
            "it is kept without end, and in no namespace: only delete_cached and clear drop it",
            'give it a namespace="...", which can be invalidated, or a timeout',
        )


def _is_for_ever(view: Case) -> bool:
    return seconds_of(view.cached.timeout, view.state.default_ttl) is None


def _below(view: Case, sources: Iterable[Source]) -> Iterator[Finding]:
    """Decorators between the cache and the view: they do not run when the cache answers."""
    names = _names_below(view.cached, sources)
    always = view.cached.options.conditions.always_apply
    for name in names:
        is_check = _CHECKS.search(name) is not None
        level: Level = NOTE if not is_check else ERROR if always else WARNING
        yield Finding(
            level,
            "check-skipped" if is_check else "below",
            f"@{name} is below @cached, so it does not run when the cache answers"
            + (": whoever asks gets the page, unchecked" if is_check else ""),
            f"put @cached below @{name}"
            + ("" if is_check else ", if it has to run for every request"),
        )


def _names_below(cached: Cached, sources: Iterable[Source]) -> list[str]:
    for source in sources:
        if "cached" in source.decorators:
            names = source.decorators[source.decorators.index("cached") + 1 :]
            break
    else:
        names = tuple(_wrapping(cached.function))
    return [name for name in dict.fromkeys(names) if name not in _NO_CHECKS]


def _wrapping(function: Callable[..., Any]) -> Iterator[str]:
    """The names of the decorators around a function, from where their wrappers are written."""
    for step in steps_of(function):
        code = getattr(step, "__code__", None)
        module = f"{getattr(step, '__globals__', {}).get('__name__')}"
        if code is None or module.partition(".")[0] == _THIS_PACKAGE:
            continue
        name = _maker(code.co_qualname)
        # Some do not say what they wrap; then it is for the name to say what they are.
        if hasattr(step, "__wrapped__") or (_CHECKS.search(name) and _passes_on(step)):
            yield name


def steps_of(function: Callable[..., Any]) -> Iterator[Any]:
    """A function, what it wraps, and so on."""
    step: Any = function
    while step is not None:
        yield step
        step = getattr(step, "__wrapped__", None)


def _passes_on(function: FunctionType) -> bool:
    """Whether it takes whatever arguments there are, as wrappers do."""
    kinds = {each.kind for each in inspect.signature(function).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def _maker(wrapper: str) -> str:
    """The decorator that made a wrapper: of `Auth.required.<locals>.inner` it is `required`."""
    *makers, _ = wrapper.replace(".__call__", "").split(".<locals>.")
    names = [maker.rpartition(".")[2] for maker in makers]
    # Around it may be the function that makes the app.
    return next(filter(_CHECKS.search, names), names[-1] if names else "")
