"""What a decorated function is to the request: its view, a part of the view, or neither."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from flask import Flask

__all__ = ["Role", "endpoint_of", "role_of"]

_DEEPEST = 50


class Role(Enum):
    """Of a decorated function in a request."""

    VIEW = "view"
    """What it gives is made into the response."""
    WITHIN = "within"
    """Other decorators are around it, and have a say in the response."""
    NONE = "none"
    """It is called by the view, or there is no request."""


def role_of(view: Callable[..., Any] | None, function: Callable[..., Any]) -> Role:
    """The role of a function where a view function answers.

    Decorators are seen through that say what they wrap, as `functools.wraps` does.

    Args:
        view: the function of the endpoint; None for none.
        function: the decorated function.
    """
    if view is function:
        return Role.VIEW
    kind = getattr(view, "view_class", None)
    if kind is not None and not getattr(kind, "decorators", None):
        methods = _methods_of(kind)
        if any(method is function for method in methods):
            return Role.VIEW
    return Role.WITHIN if _leads_to(view, function) else Role.NONE


def endpoint_of(app: Flask, function: Callable[..., Any]) -> str | None:
    """The endpoint that a decorated function answers; None if there is none."""
    return next(
        (
            endpoint
            for endpoint, view in app.view_functions.items()
            if role_of(view, function) is not Role.NONE
        ),
        None,
    )


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
            step = getattr(step, "__wrapped__", None) or getattr(step, "__func__", None)


def _methods_of(kind: type) -> list[Any]:
    """What of a view class answers requests."""
    names = {
        "dispatch_request",
        *(method.lower() for method in getattr(kind, "methods", None) or ()),
    }
    return [found for name in names if (found := getattr(kind, name, None)) is not None]
