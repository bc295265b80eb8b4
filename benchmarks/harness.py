"""Interleaved measurement of several ways to do the same work.

A row names its contenders. Every round measures each of them once, in one process, so that a
change in the machine's speed meets them all alike; what counts is the median over the rounds.
Nothing here knows what is measured.
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

__all__ = [
    "CLOCK",
    "PEAK",
    "RETAINED",
    "RETAINED_BYTES",
    "Contender",
    "Goal",
    "Measurement",
    "Meter",
    "Result",
    "Row",
    "Verdict",
    "Work",
    "measure",
    "pin_to_one_cpu",
]

Work = Callable[[], object]

_MICROSECONDS = 1e6
_MIB = 2**20


@dataclass(frozen=True)
class Contender:
    """One way to do a row's work.

    Attributes:
        name: unique within the row.
        prepare: called before every round, outside the measured part; builds the round's inputs
            and returns the work. What the work returns is released after the measured part.
    """

    name: str
    prepare: Callable[[], Work]


@dataclass(frozen=True)
class Meter:
    """How a piece of work is measured, and in which unit."""

    unit: str
    read: Callable[[Work], float]


@dataclass(frozen=True)
class Goal:
    """A contender's limit: a multiple of another contender's median, or in the row's unit."""

    contender: str
    limit: float
    against: str | None = None


@dataclass(frozen=True)
class Measurement:
    """The readings of one contender, in the row's unit per operation."""

    contender: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle reading."""
        return median(self.rounds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Half of the readings lie between these."""
        if len(self.rounds) == 1:
            return self.rounds[0], self.rounds[0]
        low, _, high = quantiles(self.rounds, n=4, method="inclusive")
        return low, high

    @property
    def spread(self) -> float:
        """The distance of the quartiles as a share of the median."""
        low, high = self.quartiles
        return (high - low) / self.median


@dataclass(frozen=True)
class Verdict:
    """What came of a goal: a ratio where the goal is one, else a median."""

    goal: Goal
    value: float

    @property
    def reached(self) -> bool:
        """Whether the goal was reached."""
        return self.value <= self.goal.limit


@dataclass(frozen=True)
class Result:
    """The measurements of one row.

    Attributes:
        name: what was measured.
        unit: of every reading, per operation.
        floor: the contender that shows what the bare work costs.
        peers: the contenders that others wrote.
    """

    name: str
    unit: str
    floor: str | None
    peers: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    goals: tuple[Goal, ...]

    def __getitem__(self, contender: str) -> Measurement:
        return next(m for m in self.measurements if m.contender == contender)

    def ratio(self, contender: str, other: str) -> float:
        """A contender's median over another's."""
        return self[contender].median / self[other].median

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What came of each goal."""
        return tuple(Verdict(goal, self._value(goal)) for goal in self.goals)

    def _value(self, goal: Goal) -> float:
        if goal.against is None:
            return self[goal.contender].median
        return self.ratio(goal.contender, goal.against)


def _time(work: Work) -> float:
    """Microseconds of wall clock, without garbage collection."""
    gc.disable()
    try:
        start = perf_counter()
        made = work()
        end = perf_counter()
    finally:
        gc.enable()
    del made
    return (end - start) * _MICROSECONDS


def _memory(work: Work) -> tuple[int, int]:
    """Bytes that Python's allocators still hold after the work, and that they held at most."""
    tracemalloc.start()
    try:
        made = work()
        gc.collect()
        retained, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del made
    return retained, peak


CLOCK = Meter("us", _time)
RETAINED = Meter("MiB", lambda work: _memory(work)[0] / _MIB)
RETAINED_BYTES = Meter("B", lambda work: _memory(work)[0])
PEAK = Meter("MiB", lambda work: _memory(work)[1] / _MIB)


@dataclass(frozen=True)
class Row:
    """Work, and those who do it.

    Attributes:
        name: what is measured.
        contenders: measured in turn, each once a round.
        operations: how many operations one call of a contender's work does.
        floor: name of the contender that does no more than the bare work.
        peers: names of the contenders that others wrote.
        goals: what must be reached.
        meter: what is read.
        rounds: how many readings of each contender are kept.
    """

    name: str
    contenders: tuple[Contender, ...]
    operations: int = 1
    floor: str | None = None
    peers: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    meter: Meter = CLOCK
    rounds: int = 7


def measure(row: Row) -> Result:
    """Measure a row. One round more goes before the others to warm up, and is not kept."""
    readings: dict[str, list[float]] = {contender.name: [] for contender in row.contenders}
    # What is there now is not looked through again and again for what a round leaves behind.
    gc.freeze()
    for round_number in range(row.rounds + 1):
        for contender in _rotated(row.contenders, round_number):
            gc.collect()
            reading = row.meter.read(contender.prepare()) / row.operations
            if round_number:
                readings[contender.name].append(reading)
    gc.unfreeze()
    measurements = tuple(Measurement(name, tuple(taken)) for name, taken in readings.items())
    return Result(row.name, row.meter.unit, row.floor, row.peers, measurements, row.goals)


def _rotated(contenders: tuple[Contender, ...], by: int) -> Iterable[Contender]:
    # So that nobody always runs after the same neighbour, who leaves the CPU's caches behind.
    start = by % len(contenders)
    return contenders[start:] + contenders[:start]


def pin_to_one_cpu() -> None:
    """Keep this process, and the ones it starts, on one CPU, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
