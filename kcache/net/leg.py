"""One node's part of an exchange: a talk over a connection, and how it ended."""

from __future__ import annotations

from time import monotonic

from kcache.command import Reply
from kcache.errors import ConnectFailed, NodeError, ProtocolError, TimedOut
from kcache.net.connection import WOULD_BLOCK, Connection
from kcache.net.pool import Pool
from kcache.wire.errors import WireError
from kcache.wire.talk import Talk

__all__ = ["CHUNK", "Leg"]

CHUNK = 1 << 16
"""Bytes that are received at once, at least."""
_LARGE_CHUNK = 1 << 20


class Leg:
    """A talk on its way.

    What fails closes the connection; what is complete gives it back. An error without a number
    is none of a socket: a signal's handler may raise anything, and it is passed on.

    Args:
        pool: of the node.
        talk: what is to be said.
        connection: to talk over. None: there is none yet.

    Attributes:
        outcome: the replies, or the error that ended it; None while it goes on.
        may_repeat: whether it ended because an idle connection had been closed by the node, and
            can be sent again.
    """

    __slots__ = ("_unsent", "connection", "may_repeat", "outcome", "pool", "talk")

    def __init__(self, pool: Pool, talk: Talk, connection: Connection | None = None) -> None:
        self.pool = pool
        self.talk = talk
        self.connection = connection
        self.outcome: list[Reply] | NodeError | None = None
        self.may_repeat = False
        self._unsent: memoryview | None = memoryview(talk.request)

    @property
    def is_sent(self) -> bool:
        """Whether all of the request has gone."""
        return self._unsent is None

    def sent(self) -> None:
        """Say that the request has gone by another way."""
        self._unsent = None

    def push(self) -> None:
        """Send as much of the request as goes without waiting."""
        if self._unsent is None or self.connection is None:
            return
        try:
            while self._unsent:
                self._unsent = self._unsent[self.connection.send_now(self._unsent) :]
            self._unsent = None
        except WOULD_BLOCK:
            return
        except OSError as error:
            self._broken(error)

    def pull(self) -> None:
        """Take what has come, without waiting."""
        try:
            while self.connection is not None:
                self.take(self.connection.recv_now(self._size()))
        except WOULD_BLOCK:
            return
        except OSError as error:
            self._broken(error)

    def wait(self, until: float) -> None:
        """Wait for replies, in the kernel; give up after one timeout, or when it is late.

        Args:
            until: begin no wait after this time.
        """
        try:
            while self.connection is not None and monotonic() < until:
                self.take(self.connection.recv(self._size()))
        except WOULD_BLOCK:
            return
        except OSError as error:
            self._broken(error)

    def take(self, data: bytes) -> None:
        """Take bytes that came; none at all mean that the node has closed."""
        if not data:
            self._broken(None)
            return
        try:
            complete = self.talk.receive(data)
        except WireError as error:
            self.fail(ProtocolError(self.pool.node, _foreign(error)))
            return
        if complete and not self.is_sent:
            self.fail(ProtocolError(self.pool.node, "it answered before it was asked"))
        elif complete:
            self.outcome = self.talk.replies
            connection, self.connection = self.connection, None
            if connection is not None:
                self.pool.put(connection)

    def time_out(self) -> None:
        """End it: there is no more time."""
        error = TimedOut(self.pool.node, f"no answer within {self.pool.timeout:.3g} s")
        self.fail(error)
        self.pool.fail(error)

    def fail(self, error: NodeError) -> None:
        """End it, and close the connection."""
        self.outcome = error
        self.abandon()

    def abandon(self) -> None:
        """Close the connection, if it is still in use."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def again(self) -> Leg:
        """The same talk, from its beginning, for another connection."""
        return Leg(self.pool, self.talk.again())

    def _size(self) -> int:
        return min(max(self.talk.missing, CHUNK), _LARGE_CHUNK)

    def _broken(self, error: OSError | None) -> None:
        """The connection broke; the node is down, unless it may have closed an idle one only."""
        if error is not None and error.errno is None:
            self.abandon()
            raise error
        how = "the node closed it" if error is None else f"{error.strerror}"
        failure = ConnectFailed(self.pool.node, f"the connection was lost: {how}")
        was_used = self.connection is not None and self.connection.is_used
        self.fail(failure)
        if was_used:
            self.pool.drop()
            self.may_repeat = self.talk.is_harmless
        else:
            self.pool.fail(failure)


def _foreign(error: WireError) -> str:
    return f"{error}; is it a server of another kind?"
