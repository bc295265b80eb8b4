"""The prober: looks after a node that is down until it answers again."""

from __future__ import annotations

import weakref
from random import SystemRandom
from time import monotonic

from kcache.command import Ping
from kcache.errors import NodeError
from kcache.net.background import start
from kcache.net.connection import Connection
from kcache.net.exchange import carry
from kcache.net.leg import Leg
from kcache.net.pool import Outage, Pool
from kcache.net.talks import talk_for

__all__ = ["watch"]

# The program's own random numbers stay as it has seeded them; a child's are not its parent's.
_scatter = SystemRandom()
_FIRST_DELAY = 0.05
_LONGEST_DELAY = 1.0
_PATIENCE = 1.0
"""Seconds that a try takes at most, or the timeout of calls if that is more. In a busy process a
thread is slow, and nobody waits for this one."""
_START = 0.1
"""Seconds after which a thread that was to be started, and does not run, is not waited for."""


def watch(pool: Pool, outage: Outage) -> None:
    """Ask a node now and then, in a thread, until it answers; then its outage is over.

    The delays grow from 50 ms to a second, and are scattered, so that the clients of a node that
    comes back do not all come at once.

    It is called again for as long as the outage lasts, since a thread may not start: its start
    may be interrupted, or there are too many.
    """
    if outage.watching.locked() or monotonic() < outage.look_again:
        return
    outage.look_again = monotonic() + _START
    try:
        start(_watch, (weakref.ref(pool), outage), f"kcache-probe-{pool.node.name}")
    except RuntimeError:
        # There are too many threads, or the interpreter ends. The next call tries again.
        return


def _watch(pool_of: weakref.ref[Pool], outage: Outage) -> None:
    # Two may have been started at once. The lock says who lives, whatever ends the thread.
    if outage.watching.acquire(blocking=False):
        try:
            _ask_until_over(pool_of, outage)
        finally:
            outage.watching.release()


def _ask_until_over(pool_of: weakref.ref[Pool], outage: Outage) -> None:
    delay = _FIRST_DELAY
    while not outage.over.wait(delay * _scatter.uniform(0.5, 1)):
        pool = pool_of()
        if pool is None:
            return
        connection = _answering(_Trial(pool.node, max(pool.timeout, _PATIENCE), watch))
        if connection is not None:
            if pool.recover(outage):
                pool.put(connection)
            return
        del pool
        delay = min(2 * delay, _LONGEST_DELAY)


class _Trial(Pool):
    """A pool for one try, whose failure is no news."""

    def fail(self, error: NodeError) -> None:
        del error


def _answering(trial: Pool) -> Connection | None:
    """A connection on which the node has answered."""
    try:
        connection = trial.open(trial.timeout)
    except NodeError:
        return None
    leg = Leg(trial, talk_for(trial.node, [Ping()]), connection)
    outcome = carry({0: leg}, monotonic() + trial.timeout)[0]
    return trial.take(fresh=False) if outcome == [True] else None
