"""How long a computed value is good for, and who computes it again: the options of fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf, log
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, TypedDict

from kcache.errors import ConfigurationError
from kcache.ttl import Ttl, seconds

__all__ = ["BACKGROUND", "FillOptions", "Policy", "Refresh", "Task", "policy_of"]


@dataclass(frozen=True, eq=False)
class Task:
    """A value that is to be computed again. To call it does that, in this process.

    It goes to no other process. What goes there is `names` and `key`, or the arguments of a
    memoized function, whose `refresh` then does it there.

    Attributes:
        names: the path of the namespace; empty for plain keys.
        key: of the entry.
        args: of the call of a memoized function, the instance or class of a method first; empty
            for a factory of `get_or_set`, which has none.
        kwargs: of that call, those that were given by name.
    """

    names: tuple[str | bytes, ...]
    key: str | bytes
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    _renew: Callable[[], object] = field(repr=False)

    def __call__(self) -> None:
        """Compute the value, unless that has been done since, or somebody else does."""
        self._renew()

    def __reduce__(self) -> str:
        raise TypeError(
            "a task of a refresh stays in its process; send its names and key, or its args and "
            "kwargs, and call refresh of the memoized function, or refill, there"
        )


Refresh: TypeAlias = Literal["caller", "thread"] | Callable[[Task], object]
"""Who computes a value again that is still served: the caller that finds it old; a thread in the
background; or whoever this function gives the task to, such as a queue."""
BACKGROUND: Final = "thread"


class FillOptions(TypedDict, total=False):
    """The options of `get_or_set` and `memoize`; see `Policy`."""

    stale_ttl: Ttl
    stale_on_error: Ttl
    early: float
    lock_ttl: Ttl
    wait: Ttl
    jitter: float
    errors: Mapping[Any, Ttl]
    refresh: Refresh


@dataclass(frozen=True)
class Policy:
    """The options of a fill, checked. Times are in seconds.

    Attributes:
        stale_ttl: how long beyond its ttl a value is served while one caller computes it again.
        stale_on_error: how long beyond its ttl a value is served if it cannot be computed again.
        early: how eagerly a value is computed again before its ttl is over, so that nobody has to
            wait then; 1 is what XFetch recommends, 0 is never.
        lock_ttl: how long a computation may take. After that another caller begins one, and what
            the first one gives is not stored.
        wait: how long a caller waits for another one that computes. Then it computes, too.
        jitter: up to this share of the ttl is taken off at random, so that what was stored at the
            same time does not end at the same time.
        errors: for exceptions that are kept in the place of a value, how long each is.
        refresh: who computes a value again that is still served.
    """

    stale_ttl: float = 0.0
    stale_on_error: float = 0.0
    early: float = 0.0
    lock_ttl: float = 30.0
    wait: float = 10.0
    jitter: float = 0.0
    errors: Mapping[type[Exception], float] = field(default_factory=lambda: MappingProxyType({}))
    refresh: Refresh = BACKGROUND

    @property
    def keeps(self) -> float:
        """Seconds beyond its ttl that a value is kept."""
        return max(self.stale_ttl, self.stale_on_error)

    @property
    def is_dated(self) -> bool:
        """Whether the age of values matters."""
        return bool(self.keeps or self.early)

    @property
    def is_simple(self) -> bool:
        """Whether an entry is a value, and good for as long as it is there."""
        return not (self.keeps or self.early or self.errors)

    def shortened(self, ttl: float | None, chance: float) -> float | None:
        """A ttl with jitter.

        Args:
            ttl: in seconds; None for no end.
            chance: at random, from 0 up to 1.
        """
        return ttl if ttl is None or not self.jitter else ttl * (1 - self.jitter * chance)

    def is_due(self, fresh_until: float, seconds: float, now: float, chance: float) -> bool:
        """Whether to compute a value again, though its ttl is not over: XFetch.

        The longer a computation took, and the nearer the end, the likelier. So of many callers one
        is likely to do it shortly before the end.

        Args:
            fresh_until: when it becomes stale.
            seconds: that it took to compute it.
            now: on the same clock.
            chance: at random, from 0 up to 1.

        Source: Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention,
        VLDB 2015.
        """
        if not self.early:
            return False
        return now - self.early * seconds * log(1.0 - chance) >= fresh_until

    def error_ttl(self, error: BaseException) -> float | None:
        """How long an exception is kept; None if it is not."""
        return next((ttl for kind, ttl in self.errors.items() if isinstance(error, kind)), None)


DEFAULT = Policy()


def policy_of(options: FillOptions) -> Policy:
    """Check options.

    Raises:
        ConfigurationError: one is unknown, of another type, or out of range.
    """
    if not options:
        return DEFAULT
    try:
        # To check takes longer than a hit in memory.
        return _remembered(tuple((name, type(value), value) for name, value in options.items()))
    except TypeError:
        # One cannot be hashed.
        return _checked(options)


@lru_cache(256)
def _remembered(options: tuple[tuple[str, type, Any], ...]) -> Policy:
    # Of what type they are is a part of the question: True is equal to 1.
    return _checked({name: value for name, _, value in options})


def _checked(options: Mapping[str, Any]) -> Policy:
    unknown = options.keys() - FillOptions.__annotations__.keys()
    if unknown:
        raise ConfigurationError(
            f"unknown option {', '.join(sorted(unknown))}; there are "
            f"{', '.join(FillOptions.__annotations__)}"
        )
    checked: dict[str, Any] = {name: _CHECKS[name](name, value) for name, value in options.items()}
    return Policy(**checked)


def _time(name: str, value: Any) -> float:
    try:
        life = None if value is None else seconds(value)
    except (TypeError, ConfigurationError):
        life = None
    if life is None or not 0 <= life < inf:
        raise ConfigurationError(f"{name} is a number of seconds from 0 on, not {value!r}")
    return life


def _above_zero(name: str, value: Any) -> float:
    life = _time(name, value)
    if not life:
        raise ConfigurationError(f"{name} is a number of seconds above 0, not {value!r}")
    return life


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < inf:
        raise ConfigurationError(f"{name} is a number from 0 on, not {value!r}")
    return float(value)


def _share(name: str, value: Any) -> float:
    if _number(name, value) > 1:
        raise ConfigurationError(f"{name} is a share of the ttl, from 0 to 1, not {value!r}")
    return float(value)


def _errors(name: str, value: Any) -> Mapping[type[Exception], float]:
    is_right = isinstance(value, Mapping) and all(
        isinstance(kind, type) and issubclass(kind, Exception) for kind in value
    )
    if not is_right:
        raise ConfigurationError(
            f"{name} is a dict from types of exceptions to seconds, not {value!r}"
        )
    return MappingProxyType({kind: _above_zero(name, ttl) for kind, ttl in value.items()})


def _refresh(name: str, value: Any) -> Refresh:
    if value in ("caller", "thread") or callable(value):
        refresh: Refresh = value
        return refresh
    raise ConfigurationError(
        f"{name} is 'caller', 'thread', or a function that a task is given to, not {value!r}"
    )


_CHECKS: Mapping[str, Callable[[str, Any], Any]] = MappingProxyType(
    {
        "stale_ttl": _time,
        "stale_on_error": _time,
        "early": _number,
        "lock_ttl": _above_zero,
        "wait": _time,
        "jitter": _share,
        "errors": _errors,
        "refresh": _refresh,
    }
)
