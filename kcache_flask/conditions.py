"""The functions that users give to the decorators, called as Flask-Caching calls them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from kcache import ConfigurationError

__all__ = ["Conditions", "joined_if_generator"]


class Conditions:
    """When to go past the cache, when to compute anew, and what to keep. All judge by truth.

    Args:
        unless: whether to leave the cache out; called with the function and the arguments of the
            call, or with nothing if it takes nothing.
        forced_update: whether to compute, whatever is kept; called with the arguments, or nothing.
        is_stale: whether what was found is too old; called with it, and with the arguments if it
            takes more.
        response_filter: whether to keep a result; called with it.
    """

    def __init__(
        self,
        unless: Callable[..., Any] | None,
        forced_update: Callable[..., Any] | None,
        is_stale: Callable[..., Any] | None,
        response_filter: Callable[..., Any] | None,
    ) -> None:
        self._unless = unless
        self._forced_update = forced_update
        self._is_stale = is_stale
        self._response_filter = response_filter
        self._unless_takes = _count(unless) > 0
        self._forced_takes = _count(forced_update) > 0
        self._stale_takes = _count(is_stale) > 1
        self.always_apply = unless is None and forced_update is None
        """Whether the first two have nothing to say."""
        given = (unless, forced_update, is_stale, response_filter)
        self.has_any = any(each is not None for each in given)
        """Whether there is any."""
        for each in given:
            if each is not None and not callable(each):
                raise ConfigurationError(
                    "unless, forced_update, is_stale and response_filter are functions, "
                    f"not {each!r}"
                )

    def leaves_out(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bool:
        """What `unless` says."""
        if self._unless is None:
            return False
        if self._unless_takes:
            return bool(self._unless(function, *args, **kwargs))
        return bool(self._unless())

    def forces(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """What `forced_update` says."""
        if self._forced_update is None:
            return False
        if self._forced_takes:
            return bool(self._forced_update(*args, **kwargs))
        return bool(self._forced_update())

    @property
    def judges_age(self) -> bool:
        """Whether there is an `is_stale`."""
        return self._is_stale is not None

    def is_stale(self, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """What `is_stale` says."""
        if self._is_stale is None:
            return False
        if self._stale_takes:
            return bool(self._is_stale(value, *args, **kwargs))
        return bool(self._is_stale(value))

    def keeps(self, result: Any) -> bool:
        """What `response_filter` says."""
        return self._response_filter is None or bool(self._response_filter(result))


def joined_if_generator(result: Any, *, mixed: bool = False) -> Any:
    """What a generator yields, which can be had but once: texts or bytes joined, else a list.

    Args:
        result: of a function; anything else stays as it is.
        mixed: whether texts and bytes are joined to bytes, as in a response.
    """
    if not inspect.isgenerator(result):
        return result
    parts: list[Any] = list(result)
    if all(isinstance(part, str) for part in parts):
        return "".join(parts)
    if all(isinstance(part, bytes) for part in parts):
        return b"".join(parts)
    if mixed and all(isinstance(part, (str, bytes)) for part in parts):
        return b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    return parts


def _count(function: Callable[..., Any] | None) -> int:
    """How many positional arguments a function takes."""
    return sum(1 for _ in _positional(function)) if function is not None else 0


def _positional(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return
    for each in parameters:
        if each.kind is not inspect.Parameter.KEYWORD_ONLY:
            yield each
            if each.kind is inspect.Parameter.VAR_POSITIONAL:
                # It takes any number.
                yield each
