"""Values keep their type on every kind of node, and nobody else's hands are on them."""

from __future__ import annotations

import math
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kcache import Cache, EncodeError, SafeCodec
from tests.cache.places import Place
from tests.codec.values import CODEC, Access, Colour, Frozen, Level, Point, form

VALUES: list[Any] = [
    *[
        "text",
        "",
        "5",
        "-5",
        "05",
        "9223372036854775808",
        "é ∀ 🐍",
        "a\r\nb\0",
        "\ud800",
        "x" * 70_000,
    ],
    *[b"bytes", b"", b"5", b"abc", b"\xff\x00\r\n", b"\xc1kc", bytes(70_000)],
    *[0, 1, -1, 5, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**700, -(10**700)],
    *[0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324],
    *[True, False, None],
    *[[], [1, "a", None, [b"x"]], (), (1,), (1, (2, 3)), {}, {"a": {"b": [1]}}],
    *[
        {
            1: "int",
            "1": "str",
            b"1": "bytes",
            (1, 2): "tuple",
            None: 0,
            1.5: 1,
            date(2024, 2, 29): 2,
        }
    ],
    *[set(), {1, 2}, frozenset(), frozenset({"a", b"a"})],
    *[datetime(2024, 2, 29, 1, 2, 3, 4), datetime(2024, 2, 29, tzinfo=UTC)],  # noqa: DTZ001 - a naive one is a value, too
    *[datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Paris")), date(1, 1, 1)],
    *[time(23, 59, 59, 999_999), time(1, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))],
    *[timedelta(days=-1, microseconds=1), Decimal("1.10"), Decimal("-0"), Decimal("NaN")],
    *[uuid.UUID(int=5), uuid.UUID(int=2**128 - 1)],
]
each_value = pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])


def same(one: Any, other: Any) -> bool:
    return bool(form(one) == form(other))


@each_value
def test_a_value_comes_back_with_its_type(cache: Cache, keys: list[str], value: Any) -> None:
    for key in keys:
        assert cache.set(key, value)
        assert same(cache.get(key), value)
        held = cache.gets(key)
        assert held is not None
        assert same(held[0], value)
    assert cache.set_many(dict.fromkeys(keys, value)) == []
    found = cache.get_many(keys)
    assert all(same(found[key], value) for key in keys)


def test_values_stored_on_a_condition_keep_their_type(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        for value in (True, 5, "5", b"5", (1, [2]), None):
            cache.delete(key)
            assert cache.add(key, value)
            assert same(cache.get(key), value)
            assert cache.replace(key, value)
            assert same(cache.get(key), value)
            held = cache.gets(key)
            assert held is not None
            assert cache.cas(key, value, held[1])
            assert same(cache.get(key), value)


def test_registered_types_keep_their_type(place: Place) -> None:
    values: list[Any] = [
        Colour.RED,
        Level.HIGH,
        Access.READ | Access.WRITE,
        Point(1, [Point("x")]),
        Frozen("n", {Level.LOW}),
    ]
    with place.open(codec=CODEC) as cache:
        for value in values:
            cache.set("k", value)
            assert same(cache.get("k"), value)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


REFUSED: list[Any] = [
    object(),
    len,
    Text("x"),
    Number(5),
    OrderedDict(a=1),
    [object()],
    {"deep": [{"er": object()}]},
    bytearray(b"x"),
    Colour.RED,
    Point(1),
    1j,
    range(3),
    iter(()),
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: repr(value)[:30])
def test_what_cannot_be_encoded_is_refused_and_nothing_is_stored(
    cache: Cache, keys: list[str], value: Any
) -> None:
    cache.set_many(dict.fromkeys(keys, "old"))
    for key in keys:
        held = cache.gets(key)
        assert held is not None
        calls: list[Callable[[], object]] = [
            partial(cache.set, key, value),
            partial(cache.add, key, value),
            partial(cache.replace, key, value),
            partial(cache.cas, key, value, held[1]),
            partial(cache.set_many, {**dict.fromkeys(keys, "new"), "bad": value}),
        ]
        for call in calls:
            with pytest.raises(EncodeError):
                call()
    assert cache.get_many([*keys, "bad"]) == dict.fromkeys(keys, "old")


def test_the_message_names_the_type_and_the_way_out(cache: Cache) -> None:
    with pytest.raises(EncodeError, match=r"Point.*SafeCodec\(types=\["):
        cache.set("k", Point(1))
    with pytest.raises(TypeError, match="object"):
        cache.set("k", object())


def test_a_value_that_is_changed_later_stays_as_it_was_stored(
    cache: Cache, keys: list[str]
) -> None:
    for key in keys:
        value: dict[str, list[int]] = {"list": [1]}
        cache.set(key, value)
        value["list"].append(2)
        first = cache.get(key)
        assert first == {"list": [1]}
        first["list"].append(3)
        assert cache.get(key) == {"list": [1]}
        assert cache.get_many([key]) == {key: {"list": [1]}}
        cache.set_many({key: value})
        value["list"].clear()
        assert cache.get(key) == {"list": [1, 2]}


def test_another_codec_may_be_given(place: Place) -> None:
    class Reverse:
        tag = 99

        def encode(self, value: Any) -> bytes:
            return str(value)[::-1].encode()

        def decode(self, data: bytes) -> Any:
            return data.decode()[::-1]

    with place.open(codec=Reverse()) as cache, place.open(codec=SafeCodec()) as other:
        cache.set("framed", 1.5)
        assert cache.get("framed") == "1.5"
        # Plain texts are shared ground, and so in nobody's codec.
        cache.set("text", "abc")
        if place.urls:
            assert other.get("framed", "a miss") == "a miss"
            assert other.get("text") == "abc"
