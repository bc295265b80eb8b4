"""Whether nothing tells two arguments apart: said once more, in another way than the code does."""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from math import isnan
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

__all__ = ["REFUSED", "Color", "Mode", "Other", "Point", "same", "values"]


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796 - another name of RED
    BLUE = "1"


class Mode(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Point:
    x: Any
    y: Any = 0


@dataclass(frozen=True)
class Other:
    x: Any
    y: Any = 0


def same(one: Any, other: Any) -> bool:
    """Equal, of equal types, all the way down; with the sign of zero, and all NaN alike."""
    if type(one) is not type(other):
        return False
    compare = _COMPARED.get(type(one))
    return bool(one == other if compare is None else compare(one, other))


def _same_floats(one: float, other: float) -> bool:
    return (isnan(one) and isnan(other)) or struct.pack("d", one) == struct.pack("d", other)


def _same_items(one: Any, other: Any) -> bool:
    return len(one) == len(other) and all(map(same, one, other))


def _same_points(one: Any, other: Any) -> bool:
    return same((one.x, one.y), (other.x, other.y))


def _same_moments(one: Any, other: Any) -> bool:
    naive = one.replace(tzinfo=None) == other.replace(tzinfo=None)
    return bool(naive and one.fold == other.fold and _zone(one) == _zone(other))


def _matched(some: list[Any], others: list[Any]) -> bool:
    if len(some) != len(others):
        return False
    left = list(others)
    for item in some:
        found = next((i for i, each in enumerate(left) if same(item, each)), None)
        if found is None:
            return False
        del left[found]
    return True


_COMPARED: dict[type, Callable[[Any, Any], bool]] = {
    float: _same_floats,
    tuple: _same_items,
    list: _same_items,
    set: lambda one, other: _matched(list(one), list(other)),
    frozenset: lambda one, other: _matched(list(one), list(other)),
    dict: lambda one, other: _matched(list(one.items()), list(other.items())),
    Point: _same_points,
    Other: _same_points,
    datetime: _same_moments,
    time: _same_moments,
    Decimal: lambda one, other: one.as_tuple() == other.as_tuple(),
}


def _zone(moment: datetime | time) -> Any:
    zone = moment.tzinfo
    return zone.key if isinstance(zone, ZoneInfo) else (zone, zone and zone.tzname(None))


_ZONES = [None, UTC, timezone(timedelta(0)), timezone(timedelta(hours=1)), ZoneInfo("Europe/Paris")]
_ATOMS: list[Any] = [
    *(0, 1, -1, 2, 10**700, 10**700 + 1, -(10**700), 2**63, 0.0, -0.0, 1.0, 2.0, float("nan")),
    *(-float("nan"), float("inf"), 2.0**63, True, False, None, "", "0", "1", "1.0", "True", "None"),
    *("nan", "(1,)", "1, 2", "a", "a b", "é", "e\u0301", "\udce9", "\ud83d\ude00", "😀", "\x00"),
    *("'", '"', "\\", "\\'", "a', 'b", b"", b"0", b"1", b"a", b"\xe9", "é".encode(), "b'1'"),
    *(Color.RED, Color.CRIMSON, Color.BLUE, Mode.READ, Mode.WRITE, Mode.READ | Mode.WRITE),
    *(Decimal(1), Decimal("1.0"), Decimal("1E+2"), Decimal(100), Decimal("NaN"), Decimal("-0")),
    *(
        date(2024, 1, 1),
        timedelta(1),
        timedelta(seconds=86400),
        UUID(int=1),
        int,
        str,
        Point,
        Color,
    ),
    *(datetime(2024, 10, 27, 2, 30, tzinfo=zone, fold=fold) for zone in _ZONES for fold in (0, 1)),
    *(time(12, tzinfo=zone) for zone in _ZONES[:3]),
]
_atoms = st.one_of(
    # Hypothesis writes down what is sampled from, and these are long.
    st.integers(0, len(_ATOMS) - 1).map(lambda index: _ATOMS[index]),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
)
_hashable = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(inner, max_size=3),
        st.builds(Point, inner, inner),
        st.builds(Other, inner),
    ),
    max_leaves=4,
)
values: st.SearchStrategy[Any] = st.recursive(
    _hashable,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(_hashable, max_size=3),
        st.dictionaries(_hashable, inner, max_size=3),
        st.builds(Point, inner, inner),
    ),
    max_leaves=6,
)
"""Whatever can be an argument; often the same, or nearly."""

REFUSED: list[Any] = [object(), Fraction(1, 2), 1j, range(3), bytearray(b"a"), len, lambda: None]
