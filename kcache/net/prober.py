"""The prober: looks after a node that is down until it answers again."""

from __future__ import annotations

import threading
import weakref
from random import uniform
from time import monotonic

from kcache.command import Ping
from kcache.errors import NodeError
from kcache.net.exchange import carry
from kcache.net.leg import Leg
from kcache.net.pool import Outage, Pool
from kcache.net.talks import talk_for

__all__ = ["watch"]

_FIRST_DELAY = 0.05
_LONGEST_DELAY = 1.0


def watch(pool: Pool, outage: Outage) -> None:
    """Ask a node now and then, in a thread, until it answers; then its outage is over.

    The delays grow from 50 ms to a second, and are scattered, so that the clients of a node that
    comes back do not all come at once.
    """
    arguments = (weakref.ref(pool), outage)
    try:
        threading.Thread(
            target=_watch, args=arguments, daemon=True, name=f"kcache-probe-{pool.node.name}"
        ).start()
    except RuntimeError:
        # No thread can be started, since the interpreter ends or there are too many: the next
        # call finds out how the node is.
        pool.recover(outage)


def _watch(pool_of: weakref.ref[Pool], outage: Outage) -> None:
    delay = _FIRST_DELAY
    while not outage.over.wait(delay * uniform(0.5, 1)):  # noqa: S311 - no secret
        pool = pool_of()
        if pool is None:
            return
        pool.watched(outage)
        if _answers(pool):
            pool.recover(outage)
            return
        del pool
        delay = min(2 * delay, _LONGEST_DELAY)


def _answers(pool: Pool) -> bool:
    """Whether the node opens a connection and answers on it."""
    try:
        connection = pool.open(pool.timeout)
    except NodeError:
        return False
    leg = Leg(pool, talk_for(pool.node, [Ping()]), connection)
    outcome = carry({0: leg}, monotonic() + pool.timeout)[0]
    return outcome == [True]
