"""Exceptions that are kept in the place of a value: by their name and arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["failure_of", "raised_by"]


def failure_of(error: Exception) -> tuple[str, tuple[Any, ...]]:
    """What is kept of an exception."""
    return _name_of(type(error)), error.args


def raised_by(failure: Any, kinds: Iterable[type[Exception]]) -> Exception | None:
    """The exception that was kept; None if it is none of these kinds, or cannot be made again.

    Only classes that the caller names, and those derived from them, are made: bytes from a node
    never say which code is run.
    """
    match failure:
        case (str() as name, tuple() as arguments):
            for kind in _and_derived(kinds):
                if _name_of(kind) == name:
                    return _made(kind, arguments)
    return None


def _made(kind: type[Exception], arguments: tuple[Any, ...]) -> Exception | None:
    try:
        made = kind(*arguments)
    except Exception:  # noqa: BLE001 - whatever a class of the user does: it cannot be made
        return None
    # A class that changes its arguments would be another exception each time.
    return made if made.args == arguments else None


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _and_derived(kinds: Iterable[type[Exception]]) -> Iterator[type[Exception]]:
    for kind in kinds:
        yield kind
        yield from _and_derived(kind.__subclasses__())
