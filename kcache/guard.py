"""The guard: no node is used in a namespace before it was told what it missed.

Four things make a node unfit. It may have been started again from a snapshot, which only its first
connection tells (`versions.owing` asks it); or its identity has changed while it ran. A call of
this process may have been lost on the way: the records that it wanted to renew, or whose entries it
wanted to change, are in arrears. Or another process could not reach the node, and left a debt on
others: whoever uses namespaces looks for these when it begins, when a node comes back, and now and
then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from time import monotonic
from types import MappingProxyType
from typing import Any
from weakref import ref

from kcache.arrears import MOST_ARREARS, Arrears
from kcache.command import Answers, Batch, Refused
from kcache.errors import NewerEpoch, NodeError, NodeRefused, NodeUnavailable
from kcache.executor import run
from kcache.health import State
from kcache.known import Known
from kcache.mirror import Mirror
from kcache.namespace import Path
from kcache.net.background import start
from kcache.net.pool import Pool
from kcache.net.transport import Transport
from kcache.net.trial import Trial
from kcache.versions.owing import MOST_DEBTS, Owing

__all__ = ["Guard"]

_FIRST_LOOK = 0.6
"""Of a timeout: at the first use of namespaces, what may be spent on asking all nodes."""
_UNFIT = "cannot be used in namespaces"
_FEWEST = 2
"""Nodes, of which one can keep the debts of the other."""
_TURNS = 10
_NONE: Mapping[int, Any] = MappingProxyType({})


class Guard:
    """What all namespaces of a cache share.

    Args:
        transport: to all nodes that are told of invalidations.
        known: the version tokens that were seen there.
        prefix: of the cache.
        fresh: gives a token that was never given before.
        debt_interval: seconds after which debts are looked for again.
        trusts_restart: whether what a server holds counts, wherever it has it from.
        epoch: of the ring.
        gains: the indexes of nodes that own more than in the epoch before.
        mirror: of another ring that is in use beside this one.

    Attributes:
        unsure: nodes that are to be looked at before they are used; those of `known`.
        due: when debts are to be looked for, on the clock `time.monotonic`.
    """

    def __init__(
        self,
        transport: Transport,
        known: Known,
        prefix: bytes,
        *,
        fresh: Callable[[], bytes],
        debt_interval: float,
        trusts_restart: bool,
        epoch: int = 0,
        gains: Collection[int] = (),
        mirror: Mirror | None = None,
    ) -> None:
        self.transport = transport
        self.known = known
        self._debt_interval = debt_interval
        self._pools = {
            index: end for index, end in enumerate(transport.ends) if isinstance(end, Pool)
        }
        self.mirror = mirror
        self._pool_of = {pool.node: pool for pool in self._pools.values()}
        self._owing = Owing(
            prefix,
            transport.nodes,
            known=known,
            fresh=fresh,
            trusts_restart=trusts_restart,
            epoch=epoch,
            gains=gains,
        )
        # Ids of debts that go with what is in arrears here. One that is forgotten costs what the
        # node has, and no more.
        self._own: dict[int, deque[bytes]] = {
            index: deque(maxlen=MOST_DEBTS) for index in self._pools
        }
        self._unfit: dict[int, str] = {}
        # Records that nodes have refused to renew, each with what tells one refusal from another.
        self._behind: dict[int, dict[bytes, object]] = {index: {} for index in self._pools}
        # No lock, which a child could find closed for ever.
        self._looking_until = 0.0
        self._look_again = 0.0
        is_alone = len(self._pools) < _FEWEST
        self.due = inf if is_alone else monotonic() + debt_interval
        self.unsure = known.unsure
        self.unsure |= {
            index
            for index, pool in self._pools.items()
            if not is_alone or epoch or (pool.node.kind == "redis" and not trusts_restart)
        }
        self._everything = everything = Path(prefix, ()).records[0]
        for index, pool in self._pools.items():
            pool.arrears = Arrears(everything)
            pool.make_ready = _later(self, index)
            pool.doubt = partial(self.unsure.add, index)

    def begin(self, batch: Batch, deadline: float) -> Mapping[int, NodeError]:
        """Look at the nodes that were not looked at yet, in a part of the time of a call.

        Args:
            batch: what the call is to tell which node; it tells of its failures.
            deadline: of the call, on the clock `time.monotonic`.

        Returns:
            Those that may not be used, and why. One that answers, and cannot be used in namespaces,
            such as a replica, is asked again now and then only.
        """
        now = monotonic()
        if now >= self._look_again:
            self._unfit = {}
            self._look_again = now + self._debt_interval
        refused: dict[int, NodeError] = {}
        owed: dict[int, dict[bytes, object]] = {}
        for index in sorted(self.unsure):
            # One that is down, or in arrears, is looked at after it was brought back.
            refusal = self._pools[index].refusal()
            if index in self._unfit:
                refusal = NodeUnavailable(self._pools[index].node, self._unfit[index])
            if refusal is None:
                owed[index] = dict(self._behind[index])
                continue
            refused[index] = refusal
            if index in batch:
                self._pools[index].report(refusal)
        seconds = min(self.transport.timeout * _FIRST_LOOK, deadline - monotonic())
        hurried = _Through(self.transport, seconds)
        for index, error in self._made_ready(owed, hurried).items() if owed else ():
            if error is None:
                self._is_ready(index, owed[index])
                continue
            refused[index] = NodeUnavailable(error.node, error.reason)
            # What is down is in the log already; and who has no room now may have some at once.
            is_down = isinstance(error, NodeUnavailable) or self._pools[index].refusal() is not None
            if not is_down and not Refused(error.reason).is_farewell:
                self._unfit[index] = f"{_UNFIT}: {error.reason}"
                self._pools[index].complain(error)
        return refused

    def look_soon(self) -> bool:
        """Look for debts in a thread, and pay them: nobody waits for it.

        Returns:
            False if this call must look itself: the last look was too long ago, or there is no
            thread to be had.
        """
        now = monotonic()
        is_overdue = now >= self.due + self._debt_interval
        if is_overdue:
            # Before others find that nothing is due, and read.
            self.unsure.update(self._pools)
        self.due = now + self._debt_interval
        if is_overdue:
            return False
        try:
            start(_look, (ref(self),), "kcache-debts")
        except RuntimeError:
            # There are too many threads.
            self.unsure.update(self._pools)
            return False
        return True

    def look(self) -> None:
        """Look for debts of all nodes that are up, and pay them."""
        now = monotonic()
        if now < self._looking_until:
            return
        self._looking_until = now + self.transport.timeout
        try:
            up = [i for i, pool in self._pools.items() if pool.health.state is not State.DOWN]
            owed: dict[int, tuple[bytes, ...]] = {i: () for i in up if i not in self.unsure}
            for index, error in self._made_ready(owed, self.transport).items():
                if error is None:
                    self._recognize(index)
                elif self._is_in_use(index, error):
                    # It may have missed something, and was not told.
                    self.unsure.add(index)
        finally:
            self._looking_until = 0.0

    def missed(self, record: bytes, failures: Mapping[int, NodeError]) -> None:
        """Nodes may not have done what would have dropped, or changed, entries of a namespace."""
        outages = [
            self._pools[index].owe(record, error)
            for index, error in failures.items()
            if index in self._pools
        ]
        deadline = monotonic() + self.transport.timeout
        for outage in outages:
            if outage.is_answering:
                # Whoever goes on at once, and fails again, would never let it come to an end.
                outage.over.wait(max(deadline - monotonic(), 0))

    def not_invalidated(self, record: bytes, failures: Sequence[NodeError]) -> None:
        """Nodes have not been told of an invalidation: they, and others, are told later."""
        for failure in failures:
            if isinstance(failure, NewerEpoch):
                self._pool_of[failure.node].report(failure)
                self._pool_of[failure.node].complain(failure)
        # A node of a newer ring has been told; there are others that are not known here.
        by_node = {each.node: each for each in failures if not isinstance(each, NewerEpoch)}
        missed = [index for index, pool in self._pools.items() if pool.node in by_node]
        failed = {index: by_node[self._pools[index].node] for index in missed}
        refused = {index for index in missed if self._is_refusal(index, failed[index])}
        for index in refused:
            self._refuse(index, record)
        self.missed(record, {index: failed[index] for index in missed if index not in refused})
        reached = [index for index in self._pools if index not in missed]
        if not missed:
            return
        for index, ids in run(self._owing.leave(missed, reached), self.transport).items():
            # What is in arrears by now pays for these debts; what was refused is not.
            if index not in refused:
                self._own[index].extend(ids)

    def _is_in_use(self, index: int, error: NodeError) -> bool:
        """Whether a node that has failed is not left alone: it refuses, or had too little time."""
        return not isinstance(error, NodeUnavailable) or self._pools[index].refusal() is None

    def _is_refusal(self, index: int, failure: NodeError) -> bool:
        """Whether a node answers, and has not done what it was told, or was not told at all."""
        if isinstance(failure, NodeRefused):
            return True
        return type(failure) is NodeUnavailable and self._pools[index].refusal() is None

    def _refuse(self, index: int, record: bytes) -> None:
        """A node answers, and does not renew a record: it is no use in namespaces until it does.

        Plain keys have what it gives.
        """
        behind = self._behind[index]
        behind[record if len(behind) < MOST_ARREARS else self._everything] = object()
        self.unsure.add(index)

    def make_ready(self, index: int, trial: Trial) -> bool:
        """Tell a node what it missed, over a connection that nobody else has; whether it knows."""
        pool = self._pools[index]
        if index in self.unsure and not pool.arrears:
            # Whoever uses namespaces first looks at it, and asks which server it is by now.
            pool.identity = None
            return True
        through = _Through(self.transport, trial.timeout, {index: trial})
        for _ in range(_TURNS):
            # In this order: what goes with a debt of the former is in the latter.
            own = frozenset(self._own[index])
            # What was refused before as well: what goes with it may be in the former by now.
            behind = dict(self._behind[index])
            owed = {index: (*pool.arrears.take(), *behind)}
            error = self._made_ready(owed, through, {index: own})[index]
            if isinstance(error, NodeRefused):
                # It has answered: plain keys have what it gives.
                pool.identity = None
                self.unsure.add(index)
                for record in owed[index]:
                    self._refuse(index, record)
                pool.report(error)
                pool.complain(error)
            elif error is not None:
                return False
            for debt in own:
                with suppress(ValueError):
                    self._own[index].remove(debt)
            pool.arrears.settled()
            if error is None:
                self._is_ready(index, behind)
            if not pool.arrears:
                return True
        return False

    def _made_ready(
        self,
        owed: Mapping[int, Collection[bytes]],
        transport: Transport | _Through,
        own: Mapping[int, Collection[bytes]] = _NONE,
    ) -> dict[int, NodeError | None]:
        flow = self._owing.make_ready(owed, self._pools, own=own)
        return run(flow, transport)

    def _is_ready(self, index: int, renewed: Mapping[bytes, object]) -> None:
        """A node was told what it missed; use it, unless it has refused something since."""
        self._recognize(index)
        behind = self._behind[index]
        for record, refusal in renewed.items():
            last = behind.pop(record, refusal)
            if last is not refusal:
                # It was refused again meanwhile.
                behind.setdefault(record, last)
        if not behind:
            self.unsure.discard(index)
        if behind:
            # Another thread may have put it there between the two.
            self.unsure.add(index)

    def _recognize(self, index: int) -> None:
        """From now on each new connection must lead to the server that was asked last.

        Those that were opened before may lead to another one.
        """
        pool, identity = self._pools[index], self.known.identities[index]
        if pool.identity != identity:
            pool.identity = identity
            # One without an identity, such as a memcached, brings nothing back.
            if identity:
                pool.drop()


class _Through:
    """The transport with another limit, or with a connection in the place of a pool."""

    def __init__(
        self, transport: Transport, timeout: float, trials: Mapping[int, Trial] = _NONE
    ) -> None:
        self.timeout = timeout
        self._transport = transport
        self._trials = trials

    def exchange(self, batch: Batch, deadline: float) -> Answers:
        return self._transport.exchange(batch, deadline, self._trials)


def _later(guard: Guard, index: int) -> Callable[[Trial], bool]:
    # A pool that held its guard would be in a circle, and its connections left to the collector.
    guard_of = ref(guard)

    def make_ready(trial: Trial) -> bool:
        guard = guard_of()
        return guard is not None and guard.make_ready(index, trial)

    return make_ready


def _look(guard_of: ref[Guard]) -> None:
    guard = guard_of()
    if guard is not None:
        guard.look()
