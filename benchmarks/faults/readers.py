"""Threads that read all the time, and what each of their calls came to, for a look at any time."""

from __future__ import annotations

import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.faults.fleets import VALUES
from tests.faults.tally import Get

__all__ = ["Readers", "Window", "reading"]

_THREADS = 16
_KEYS = tuple(VALUES)
_HIT, _MISS, _ERROR, _WRONG = range(4)


@dataclass(frozen=True)
class Window:
    """Calls that ended in some time.

    Attributes:
        seconds: that it lasted.
        took: seconds of each call.
        missed, errors, wrong: how many of them were.
    """

    seconds: float
    took: array[float]
    missed: int
    errors: int
    wrong: int

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.took) / self.seconds

    @property
    def longest(self) -> float:
        """Seconds of the longest call."""
        return max(self.took, default=0.0)

    @property
    def p99(self) -> float:
        """Seconds that one of a hundred calls took longer than."""
        return sorted(self.took)[len(self.took) * 99 // 100] if self.took else 0.0

    def longer_than(self, seconds: float) -> int:
        """How many calls took longer."""
        return sum(each > seconds for each in self.took)


@dataclass(frozen=True)
class _Samples:
    """The calls of one thread, in arrays: there are up to some millions."""

    ended: array[float] = field(default_factory=lambda: array("d"))
    took: array[float] = field(default_factory=lambda: array("d"))
    key: array[int] = field(default_factory=lambda: array("B"))
    how: array[int] = field(default_factory=lambda: array("B"))

    def add(self, begun: float, key: int, how: int) -> None:
        ended = time.monotonic()
        self.ended.append(ended)
        self.took.append(ended - begun)
        self.key.append(key)
        self.how.append(how)

    def between(self, begin: float, end: float) -> Iterator[tuple[float, int, int]]:
        """By their ends: one that was under way when a node went down is no call of before."""
        here = slice(bisect_left(self.ended, begin), bisect_left(self.ended, end))
        return zip(self.took[here], self.key[here], self.how[here], strict=True)


class Readers:
    """The calls of all threads. It is looked at when they have ended."""

    def __init__(self, samples: Sequence[_Samples]) -> None:
        self._samples = samples

    def window(self, begin: float, end: float, keys: Iterable[str] = _KEYS) -> Window:
        """What ended between two times of `time.monotonic`, of some keys."""
        numbers = {_KEYS.index(key) for key in keys}
        times, counts = array("d"), [0, 0, 0, 0]
        for each in self._samples:
            for took, key, how in each.between(begin, end):
                if key in numbers:
                    times.append(took)
                    counts[how] += 1
        return Window(end - begin, times, counts[_MISS], counts[_ERROR], counts[_WRONG])


def _read(get: Get, samples: _Samples, number: int, is_over: Callable[[], bool]) -> None:
    while not is_over():
        number = (number + 1) % len(_KEYS)
        begun = time.monotonic()
        try:
            value = get(_KEYS[number])
        except Exception:  # noqa: BLE001 - that is what is counted
            samples.add(begun, number, _ERROR)
            continue
        right = _HIT if value == VALUES[_KEYS[number]] else _WRONG
        samples.add(begun, number, _MISS if value is None else right)


@contextmanager
def reading(get: Get) -> Iterator[Readers]:
    """Read in 16 threads, as long as the block lasts."""
    ended = threading.Event()
    samples = [_Samples() for _ in range(_THREADS)]
    threads = [
        threading.Thread(target=_read, args=(get, each, number * 4, ended.is_set))
        for number, each in enumerate(samples)
    ]
    for thread in threads:
        thread.start()
    try:
        yield Readers(samples)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
