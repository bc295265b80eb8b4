"""What a proxy does to the bytes that pass, and how threads learn that it has changed."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["HOLD", "PASS", "Direction", "Rule", "Rules"]


class Direction(enum.Enum):
    """Which way bytes go."""

    REQUESTS = "to the server"
    REPLIES = "to the client"


@dataclass(frozen=True)
class Rule:
    """What happens to the bytes of one direction.

    Args:
        delay: seconds that each piece waits before it is passed on.
        hold: nothing passes until the next switch, then all of it does: so does a network that
            loses packets and heals, since TCP sends them again. After `Proxy.reset`, nothing.
        limit: how many bytes of each connection pass from the switch on; then it ends.
        reset: whether it ends by a reset instead of an orderly close.
    """

    delay: float = 0.0
    hold: bool = False
    limit: int | None = None
    reset: bool = False


PASS = Rule()
HOLD = Rule(hold=True)


class Rules:
    """The rules in force."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rules = {Direction.REQUESTS: PASS, Direction.REPLIES: PASS}
        self._turn = 0

    def switch(self, requests: Rule, replies: Rule) -> None:
        with self._changed:
            self._rules = {Direction.REQUESTS: requests, Direction.REPLIES: replies}
            self._turn += 1
            self._changed.notify_all()

    def wake(self) -> None:
        """Make those who are held look whether they still have to be."""
        with self._changed:
            self._changed.notify_all()

    def await_passage(
        self, direction: Direction, has_ended: Callable[[], bool]
    ) -> tuple[Rule, int]:
        """Wait while bytes are held; the rule for them, and the number of its switch.

        Raises:
            ConnectionAbortedError: the connection has ended meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: has_ended() or not self._rules[direction].hold)
            if has_ended():
                raise ConnectionAbortedError("ended while its bytes were held")
            return self._rules[direction], self._turn
