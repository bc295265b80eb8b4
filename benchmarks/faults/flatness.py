"""What a process holds while it runs: it may not be more at the end than it was in the middle."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.tally import descriptors

__all__ = ["Flatness", "watched_for"]

_PAGE = resource.getpagesize()
_SAMPLES = 50
_MIDDLE, _END = (0.4, 0.6), (0.8, 1.0)
# What may come by chance: connections are opened and closed all the time.
_SHARE = 0.1
_SLACK = {"descriptors": 40.0, "threads": 10.0, "MiB": 4.0}


@dataclass
class Flatness:
    """Samples, each with its share of the time."""

    samples: list[tuple[float, Mapping[str, float]]] = field(default_factory=list)

    def _most(self, name: str, between: tuple[float, float]) -> float:
        begin, end = between
        return max((held[name] for at, held in self.samples if begin <= at <= end), default=0.0)

    @property
    def readings(self) -> dict[str, float]:
        """The most of each, in the middle and at the end."""
        return {
            f"{name} {when}": self._most(name, between)
            for name in _SLACK
            for when, between in (("in the middle", _MIDDLE), ("at the end", _END))
        }

    @property
    def faults(self) -> dict[str, int]:
        """What has grown, and by how much."""
        found = {}
        for name, slack in _SLACK.items():
            middle, end = self._most(name, _MIDDLE), self._most(name, _END)
            if end > middle * (1 + _SHARE) + slack:
                found[f"{name} more"] = round(end - middle)
        return found


@contextmanager
def watched_for(seconds: float) -> Iterator[Flatness]:
    """Look at this process now and then, while the block lasts."""
    flatness, over = Flatness(), threading.Event()
    begun = time.monotonic()

    def look() -> None:
        while not over.wait(seconds / _SAMPLES):
            share = (time.monotonic() - begun) / seconds
            flatness.samples.append((share, _held()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield flatness
    finally:
        over.set()
        thread.join()


def _held() -> dict[str, float]:
    return {
        "descriptors": descriptors(),
        "threads": threading.active_count(),
        "MiB": _resident() / (1 << 20),
    }


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * _PAGE
