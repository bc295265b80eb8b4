"""The exchange: many talks at once, each over a connection of its own.

Everything happens in one loop, in the order in which it comes: connections that are opened, what
their servers say of themselves, requests that can be sent, replies. So a node that takes no
connection keeps no other one waiting. And a request that does not go at once is sent while replies
are read, so that no node has to keep more than the buffers of one connection: a node which stops
reading, since nobody takes its replies, can never wait for one that waits for it.
"""

from __future__ import annotations

import select
from collections.abc import Mapping, Sequence
from math import ceil, inf
from time import monotonic

from kcache.command import Identify, Refused, Reply
from kcache.errors import NodeError, NodeRefused, NodeUnavailable, TimedOut
from kcache.net.connecting import Openings
from kcache.net.leg import Leg
from kcache.net.pool import Pool
from kcache.net.talks import talk_for
from kcache.net.trial import Trial
from kcache.node import Node

__all__ = ["carry"]

_PROMPT = 0.005
"""Seconds of its time that a call may have used up where a wait of a whole timeout may begin."""
_GRACE = 0.01
"""Seconds for a last look. A library that opens a connection may say itself that it is too late."""
_SLICE = 0.002
"""Seconds after which somebody who waits for replies looks whether a connection was opened."""


def carry(legs: Mapping[int, Leg], deadline: float) -> dict[int, list[Reply] | NodeError]:
    """Bring legs to their end.

    Returns:
        What became of each.
    """
    current = dict(legs)
    try:
        _Exchange(deadline).bring(list(current.values()))
        repeated = {index: leg.again() for index, leg in current.items() if leg.may_repeat}
        if repeated and monotonic() < deadline:
            current |= repeated
            _Exchange(deadline).open(list(repeated.values()))
        return {index: _outcome(leg, legs[index]) for index, leg in current.items()}
    except BaseException:
        for leg in current.values():
            leg.abandon()
        raise


def _outcome(last: Leg, first: Leg) -> list[Reply] | NodeError:
    # One that was not sent says nothing of the one before, which may have been done.
    return first.outcome if type(last.outcome) is NodeUnavailable else last.outcome


class _Exchange:
    """Legs under way.

    Args:
        deadline: on the clock `time.monotonic`.
    """

    def __init__(self, deadline: float) -> None:
        # From then on nothing new is sent; but what has come is taken for a moment longer.
        self._over = self._deadline = deadline
        # Seconds by which this process, and no node, was late.
        self._late = 0.0
        self._watched: dict[int, Leg] = {}
        # Whose connection leads to the server that is known; by what asks it.
        self._checked: dict[Leg, Leg] = {}

    def bring(self, legs: Sequence[Leg]) -> None:
        """Bring legs to their end, over idle connections if there are any."""
        missing: list[Leg] = []
        is_over = monotonic() >= self._over
        for leg in legs:
            if is_over and not leg.is_sent and not leg.has_ended:
                leg.give_up()
            if leg.connection is None and not leg.has_ended:
                try:
                    connection = leg.pool.take(fresh=not leg.talk.is_harmless)
                except NodeUnavailable as error:
                    leg.fail(error)
                    continue
                if connection is None:
                    missing.append(leg)
                else:
                    leg.use(connection)
        if len(legs) == 1 and not missing:
            # Costs less than to watch it.
            legs[0].push()
            legs[0].wait(self._deadline - legs[0].pool.timeout + _PROMPT)
            if legs[0].has_ended:
                return
        self.open(missing, [leg for leg in legs if leg.connection is not None])

    def open(self, missing: Sequence[Leg], others: Sequence[Leg] = ()) -> None:
        """Open connections for legs, and bring these and others to their end."""
        self._poller = select.poll()
        openings = Openings(missing, self._deadline) if missing else None
        for leg in others:
            self._go_on(leg)
        self._go_round(openings)
        self._look_again()
        for leg in list(self._watched.values()):
            leg.time_out(late=self._late)
            self._end_check(leg)
        if openings:
            self._take(openings, _GRACE)
            openings.end(late=self._late)

    def _look_again(self) -> None:
        """Take what has come in the last moment, or while this process was held up itself."""
        now = monotonic()
        self._late = now - self._over
        self._deadline = now + _GRACE
        if self._late > _GRACE:
            self._go_round(None)
        else:
            self._wait(0)

    def _go_round(self, openings: Openings | None) -> None:
        """Serve what is watched, and take what is opened, as long as there is time."""
        while (openings or self._watched) and (left := self._deadline - monotonic()) > 0:
            if openings:
                self._take(openings, 0 if self._watched else left)
            # A descriptor that tells of openings could be lost to a signal's handler.
            self._wait(_SLICE if openings else inf)

    def _wait(self, most: float) -> None:
        """Wait for what is watched, for so many seconds at most, and serve it."""
        if self._watched:
            seconds = min(self._deadline - monotonic(), most)
            for descriptor, _ in self._poller.poll(max(ceil(seconds * 1000), 0)):
                self._serve(descriptor)

    def _take(self, openings: Openings, seconds: float) -> None:
        for leg in openings.take(seconds):
            connection = leg.connection
            if connection is not None and monotonic() >= self._over:
                leg.give_up()
                continue
            # Who has no identity, such as a node that begins empty each time, is asked for none.
            if connection is not None and isinstance(leg.pool, Pool) and leg.pool.identity:
                trial = Trial(leg.pool, connection, leg.pool.timeout)
                check = Leg(trial, talk_for(trial.node, [Identify()]), trial.take(fresh=False))
                leg.connection = None
                self._checked[check] = leg
                self._go_on(check)
            else:
                self._go_on(leg)

    def _serve(self, descriptor: int) -> None:
        """Send and receive what can be."""
        self._poller.unregister(descriptor)
        leg = self._watched.pop(descriptor)
        leg.push()
        leg.pull(self._deadline)
        self._watch(leg)

    def _go_on(self, leg: Leg) -> None:
        leg.push()
        self._watch(leg)

    def _watch(self, leg: Leg) -> None:
        """Say what a leg waits for, if it has not ended."""
        if leg.connection is None:
            self._end_check(leg)
            return
        descriptor = leg.connection.fd
        if descriptor < 0:
            leg.lose(None)
            self._end_check(leg)
            return
        self._poller.register(descriptor, select.POLLIN | (0 if leg.is_sent else select.POLLOUT))
        self._watched[descriptor] = leg

    def _end_check(self, check: Leg) -> None:
        """Give the connection to whom it is for, if the right server has answered."""
        leg = self._checked.pop(check, None)
        if leg is None:
            return
        pool, outcome = leg.pool, check.outcome
        connection = check.pool.release() if isinstance(check.pool, Trial) else None
        # If nobody wants to know any more, it is looked at anew; then this is too old.
        wanted = pool.identity if isinstance(pool, Pool) else None
        is_right = bool(wanted) and outcome == [wanted]
        if connection is not None and is_right:
            leg.use(connection)
            if monotonic() >= self._over:
                leg.give_up()
            else:
                self._go_on(leg)
        elif isinstance(outcome, TimedOut):
            leg.time_out(late=self._late)
        else:
            error = outcome if isinstance(outcome, NodeError) else _stranger(pool.node, outcome)
            leg.fail(error)
            if isinstance(error, NodeRefused):
                pool.complain(error)
            elif wanted:
                pool.fail(error, leg.epoch)


def _stranger(node: Node, replies: Sequence[Reply]) -> NodeUnavailable:
    """Why a server that does not say what the one before has said is not used."""
    refusal = next((each.text for each in replies if isinstance(each, Refused)), None)
    if refusal is not None:
        return NodeUnavailable(node, f"it does not say which server it is: {refusal}")
    return NodeUnavailable(node, "another server answers, or it began anew")
