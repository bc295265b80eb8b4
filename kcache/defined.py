"""Which function has which namespace: two that have one share what they must not."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from types import CodeType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from kcache.canonical import canonical
from kcache.errors import ConfigurationError, EncodeError, SameNameWarning

__all__ = ["check_name", "name_of_function", "register"]


class _Definition(NamedTuple):
    """What tells a function from another one, and not from itself when it is defined again.

    Attributes:
        place: module, qualified name, file.
        code: of the function, and of those in the options; code that is compiled again is equal.
        closed: the text of the variables of its closure that have one, and of the options.
        loaded: of the run of the module that defined it; each reload has another.
    """

    place: tuple[Any, ...]
    code: tuple[CodeType | None, ...]
    closed: tuple[str, ...]
    loaded: object

    def shares_wrongly(self, other: _Definition) -> bool:
        """Whether the two are different functions."""
        if self.place != other.place:
            return True
        if self.code == other.code:
            return self.closed != other.closed
        # Changed code is another function, unless a reload brought it.
        return self.loaded is other.loaded


# None where it has been warned already.
_known: WeakKeyDictionary[object, dict[tuple[Any, ...], _Definition | None]] = WeakKeyDictionary()


def name_of_function(function: Callable[..., Any]) -> str:
    """The module and the qualified name.

    Raises:
        ConfigurationError: it has none.
    """
    name = getattr(function, "__qualname__", None)
    if not name:
        raise ConfigurationError(
            f"cannot memoize a {type(function).__name__} without a name: give it one with name="
        )
    return f"{getattr(function, '__module__', None)}.{name}"


def check_name(name: object) -> None:
    """Check what the user gave as a name.

    Raises:
        ConfigurationError: it is no str.
    """
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"name is a str, not {name!r}")


def register(
    fleet: object,
    path: tuple[Any, ...],
    function: Callable[..., Any],
    options: tuple[Callable[..., Any] | None, Any, Any],
    way_out: str = "name=",
) -> None:
    """Note whose namespace this is, and warn if it was another function's; once for each name.

    Args:
        fleet: that the namespace is on; it is not kept alive.
        path: of the namespace.
        function: that has it.
        options: what has a say in its keys: `key`, `ignore`, `self_key`.
        way_out: the option that gives it another name.
    """
    known = _known.setdefault(fleet, {})
    new = _defined(function, *options)
    old = known.get(path, new)
    if old is None or not old.shares_wrongly(new):
        known[path] = old and new
        return
    known[path] = None
    warnings.warn(
        "two functions are memoized under one name and share their entries, "
        f"{_shown(old)} and {_shown(new)}: give one of them another {way_out}",
        SameNameWarning,
        stacklevel=4,
    )


def _defined(
    function: Callable[..., Any], key: Callable[..., Any] | None, *options: Any
) -> _Definition:
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    return _Definition(
        (
            getattr(inner, "__module__", None),
            getattr(inner, "__qualname__", None),
            None if code is None else code.co_filename,
        ),
        (code, getattr(key, "__code__", None)),
        (*map(_text, getattr(inner, "__closure__", None) or ()), canonical(options)),
        getattr(inner, "__globals__", {}).get("__spec__"),
    )


def _text(cell: Any) -> str:
    """The variable of a closure. What is made anew each time, such as functions, has no text."""
    try:
        return canonical(cell.cell_contents)
    except (ValueError, EncodeError, RecursionError):
        return ""


def _shown(definition: _Definition) -> str:
    module, name, file = definition.place
    code = definition.code[0]
    return f"{module}.{name}" if code is None else f"{module}.{name} ({file}:{code.co_firstlineno})"
