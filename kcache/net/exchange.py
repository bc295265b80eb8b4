"""The exchange: many talks at once, each over a connection of its own.

First everything is sent, then everything is read. A request that does not go at once is sent
while replies are read, so that no node has to keep more than the buffers of one connection: a
node which stops reading, since nobody takes its replies, can never wait for one that waits for it.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Mapping, Sequence
from math import ceil
from time import monotonic

from kcache.command import Reply
from kcache.errors import ConnectFailed, NodeError, NodeUnavailable
from kcache.net.leg import Leg

__all__ = ["carry", "move"]

_GRACE = 0.01
"""Seconds that reading in turn may have taken before all nodes are watched at once."""


def carry(legs: Mapping[int, Leg], deadline: float) -> dict[int, list[Reply] | NodeError]:
    """Bring legs to their end.

    Returns:
        What became of each.
    """
    current = dict(legs)
    try:
        _connect(list(current.values()), deadline)
        move(list(current.values()), deadline)
        repeated = {index: leg.again() for index, leg in current.items() if leg.may_repeat}
        if repeated:
            current |= repeated
            _connect(list(repeated.values()), deadline, reuse=False)
            move(list(repeated.values()), deadline)
    except BaseException:
        for leg in current.values():
            leg.abandon()
        raise
    return {index: _outcome(leg) for index, leg in current.items()}


def move(legs: Sequence[Leg], deadline: float) -> None:
    """Send and receive until each leg has ended, at the deadline at the latest."""
    for leg in legs:
        leg.push()
    late = deadline - legs[0].pool.timeout + _GRACE
    for leg in legs:
        # To wait for one node after the other costs less than to watch all of them.
        if leg.is_sent and leg.connection is not None and leg.connection.is_native:
            leg.wait(late)
    pending = [leg for leg in legs if leg.connection is not None]
    if pending:
        _watch_all(pending, deadline)


def _watch_all(pending: list[Leg], deadline: float) -> None:
    poller = select.poll()
    watched: dict[int, Leg] = {}
    for leg in pending:
        _step(leg, poller, watched)
    while watched:
        left = deadline - monotonic()
        if left <= 0:
            break
        for descriptor, _ in poller.poll(ceil(left * 1000)):
            poller.unregister(descriptor)
            _step(watched.pop(descriptor), poller, watched)
    for leg in watched.values():
        leg.time_out()


def _step(leg: Leg, poller: select.poll, watched: dict[int, Leg]) -> None:
    """Send and receive what goes without waiting; say what to wait for if that was not all."""
    leg.push()
    leg.pull()
    if leg.connection is not None:
        descriptor = leg.connection.fileno()
        poller.register(descriptor, select.POLLIN | (0 if leg.is_sent else select.POLLOUT))
        watched[descriptor] = leg


def _connect(legs: Sequence[Leg], deadline: float, *, reuse: bool = True) -> None:
    """Give each leg a connection; those that have to be opened, at the same time."""
    missing: list[Leg] = []
    for leg in legs:
        if leg.connection is not None or leg.outcome is not None:
            continue
        try:
            if reuse:
                leg.connection = leg.pool.take(fresh=not leg.talk.is_harmless)
        except NodeUnavailable as error:
            leg.fail(error)
        else:
            if leg.connection is None:
                missing.append(leg)
    if len(missing) > 1:
        _open_all(missing, deadline)
    else:
        for leg in missing:
            _open(leg, deadline)


def _open(leg: Leg, deadline: float) -> None:
    try:
        leg.connection = leg.pool.open(max(deadline - monotonic(), 0.001))
    except NodeError as error:
        leg.fail(error)


def _open_all(legs: Sequence[Leg], deadline: float) -> None:
    """Open connections in threads, so that a node which cannot be reached delays no other."""
    threads = [
        threading.Thread(target=_open, args=(leg, deadline), daemon=True, name="kcache-open")
        for leg in legs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - monotonic(), 0.001) + _GRACE)


def _outcome(leg: Leg) -> list[Reply] | NodeError:
    if leg.outcome is None:
        # The thread that opens its connection has not come back.
        return ConnectFailed(leg.pool.node, "no connection in time")
    return leg.outcome
