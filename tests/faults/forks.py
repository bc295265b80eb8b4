"""Figures 4 and 5: processes that share what was opened before they were made."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable

from tests.faults.tally import Get, Tally, check

__all__ = ["in_busy_process", "in_children"]

_CHILDREN = 4
_BUSY = 16
_PATIENCE = 20.0


def _fork(work: Callable[[], Tally]) -> int:
    with warnings.catch_warnings():
        # Later releases of Python warn where there are threads, and those are the point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            faults = work().faults
            status = min(sum(faults.values()), 250)
        finally:
            os._exit(status)
    return child


def _faults_of(child: int) -> int:
    """How many faults a child met; one that does not end is one."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return abs(os.waitstatus_to_exitcode(status))
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1


def in_children(get: Get, calls: int) -> Tally:
    """Fork after a connection was opened; parent and children read at the same time."""

    def work() -> Tally:
        tally = Tally()
        for start in range(0, calls, 100):
            check(get, tally, start, min(100, calls - start))
        return tally

    children = [_fork(work) for _ in range(_CHILDREN)]
    total = work()
    total.rounds = calls * (_CHILDREN + 1)
    total.wrong += sum(map(_faults_of, children))
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
        total.lost += _faults_of(_fork(work))
    ended.set()
    for thread in threads:
        thread.join()
    for tally in tallies:
        total.add(tally)
    return total
