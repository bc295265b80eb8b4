"""Flights: computations under way in this process, and who waits for them.

A flight has the mark of the lease under which somebody computes, here or in another process. Only
who has read that mark at the key joins it: what comes of it is then no older than that read.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Failed", "Flight", "Flights", "Landed"]


class Landed(NamedTuple):
    """What came of a flight.

    Attributes:
        give: gives each of those who wait a value of its own.
    """

    give: Callable[[], Any]


class Failed(NamedTuple):
    """What was raised instead."""

    error: Exception


class Flight:
    """A computation under way.

    Attributes:
        outcome: when it has ended; None if whoever waited must look again.
        is_joined: whether somebody else has come to wait for it.
    """

    __slots__ = ("_ended", "is_joined", "outcome")

    def __init__(self) -> None:
        self._ended = threading.Event()
        self.outcome: Landed | Failed | None = None
        self.is_joined = False

    def end(self, outcome: Landed | Failed | None) -> None:
        """Wake those who wait."""
        self.outcome = outcome
        self._ended.set()

    def wait(self, seconds: float) -> Landed | Failed | None:
        """What came of it; None if there is nothing, or not in time."""
        return self.outcome if self._ended.wait(max(seconds, 0.0)) else None


class Flights:
    """Flights by their marks."""

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight] = {}
        _all.add(self)

    def __len__(self) -> int:
        return len(self._flights)

    def begin(self, mark: bytes) -> tuple[Flight, bool]:
        """The flight of a mark, and whether it is a new one, which its beginner has to end."""
        flight = Flight()
        found = self._flights.setdefault(mark, flight)
        found.is_joined = found is not flight or found.is_joined
        return found, found is flight

    def find(self, mark: bytes) -> Flight | None:
        """The flight of a mark, if there is one."""
        return self._flights.get(mark)

    def end(self, mark: bytes, outcome: Landed | Failed | None) -> None:
        """End a flight, and forget it. Ending it twice does no harm."""
        flight = self._flights.pop(mark, None)
        if flight is not None:
            flight.end(outcome)

    def forget(self) -> None:
        """Be as new, in a child process: threads stayed with the parent, and so do their flights.

        Nobody is woken: another thread may have held a flight's lock in the moment of the fork.
        """
        self._flights = {}


_all: weakref.WeakSet[Flights] = weakref.WeakSet()


def _forget_all() -> None:
    for flights in list(_all):
        flights.forget()


os.register_at_fork(after_in_child=_forget_all)
