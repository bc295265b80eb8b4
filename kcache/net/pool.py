"""The pool: idle connections of one node, and whether it is worth while to ask for one."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from time import monotonic, sleep
from typing import TYPE_CHECKING

from kcache.arrears import Arrears
from kcache.errors import NodeError, NodeUnavailable, TimedOut
from kcache.events import Journal, NodeDown, NodeFailed, NodeUp
from kcache.health import Health, HealthPolicy, State
from kcache.net.connection import Connection
from kcache.net.opening import Opener, opener_of
from kcache.node import Node

if TYPE_CHECKING:
    from kcache.net.trial import Trial

__all__ = ["MAX_IDLE", "Outage", "Pool"]

MAX_IDLE = 128
"""Connections of each kind that are kept; further ones are closed when they come back."""

_COMPLAINT_INTERVAL = 60.0
"""Seconds."""

_REST, _REST_INTERVAL = 0.0001, 0.005
"""Seconds."""

_BEHIND = "it has missed an invalidation, and is told first"

_log = logging.getLogger("kcache")
_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Outage:
    """The time from a failure of a node until it answers again.

    Attributes:
        reason: what began it.
        health: of the node, which whoever watches it keeps.
        is_answering: whether the node has answered, and is told what it missed.
        over: set at its end.
        look_again: if nobody looks after the node, somebody should from this time on.
    """

    def __init__(self, reason: str, health: Health) -> None:
        # Not the error: its traceback would keep all that the call had in its hands.
        self.reason = reason
        self.health = health
        self.is_answering = False
        self.over = threading.Event()
        self.look_again = 0.0
        self._next_rest = 0.0

    def rest(self) -> None:
        """Let the thread that asks the node go on, for a moment, now and then.

        A thread that never waits for long leaves the others next to no time in CPython, and each
        step of theirs takes many times as long as that of a node.
        """
        now = monotonic()
        if now >= self._next_rest:
            self._next_rest = now + _REST_INTERVAL
            sleep(_REST)


class Pool:
    """Idle connections of one node, shared by threads.

    A connection is taken for one exchange, and put back as its very last step; whatever ends an
    exchange earlier loses it. There is no lock, since every operation here is atomic, and no
    count of those that are out: there are as many as there are threads that talk to the node.

    A node that failed, or is in arrears, is left alone until whoever watches it has seen it answer,
    and has told it what it missed. Nobody gets a connection until then: the idle ones are closed,
    and those that come back later are of an epoch that is over.

    Args:
        node: of kind `redis` or `memcached`.
        timeout: seconds; of one wait.
        journal: is told of failures, and of outages and their ends.
        watch: called while there is an outage, by every call that the pool refuses: it sees to it
            that somebody looks after the node, who ends in `recover`.
        policy: when a node is down, and how often it is asked then.

    Attributes:
        quick: idle native connections. Whoever pops one appends it to the same deque; it is
            another one after a failure.
        epoch: of the connections that may be put back.
        arrears: what the node has missed.
        identity: of the server that was found ready last; None if nobody wanted to know.
        make_ready: tells the node what it missed, over the one connection that it is given, and
            says whether the node may be used.
        doubt: called where the pool forgets an outage: what the node has missed is to be asked.
        watching: held by the thread that looks after the node, for as long as it lives.
    """

    def __init__(
        self,
        node: Node,
        timeout: float,
        watch: Callable[[Pool, Outage], None],
        journal: Journal | None = None,
        policy: HealthPolicy = HealthPolicy(),  # noqa: B008 - it is frozen
    ) -> None:
        self.node = node
        self.timeout = timeout
        self.policy = policy
        self.quick: deque[Connection] = deque(maxlen=MAX_IDLE)
        self.epoch = object()
        self.arrears = Arrears()
        self.identity: bytes | None = None
        self.make_ready: Callable[[Trial], bool] | None = None
        self.doubt: Callable[[], None] | None = None
        self.watching = threading.Lock()
        self._others: deque[Connection] = deque(maxlen=MAX_IDLE)
        self._open: Opener = opener_of(node)
        self._watch = watch
        self._journal = journal or Journal()
        self._health = Health()
        # At most one, under the key "now": dictionaries have the atomic operations for that.
        self._outages: dict[str, Outage] = {}
        self._quiet_until = 0.0
        _pools.add(self)

    @property
    def health(self) -> Health:
        """What is known of the node."""
        outage = self._outages.get("now")
        return self._health if outage is None else outage.health

    def take(self, *, fresh: bool) -> Connection | None:
        """An idle connection; None if there is none.

        Args:
            fresh: only one that the node has not closed in the meantime, as far as that can be
                told: for what must not be sent twice.

        Raises:
            NodeUnavailable: the node is down.
        """
        refusal = self.refusal()
        if refusal is not None:
            raise refusal
        while True:
            try:
                connection = self.quick.pop() if self.quick else self._others.pop()
            except IndexError:
                return None
            if not (fresh and connection.is_stale()):
                return connection
            connection.close()

    def refusal(self) -> NodeUnavailable | None:
        """Why nobody gets a connection, if that is so. Then somebody looks after the node."""
        outage = self._outages.get("now")
        if outage is None and self.arrears:
            outage = self._begin(NodeUnavailable(self.node, _BEHIND))
        if outage is None:
            return None
        self._watch(self, outage)
        outage.rest()
        return NodeUnavailable(self.node, f"is down since: {outage.reason}")

    def look_after(self) -> None:
        """See to it that somebody asks the node, if there is an outage."""
        outage = self._outages.get("now")
        if outage is not None:
            self._watch(self, outage)

    def open(self, timeout: float) -> Connection:
        """A new connection.

        Raises:
            NodeError: there is none, and why. The outage has begun, unless the node was given
                little time.
        """
        epoch = self.epoch
        try:
            return self.connect(timeout)
        except TimedOut as error:
            self.be_late(error, timeout, epoch)
            raise
        except NodeError as error:
            self.fail(error, epoch)
            raise

    def connect(self, timeout: float) -> Connection:
        """A new connection, whose failure is no news. It raises NodeError."""
        epoch = self.epoch
        connection = Connection(self._open(self.node, timeout), self.timeout)
        connection.epoch = epoch
        return connection

    def put(self, connection: Connection) -> None:
        """Take a connection back, as the last step of an exchange that is complete."""
        connection.is_used = True
        connection.used_at = monotonic()
        # In this order: if the pool is emptied meanwhile, this is not its deque any more.
        home = self.quick if connection.is_native else self._others
        if connection.epoch is not self.epoch or self._outages or self.arrears:
            connection.close()
        else:
            home.append(connection)

    def drop(self, epoch: object = None) -> None:
        """Close the idle connections, and those that are out when they come back.

        Args:
            epoch: of the connection that is the reason. One from before tells nothing of these.
        """
        if epoch is not None and epoch is not self.epoch:
            return
        self.epoch = object()
        emptied = self.quick, self._others
        self.quick, self._others = deque(maxlen=MAX_IDLE), deque(maxlen=MAX_IDLE)
        for idle in emptied:
            while idle:
                try:
                    idle.pop().close()
                except IndexError:
                    # Another thread has taken the last one.
                    break

    def be_late(self, error: TimedOut, waited: float, epoch: object = None) -> None:
        """The node has not answered in a time.

        It has failed, unless the time was short: what was left of that of a call of many steps,
        of which others took the most, says little about the node.
        """
        if epoch is not None and epoch is not self.epoch:
            return
        if waited > self.timeout / 2:
            self.fail(error)
            return
        self._health = self.policy.suspected(self._health, monotonic())
        if self._health.state is State.DOWN:
            self.fail(error)

    def fail(self, error: NodeError, epoch: object = None) -> None:
        """The node does not answer: close the idle connections, and leave it alone.

        Args:
            error: what happened.
            epoch: of the connection. One from before the last failure tells nothing new.
        """
        if epoch is None or epoch is self.epoch:
            self._begin(error)

    def owe(self, record: bytes, error: NodeError) -> Outage:
        """The node may have missed that a record was renewed: it is told before it is used.

        Returns:
            The outage that lasts until then.
        """
        self.arrears.add(record)
        return self._begin(error)

    def _begin(self, error: NodeError) -> Outage:
        """The outage that there is now."""
        outage = Outage(error.reason, self.policy.failed(monotonic()))
        current = self._outages.setdefault("now", outage)
        self.drop()
        if current is outage:
            # As text: whoever keeps what was logged would keep all that the call had in its hands.
            _log.warning("%s; it is left alone until it answers", f"{error}")
            self._journal.tell(NodeDown(error))
            self._watch(self, outage)
        return current

    def complain(self, error: NodeError) -> None:
        """Log, now and then, that the node answers and is of no use: it is no outage."""
        now = monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _COMPLAINT_INTERVAL
            _log.warning("%s", f"{error}")

    def report(self, error: NodeError) -> None:
        """Tell of a call that failed."""
        if self._journal.listeners:
            self._journal.tell(NodeFailed(error))

    def recover(self, outage: Outage) -> bool:
        """The node answers again; whether that is the end of this outage."""
        outage.over.set()
        if self._outages.get("now") is not outage:
            # The pool was closed meanwhile, and may be in another outage by now.
            return False
        self._health = Health()
        self._outages.pop("now", None)
        _log.info("node %s answers again", self.node.name)
        self._journal.tell(NodeUp(self.node))
        return True

    def close(self) -> None:
        """Close the idle connections, and let nobody look after the node."""
        # Before nobody knows of it; and after, of one that has begun in between.
        self._cast_doubt()
        outage = self._outages.pop("now", None)
        if outage is not None:
            outage.over.set()
            if self.doubt is not None:
                self.doubt()
        self._health = Health()
        self.drop()

    def forget(self) -> None:
        """Be as new, in a child process: connections and threads stayed with the parent.

        What the node has missed, it has missed.
        """
        self._cast_doubt()
        self.quick.clear()
        self._others.clear()
        self._outages.clear()
        self._health = Health()
        # The parent's thread may hold it.
        self.watching = threading.Lock()

    def _cast_doubt(self) -> None:
        if self._outages and self.doubt is not None:
            self.doubt()


def _forget_all() -> None:
    for pool in list(_pools):
        pool.forget()


os.register_at_fork(after_in_child=_forget_all)
