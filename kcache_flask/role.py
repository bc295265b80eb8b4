"""What a decorated function is to the request: its view, a part of the view, or neither."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from flask import Flask
from flask.views import MethodView

__all__ = ["Role", "endpoints_of", "role_of"]

_DEEPEST = 50


class Role(Enum):
    """Of a decorated function in a request."""

    VIEW = "view"
    """What it gives is made into the response."""
    WITHIN = "within"
    """Other decorators are around it, and have a say in the response."""
    UNKNOWN = "unknown"
    """It is called by the view, or is behind a decorator that does not say what it wraps."""
    NONE = "none"
    """There is no request that a view answers."""


def role_of(view: Callable[..., Any] | None, function: Callable[..., Any]) -> Role:
    """The role of a function where a view function answers.

    Decorators are seen through that say what they wrap, as `functools.wraps` does.

    Args:
        view: the function of the endpoint; None for none.
        function: the decorated function.
    """
    if view is None:
        return Role.NONE
    if getattr(view, "__func__", view) is function:
        return Role.VIEW
    kind = getattr(view, "view_class", None)
    if kind is not None and not hasattr(view, "__wrapped__") and _answers(kind, function):
        return Role.VIEW
    return Role.WITHIN if _leads_to(view, function) else Role.UNKNOWN


def endpoints_of(app: Flask, function: Callable[..., Any]) -> list[str]:
    """The endpoints that a decorated function answers."""
    known = (Role.VIEW, Role.WITHIN)
    views = app.view_functions.items()
    return [endpoint for endpoint, view in views if role_of(view, function) in known]


def _answers(kind: type, function: Callable[..., Any]) -> bool:
    """Whether nothing is between a method of a view class and the response."""
    if kind.dispatch_request is function:  # type: ignore[attr-defined]
        return True
    if kind.dispatch_request is not MethodView.dispatch_request:  # type: ignore[attr-defined]
        return False
    return any(method is function for method in _methods_of(kind))


def _leads_to(view: Any, function: Callable[..., Any]) -> bool:
    kind = getattr(view, "view_class", None)
    starts = [view, *_methods_of(kind)] if kind is not None else [view]
    return any(step is function for start in starts for step in _chain(start))


def _chain(start: Any) -> Iterator[Any]:
    """A function, what it wraps, what that wraps, and so on."""
    step = start
    for _ in range(_DEEPEST):
        if step is None:
            return
        yield step
        if isinstance(step, functools.partial):
            step = step.func
        else:
            # Of a bound method the function comes first: it is that which wraps.
            step = getattr(step, "__func__", None) or getattr(step, "__wrapped__", None)


def _methods_of(kind: type) -> list[Any]:
    """What of a view class answers requests."""
    names = {
        "dispatch_request",
        *(method.lower() for method in getattr(kind, "methods", None) or ()),
    }
    return [found for name in names if (found := getattr(kind, name, None)) is not None]
