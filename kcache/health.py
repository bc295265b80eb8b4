"""Whether a node is worth asking: decisions about its health, by plain data and a time.

    up ──late──> suspect ──late again, and again, in a short time──> down
    up, suspect ──failed──> down ──its time has come──> probing ──answered──> up
                              ^──────────silent──────────┘

Nobody but a prober talks to a node that is down. The ring stays as it is: its keys are misses.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kcache.errors import ConfigurationError

__all__ = ["Health", "HealthPolicy", "State"]

_LONGEST = 3600.0


class State(Enum):
    """What a node is taken for."""

    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"
    PROBING = "probing"


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a node.

    Attributes:
        state: what it is taken for.
        strikes: short waits in which it did not answer, while it is suspect.
        since: when the state began, in seconds on a clock that never goes back.
        probes: how often it was asked since it is down.
    """

    state: State = State.UP
    strikes: int = 0
    since: float = 0.0
    probes: int = 0


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """When a node is down, and how soon that is over.

    All of it has a price: a node that is asked often while it is down answers sooner to calls when
    it is back, and gets more of them from every process. It is also where other answers to a node
    that is down than a miss would be chosen; there are none yet.

    Args:
        first_probe: seconds after a failure at which the node is asked for the first time.
        longest_probe: seconds between later ones at most; they grow to twice as much each time.
        patience: seconds that the node has to answer a probe, or the timeout of calls if that is
            more: in a busy process threads are slow, and nobody waits for this one.
        strikes: so many short waits in which a node does not answer are a failure. A call of
            several steps may have little time left for the last of them.
        strike_window: seconds within which they count.

    Raises:
        ConfigurationError: a number that is not above 0, or longer than an hour.

    Example:
        >>> policy = HealthPolicy(first_probe=0.1)
        >>> down = policy.failed(now=10.0)
        >>> down.state, policy.delay(down, spread=1.0)
        (<State.DOWN: 'down'>, 0.1)
    """

    first_probe: float = 0.05
    longest_probe: float = 1.0
    patience: float = 1.0
    strikes: int = 3
    strike_window: float = 10.0

    def __post_init__(self) -> None:
        for name in ("first_probe", "longest_probe", "patience", "strikes", "strike_window"):
            number = getattr(self, name)
            kinds = int if name == "strikes" else (int, float)
            is_number = isinstance(number, kinds) and not isinstance(number, bool)
            if not is_number or not 0 < number <= _LONGEST:
                raise ConfigurationError(
                    f"{name} of a HealthPolicy is a number above 0, up to 3600, not {number!r}"
                )

    def failed(self, now: float) -> Health:
        """The node has not answered in a whole timeout, or its connection is gone."""
        return Health(State.DOWN, since=now)

    def suspected(self, health: Health, now: float) -> Health:
        """The node has not answered in a short time."""
        if health.state in (State.DOWN, State.PROBING):
            return health
        is_old = health.state is State.UP or now - health.since > self.strike_window
        strikes = 1 if is_old else health.strikes + 1
        if strikes >= self.strikes:
            return self.failed(now)
        return Health(State.SUSPECT, strikes, now if is_old else health.since)

    def probing(self, health: Health, now: float) -> Health:
        """The node is asked."""
        return Health(State.PROBING, since=now, probes=health.probes + 1)

    def silent(self, health: Health, now: float) -> Health:
        """It has not answered."""
        return Health(State.DOWN, since=now, probes=health.probes)

    def delay(self, health: Health, spread: float) -> float:
        """Seconds until a node that is down is asked.

        Args:
            health: of the node.
            spread: a number of 0.5 to 1, so that the clients of a node do not all come at once.
        """
        doubled: float = self.first_probe * 2.0 ** min(health.probes, 32)
        return min(doubled, self.longest_probe) * spread
