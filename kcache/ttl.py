"""The life of entries: what the user says, in seconds."""

from __future__ import annotations

from datetime import timedelta
from math import inf

from kcache.errors import ConfigurationError

__all__ = ["Ttl", "seconds"]

Ttl = int | float | timedelta | None
"""How long an entry lives: seconds, a timedelta, or None for no end."""

# More than any node can count. An int may be beyond what a float can be, and sums of both fail.
_LONGEST = 10**15


def seconds(ttl: Ttl) -> float | None:
    """A ttl in seconds; None for no end.

    Raises:
        ConfigurationError: it is no ttl.

    Example:
        >>> seconds(5), seconds(timedelta(minutes=1)), seconds(None), seconds(float("inf"))
        (5, 60.0, None, None)
    """
    if ttl is None or (type(ttl) is int and ttl < _LONGEST):
        return ttl
    if isinstance(ttl, timedelta):
        return ttl.total_seconds()
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or ttl != min(ttl, inf):
        raise ConfigurationError(
            f"a ttl is seconds (int or float), a timedelta, or None for no end; not {ttl!r}"
        )
    return None if ttl == inf else min(ttl, _LONGEST)
