"""A connection on trial: it stands in the place of a pool, and nobody else gets it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from kcache.errors import NodeError, NodeUnavailable, TimedOut

if TYPE_CHECKING:
    from kcache.net.connection import Connection
    from kcache.net.pool import Pool

__all__ = ["Trial"]


class Trial:
    """One connection, for the exchanges that show whether its node may be used.

    What fails here is no news: the node is down, or whoever began the trial decides.

    Args:
        pool: that the connection will belong to.
        connection: an open one.
        timeout: seconds; of one exchange.
    """

    def __init__(self, pool: Pool, connection: Connection, timeout: float) -> None:
        self.node = pool.node
        self.timeout = timeout
        self.pool = pool
        self.epoch = pool.epoch
        self._idle = [connection]

    def take(self, *, fresh: bool) -> Connection:
        """The connection. It raises NodeUnavailable where it is lost."""
        del fresh
        if not self._idle:
            raise NodeUnavailable(self.node, "the connection was lost")
        return self._idle.pop()

    def put(self, connection: Connection) -> None:
        """Take it back."""
        connection.used_at = monotonic()
        self._idle.append(connection)

    def release(self) -> Connection | None:
        """The connection, at the end of the trial; None if it is lost."""
        return self._idle.pop() if self._idle else None

    def open(self, timeout: float) -> Connection:
        """There is no other one."""
        raise NodeUnavailable(self.node, f"no connection after {timeout:.3g} s")

    def be_late(self, error: TimedOut, waited: float, epoch: object = None) -> None:
        """Nobody is told."""

    def fail(self, error: NodeError, epoch: object = None) -> None:
        """Nobody is told."""

    def complain(self, error: NodeError) -> None:
        """Nobody is told."""

    def report(self, error: NodeError) -> None:
        """Nobody is told."""

    def drop(self, epoch: object = None) -> None:
        """Nothing is idle but the one."""
