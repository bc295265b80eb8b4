"""The sorted points of a ring, and the search for the owner of a hash.

Points and owners are kept in arrays, 6 bytes a point where lists would take 48. A table over the
high bits of the hash saves a search where one node owns a whole bucket, as is most often so in
rings of up to some hundred nodes.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from operator import sub

from kcache.ring.dialect import HASH_SPACE, Circle

__all__ = ["MAX_NODES", "SEVERAL", "Continuum"]

SEVERAL = 0xFFFF
"""In the table: more than one node owns a part of the bucket."""
MAX_NODES = SEVERAL
_HASH_BITS = HASH_SPACE.bit_length() - 1


@dataclass(frozen=True, eq=False)
class Continuum:
    """All points in ring order.

    Attributes:
        points: the points, ascending.
        owners: the node index of each point, and once more that of the first one at the end,
            where hashes beyond the last point go.
        table: for each bucket of hashes the node index that owns all of it, or `SEVERAL`.
        shift: a hash shifted right by this is its bucket.
    """

    points: Sequence[int]
    owners: Sequence[int]
    table: Sequence[int]
    shift: int

    @classmethod
    def of(cls, circle: Circle) -> Continuum:
        """Sort a circle. Of equal points that of the first group comes first, or is kept alone."""
        # Point and group in one integer sort fastest, and an array takes them apart again.
        ranked: list[int] = []
        for rank, (_, points) in enumerate(circle.groups):
            ranked.extend([point << 32 | rank for point in points])
        ranked.sort()
        if circle.unique:
            ranked = [next(equal) for _, equal in groupby(ranked, key=lambda rank: rank >> 32)]
        halves = array("I", array("Q", ranked).tobytes())
        low = 0 if sys.byteorder == "little" else 1
        points, ranks = halves[1 - low :: 2], halves[low::2]
        owner_of = [owner for owner, _ in circle.groups]
        owners = array("H", map(owner_of.__getitem__, ranks))
        owners.append(owners[0])
        return cls(points, owners, *_table(points, owners))

    def owner(self, place: int) -> int:
        """The node index of the first point >= place, else of the first point of all."""
        return self.owners[bisect_left(self.points, place)]

    def walk(self, place: int) -> Iterator[int]:
        """The node index of every point once, from the owner of `place` on, clockwise."""
        start = bisect_left(self.points, place)
        count = len(self.points)
        return (self.owners[i % count] for i in range(start, start + count))

    def arcs(self, space: int) -> Iterator[tuple[int, int]]:
        """Cut 0 .. space - 1 into arcs with one owner each.

        Returns:
            Pairs of an arc's end (exclusive) and its node index, in order; the last end is
            `space`.
        """
        start = 0
        for point, owner in zip(self.points, self.owners, strict=False):
            end = min(point + 1, space)
            # Of equal points only the first has an arc.
            if end > start:
                yield end, owner
                start = end
        if start < space:
            yield space, self.owners[0]


def _table(points: Sequence[int], owners: Sequence[int]) -> tuple[Sequence[int], int]:
    # Eight buckets a point or more leave about one lookup in ten to search. Large rings get fewer
    # buckets and search more: 2**18 of them are half a megabyte.
    size = len(points).bit_length()
    bits = min(size + 3, max(18, size))
    shift = _HASH_BITS - bits
    ends = [point >> shift for point in points]
    # Buckets after that of the point before, up to a point's own, begin with that point's owner.
    runs = map(sub, [*ends, (1 << bits) - 1], [-1, *ends])
    table = array("H", chain.from_iterable(map(repeat, owners, runs)))
    for bucket in ends:
        table[bucket] = SEVERAL
    return table, shift
