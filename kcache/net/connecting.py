"""Opening connections for an exchange: in threads, all at the same time.

The libraries that open them bound each wait, not the sum; to look up an address has no bound at
all; and what a signal's handler raises in them becomes a failure of the node, or is lost. A thread
can be left to itself, and no handler runs in it.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import TypeAlias

from kcache.errors import ConnectFailed, NodeError
from kcache.net.background import start
from kcache.net.connection import Connection
from kcache.net.leg import Leg
from kcache.net.pool import Pool
from kcache.net.trial import Trial

__all__ = ["Openings"]

_LEAST = 0.001

_Opened: TypeAlias = "queue.SimpleQueue[tuple[int, Connection | Exception]]"


class Openings:
    """Connections on their way, for legs that have none.

    Args:
        legs: that wait for one.
        deadline: on the clock `time.monotonic`.
    """

    def __init__(self, legs: Sequence[Leg], deadline: float) -> None:
        self._process = os.getpid()
        self._opened: _Opened = queue.SimpleQueue()
        self._waiting = dict(enumerate(legs))
        for number, leg in enumerate(legs):
            arguments = (number, leg.pool, deadline, self._opened)
            try:
                start(_open, arguments, "kcache-open")
            except RuntimeError:
                # There are too many threads, or the interpreter ends.
                _open(*arguments)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self, seconds: float) -> Iterator[Leg]:
        """The legs for which something has come: a connection, or the end.

        Args:
            seconds: to wait for the first one.
        """
        while self._waiting:
            try:
                number, outcome = self._opened.get(timeout=max(seconds, 0))
            except queue.Empty:
                return
            leg = self._waiting.pop(number)
            if isinstance(outcome, Connection):
                leg.use(outcome)
            elif isinstance(outcome, NodeError):
                leg.fail(outcome)
            else:
                raise outcome
            seconds = 0
            yield leg

    def end(self, *, late: float) -> None:
        """End the legs for which nothing has come.

        Args:
            late: seconds by which this process was late itself.
        """
        while self._waiting:
            _, leg = self._waiting.popitem()
            if self._process == os.getpid():
                leg.time_out(late=late)
            else:
                # A signal's handler has forked: the threads are the parent's.
                leg.fail(ConnectFailed(leg.pool.node, "the process was forked meanwhile"))


def _open(number: int, pool: Pool | Trial, deadline: float, opened: _Opened) -> None:
    outcome: Connection | Exception
    try:
        outcome = pool.open(max(deadline - monotonic(), _LEAST))
    except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
        outcome = error
    # If nobody waits any more, the connection is closed with the queue.
    opened.put((number, outcome))
    # An error has this frame in its traceback, and the two would keep each other.
    del outcome
