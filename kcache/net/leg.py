"""One node's part of an exchange: a talk over a connection, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from kcache.command import Refused, Reply
from kcache.errors import (
    ConnectFailed,
    NodeError,
    NodeRefused,
    NodeUnavailable,
    ProtocolError,
    TimedOut,
)
from kcache.flow import LARGE
from kcache.interruption import is_of_handler
from kcache.net.connection import WOULD_BLOCK, Connection
from kcache.net.pool import Pool
from kcache.net.reasons import foreign, lost, too_late
from kcache.net.trial import Trial
from kcache.wire.errors import WireError
from kcache.wire.talk import Talk

__all__ = ["CHUNK", "Leg"]

CHUNK = 1 << 16
"""Bytes that are received at once, at least."""
_LARGE_CHUNK = 1 << 20
_MUCH = 0.25
"""Of a timeout."""
_PAIR = 2
"""A key, and what was said of it."""


class Leg:
    """A talk on its way.

    What fails closes the connection; what is complete gives it back.

    Args:
        pool: of the node, or a connection of it on trial.
        talk: what is to be said.
        connection: to talk over. None: there is none yet.

    Attributes:
        may_repeat: whether it ended because an idle connection had been closed by the node, and
            can be sent again.
    """

    __slots__ = (
        "_begun",
        "_epoch",
        "_first_words",
        "_outcome",
        "_unsent",
        "connection",
        "may_repeat",
        "pool",
        "talk",
    )

    def __init__(
        self, pool: Pool | Trial, talk: Talk, connection: Connection | None = None
    ) -> None:
        self.pool = pool
        self.talk = talk
        self.may_repeat = False
        self.connection: Connection | None = None
        self._epoch = pool.epoch
        self._begun = monotonic()
        if connection is not None:
            self.use(connection)
        self._first_words = b""
        self._outcome: list[Reply] | NodeError | None = None
        self._unsent: memoryview | None = memoryview(talk.request)

    @property
    def outcome(self) -> list[Reply] | NodeError:
        """The replies, or the error that ended it.

        Raises:
            RuntimeError: it has not ended.
        """
        if self._outcome is None:
            raise RuntimeError("this leg has not ended")
        return self._outcome

    @property
    def has_ended(self) -> bool:
        """Whether there is an outcome."""
        return self._outcome is not None

    @property
    def is_sent(self) -> bool:
        """Whether all of the request has gone."""
        return self._unsent is None

    @property
    def epoch(self) -> object:
        """Of the pool, when its connection was opened, or else when the leg was made."""
        return self._epoch

    def use(self, connection: Connection) -> None:
        """Talk over a connection. The node has been asked nothing yet."""
        self.connection = connection
        self._epoch = connection.epoch
        self._begun = monotonic()

    def sent(self, at: float) -> None:
        """Say that the request has gone by another way, and when that began."""
        self._unsent = None
        self._begun = at

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
            self._hear(error)

    def pull(self, deadline: float) -> None:
        """Take what has come, without waiting.

        Args:
            deadline: receive nothing more after this time, however much there is.
        """
        try:
            while self.connection is not None and monotonic() < deadline:
                size = self._size()
                data = self.connection.recv_now(size)
                is_all = self.connection.is_native and len(data) < size
                self.take(data)
                if is_all:
                    return
        except WOULD_BLOCK:
            return
        except OSError as error:
            self.lose(error)

    def _hear(self, error: OSError) -> None:
        """Take what the node has said before it ended the connection in the middle of a request."""
        words = b""
        if self.connection is not None and not is_of_handler(error):
            try:
                words = self.connection.recv_now(CHUNK)
            except OSError as silence:
                error = silence if is_of_handler(silence) else error
        if words:
            self.take(words)
        if self.connection is not None:
            self.lose(error)

    def wait(self, until: float) -> None:
        """Wait for replies, if all is sent and the connection can wait.

        Args:
            until: begin no wait after this time; one lasts a timeout at most.
        """
        if self.connection is None or not self.is_sent or not self.connection.is_native:
            return
        try:
            while self.connection is not None and monotonic() < until:
                self.take(self.connection.recv(self._size()))
        except OSError as error:
            if not isinstance(error, TimeoutError) or is_of_handler(error):
                self.lose(error)

    def take(self, data: bytes) -> None:
        """Take bytes that came; none at all mean that the node has closed."""
        if not data:
            self.lose(None)
            return
        try:
            complete = self.talk.receive(data)
        except WireError as error:
            failure = ProtocolError(self.pool.node, foreign(error))
            self.fail(failure)
            self.pool.complain(failure)
            return
        if not complete:
            self._first_words = self._first_words or data
            return
        replies = self.talk.replies
        refusals = [_refusals(reply) for reply in replies]
        if not self.is_sent and not refusals[-1]:
            self.fail(ProtocolError(self.pool.node, "it answered before it was asked"))
            return
        self._outcome = replies
        may_end = self._complain(refusals)
        connection, self.connection = self.connection, None
        if connection is None:
            return
        # Without its rest, what was sent is no request.
        if may_end or not self.is_sent:
            connection.close()
        else:
            self.pool.put(connection)

    def _complain(self, refusals: Sequence[list[Refused]]) -> bool:
        """Say what the node does not do; whether it may end the connection over that."""
        may_end = False
        for refused in refusals:
            others = [each for each in refused if not each.is_too_large]
            may_end = may_end or len(others) < len(refused)
            for each in others[:1]:
                may_end = may_end or each.is_farewell
                refusal = NodeRefused(self.pool.node, each.text)
                self.pool.report(refusal)
                self.pool.complain(refusal)
        return may_end

    def time_out(self, *, late: float = 0.0) -> None:
        """End it: there is no more time.

        Args:
            late: seconds by which this process was late itself. Where that is much, it was held
                up, and has waited for a short time at most.
        """
        node, timeout = self.pool.node, self.pool.timeout
        waited = monotonic() - self._begun
        if late > timeout * _MUCH:
            waited = min(waited, timeout / 2)
        is_open = self.connection is not None
        error = TimedOut(
            node, f"no answer within {timeout:.3g} s" if is_open else too_late(node, timeout)
        )
        self.fail(error)
        self.pool.be_late(error, waited, self._epoch)

    def give_up(self) -> None:
        """End it: there is no time to ask anything."""
        left = f"no time was left of {self.pool.timeout:.3g} s"
        self.fail(NodeUnavailable(self.pool.node, left))

    def lose(self, error: OSError | None) -> None:
        """End it: the connection broke.

        The node is down, unless it may have closed an idle connection only, or has said that it
        takes no more of them, or this is the child of a process that was forked meanwhile by a
        signal's handler.

        Args:
            error: what the socket said; None for nothing. One that a signal's handler has raised
                is none of the socket's, and is raised.
        """
        if error is not None and is_of_handler(error):
            self.abandon()
            raise error
        if (words := self._heard()).is_farewell:
            refusal = NodeRefused(self.pool.node, words.text)
            self.fail(refusal)
            self.pool.complain(refusal)
            return
        connection = self.connection
        is_old = connection is not None and (connection.is_used or connection.fd < 0)
        # A node that takes no value so large may end the connection instead of saying so.
        says_nothing = is_old or len(self.talk.request) > LARGE
        node = self.pool.node
        failure = ConnectFailed(node, lost(error, node, is_new=not is_old))
        self.fail(failure)
        if says_nothing:
            self.pool.drop(self._epoch)
            self.may_repeat = is_old and self.talk.is_harmless
        else:
            self.pool.fail(failure, self._epoch)

    def fail(self, error: NodeError) -> None:
        """End it, and close the connection."""
        self._outcome = error
        self.pool.report(error)
        self.abandon()

    def abandon(self) -> None:
        """Close the connection, if it is still in use."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def again(self) -> Leg:
        """The same talk, from its beginning, for another connection."""
        return Leg(self.pool, self.talk.again())

    def _heard(self) -> Refused:
        """The first line that came, as if it were a refusal."""
        line, end, _ = self._first_words.partition(b"\r\n")
        return Refused(line.removeprefix(b"-").decode(errors="backslashreplace") if end else "")

    def _size(self) -> int:
        return min(max(self.talk.missing, CHUNK), _LARGE_CHUNK)


def _refusals(reply: Reply) -> list[Refused]:
    """What a node says of a command, or of items, that it did not do."""
    if isinstance(reply, Refused):
        return [reply]
    if not isinstance(reply, list):
        return []
    told = [each[1] for each in reply if isinstance(each, tuple) and len(each) == _PAIR]
    return [each for each in told if isinstance(each, Refused)]
