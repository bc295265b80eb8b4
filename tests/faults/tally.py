"""What is counted while something goes wrong, and how calls are checked."""

from __future__ import annotations

import gc
import os
import socket
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "CHECKS",
    "EXPECTED",
    "Get",
    "Tally",
    "check",
    "comes_true",
    "connections_to",
    "descriptors",
]

Get = Callable[[str], object]
"""Reads one key; None is for a miss."""

CHECKS = 8
EXPECTED: Mapping[str, str] = {f"key {i}": f"value {i}" for i in range(64)}
_KEYS = tuple(EXPECTED)


@dataclass
class Tally:
    """How often each thing happened."""

    rounds: int = 0
    wrong: int = 0
    missed: int = 0
    errors: int = 0
    swallowed: int = 0
    lost: int = 0
    slow: int = 0

    @property
    def faults(self) -> dict[str, int]:
        """What must not have happened, and did."""
        told = {name: count for name, count in vars(self).items() if name != "rounds" and count}
        return dict(told)

    def add(self, other: Tally) -> None:
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)


def check(get: Get, tally: Tally, start: int, calls: int = CHECKS) -> None:
    """Make calls whose result is known."""
    for i in range(start, start + calls):
        key = _KEYS[i % len(_KEYS)]
        try:
            value = get(key)
        except Exception:  # noqa: BLE001 - whatever it is, there is no reason for it
            tally.errors += 1
            continue
        if value is None:
            tally.missed += 1
        elif value != EXPECTED[key]:
            tally.wrong += 1


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether a condition is true, at the latest when threads at work have finished.

    A thread that opens a connection for a call which was interrupted closes it when it has it.
    """
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def descriptors() -> int:
    """How many this process has open, when what nobody refers to is gone."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def connections_to(port: int) -> list[str]:
    """What of this process is connected to a port of this machine, closed ends included.

    Unlike a count of all descriptors, it knows nothing of what threads of others do meanwhile.
    """
    gc.collect()
    found = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            if not stat.S_ISSOCK(path.stat().st_mode):
                continue
            with socket.socket(fileno=os.dup(int(path.name))) as sock:
                peer = sock.getpeername()
        except OSError:
            # It was closed meanwhile, or is connected to nothing.
            continue
        if isinstance(peer, tuple) and peer[1] == port:
            found.append(f"{path.name}: {peer}")
    return found
