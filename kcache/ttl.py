"""The life of entries: what the user says, in seconds."""

from __future__ import annotations

from datetime import timedelta
from math import inf, isnan

from kcache.errors import ConfigurationError

__all__ = ["Ttl", "seconds"]

Ttl = int | float | timedelta | None
"""How long an entry lives: seconds, a timedelta, or None for no end."""


def seconds(ttl: Ttl) -> float | None:
    """A ttl in seconds; None for no end.

    Raises:
        ConfigurationError: it is no ttl.

    Example:
        >>> seconds(5), seconds(timedelta(minutes=1)), seconds(None), seconds(float("inf"))
        (5, 60.0, None, None)
    """
    kind = type(ttl)
    if kind is int or ttl is None:
        return ttl  # type: ignore[return-value]  # mypy does not narrow by type(ttl)
    if isinstance(ttl, timedelta):
        return ttl.total_seconds()
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or isnan(ttl):
        raise ConfigurationError(
            f"a ttl is seconds (int or float), a timedelta, or None for no end; not {ttl!r}"
        )
    return None if ttl == inf else ttl
