"""The sorted points, on circles small enough to be looked at hash by hash."""

from __future__ import annotations

from array import array
from collections import Counter
from fractions import Fraction
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache import Ring
from kcache.ring.continuum import SEVERAL, Continuum
from kcache.ring.dialect import HASH_SPACE, Circle
from kcache.ring.plan import moves_between, shares

SPACE = 32
LAST = HASH_SPACE - 1
points = st.lists(st.integers(0, SPACE + 3) | st.just(LAST), min_size=1, max_size=6)
circles = st.lists(points, min_size=1, max_size=4)


def continuum_of(groups: list[list[int]], *, unique: bool = False) -> Continuum:
    made = ((owner, array("I", group)) for owner, group in enumerate(groups))
    return Continuum.of(Circle.of(made, unique=unique))


def owner_of(groups: list[list[int]], place: int) -> int:
    """The rule itself."""
    ranked = sorted((point, owner) for owner, group in enumerate(groups) for point in group)
    return next((owner for point, owner in ranked if point >= place), ranked[0][1])


@given(circles, st.booleans())
def test_each_hash_has_the_owner_of_the_first_point_from_it_on(
    groups: list[list[int]],
    unique: bool,  # noqa: FBT001 - a strategy's
) -> None:
    continuum = continuum_of(groups, unique=unique)
    for place in (*range(SPACE + 5), LAST - 1, LAST):
        assert continuum.owner(place) == owner_of(groups, place)
        assert next(iter(continuum.walk(place))) == owner_of(groups, place)
        # The table says the same, or that a search is needed.
        assert continuum.table[place >> continuum.shift] in (SEVERAL, owner_of(groups, place))


@given(circles)
def test_where_points_are_unique_each_is_there_once(groups: list[list[int]]) -> None:
    found = list(chain.from_iterable(groups))
    assert list(continuum_of(groups).points) == sorted(found)
    assert list(continuum_of(groups, unique=True).points) == sorted(set(found))


@given(circles, st.integers(1, SPACE))
def test_arcs_cut_a_space_at_its_points(groups: list[list[int]], space: int) -> None:
    continuum = continuum_of(groups)
    start, owners = 0, []
    for end, owner in continuum.arcs(space):
        assert start < end <= space
        owners += [owner] * (end - start)
        start = end
    assert owners == [owner_of(groups, place) for place in range(space)]
    counted = Counter(owners)
    assert shares(continuum, space, len(groups)) == [
        Fraction(counted[owner], space) for owner in range(len(groups))
    ]


@given(circles, circles, st.integers(1, SPACE))
def test_a_plan_says_what_moves_hash_by_hash(
    old: list[list[int]], new: list[list[int]], space: int
) -> None:
    names = ["a", "b", "c", "d"]
    pairs = Counter(
        (names[before], names[after])
        for before, after in ((owner_of(old, p), owner_of(new, p)) for p in range(space))
        if before != after
    )
    plan = moves_between(continuum_of(old), names, continuum_of(new), names, space)
    assert plan.moves == {pair: Fraction(count, space) for pair, count in pairs.items()}
    assert plan.moved == Fraction(sum(pairs.values()), space)
    assert list(plan.moves.values()) == sorted(plan.moves.values(), reverse=True)


@pytest.mark.parametrize("nodes", [1, 4, 50])
def test_few_hashes_need_a_search(nodes: int) -> None:
    ring = Ring([f"memcached://10.0.0.{i}" for i in range(nodes)])
    continuum = ring._continuum  # noqa: SLF001 - what it saves is seen nowhere else
    assert LAST >> continuum.shift == len(continuum.table) - 1
    assert continuum.table.count(SEVERAL) <= len(continuum.points)
    assert 8 * len(continuum.points) <= len(continuum.table) <= 2**18


def test_a_large_ring_has_a_table_of_a_quarter_of_a_million_buckets() -> None:
    groups = [list(range(i, LAST, LAST >> 17)) for i in (1, 2)]
    continuum = continuum_of(groups)
    assert len(continuum.points) > 2**18
    assert len(continuum.table) == 2**19
