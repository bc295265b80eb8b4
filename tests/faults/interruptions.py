"""Figures 1 and 3: exceptions that come out of nowhere, in the middle of a call."""

from __future__ import annotations

import ctypes
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tests.faults.tally import EXPECTED, Get, Tally, check

__all__ = ["Interrupted", "Stopped", "by_signals", "handling", "in_threads"]

_KEYS = tuple(EXPECTED)
# Calls take 10 us to some 100 us; half of the exceptions shall come in the first of them.
_LATEST = 300e-6
_PATIENCE = 10.0


class Interrupted(Exception):  # noqa: N818 - no error of the program
    """Raised by a handler."""


class Stopped(BaseException):
    """The same, past `except Exception`."""


@contextmanager
def handling(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Handle SIGALRM."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def by_signals(get: Get, rounds: int, kind: type[BaseException], seed: int) -> Tally:
    """Interrupt gets at random moments, and check what comes after each time."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    tally = Tally()
    fired = armed = False

    def handler(_number: int, _frame: FrameType | None) -> None:
        nonlocal fired
        fired = True
        if armed:
            raise kind

    with handling(handler):
        for turn in range(rounds):
            fired, armed = False, True
            key = _KEYS[chance.randrange(len(_KEYS))]
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, _LATEST))
                while not fired:
                    get(key)
                tally.swallowed += 1
            except kind:
                pass
            except Exception:  # noqa: BLE001 - clients wrap what they catch
                # First of all: the timer is still running if the client failed by itself.
                armed = False
                tally.swallowed += fired
                tally.errors += not fired
            signal.setitimer(signal.ITIMER_REAL, 0)
            tally.rounds += 1
            check(get, tally, turn)
    return tally


class Victim(threading.Thread):
    """Makes calls, and is interrupted; what comes while another one is, is checked too."""

    def __init__(self, get: Get, kind: type[BaseException]) -> None:
        super().__init__(daemon=True)
        self._get, self._kind = get, kind
        self._calls = 0
        self.tally = Tally()
        self.ready = threading.Event()
        self.end = False

    def run(self) -> None:
        while not self.end:
            try:
                self.ready.set()
                while not self.end:
                    self._call()
            except self._kind:
                self.tally.rounds += 1
            check(self._get, self.tally, self._calls)

    def _call(self) -> None:
        self._calls += 1
        key = _KEYS[self._calls % len(_KEYS)]
        try:
            found = self._get(key)
        except self._kind:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, nobody has raised it here
            self.tally.errors += 1
            return
        self.tally.missed += found is None
        self.tally.wrong += found not in (None, EXPECTED[key])


def in_threads(get: Get, rounds: int, kind: type[BaseException], seed: int) -> Tally:
    """Raise in one of 16 threads after the other, while all of them make calls."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    victims = [Victim(get, kind) for _ in range(16)]
    for victim in victims:
        victim.start()
    total = Tally()
    for _ in range(rounds):
        victim = chance.choice(victims)
        _await(victim, total)
        victim.ready.clear()
        number = ctypes.c_ulong(victim.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(kind))
    for victim in victims:
        _await(victim, total)
        victim.end = True
    for victim in victims:
        victim.join(10)
        total.lost += victim.is_alive()
        total.add(victim.tally)
    return total


def _await(victim: Victim, tally: Tally) -> None:
    """Wait until a thread has met its exception; one that goes on as if there was none, has not."""
    if not victim.ready.wait(_PATIENCE):
        tally.swallowed += 1
        tally.rounds += 1
