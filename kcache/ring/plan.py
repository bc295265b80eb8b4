"""What changes hands between two rings, by arc arithmetic: exact, not sampled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kcache.ring.continuum import Continuum

__all__ = ["Plan", "moves_between", "shares"]


@dataclass(frozen=True)
class Plan:
    """The change from one ring to another.

    Attributes:
        moved: the share of all key hashes whose owner changes.
        moves: for each pair (name of the old owner, name of the new one), the share that it
            hands over, largest first.
    """

    moved: Fraction
    moves: Mapping[tuple[str, str], Fraction]


def shares(continuum: Continuum, space: int, count: int) -> list[Fraction]:
    """The share of the key hashes 0 .. space - 1 that each of `count` nodes owns."""
    owned = [0] * count
    start = 0
    for end, owner in continuum.arcs(space):
        owned[owner] += end - start
        start = end
    return [Fraction(hashes, space) for hashes in owned]


def moves_between(
    old: Continuum,
    old_names: Sequence[str],
    new: Continuum,
    new_names: Sequence[str],
    space: int,
) -> Plan:
    """The plan from one continuum to another, over the key hashes 0 .. space - 1."""
    moved: Counter[tuple[str, str]] = Counter()
    for hashes, old_owner, new_owner in _overlaps(old.arcs(space), new.arcs(space)):
        before, after = old_names[old_owner], new_names[new_owner]
        if before != after:
            moved[before, after] += hashes
    moves = {pair: Fraction(hashes, space) for pair, hashes in moved.most_common()}
    return Plan(sum(moves.values(), Fraction()), moves)


def _overlaps(
    old: Iterator[tuple[int, int]], new: Iterator[tuple[int, int]]
) -> Iterator[tuple[int, int, int]]:
    """Merge two cuts of the same space into (length, old owner, new owner)."""
    start = old_end = new_end = 0
    old_owner = new_owner = -1
    while True:
        try:
            if old_end == start:
                old_end, old_owner = next(old)
            if new_end == start:
                new_end, new_owner = next(new)
        except StopIteration:
            return
        end = min(old_end, new_end)
        yield end - start, old_owner, new_owner
        start = end
