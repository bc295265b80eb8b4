"""F19: a process that computes is killed, while others, which were ready before it began, wait."""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import dataclass
from typing import Any

from tests.faults.fills import Opening

__all__ = ["Killed", "killed"]

_PATIENCE = 60.0
_context: Any = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Killed:
    """What came after.

    Attributes:
        computations: by those that waited.
        asked: when the last of them asked, in seconds after the computation began.
        done: when the last of them had its value.
    """

    computations: int
    asked: float
    done: float


class _Shared:
    """Of all processes."""

    def __init__(self, callers: int) -> None:
        self.ready = _context.Barrier(callers + 1, timeout=_PATIENCE)
        self.begun = _context.Event()
        self.count = _context.Value("q", 0)
        self.began, self.asked, self.done = (_context.Value("d", 0) for _ in range(3))


def _lead(opening: Opening, shared: _Shared) -> None:
    filler = opening()
    filler.get_or_set("warm", time.monotonic)

    def compute() -> None:
        shared.began.value = time.monotonic()
        shared.begun.set()
        time.sleep(_PATIENCE)

    shared.ready.wait()
    filler.get_or_set("key", compute)


def _follow(opening: Opening, shared: _Shared, threads: int) -> None:
    filler = opening()
    filler.get_or_set("warm", time.monotonic)

    def compute() -> str:
        with shared.count.get_lock():
            shared.count.value += 1
        return "value"

    def call() -> None:
        shared.ready.wait()
        shared.begun.wait(_PATIENCE)
        asked = time.monotonic()
        if filler.get_or_set("key", compute) != "value":
            raise AssertionError("it was not computed")
        done = time.monotonic()
        with shared.done.get_lock():
            shared.asked.value = max(shared.asked.value, asked)
            shared.done.value = max(shared.done.value, done)

    callers = [threading.Thread(target=call) for _ in range(threads)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()


def killed(opening: Opening, processes: int = 2, threads: int = 8) -> Killed:
    """Kill a process that computes, once it does."""
    shared = _Shared(processes * threads + 1)
    leader = _context.Process(target=_lead, args=(opening, shared), daemon=True)
    followers = [
        _context.Process(target=_follow, args=(opening, shared, threads), daemon=True)
        for _ in range(processes)
    ]
    everyone = [leader, *followers]
    try:
        for process in everyone:
            process.start()
        shared.ready.wait()
        if not shared.begun.wait(_PATIENCE):
            raise AssertionError("nothing was computed")
        leader.kill()
        for process in everyone:
            process.join(_PATIENCE)
        if any(process.exitcode != 0 for process in followers):
            raise AssertionError(f"ended with {[process.exitcode for process in followers]}")
    finally:
        for process in everyone:
            process.kill()
    began = shared.began.value
    return Killed(shared.count.value, shared.asked.value - began, shared.done.value - began)
