"""Fills: what is missing is computed once, by one caller of one process.

The lease on a key says who computes (`kcache.versions.filling`, `kcache.plain_filling`). The others
wait for that caller, or are given the value that is stale. Without nodes everybody computes, and
nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from os import urandom
from random import random
from time import monotonic, sleep
from typing import Any, Final

from kcache.core import Core
from kcache.entry import Kept, Marker
from kcache.errors import EncodeError, NodeError
from kcache.events import Account
from kcache.executor import run
from kcache.failures import failure_of, raised_by
from kcache.flights import Failed, Flights, Landed
from kcache.flow import MISSING, Flow
from kcache.frame import Dates
from kcache.interruption import is_of_handler
from kcache.namespaced import Namespaced
from kcache.plain_filling import PlainFilling
from kcache.policy import Policy, Task
from kcache.protocols import Codec, Transport
from kcache.refresher import Refresher
from kcache.route import Key
from kcache.sight import MARK_SIZE, Sight
from kcache.ttl import Ttl
from kcache.ttl import seconds as seconds_of

__all__ = ["Fills", "Job", "LeftOut"]

_NONCE_SIZE = 8
# Seconds between two looks at a lease of another process, and their share of the time waited.
_SHORTEST, _LONGEST, _SHARE = 0.002, 0.05, 0.05
_MOST_UNCLEAR = 5
"""So often in a row there may be neither an entry, nor a lease to be had, nor one of another."""
_NOT_KEPT = "it is too large, or it was changed or invalidated meanwhile, or its lease had ended"
_UNCHANGING: Final = frozenset({str, bytes, int, float, bool, type(None)})
"""The types of values that many can have at once, since nobody can change them."""
_FAILURE: Final = -1.0
"""The seconds of what stands for an exception; it is stale from the beginning."""


@dataclass(frozen=True)
class Job:
    """What is wanted.

    Attributes:
        key: of the entry.
        factory: computes its value.
        ttl: of the entry, in seconds; None for no end; or a function of the value that gives it.
        policy: how to go about it.
        args: of the call of a memoized function that it computes.
        kwargs: of that call.
    """

    key: Key
    factory: Callable[[], Any]
    ttl: float | Callable[[Any], Ttl] | None
    policy: Policy
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None


class LeftOut(Exception):  # noqa: N818 - it never comes out
    """A factory of many has no value for a key."""


class Fills:
    """Computes what is missing, on plain keys or in a namespace.

    Args:
        core: the fleet.
        flows: of the place.
        transport: to the nodes, for these flows.
        account: of the place.
        codec: of its values.
        chance: gives random numbers from 0 up to 1.
    """

    def __init__(
        self,
        core: Core,
        flows: Namespaced | PlainFilling,
        transport: Transport,
        account: Account,
        codec: Codec,
        *,
        chance: Callable[[], float] = random,
    ) -> None:
        self._core = core
        self._transport = transport
        # Leases of either kind are only handed on.
        self._flows: Any = flows
        self._account = account
        self._codec = codec
        self._chance = chance
        self._flights = Flights()
        self._refresher = Refresher()

    def look(self, key: Key) -> Kept | None:
        """What there is under a key, fresh or stale.

        Raises:
            NodeError: the node failed.
        """
        sight: Sight[Any] = run(self._flows.sight(key, now=self._core.now()), self._transport)
        return sight.kept

    def get(self, job: Job) -> Any:
        """The value of an entry, fresh or stale; or computed.

        Raises:
            NodeError: the node failed, and calls raise.
        """
        try:
            kept = self.look(job.key)
        except NodeError:
            if self._core.raises:
                raise
            return job.factory()
        value = MISSING if kept is None else self._served(job, kept)
        if value is MISSING:
            self._account.miss(job.key)
            return self.compute(job)
        return value

    def compute(self, job: Job) -> Any:
        """Compute a value and store it, or wait for whoever does.

        Raises:
            NodeError: the node failed, and calls raise.
        """
        value = self._settled(job, monotonic() + job.policy.wait)
        return job.factory() if value is MISSING else value

    def _settled(self, job: Job, deadline: float) -> Any:
        """The value, whoever computes it; MISSING if it takes too long, or no node can be told."""
        unclear = 0
        while True:
            mark = urandom(MARK_SIZE)
            # Before anybody can see the mark: who sees it finds the flight.
            self._flights.begin(mark)
            try:
                value, holder = self._attempt(job, mark)
            except _Unreachable as unreachable:
                if self._core.raises:
                    raise unreachable.error from None
                return MISSING
            except BaseException:
                self._withdraw(job, mark)
                raise
            finally:
                self._flights.end(mark, None)
            if value is not MISSING:
                return value
            outcome = self._waited(job, holder, deadline)
            if isinstance(outcome, Landed):
                return outcome.give()
            if isinstance(outcome, Failed):
                raise outcome.error
            unclear = unclear + 1 if holder is None else 0
            if monotonic() >= deadline or unclear >= _MOST_UNCLEAR:
                return MISSING

    def renew(self, job: Job, fresh_until: float) -> Any:
        """Compute a value again, unless somebody else does; MISSING if so.

        Args:
            job: what is wanted.
            fresh_until: of the value that was found. Another one has been computed since.
        """
        mark = urandom(MARK_SIZE)
        self._flights.begin(mark)
        now, lock_ttl = self._core.now(), job.policy.lock_ttl
        marker = Marker(mark, now + lock_ttl)
        flow = self._flows.renewal(job.key, marker, now=now, lock_ttl=lock_ttl)
        try:
            sight = run(flow, self._transport)
            if sight.lease is None:
                return MISSING
            if sight.kept is not None and sight.kept.fresh_until != fresh_until:
                self._do(self._flows.release(sight.lease))
                return MISSING
            return self._lead(job, sight, mark)
        except NodeError:
            return MISSING
        except BaseException:
            self._withdraw(job, mark)
            raise
        finally:
            self._flights.end(mark, None)

    def refill(self, job: Job) -> Any:
        """Compute a value, whatever is kept, and store it; it is given even where that fails.

        Raises:
            NodeError: the node failed, and calls raise.
        """
        mark = urandom(MARK_SIZE)
        self._flights.begin(mark)
        try:
            sight = self._taken_over(job, mark)
            if sight.lease is None:
                self._flights.end(mark, None)
                return job.factory()
            return self._lead(job, sight, mark, is_forced=True)
        except BaseException:
            self._withdraw(job, mark)
            raise
        finally:
            self._flights.end(mark, None)

    def _taken_over(self, job: Job, mark: bytes) -> Sight[Any]:
        """What there is, with the lease, whoever had it; without, if the node failed."""
        lock_ttl = job.policy.lock_ttl
        marker = Marker(mark, self._core.now() + lock_ttl)
        try:
            flow = self._flows.takeover(job.key, marker, lock_ttl=lock_ttl)
            sight: Sight[Any] = run(flow, self._transport)
        except NodeError:
            self._flights.end(mark, None)
            if self._core.raises:
                raise
            return Sight()
        return sight

    def _attempt(self, job: Job, mark: bytes) -> tuple[Any, bytes | None]:
        """The value if it is there, or can be computed here; else MISSING, and who computes it."""
        sight = self._lease(job, mark)
        value = self._current(job, sight.kept)
        if sight.lease is None:
            return value, sight.holder
        if value is MISSING:
            return self._lead(job, sight, mark), None
        self._do(self._flows.release(sight.lease))
        return value, None

    def _withdraw(self, job: Job, mark: bytes) -> None:
        """Leave no lease behind that nobody knows of, when interrupted."""
        if self._flights.find(mark) is not None:
            self._do(self._flows.withdraw(job.key, mark))

    def _lease(self, job: Job, mark: bytes) -> Sight[Any]:
        """What there is, with the lease if it can be had. It raises _Unreachable."""
        now, lock_ttl = self._core.now(), job.policy.lock_ttl
        marker = Marker(mark, now + lock_ttl)
        try:
            flow = self._flows.lease(job.key, marker, now=now, lock_ttl=lock_ttl)
            sight: Sight[Any] = run(flow, self._transport)
            is_stale = sight.kept is not None and self._current(job, sight.kept) is MISSING
            if sight.lease is None and is_stale:
                flow = self._flows.renewal(job.key, marker, now=now, lock_ttl=lock_ttl)
                sight = run(flow, self._transport)
        except NodeError as error:
            raise _Unreachable(error) from None
        return sight

    def _lead(self, job: Job, sight: Sight[Any], mark: bytes, *, is_forced: bool = False) -> Any:
        """Compute and store, with a lease.

        Where it is forced, what is kept is neither given nor left in the place of the new value.
        """
        begun = monotonic()
        try:
            value = job.factory()
        except Exception as error:
            if is_of_handler(error) or isinstance(error, LeftOut):
                # It is nothing that those who wait should be told: they look again.
                raise
            if self._fell_back(job, sight, mark, error) and not is_forced:
                self._account.stale(job.key)
                return sight.kept.value if sight.kept else None
            raise
        seconds = monotonic() - begun
        self._account.computed(job.key, seconds)
        is_stored = self._do(self._stored(job, sight.lease, value, seconds))
        if is_forced and not is_stored:
            self._do(self._flows.drop(sight.lease))
        self._flights.end(mark, self._landed(mark, value))
        return value

    def _landed(self, mark: bytes, value: Any) -> Landed | None:
        """What those are given who wait in this process: each a value of its own, as of a hit.

        None, if nobody waits; whoever comes at this very moment looks again.
        """
        flight = self._flights.find(mark)
        if flight is None or not flight.is_joined:
            return None
        if type(value) in _UNCHANGING:
            return Landed(lambda: value)
        try:
            data = self._codec.encode(value)
        except EncodeError:
            # There is no other one to be had.
            return Landed(lambda: value)
        return Landed(lambda: self._codec.decode(data))

    def _fell_back(self, job: Job, sight: Sight[Any], mark: bytes, error: Exception) -> bool:
        """Tell others of an exception; whether there is a value that is given in its place."""
        policy, kept = job.policy, sight.kept
        is_kept = (
            kept is not None
            and not kept.is_failure
            and self._core.now() < kept.fresh_until + policy.stale_on_error
        )
        error_ttl = None if is_kept else policy.error_ttl(error)
        if error_ttl is None:
            self._do(self._flows.release(sight.lease))
        else:
            dates = Dates(-inf, _FAILURE, urandom(_NONCE_SIZE))
            self._do(self._filled(job.key, sight.lease, failure_of(error), error_ttl, dates))
        if is_kept and kept is not None:
            self._flights.end(mark, self._landed(mark, kept.value))
        else:
            self._flights.end(mark, Failed(error))
        return is_kept

    def _stored(self, job: Job, lease: Any, value: Any, seconds: float) -> Flow[bool]:
        policy = job.policy
        life = seconds_of(job.ttl(value)) if callable(job.ttl) else job.ttl
        ttl = policy.shortened(life, self._chance())
        if ttl is None or not policy.is_dated:
            return self._filled(job.key, lease, value, ttl, None)
        dates = Dates(self._core.now() + ttl, seconds, urandom(_NONCE_SIZE))
        return self._filled(job.key, lease, value, ttl + policy.keeps, dates)

    def _filled(
        self, key: Key, lease: Any, value: Any, ttl: float | None, dates: Dates | None
    ) -> Flow[bool]:
        try:
            is_stored: bool = yield from self._flows.fill(lease, value, ttl, dates)
        except EncodeError as error:
            self._account.not_stored(key, f"{error}")
            yield from self._flows.release(lease)
            return False
        if is_stored:
            self._account.stored(key)
        else:
            self._account.not_stored(key, _NOT_KEPT)
        return is_stored

    def _do(self, flow: Flow[Any]) -> Any:
        """Do what need not succeed; None if it did not."""
        with suppress(NodeError):
            return run(flow, self._transport)
        return None

    def _served(self, job: Job, kept: Kept) -> Any:
        """The value to give at once, or MISSING; it may be computed again behind that."""
        policy, now = job.policy, self._core.now()
        value = self._current(job, kept)
        if kept.is_failure:
            return value
        if value is MISSING:
            if now >= kept.fresh_until + policy.stale_ttl:
                return MISSING
            self._account.stale(job.key)
        else:
            self._account.hit(job.key)
            if not policy.is_due(kept.fresh_until, kept.seconds, now, self._chance()):
                return value
        if policy.refresh == "caller":
            value = self.renew(job, kept.fresh_until)
            return kept.value if value is MISSING else value
        self._ask(job, kept.fresh_until)
        return kept.value

    def _ask(self, job: Job, fresh_until: float) -> None:
        """Have a value computed again behind the caller."""
        place, hook = self._flows.route(job.key), job.policy.refresh
        renew = partial(self.renew, job, fresh_until)
        if callable(hook):
            # A value that has been computed since is another one.
            value = place, fresh_until
            here = partial(self._refresher.here, value, renew)
            task = Task(self._account.names, job.key, job.args, job.kwargs or {}, here)
            self._refresher.hand_over(value, task, hook, job.policy.lock_ttl)
        else:
            self._refresher.ask(place, renew)

    def _current(self, job: Job, kept: Kept | None) -> Any:
        """The value if it is fresh, else MISSING. It raises the exception that is kept instead."""
        if kept is None:
            return MISSING
        if kept.is_failure:
            error = raised_by(kept.value, job.policy.errors)
            if error is not None:
                raise error
            return MISSING
        return kept.value if self._core.now() < kept.fresh_until else MISSING

    def _waited(self, job: Job, holder: bytes | None, deadline: float) -> Landed | Failed | None:
        """What came of the computation of a holder; None if one has to look again."""
        if holder is None:
            # It has ended just now; or the key is none that an entry can be stored under.
            sleep(_SHORTEST * (0.5 + self._chance()))
            return None
        flight, is_new = self._flights.begin(holder)
        if not is_new:
            return flight.wait(deadline - monotonic())
        value = MISSING
        try:
            value = self._watched(job, holder, deadline)
        finally:
            landed = None if value is MISSING else self._landed(holder, value)
            self._flights.end(holder, landed)
        return None if value is MISSING else Landed(lambda: value)

    def _watched(self, job: Job, holder: bytes, deadline: float) -> Any:
        """The value, when a lease of another process is over; MISSING if one has to look again."""
        begun = monotonic()
        while (now := monotonic()) < deadline:
            try:
                flow = self._flows.sight(job.key, now=self._core.now())
                sight = run(flow, self._transport)
            except NodeError:
                return MISSING
            value = self._current(job, sight.kept)
            if value is not MISSING:
                return value
            if sight.holder != holder:
                return MISSING
            pause = min(max((now - begun) * _SHARE, _SHORTEST), _LONGEST)
            sleep(min(pause * (0.5 + self._chance()), max(deadline - now, 0)))
        return MISSING


class _Unreachable(Exception):  # noqa: N818 - it never comes out
    """A node failed: told apart from what a factory raises."""

    def __init__(self, error: NodeError) -> None:
        super().__init__(error)
        self.error = error
