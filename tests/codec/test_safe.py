"""The codec gives back what it took, or says what it does not take."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import gc
import inspect
import itertools
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from importlib.resources import files
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import ormsgpack
import pytest
from hypothesis import example, given

from kcache.codec import SafeCodec
from kcache.errors import ConfigurationError, DecodeError, EncodeError
from kcache.protocols import Codec
from tests.codec.values import (
    CODEC,
    TYPES,
    Access,
    Colour,
    Frozen,
    Level,
    Point,
    form,
    texts,
    values,
)


@given(values)
@example("\ud800")
@example({"\ud800": 1, "a": {"\udfff": "x"}})
@example([-0.0, float("nan"), float("inf"), 5e-324])
@example([True, 1, 1.0, "1", b"1", Decimal(1), Level.LOW])
@example({True: "bool"})
@example({(): [], frozenset(): set(), "": {}, b"": ()})
@example([[], [[]], [()], ((),), {}, [{}]])
@example([b"\xc4", "ą", bytes(300), bytes(70_000)])
@example({2**64: -(2**64), 2**63: -(2**63) - 1})
def test_values_come_back_with_their_types(value: Any) -> None:
    assert form(CODEC.decode(CODEC.encode(value))) == form(value)


@given(values)
def test_encoding_changes_nothing_and_nothing_is_shared(value: Any) -> None:
    before = form(value)
    CODEC.decode(CODEC.encode(value))
    assert form(value) == before


@given(texts)
def test_any_str_is_a_key_of_a_dict(text: str) -> None:
    assert CODEC.decode(CODEC.encode({text: text})) == {text: text}


PLAIN_KINDS = ["a", b"a", 1, 1.5, True, None, [1], {"a": 1}]
OTHER_KINDS = [
    "\ud800",
    2**64,
    (1,),
    {1},
    frozenset([1]),
    {1: "a"},
    dt.datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - naive on purpose
    dt.date(2026, 1, 2),
    dt.time(3, 4, 5, 6),
    dt.timedelta(-1, 2, 3),
    Decimal("1.10"),
    UUID(int=7),
    Colour.RED,
    Level.LOW,
    Access.READ | Access.WRITE,
    Point(1, (2,)),
    Frozen("a", b"b"),
]


@pytest.mark.parametrize("value", [*PLAIN_KINDS, *OTHER_KINDS], ids=repr)
def test_each_type_comes_back_wherever_it_is(value: Any) -> None:
    for whole in (value, [value], (value,), {"a": value}, {1: value}, Point(value), [[value], 1]):
        assert form(CODEC.decode(CODEC.encode(whole))) == form(whole)


LAYOUTS: list[tuple[Any, bytes]] = [
    (
        [None, True, 1.5, "a", b"b", {"k": -1}],
        b"\x96\xc0\xc3\xcb?\xf8\0\0\0\0\0\0\xa1a\xc4\1b\x81\xa1k\xff",
    ),
    ((1,), b"\xc1\x92\xc7\0\x01\x01"),
    ({1}, b"\xc1\x92\xc7\0\x02\x01"),
    (frozenset([1]), b"\xc1\x92\xc7\0\x03\x01"),
    ({1: 2}, b"\xc1\x93\xc7\0\x04\x01\x02"),
    ([{"k": 1}, {"\ud800": 2}], b"\xc1\x92\x81\xa1k\x01\x93\xc7\0\x04\xc7\x03\x11\xed\xa0\x80\x02"),
    (Point(1, 2), b"\xc1\x95\xc7\x18\x05tests.codec.values.Point\xa1x\x01\xa1y\x02"),
    ([1 << 64, (1 << 64) - 1], b"\xc1\x92\xc7\x09\x10\x01" + bytes(8) + b"\xcf" + b"\xff" * 8),
    (
        [-(1 << 63) - 1, -(1 << 63)],
        b"\xc1\x92\xc7\x09\x10\xff\x7f" + b"\xff" * 7 + b"\xd3\x80" + bytes(7),
    ),
    (["\ud800", "a", "é"], b"\xc1\x93\xc7\x03\x11\xed\xa0\x80\xa1a\xa2\xc3\xa9"),
    (dt.date(2026, 1, 2), b"\xc1\xc7\x0a\x122026-01-02"),
    (dt.time(3, 4, 5, 6), b"\xc1\xc7\x0f\x1303:04:05.000006"),
    (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), b"\xc1\xc7\x19\x142026-01-02T00:00:00+00:00"),
    (dt.time(1, fold=1), b"\xc1\xc7\x0a\x1301:00:00|1"),
    (dt.time(1, tzinfo=ZoneInfo("UTC")), b"\xc1\xc7\x0d\x1301:00:00|0UTC"),
    (dt.time(1, tzinfo=dt.timezone(dt.timedelta(0), "Z")), b"\xc1\xc7\x12\x1301:00:00+00:00|0=Z"),
    (dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=1))), b"\xc1\xc7\x0e\x1301:00:00+01:00"),
    (dt.timedelta(-1, 2, 3), b"\xc1\xc7\x0c\x15\xff\xff\xff\xff\0\0\0\x02\0\0\0\x03"),
    (Decimal("1.10"), b"\xc1\xd6\x161.10"),
    (UUID(int=7), b"\xc1\xd8\x17" + bytes(15) + b"\x07"),
    (Level.LOW, b"\xc1\xc7\x1c\x18tests.codec.values.Level=LOW"),
    (Access.READ | Access.WRITE, b"\xc1\xc7\x1b\x18tests.codec.values.Access=3"),
]


@pytest.mark.parametrize(("value", "data"), LAYOUTS, ids=repr)
def test_the_layout_never_changes(value: Any, data: bytes) -> None:
    # Within version 1 of the frame; entries would be lost with it.
    assert CODEC.encode(value) == data
    assert form(CODEC.decode(data)) == form(value)


def test_folds_and_zones_are_kept() -> None:
    paris = ZoneInfo("Europe/Paris")
    twice = dt.datetime(2026, 10, 25, 2, 30, tzinfo=paris, fold=1)
    back = CODEC.decode(CODEC.encode(twice))
    assert (back.fold, back.tzinfo, back.utcoffset()) == (1, paris, dt.timedelta(hours=1))
    named = dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "MEZ"))
    assert CODEC.decode(CODEC.encode(named)).tzname() == "MEZ"
    assert CODEC.decode(CODEC.encode(dt.time(1, tzinfo=dt.UTC))).tzinfo is dt.UTC


@pytest.mark.parametrize("key", ["a" * 129, "Europe/Zürich", "nul\\x", "a b", ""])
def test_a_zone_that_no_reader_could_find_is_refused(key: str) -> None:
    with (files("tzdata.zoneinfo") / "UTC").open("rb") as file:
        zone = ZoneInfo.from_file(file, key=key)
    with pytest.raises(EncodeError, match="a key of the time zone database"):
        CODEC.encode(dt.datetime(2026, 1, 1, tzinfo=zone))


class MyStr(str):
    __slots__ = ()


class MyInt(int):
    pass


class MyFloat(float):
    pass


class MyBytes(bytes):
    __slots__ = ()


class MyList(list[Any]):
    pass


class MyDateTime(dt.datetime):
    pass


class Pair(NamedTuple):
    a: int


class Unknown(enum.Enum):
    A = 1


class UnknownInt(enum.IntEnum):
    A = 1


@dataclass
class Stranger:
    a: int = 1


class Zone(dt.tzinfo):
    """What other libraries bring."""

    def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(0)

    def dst(self, _: dt.datetime | None) -> None:
        return None

    def tzname(self, _: dt.datetime | None) -> None:
        return None


REFUSED = [
    MyStr("x"),
    MyInt(1),
    MyFloat(1),
    MyBytes(b"x"),
    MyList(),
    MyDateTime(2026, 1, 1),
    Pair(1),
    collections.OrderedDict(),
    collections.Counter(),
    collections.defaultdict(int),
    collections.deque(),
    Unknown.A,
    UnknownInt.A,
    Stranger(),
    bytearray(b"x"),
    bytearray(300),
    bytearray(70_000),
    memoryview(b"x"),
    object(),
    1j,
    range(3),
    ...,
    int,
    len,
    iter([]),
    dt.datetime(2026, 1, 1, tzinfo=Zone()),
    *(ormsgpack.Ext(5, bytes(size)) for size in (0, 1, 2, 4, 8, 16, 17, 300, 70_000)),
]
PLACES: list[Callable[[Any], Any]] = [
    lambda value: value,
    lambda value: [value],
    lambda value: (1, value),
    lambda value: {"a": {"b": [value]}},
    lambda value: {1: value},
    Point,
    lambda value: [b"bytes", "text", {"deep": [{"er": value}]}],
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_taken_is_named_with_a_way_out(value: Any, place: Callable[[Any], Any]) -> None:
    with pytest.raises(EncodeError) as error:
        CODEC.encode(place(value))
    kind = type(value).__name__
    way_out = "convert it"
    if isinstance(value, (Unknown, UnknownInt, Stranger)):
        way_out = f"register it: SafeCodec(types=[{kind}])"
    elif isinstance(value, dt.datetime) and value.tzinfo:
        way_out = "use datetime.timezone"
    elif isinstance(value, (str, int, list)):
        way_out = f"convert it to {type(value).__mro__[1].__name__}, whose subclass it is"
    assert kind in str(error.value)
    assert way_out in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", [MyStr("x"), MyInt(1), Unknown.A, Pair(1)])
def test_keys_of_dicts_and_items_of_sets_are_no_exception(key: Any) -> None:
    for value in ({key: 1}, {"a": {key: 1}}, {key}, frozenset([key]), {(key,): 1}):
        with pytest.raises(EncodeError):
            CODEC.encode(value)


def test_registered_types_are_only_known_where_they_are_registered() -> None:
    for value in (Colour.RED, Point(1)):
        data = CODEC.encode(value)
        with pytest.raises(DecodeError):
            SafeCodec().decode(data)


class Renamed(enum.Enum):
    """Its members call themselves something else."""

    A = 1

    @property
    def name(self) -> str:
        return "B"


class Revalued(enum.Flag):
    A = 1

    @property
    def value(self) -> int:
        return 2


Dynamic = enum.Enum("Dynamic", {"a=b": 1, "\ud800": 2})  # no identifiers


def test_members_are_known_by_what_enum_itself_calls_them() -> None:
    codec = SafeCodec([Renamed, Revalued, Dynamic])
    for member in (Renamed.A, Revalued.A, *Dynamic):
        assert codec.decode(codec.encode(member)) is member


@dataclass
class Derived:
    a: int
    b: int = field(init=False)
    calls = 0

    def __post_init__(self) -> None:
        self.b = self.a + 1
        type(self).calls += 1


def test_a_dataclass_is_put_together_without_running_its_code() -> None:
    codec = SafeCodec([Derived])
    value = Derived(1)
    value.b = 7
    calls = Derived.calls
    assert codec.decode(codec.encode(value)) == value
    assert Derived.calls == calls


@pytest.mark.parametrize("count", range(4))
def test_a_dataclass_has_any_number_of_fields(count: int) -> None:
    kind = make_dataclass("Sized", "abc"[:count])
    kind.__module__ = __name__
    codec = SafeCodec([kind])
    value = kind(*range(count))
    assert codec.decode(codec.encode(value)) == value


@dataclass
class Guarded:
    a: int


def test_a_field_that_cannot_be_set_any_more_is_a_miss() -> None:
    data = SafeCodec([Guarded]).encode(Guarded(1))
    codec = SafeCodec([Guarded])
    Guarded.a = property(lambda _: 1)  # type: ignore[assignment]  # a later version of the class
    with pytest.raises(DecodeError, match="a"):
        codec.decode(data)


def test_a_dataclass_is_its_fields() -> None:
    value = Point(1)
    value.more = 2  # type: ignore[attr-defined]  # on purpose
    assert vars(CODEC.decode(CODEC.encode(value))) == {"x": 1, "y": 0}


def test_a_dataclass_whose_fields_have_changed_is_a_miss() -> None:
    def version(*names: str) -> type:
        made = make_dataclass("Changing", names)
        made.__module__ = __name__
        return made

    old, new = version("a", "b"), version("a")
    data = SafeCodec([old]).encode(old(1, 2))
    with pytest.raises(DecodeError, match="fields"):
        SafeCodec([new]).decode(data)


def test_a_dataclass_with_a_field_unset_is_refused() -> None:
    value = Point(1)
    del value.x
    with pytest.raises(EncodeError, match="Point"):
        CODEC.encode(value)


@dataclass
class ListLike(list[Any]):
    a: int = 1


@pytest.mark.parametrize("types", [[int], ["Point"], [ListLike], [Point, Point], [Point(1)]])
def test_only_enums_and_dataclasses_can_be_registered_and_each_once(types: Any) -> None:
    with pytest.raises(ConfigurationError, match="types: "):
        SafeCodec(types=types)


def test_the_limit_of_depth_is_the_same_for_all_containers_and_both_ways() -> None:
    makers: list[Callable[[Any], Any]] = [
        lambda value: [value],
        lambda value: (value,),
        lambda value: {"a": value},
        lambda value: {1: value},
        lambda value: frozenset([value]),
        lambda value: Frozen("", value),
    ]
    # The innermost container holds what is plain and what is not.
    for make, inner in itertools.product(makers, (None, b"x", "\ud800", 1 << 70, Level.LOW)):
        value: Any = inner
        for _ in range(255):
            value = make(value)
        assert CODEC.decode(CODEC.encode(value)) == value
        with pytest.raises(EncodeError, match="containers"):
            CODEC.encode(make(value))


def test_a_value_that_contains_itself_is_refused() -> None:
    knot: list[Any] = []
    knot += [knot, knot, {1: knot}]
    with pytest.raises(EncodeError):
        CODEC.encode(knot)


def test_a_full_stack_is_an_error_of_ours() -> None:
    value: Any = ()
    for _ in range(250):
        value = (value,)
    assert CODEC.decode(CODEC.encode(value)) == value

    data = CODEC.encode(value)

    def with_less_stack(calls: int, work: Callable[[], object]) -> None:
        if calls:
            with_less_stack(calls - 1, work)
        else:
            work()

    calls = sys.getrecursionlimit() - len(inspect.stack()) - 300
    with pytest.raises(EncodeError, match="stack"):
        with_less_stack(calls, lambda: CODEC.encode(value))
    # For a reader it is a miss.
    with pytest.raises(DecodeError, match="recursion"):
        with_less_stack(calls, lambda: CODEC.decode(data))


def test_max_size_holds_both_ways() -> None:
    small = SafeCodec(max_size=100)
    data = CODEC.encode("x" * 200)
    with pytest.raises(EncodeError, match="100"):
        small.encode("x" * 200)
    with pytest.raises(DecodeError):
        small.decode(data)
    exact, short = SafeCodec(max_size=len(data)), SafeCodec(max_size=len(data) - 1)
    assert exact.decode(exact.encode("x" * 200)) == "x" * 200
    with pytest.raises(EncodeError):
        short.encode("x" * 200)
    with pytest.raises(DecodeError):
        short.decode(data)
    with pytest.raises(ConfigurationError):
        SafeCodec(max_size=0)
    assert SafeCodec(max_size=1).decode(SafeCodec(max_size=1).encode(5)) == 5
    assert SafeCodec().max_size == 64 << 20


def test_a_codec_pickles_and_says_what_it_is() -> None:
    again = pickle.loads(pickle.dumps(SafeCodec(TYPES, max_size=1000)))  # noqa: S301 - our own
    assert again.types == TYPES
    assert again.max_size == 1000
    assert "Point" in repr(again)
    assert isinstance(again, Codec)


class Interrupted(Exception):  # noqa: N818 - not an error
    pass


@pytest.mark.parametrize(
    "value",
    [[(i, Decimal(i), {i: "x"}) for i in range(200)], [{"a": i, "b": "ą"} for i in range(500)]],
    ids=["tagged", "plain"],
)
def test_what_interrupts_a_call_gets_through(value: Any) -> None:
    """An alarm at any moment raises out of encode and decode, and never becomes a miss."""
    data = CODEC.encode(value)
    fired = caught = 0

    def interrupt(*_: object) -> None:
        nonlocal fired
        fired += 1
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    # Hypothesis has the garbage collector call it, and what is raised there Python loses.
    gc.disable()
    try:
        for turn in range(400):
            work, given = (CODEC.encode, value) if turn % 2 else (CODEC.decode, data)
            alarms, calls = fired, 0
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + turn % 40))
                # Where other threads get signals, one may come late.
                while fired == alarms and calls < 1000:
                    work(given)
                    calls += 1
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupted:
                caught += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert caught == fired >= 350
