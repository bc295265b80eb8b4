"""Opening connections for an exchange: in threads, all at the same time.

The libraries that open them bound each wait, not the sum; to look up an address has no bound at
all; and what a signal's handler raises in them becomes a failure of the node, or is lost. A thread
can be left to itself, and no handler runs in it.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Sequence
from time import monotonic
from typing import TypeAlias

from kcache.errors import ConnectFailed, NodeError
from kcache.net.background import start
from kcache.net.connection import Connection
from kcache.net.leg import Leg
from kcache.net.pool import Pool
from kcache.net.trial import Trial

__all__ = ["connect"]

_GRACE = 0.01
"""Seconds for the library to say itself that it had no more time."""
_LEAST = 0.001

_Opened: TypeAlias = "queue.SimpleQueue[tuple[int, Connection | Exception]]"


def connect(legs: Sequence[Leg], deadline: float) -> None:
    """Open a connection for each leg. A leg without one ends."""
    opened: _Opened = queue.SimpleQueue()
    process = os.getpid()
    for number, leg in enumerate(legs):
        _start(number, leg.pool, deadline, opened)
    waiting = dict(enumerate(legs))
    while waiting:
        try:
            number, outcome = opened.get(timeout=max(deadline - monotonic(), 0) + _GRACE)
        except queue.Empty:
            break
        _settle(waiting.pop(number), outcome)
    for leg in waiting.values():
        if process == os.getpid():
            leg.time_out()
        else:
            # A signal's handler has forked: the threads are the parent's.
            leg.fail(ConnectFailed(leg.pool.node, "the process was forked meanwhile"))


def _start(number: int, pool: Pool | Trial, deadline: float, opened: _Opened) -> None:
    arguments = (number, pool, deadline, opened)
    try:
        start(_open, arguments, "kcache-open")
    except RuntimeError:
        # There are too many threads, or the interpreter ends.
        _open(*arguments)


def _open(number: int, pool: Pool | Trial, deadline: float, opened: _Opened) -> None:
    outcome: Connection | Exception
    try:
        outcome = pool.open(max(deadline - monotonic(), _LEAST))
    except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
        outcome = error
    # If nobody waits any more, the connection is closed with the queue.
    opened.put((number, outcome))


def _settle(leg: Leg, outcome: Connection | Exception) -> None:
    if isinstance(outcome, Connection):
        leg.connection = outcome
    elif isinstance(outcome, NodeError):
        leg.fail(outcome)
    else:
        raise outcome
