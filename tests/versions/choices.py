"""Every way that a deterministic program can go, where it asks what happens next.

A simulation calls `pick` wherever one of several things may happen. `every_way` runs it again and
again, with the next untried answers each time, until there are none; a way that comes to a state
where another one has been is left there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Choices", "Found", "Pruned", "Simulation", "every_way", "some_ways"]

_UPSET, _ANYBODY = 0.15, 0.2
"""How often somebody gets another rank, and how often ranks do not count."""


class Pruned(Exception):  # noqa: N818 - no error of anything
    """Another way has been here."""


class Found(AssertionError):  # noqa: N818 - it is what was looked for
    """Something is wrong at the end of this way."""


@dataclass
class Choices:
    """The answers of one run.

    Attributes:
        prefix: the first answers; after them it is the first possibility, or one at random.
        taken: number of the possibility that was taken, and how many there were.
        seen: states where others were.
        chance: takes possibilities at random.
        ranks: who comes first, at random.
    """

    prefix: tuple[int, ...] = ()
    taken: list[tuple[int, int]] = field(default_factory=list)
    seen: set[Hashable] = field(default_factory=set)
    chance: random.Random | None = None
    ranks: dict[str, float] = field(default_factory=dict)

    def pick(self, sizes: Mapping[str, int], state: Callable[[], Hashable]) -> int:
        """One of all possibilities; raises `Pruned` in a state that has been met.

        Args:
            sizes: how many possibilities each of those has that something may come from.
            state: the state now.
        """
        at, count = len(self.taken), sum(sizes.values())
        if at < len(self.prefix):
            number = self.prefix[at]
        elif self.chance is not None:
            number = self._drawn(sizes, self.chance)
        else:
            now = state()
            if now in self.seen:
                raise Pruned
            self.seen.add(now)
            number = 0
        self.taken.append((number, count))
        return number

    def _drawn(self, sizes: Mapping[str, int], chance: random.Random) -> int:
        """One at random. Where all were alike, hardly one would be far ahead of another."""
        for name in sizes:
            if name not in self.ranks:
                self.ranks[name] = chance.random()
        if chance.random() < _UPSET:
            self.ranks[chance.choice(list(sizes))] = chance.random()
        chosen = min(sizes, key=self.ranks.__getitem__)
        if chance.random() < _ANYBODY:
            chosen = chance.choice(list(sizes))
        before = list(sizes)[: list(sizes).index(chosen)]
        return sum(sizes[name] for name in before) + chance.randrange(sizes[chosen])


Simulation: TypeAlias = Callable[[Choices], None]
"""A program that asks. It runs to its end, or raises `Found`."""


def every_way(simulation: Simulation, most: int = 10**7) -> int:
    """Run all ways; how many states there are.

    Raises:
        Found: something is wrong at the end of one.
    """
    seen: set[Hashable] = set()
    prefix: tuple[int, ...] | None = ()
    while prefix is not None and len(seen) < most:
        choices = Choices(prefix, seen=seen)
        with suppress(Pruned):
            simulation(choices)
        prefix = _next(choices.taken)
    assert len(seen) < most, "there are too many states"
    return len(seen)


def some_ways(simulation: Simulation, count: int, seed: int) -> None:
    """Run some ways at random. It raises `Found`."""
    for number in range(count):
        chance = random.Random(seed * 1_000_003 + number)  # noqa: S311 - it is to come again
        simulation(Choices(chance=chance))


def _next(taken: list[tuple[int, int]]) -> tuple[int, ...] | None:
    """The answers that lead to the next way, the last question first."""
    while taken:
        number, count = taken.pop()
        if number + 1 < count:
            return (*(each for each, _ in taken), number + 1)
    return None
