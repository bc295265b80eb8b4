"""A scenario, the load that it is run with, and what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.faults.tally import Tally

__all__ = ["BOTH", "KCACHE", "Contender", "Effort", "Finding", "Scenario", "found", "repeated"]

KCACHE = "kcache"


@dataclass(frozen=True)
class Contender:
    """A client, and the kind of node that it talks to."""

    who: str
    node: str


BOTH = (Contender(KCACHE, "redis"), Contender(KCACHE, "memcached"))


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        count: rounds that are wanted.
        seconds: after which no further ones are begun.
        seed: of the random numbers.
    """

    count: int
    seconds: float
    seed: int = 20_261_122


@dataclass(frozen=True)
class Finding:
    """What was found, so far.

    Attributes:
        count: rounds that were run.
        faults: what must not happen and did, and how often.
        readings: what is told beside; nothing is asked of it.
    """

    count: int
    faults: Mapping[str, int] = field(default_factory=dict)
    readings: Mapping[str, float] = field(default_factory=dict)


Run = Callable[[Contender, Effort], Iterator[Finding]]
"""Yields what was found up to then, as often as it likes; the last one counts."""


@dataclass(frozen=True)
class Scenario:
    """Something that goes wrong.

    Attributes:
        figure: of the list of promises, as in "F1".
        name: what happens; unique.
        unit: what is counted.
        must: what must hold.
        run: does it.
        full: of a full run.
        quick: of a quick one, in which peers have no part.
        contenders: who goes through it.
        limit: seconds after which a contender is ended, and said to hang.
        at_once: whether contenders go through it at the same time, as no time of theirs is told.
    """

    figure: str
    name: str
    unit: str
    must: str
    run: Run
    full: Effort
    quick: Effort
    contenders: tuple[Contender, ...] = BOTH
    limit: float = 120.0
    at_once: bool = False


def found(tally: Tally) -> Finding:
    """A tally as a finding."""
    return Finding(tally.rounds, tally.faults)


def repeated(effort: Effort, chunk: int, run: Callable[[int, int], Tally]) -> Iterator[Tally]:
    """Run chunk after chunk, each with a count and a seed, until there were enough of them.

    Yields:
        The sum, after each chunk.
    """
    total, deadline = Tally(), time.monotonic() + effort.seconds
    turn = 0
    while total.rounds < effort.count and (turn == 0 or time.monotonic() < deadline):
        total.add(run(min(chunk, effort.count - total.rounds), effort.seed + turn))
        turn += 1
        yield total
