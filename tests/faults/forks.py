"""Figures 4 and 5: processes that share what was opened before they were made."""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.tally import Get, Tally, check

__all__ = ["in_busy_process", "in_children"]

_CHILDREN = 4
_BUSY = 16
_PATIENCE = 20.0


@dataclass(frozen=True)
class _Child:
    """A process, and the end of a pipe at which its tally comes."""

    pid: int
    told: int


def _fork(work: Callable[[], Tally]) -> _Child:
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        # Later releases of Python warn where there are threads, and those are the point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.write(theirs, json.dumps(vars(work())).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    return _Child(child, ours)


def _tally_of(child: _Child, patience: float = _PATIENCE) -> Tally:
    """What a child has counted; one that does not end, or fails, is lost."""
    told = select.select([child.told], [], [], patience)[0]
    data = os.read(child.told, 1 << 16) if told else b""
    os.close(child.told)
    if not data:
        os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    return Tally(**json.loads(data)) if data else Tally(lost=1)


def in_children(get: Get, calls: int, patience: float = _PATIENCE) -> Tally:
    """Fork after a connection was opened; parent and children read at the same time."""

    def work() -> Tally:
        tally = Tally()
        for start in range(0, calls, 100):
            check(get, tally, start, min(100, calls - start))
        return tally

    children = [_fork(work) for _ in range(_CHILDREN)]
    total = work()
    for child in children:
        total.add(_tally_of(child, patience))
    total.rounds = calls * (_CHILDREN + 1)
    return total


def in_busy_process(get: Get, forks: int) -> Tally:
    """Fork again and again while 16 threads make calls; each child makes 20."""
    total, ended = Tally(), threading.Event()
    tallies = [Tally() for _ in range(_BUSY)]

    def be_busy(tally: Tally) -> None:
        while not ended.is_set():
            check(get, tally, 0)

    def work() -> Tally:
        tally = Tally()
        check(get, tally, 0, 20)
        return tally

    threads = [threading.Thread(target=be_busy, args=(tally,)) for tally in tallies]
    for thread in threads:
        thread.start()
    for _ in range(forks):
        total.rounds += 1
        total.add(_tally_of(_fork(work)))
    ended.set()
    for thread in threads:
        thread.join()
    for tally in tallies:
        total.add(tally)
    return total
