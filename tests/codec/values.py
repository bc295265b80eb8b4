"""Values of every type that the codec takes, and what it means that two are the same."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from kcache.codec import SafeCodec


class Colour(enum.Enum):
    RED = "r"
    GREEN = (1, 2)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


@dataclass
class Point:
    x: Any
    y: Any = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    value: Any


TYPES = (Colour, Level, Access, Point, Frozen)
CODEC = SafeCodec(types=TYPES)

ZONES = (
    None,
    UTC,
    timezone(timedelta(hours=-3, minutes=-30)),
    timezone(timedelta(seconds=1, microseconds=5)),
    timezone(timedelta(microseconds=1)),
    timezone(timedelta(microseconds=-401_114)),
    timezone(timedelta(microseconds=-999_999), "x"),
    timezone(timedelta(hours=2), "CEST | \ud800 =x"),
    timezone(timedelta(0), "Z"),
    ZoneInfo("Europe/Paris"),
    ZoneInfo("UTC"),
)

texts = st.text(st.characters(exclude_categories=()), max_size=20)
integers = st.one_of(
    st.integers(),
    st.integers(-(1 << 200), 1 << 200),
    st.sampled_from([n + d for n in (-(1 << 63), 1 << 63, 1 << 64) for d in (-1, 0, 1)]),
)
zones = st.sampled_from(ZONES)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    integers,
    st.floats(),
    texts,
    st.binary(max_size=20),
    st.dates(),
    st.builds(datetime.replace, st.datetimes(), fold=st.integers(0, 1), tzinfo=zones),
    st.builds(time.replace, st.times(), fold=st.integers(0, 1), tzinfo=zones),
    st.timedeltas(),
    st.decimals(),
    st.sampled_from([*map(Decimal, ("-0E+5", "1E-999999", "sNaN12", "-NaN", "-Infinity"))]),
    st.uuids(),
    st.sampled_from([*Colour, *Level, *Access, Access.READ | Access.WRITE, Access(0)]),
)
# A signalling NaN cannot be hashed.
plain_keys = leaves.filter(lambda value: not (isinstance(value, Decimal) and value.is_snan()))
keys = st.recursive(
    plain_keys,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(inner, max_size=3),
        st.builds(Frozen, texts, inner),
    ),
    max_leaves=4,
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(texts, inner, max_size=5),
        st.dictionaries(keys, inner, max_size=3),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
        st.builds(Point, inner, inner),
        st.builds(Frozen, texts, inner),
    )


values = st.recursive(leaves, _containers, max_leaves=20)


def form(value: Any) -> Any:
    """What two values share if, and only if, they are the same: types, order of dicts and all."""
    kind = type(value)
    describe = _FORMS.get(kind)
    if describe is not None:
        return kind, describe(value)
    if dataclasses.is_dataclass(value):
        return kind, [(f.name, form(getattr(value, f.name))) for f in dataclasses.fields(value)]
    return kind, repr(value)


def _items(value: Any) -> list[Any]:
    return [form(item) for item in value]


def _zoned(value: Any) -> Any:
    zone = value.tzinfo
    # Two zones with the same name and offset are equal and print differently.
    shown = None if zone is None else (type(zone), str(zone), repr(zone.utcoffset(None)))
    return value.replace(tzinfo=None).isoformat(), value.fold, shown


_FORMS: dict[type, Callable[[Any], Any]] = {
    list: _items,
    tuple: _items,
    set: lambda value: sorted(map(repr, _items(value))),
    frozenset: lambda value: sorted(map(repr, _items(value))),
    dict: lambda value: [(form(key), form(item)) for key, item in value.items()],
    datetime: _zoned,
    time: _zoned,
    float: lambda value: value.hex() if value == value else "nan",  # noqa: PLR0124 - NaN is not
}
