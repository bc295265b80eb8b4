"""Timeouts in the words of Flask-Caching."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias

from kcache import ConfigurationError

__all__ = ["Timeout", "seconds_of"]

Timeout: TypeAlias = int | float | timedelta | str | None
"""Seconds; 0 and -1 are never; None is the default."""


def seconds_of(timeout: Timeout, default: float | None) -> float | None:
    """The seconds that an entry lives; None for no end.

    Raises:
        ConfigurationError: it is none.

    Example:
        >>> seconds_of(60, 300), seconds_of(None, 300), seconds_of(0, 300)
        (60.0, 300, None)
    """
    if timeout is None:
        return default
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    try:
        life = float(timeout)
    except (TypeError, ValueError, OverflowError):
        life = float("nan")
    if life in (0.0, -1.0):
        return None
    if isinstance(timeout, bool) or not life > 0:
        raise ConfigurationError(
            f"timeout is a number of seconds, a timedelta, None for the default, or 0 for no end, "
            f"not {timeout!r}"
        )
    return life
