"""One request over an idle connection, where nothing stands in the way.

A flow, a batch and a leg cost more than all the rest of a call on one key. So where an idle
connection is there, the request is small and the whole reply comes at once, the call is made here,
in one piece. What does not come at once is brought to its end by a leg; everything else - no
connection, a node that is down, a refusal - is UNDONE, and left to a flow, which says it once more
from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from os import write
from time import monotonic
from typing import Any, Final, NamedTuple

from kcache.command import Command, Refused
from kcache.errors import ConnectFailed, NodeError
from kcache.interruption import is_of_handler
from kcache.net.connection import Connection
from kcache.net.exchange import carry
from kcache.net.leg import CHUNK, Leg
from kcache.net.pool import Pool
from kcache.net.reasons import lost
from kcache.net.talks import talk_for
from kcache.wire.reply import INCOMPLETE

__all__ = ["SMALL", "UNDONE", "Begun", "Requests"]

UNDONE: Final = object()
"""The call was not made, or came to no end, and is left to a flow."""
_IDLE = 1.0
"""Seconds after which a node may well have closed a connection that nobody used."""
SMALL = 16 << 10
"""Bytes that a socket without replies under way takes without waiting."""


class Begun(NamedTuple):
    """A request that is not over: the reply has begun, and is not of the commonest form.

    Without data, nothing has come in time. Without a connection, which was lost, it is to be sent
    once more in what is left of its time.
    """

    connection: Connection | None
    data: bytes | None
    deadline: float


class Requests:
    """Requests to one node."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def ask(
        self, request: bytes, asked: Any, parse: Callable[[bytes, Any], Any], *, once: bool = False
    ) -> Any:
        """Send a small request, and wait for the reply.

        Args:
            request: what is sent.
            asked: what was asked for, for `parse`.
            parse: from the bytes that came.
            once: whether it must not be sent again after it may have been done.

        Returns:
            What `parse` makes of the reply and of what was asked for; `Begun` where that is
            INCOMPLETE; or UNDONE.

        Raises:
            ConnectFailed: the connection was lost, and the request must not be sent again.
        """
        # A pool that drops its connections has other ones from then on, and what comes back late
        # to these is lost.
        quick = self._pool.quick
        try:
            connection = quick.pop()
        except IndexError:
            return UNDONE
        begun = monotonic()
        try:
            if once and begun - connection.used_at > _IDLE and connection.is_stale():
                connection.close()
                return UNDONE
            # So little goes at once, or the node has stopped reading: nothing is to be said to it.
            sent = write(connection.fd, request) == len(request)
            data = connection.recv(CHUNK) if sent else b""
            reply = parse(data, asked)
        except OSError as error:
            if isinstance(error, TimeoutError) and not is_of_handler(error):
                return Begun(connection, None, begun + self._pool.timeout)
            self._lose(connection, error)
            if once:
                node = self._pool.node
                raise self._told(ConnectFailed(node, lost(error, node, is_new=False))) from None
            return Begun(None, None, begun + self._pool.timeout)
        except BaseException:
            connection.close()
            raise
        if reply is INCOMPLETE:
            return Begun(connection, data, begun + self._pool.timeout)
        # The last step: whatever happens before it, the connection is lost.
        connection.used_at = begun
        quick.append(connection)
        return reply

    def rest(self, begun: Begun, *commands: Command) -> Any:
        """Bring a request to its end.

        Args:
            begun: what has come so far.
            *commands: what was asked for. All but the first are stores.

        Returns:
            The reply to the first command; or UNDONE after a refusal.

        Raises:
            NodeError: there was none.
        """
        leg = Leg(self._pool, talk_for(self._pool.node, commands), begun.connection)
        if begun.connection is not None:
            leg.sent(begun.deadline - self._pool.timeout)
            if begun.data is not None:
                leg.take(begun.data)
        outcome = carry({0: leg}, begun.deadline)[0]
        if isinstance(outcome, NodeError):
            raise outcome
        reply, *stored = outcome
        # A store has nothing to tell, unless it was refused.
        return UNDONE if isinstance(reply, Refused) or any(stored) else reply

    def _told(self, error: NodeError) -> NodeError:
        self._pool.report(error)
        return error

    def _lose(self, connection: Connection, error: OSError) -> None:
        """Close a connection that failed; the others may be as old."""
        connection.close()
        if is_of_handler(error):
            raise error
        self._pool.drop(connection.epoch)
