"""Rows of calls: what each contender's call takes, over many of them in a round."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from benchmarks.harness import Contender, Goal, Result, Row, Work, measure

__all__ = ["Call", "Ways", "measured", "repeated", "row_of", "say"]

Call = Callable[[], object]
Ways = dict[str, Call]


def repeated(call: Call, times: int) -> Work:
    """The same call, many times."""

    def work() -> None:
        for _ in range(times):
            call()

    return work


def row_of(
    name: str,
    calls: Mapping[str, Call],
    goals: Sequence[Goal],
    times: int,
    *,
    rounds: int,
    ours: Collection[str],
) -> Row:
    """A row of calls by contender, of which the first is the floor.

    Args:
        name: what is measured.
        calls: by contender.
        goals: what must be reached.
        times: calls in a round.
        rounds: how many readings of each are kept.
        ours: the contenders that are no peers, the floor left out.
    """
    for call in calls.values():
        # What the first call opens and learns is no part of any other.
        call()
    floor = next(iter(calls))
    return Row(
        name,
        tuple(Contender(way, partial(repeated, call, times)) for way, call in calls.items()),
        operations=times,
        floor=floor,
        peers=tuple(way for way in calls if way != floor and way not in ours),
        goals=tuple(goals),
        rounds=rounds,
    )


def measured(row: Row) -> Result:
    """Measure a row, and say so."""
    say(row.name)
    return measure(row)


def say(what: str) -> None:
    """Tell on stderr what is going on."""
    print(f"{what} ...", file=sys.stderr, flush=True)
