"""Fills of many keys: what is missing is computed in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from os import urandom
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple

from kcache.entry import Marker
from kcache.errors import NodeError
from kcache.executor import run
from kcache.fills import Fills, Job, LeftOut
from kcache.flow import MISSING, Flow, together
from kcache.policy import Policy
from kcache.route import Key
from kcache.sight import MARK_SIZE, Sight

__all__ = ["ManyFills"]

FactoryMany = Callable[[list[Any]], Mapping[Any, Any]]


class _Won(NamedTuple):
    """A key that is computed here."""

    job: Job
    lease: Any
    mark: bytes


class ManyFills(Fills):
    """Fills of one key, and of many."""

    def get_many(
        self,
        keys: Iterable[Key],
        factory_many: FactoryMany,
        ttl: float | None,
        policy: Policy,
        calls: Mapping[Any, tuple[Any, ...]] = MappingProxyType({}),
    ) -> dict[Any, Any]:
        """Values by key; what is missing is computed in one call, as far as nobody else does.

        Args:
            keys: of the entries.
            factory_many: computes the values of some.
            ttl: of the entries.
            policy: how to go about it.
            calls: of a memoized function, by key.

        Raises:
            NodeError: a node failed, and calls raise.
        """
        # An exception that is kept is of one key, and must not keep the others from their values.
        policy = replace(policy, errors=MappingProxyType({}))
        same = self._firsts(keys)
        jobs = [
            Job(key, _alone(factory_many, key), ttl, policy, calls.get(key, ()))
            for key in dict.fromkeys(same.values())
        ]
        found, missing, alone = self._looked(jobs)
        won, others = self._leased(missing, alone)
        try:
            found |= self._computed(won, alone, factory_many)
        finally:
            for each in won:
                self._flights.end(each.mark, None)
        found |= self._of_others(others, monotonic() + policy.wait, factory_many)
        return {key: found[first] for key, first in same.items() if first in found}

    def renew(self, job: Job, fresh_until: float) -> Any:
        """The same; a value that a factory of many leaves out stays as it is."""
        try:
            return super().renew(job, fresh_until)
        except LeftOut:
            return MISSING

    def _of_others(
        self, jobs: list[Job], deadline: float, factory_many: FactoryMany
    ) -> dict[Key, Any]:
        """The values that others compute; what takes them too long is computed in one call."""
        found: dict[Key, Any] = {}
        late: list[Key] = []
        for job in jobs:
            try:
                value = self._settled(job, deadline)
            except LeftOut:
                continue
            if value is MISSING:
                late.append(job.key)
            else:
                found[job.key] = value
        if late:
            values = _mapping(factory_many(late))
            found |= {key: values[key] for key in late if key in values}
        return found

    def _firsts(self, keys: Iterable[Key]) -> dict[Key, Key]:
        """For each key the first one that is the same: `b"a"` after `"a"` is."""
        firsts: dict[Any, Key] = {}
        return {key: firsts.setdefault(self._flows.route(key), key) for key in keys}

    def _looked(self, jobs: list[Job]) -> tuple[dict[Key, Any], list[Job], list[Job]]:
        """The values that are there; jobs without one; and those of nodes that failed."""
        found: dict[Key, Any] = {}
        missing: list[Job] = []
        alone: list[Job] = []
        now = self._core.now()
        sights = self._all(self._flows.sight(job.key, now=now) for job in jobs)
        for job, sight in zip(jobs, sights, strict=True):
            if isinstance(sight, NodeError):
                alone.append(job)
                continue
            value = MISSING if sight.kept is None else self._served(job, sight.kept)
            if value is MISSING:
                self._account.miss(job.key)
                missing.append(job)
            else:
                found[job.key] = value
        return found, missing, alone

    def _leased(self, jobs: list[Job], alone: list[Job]) -> tuple[list[_Won], list[Job]]:
        """The jobs whose leases were had, and those that others do, or may have done."""
        marks = [urandom(MARK_SIZE) for _ in jobs]
        now = self._core.now()
        for mark in marks:
            self._flights.begin(mark)
        won: list[_Won] = []
        others: list[Job] = []
        needless: list[Any] = []
        try:
            sights = self._tried(
                self._flows.lease(
                    job.key,
                    Marker(mark, now + job.policy.lock_ttl),
                    now=now,
                    lock_ttl=job.policy.lock_ttl,
                )
                for job, mark in zip(jobs, marks, strict=True)
            )
            for job, mark, sight in zip(jobs, marks, sights, strict=True):
                if isinstance(sight, NodeError):
                    alone.append(job)
                elif sight.lease is not None and self._current(job, sight.kept) is MISSING:
                    won.append(_Won(job, sight.lease, mark))
                else:
                    others.append(job)
                    # With a lease, somebody has stored there since it was looked for.
                    needless += [] if sight.lease is None else [sight.lease]
            if needless:
                self._tried(map(self._flows.release, needless))
            failure = next((sight for sight in sights if isinstance(sight, NodeError)), None)
            if failure is not None and self._core.raises:
                self._tried(self._flows.release(each.lease) for each in won)
                won.clear()
                raise failure
        finally:
            kept = {each.mark for each in won}
            for mark in marks:
                if mark not in kept:
                    self._flights.end(mark, None)
        return won, others

    def _computed(
        self, won: list[_Won], alone: list[Job], factory_many: FactoryMany
    ) -> dict[Key, Any]:
        wanted = [each.job.key for each in won] + [job.key for job in alone]
        if not wanted:
            return {}
        begun = monotonic()
        try:
            values = _mapping(factory_many(wanted))
        except BaseException:
            self._tried(self._flows.release(each.lease) for each in won)
            raise
        seconds = monotonic() - begun
        for each in won:
            self._account.computed(each.job.key, seconds / len(won))
        self._tried(self._ended(each, values, seconds) for each in won)
        for each in won:
            if each.job.key in values:
                landed = self._landed(each.mark, values[each.job.key])
                self._flights.end(each.mark, landed)
        return {key: values[key] for key in wanted if key in values}

    def _ended(self, won: _Won, values: Mapping[Any, Any], seconds: float) -> Flow[Any]:
        if won.job.key not in values:
            return self._flows.release(won.lease)  # type: ignore[no-any-return]
        return self._stored(won.job, won.lease, values[won.job.key], seconds)

    def _tried(self, flows: Iterable[Flow[Any]]) -> list[Any]:
        """What each of some flows gives, or the NodeError of its node."""
        return run(together(list(flows)), self._transport)

    def _all(self, flows: Iterable[Flow[Any]]) -> list[Sight[Any] | NodeError]:
        """The same; where calls raise, the first NodeError is raised."""
        results = self._tried(flows)
        for result in results:
            if isinstance(result, NodeError) and self._core.raises:
                raise result
        return results


def _mapping(values: Any) -> Mapping[Any, Any]:
    if not isinstance(values, Mapping):
        kind = type(values).__name__
        raise TypeError(f"factory_many gives a dict from keys to values, not {kind}")
    return values


def _alone(factory_many: FactoryMany, key: Key) -> Callable[[], Any]:
    def factory() -> Any:
        values = _mapping(factory_many([key]))
        if key not in values:
            raise LeftOut
        return values[key]

    return factory
