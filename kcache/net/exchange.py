"""The exchange: many talks at once, each over a connection of its own.

First everything is sent, then everything is read. A request that does not go at once is sent
while replies are read, so that no node has to keep more than the buffers of one connection: a
node which stops reading, since nobody takes its replies, can never wait for one that waits for it.
"""

from __future__ import annotations

import select
from collections.abc import Mapping, Sequence
from math import ceil
from time import monotonic

from kcache.command import Identify, Reply
from kcache.errors import NodeError, NodeUnavailable, TimedOut
from kcache.net.connecting import connect
from kcache.net.leg import Leg
from kcache.net.pool import Pool
from kcache.net.talks import talk_for
from kcache.net.trial import Trial

__all__ = ["carry"]

_PROMPT = 0.01
"""Seconds of its time that a call may have used up where a wait of a whole timeout may begin."""


def carry(legs: Mapping[int, Leg], deadline: float) -> dict[int, list[Reply] | NodeError]:
    """Bring legs to their end.

    Returns:
        What became of each.
    """
    current = dict(legs)
    try:
        _provide(list(current.values()), deadline)
        _move(list(current.values()), deadline)
        repeated = {index: leg.again() for index, leg in current.items() if leg.may_repeat}
        if repeated:
            current |= repeated
            _open(list(repeated.values()), deadline)
            _move(list(repeated.values()), deadline)
    except BaseException:
        for leg in current.values():
            leg.abandon()
        raise
    return {index: leg.outcome for index, leg in current.items()}


def _provide(legs: Sequence[Leg], deadline: float) -> None:
    """Give each leg a connection; those that there are not are opened at the same time."""
    missing: list[Leg] = []
    for leg in legs:
        if leg.connection is not None or leg.has_ended:
            continue
        try:
            leg.connection = leg.pool.take(fresh=not leg.talk.is_harmless)
        except NodeUnavailable as error:
            leg.fail(error)
        else:
            if leg.connection is None:
                missing.append(leg)
    if missing:
        _open(missing, deadline)


def _open(legs: Sequence[Leg], deadline: float) -> None:
    """Open a connection for each leg, to the server that was found ready."""
    connect(legs, deadline)
    checks: list[tuple[Leg, Pool, Leg]] = []
    for leg in legs:
        # Whoever asks for no identity, such as a node that begins empty each time, has none.
        if leg.connection is not None and isinstance(leg.pool, Pool) and leg.pool.identity:
            trial = Trial(leg.pool, leg.connection, leg.pool.timeout)
            check = Leg(trial, talk_for(trial.node, [Identify()]))
            check.connection, leg.connection = trial.take(fresh=False), None
            checks.append((leg, leg.pool, check))
    if checks:
        _move([check for _, _, check in checks], deadline)
    for leg, pool, check in checks:
        _judge(leg, pool, check)


def _judge(leg: Leg, pool: Pool, check: Leg) -> None:
    """Give the connection to a leg if the right server has answered."""
    outcome = check.outcome
    if outcome == [pool.identity] and isinstance(check.pool, Trial):
        leg.connection = check.pool.release()
    elif isinstance(outcome, TimedOut):
        leg.time_out()
    else:
        error = outcome
        if not isinstance(error, NodeError):
            error = NodeUnavailable(pool.node, "another server answers, or it was started again")
        leg.fail(error)
        pool.fail(error)


def _move(legs: Sequence[Leg], deadline: float) -> None:
    """Send and receive until each leg has ended, at the deadline at the latest."""
    for leg in legs:
        leg.push()
    if len(legs) == 1:
        # Costs less than to watch it.
        legs[0].wait(deadline - legs[0].pool.timeout + _PROMPT)
    pending = [leg for leg in legs if leg.connection is not None]
    if pending:
        _watch_all(pending, deadline)


def _watch_all(pending: Sequence[Leg], deadline: float) -> None:
    poller = select.poll()
    watched: dict[int, Leg] = {}
    for leg in pending:
        _watch(leg, poller, watched)
    while watched and (left := deadline - monotonic()) > 0:
        for descriptor, _ in poller.poll(ceil(left * 1000)):
            poller.unregister(descriptor)
            leg = watched.pop(descriptor)
            leg.push()
            leg.pull(deadline)
            _watch(leg, poller, watched)
    for leg in watched.values():
        leg.time_out()


def _watch(leg: Leg, poller: select.poll, watched: dict[int, Leg]) -> None:
    """Say what a leg waits for, if it has not ended."""
    if leg.connection is None:
        return
    descriptor = leg.connection.fd
    if descriptor < 0:
        leg.lose(None)
        return
    poller.register(descriptor, select.POLLIN | (0 if leg.is_sent else select.POLLOUT))
    watched[descriptor] = leg
