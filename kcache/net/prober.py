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
from kcache.net.trial import Trial

__all__ = ["watch"]

# The program's own random numbers stay as it has seeded them; a child's are not its parent's.
_scatter = SystemRandom()
_START = 0.1
"""Seconds after which a thread that was to be started, and does not run, is not waited for."""


def watch(pool: Pool, outage: Outage) -> None:
    """Ask a node now and then, in a thread, until it answers; then its outage is over.

    The delays grow, and are scattered, so that the clients of a node that comes back do not all
    come at once.

    It is called again for as long as the outage lasts, since a thread may not start: its start
    may be interrupted, or there are too many.
    """
    if pool.watching.locked() or monotonic() < outage.look_again:
        return
    outage.look_again = monotonic() + _START
    try:
        start(_watch, (weakref.ref(pool), outage), f"kcache-probe-{pool.node.name}")
    except RuntimeError:
        # There are too many threads, or the interpreter ends. The next call tries again.
        return


def _watch(pool_of: weakref.ref[Pool], outage: Outage) -> None:
    pool = pool_of()
    if pool is None:
        return
    # Two may have been started at once, or one may be about to end whose outage is over. The lock
    # says who lives, whatever ends the thread.
    watching = pool.watching
    del pool
    if watching.acquire(blocking=False):
        try:
            _ask_until_over(pool_of, outage)
        finally:
            watching.release()
        pool = pool_of()
        if pool is not None:
            # Another outage may have begun while this one was looked after.
            pool.look_after()


def _ask_until_over(pool_of: weakref.ref[Pool], outage: Outage) -> None:
    while True:
        pool = pool_of()
        if pool is None:
            return
        delay = pool.policy.delay(outage.health, _scatter.uniform(0.5, 1))
        del pool
        if outage.over.wait(delay):
            return
        pool = pool_of()
        if pool is None:
            return
        outage.health = pool.policy.probing(outage.health, monotonic())
        connection = _ready(pool, outage)
        if connection is not None:
            if pool.recover(outage):
                pool.put(connection)
            return
        outage.health = pool.policy.silent(outage.health, monotonic())
        del pool


def _ready(pool: Pool, outage: Outage) -> Connection | None:
    """A connection on which the node has answered, and was told what it missed."""
    timeout = max(pool.timeout, pool.policy.patience)
    try:
        connection = pool.connect(timeout)
    except NodeError:
        return None
    trial = Trial(pool, connection, timeout)
    leg = Leg(trial, talk_for(trial.node, [Ping()]), trial.take(fresh=False))
    outcome = carry({0: leg}, monotonic() + timeout)[0]
    outage.is_answering = outcome == [True]
    is_ready = False
    try:
        is_ready = outage.is_answering and (pool.make_ready is None or pool.make_ready(trial))
    finally:
        outage.is_answering = is_ready
    return trial.release() if is_ready else None
