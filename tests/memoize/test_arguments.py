"""Two calls have one key if, and only if, nothing tells their arguments apart."""

from __future__ import annotations

import copy
import inspect
import itertools
import random
import subprocess
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache import Cache, ConfigurationError, EncodeError
from kcache.arguments import Arguments
from kcache.canonical import canonical
from tests.memoize.same import REFUSED, Color, Point, same, values

_MARK = object()


def plain(a: Any, b: Any = 1, c: Any = "x") -> None: ...
def gathering(a: Any, /, b: Any = (), *rest: Any, c: Any = None, **others: Any) -> None: ...


@given(one=values, other=values)
def test_values_have_one_text_if_nothing_tells_them_apart(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) is same(one, other)


@given(value=values, seed=st.integers())
def test_neither_the_object_nor_its_order_makes_a_difference(value: Any, seed: int) -> None:
    def shuffled(item: Any) -> Any:
        if type(item) in (list, tuple):
            return type(item)(map(shuffled, item))
        if type(item) in (set, frozenset):
            return type(item)(sorted(item, key=lambda _: chance.random()))
        if type(item) is dict:
            items = [(key, shuffled(each)) for key, each in item.items()]
            chance.shuffle(items)
            return dict(items)
        return item

    chance = random.Random(seed)  # noqa: S311 - it shuffles
    text = canonical(value)
    assert text.isascii()
    assert canonical(shuffled(value)) == canonical(copy.deepcopy(value)) == text


@given(data=st.data(), args=st.lists(values, min_size=1, max_size=3))
def test_how_a_call_is_written_makes_no_difference(data: st.DataObject, args: list[Any]) -> None:
    arguments = Arguments(plain, "plain")
    whole = inspect.signature(plain).bind(*args)
    whole.apply_defaults()
    split = data.draw(st.integers(0, len(args)))
    names = dict(zip("abc"[split:], args[split:], strict=False))
    spoken = dict(reversed(list(names.items())))
    assert arguments.key(tuple(args[:split]), spoken) == arguments.key(whole.args, {})
    assert arguments.key((), dict(whole.arguments)) == arguments.key(whole.args, {})


@pytest.mark.parametrize("function", [plain, gathering])
@given(data=st.data())
def test_calls_have_one_key_if_their_arguments_are_the_same(
    function: Callable[..., None], data: st.DataObject
) -> None:
    arguments = Arguments(function, "function")
    found = []
    for _ in range(2):
        args = data.draw(st.lists(st.one_of(values, st.sampled_from(["x", 1, ()])), max_size=3))
        more = data.draw(st.dictionaries(st.sampled_from("bcd"), values, max_size=2))
        try:
            bound = inspect.signature(function).bind(*args, **more)
        except TypeError:
            with pytest.raises(TypeError, match=r"^function\(\) "):
                arguments.key(tuple(args), more)
            return
        bound.apply_defaults()
        found.append((arguments.key(tuple(args), more), dict(bound.arguments)))
    (key, one), (other_key, other) = found
    assert (key == other_key) is same(one, other)


def hostile() -> Iterator[Any]:
    """Arguments that look like each other, and like the texts of each other."""
    atoms: list[Any] = [
        *(0, 1, 0.0, -0.0, 1.0, True, False, None, "0", "1", b"0", b"1", "", b"", "None", "True"),
        *("1.0", "0.0", "-0.0", "a", "b", "a b", "a, b", "a', 'b", "'", '"', "\\", "(1,)", "[1]"),
        *("b'1'", "{1: 1}", "\udc80", b"\x80", "\x80", "\x00", "default", float("nan"), "nan"),
        *(10**700, "1" + "0" * 700, Color.RED, Color.BLUE, Decimal(1), Decimal("1.0"), int, str),
    ]
    yield from atoms
    shapes: list[Callable[[Any, Any], Any]] = [
        lambda a, b: (a, b),
        lambda a, b: [a, b],
        lambda a, b: ((a,), b),
        lambda a, b: (a, (b,)),
        lambda a, b: ([a], b),
        lambda a, b: {a: b},
        lambda a, b: {a: [b]},
        Point,
    ]
    made = [shape(a, b) for shape in shapes for a, b in itertools.product(atoms, atoms)]
    yield from made
    yield from ({a, b} for a, b in itertools.combinations(atoms, 2) if len({a, b}) == 2)
    yield from sorted(
        {canonical(each) for each in made} - {each for each in atoms if type(each) is str}
    )


def test_no_hostile_argument_gets_the_result_of_another() -> None:
    with Cache() as cache:
        asked = 0

        @cache.memoize
        def number(value: Any) -> int:  # noqa: ARG001 - a key is made of it
            return asked

        everything = list(hostile())
        assert len(everything) > 20_000
        for asked, value in enumerate(everything):
            assert number(value) == asked
        assert number.get_many([(value,) for value in everything]) == list(range(len(everything)))


def test_arguments_in_a_list_are_not_many_arguments() -> None:
    key = Arguments(gathering, "gathering").key
    keys = [
        key((1, 2, 3), {}),
        key((1, 2, (3,)), {}),
        key((1, 2, [3]), {}),
        key((1, (2, 3)), {}),
        key((1, 2), {"d": 3}),
        key((1, 2), {"c": 3}),
        key((1, 2, {"d": 3}), {}),
    ]
    assert len(set(keys)) == len(keys)


def test_keys_are_the_same_in_every_process() -> None:
    code = "from kcache.canonical import canonical as c; print(c([{'b', 'a', 'c'}, {'z': 1.5}]))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": str(seed), "PYTHONINTMAXSTRDIGITS": str(640 * seed)},
        ).stdout
        for seed in range(4)
    }
    assert texts == {b"[set('a', 'b', 'c'), {'z': 1.5}]\n"}


def test_settings_of_the_process_make_no_difference() -> None:
    key = Arguments(plain, "plain").key
    large = 10**4000
    before = key((large, Decimal("1E+9")), {})
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        with localcontext(Context(capitals=0)):
            assert key((large, Decimal("1E+9")), {}) == before
            assert key((large,), {}) != key((large + 1,), {})
    finally:
        sys.set_int_max_str_digits(limit)


@pytest.mark.parametrize("value", REFUSED, ids=repr)
@pytest.mark.parametrize("nest", [lambda x: x, lambda x: [x], lambda x: {"k": (x,)}, Point])
def test_an_argument_without_a_text_is_an_error_that_says_what_to_do(
    value: Any, nest: Callable[[Any], Any]
) -> None:
    key = Arguments(plain, "shop.plain").key
    with pytest.raises(EncodeError) as caught:
        key((1,), {"b": nest(value)})
    message = str(caught.value)
    for part in ("shop.plain", "'b'", type(value).__qualname__, "key=", "ignore=", "__cache_key__"):
        assert part in message
    assert "\n" not in message


class Text(str):
    __slots__ = ()


class Pair(namedtuple("Pair", "a b")):  # noqa: PYI024 - it is a test of these
    __slots__ = ()


@dataclass
class Items(list[int]):
    name: str = ""


@dataclass
class Base:
    x: int


class Undecorated(Base):
    pass


@pytest.mark.parametrize(
    "value", [Text("a"), Pair(1, 2), OrderedDict(a=1), Items(), Undecorated(1)], ids=repr
)
def test_subclasses_have_no_text(value: Any) -> None:
    with pytest.raises(EncodeError, match=type(value).__name__):
        canonical(value)


def test_a_value_in_itself_is_an_error() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(EncodeError, match="'a', a value that is nested too deep, or in itself"):
        Arguments(plain, "plain").key((loop,), {})


class ByMethod:
    def __init__(self, key: Any) -> None:
        self.key = key

    def __cache_key__(self) -> Any:
        return self.key


class ByAttribute:
    __cache_key__ = (1, "a")


class ByInstance:
    def __init__(self) -> None:
        self.__cache_key__ = 7


class Answering:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"it was asked for {name}")


def test_an_object_may_say_its_key() -> None:
    assert canonical(ByMethod(1)) == canonical(ByMethod(1))
    assert len({canonical(ByMethod(key)) for key in (1, 1.0, "1", (1,))}) == 4
    assert canonical(ByAttribute()) == canonical(ByAttribute())
    assert canonical(ByInstance()).endswith("ByInstance', 7)")
    assert canonical(ByMethod((1, "a"))) != canonical(ByAttribute())
    for bad in (ByMethod(None), ByMethod(object()), Answering()):
        with pytest.raises(EncodeError):
            canonical(bad)


def test_arguments_without_a_text_can_be_identified() -> None:
    arguments = Arguments(plain, "plain", identify=lambda value: ("number", value.number))
    keys = {arguments.key((_Numbered(number), 2), {}) for number in (1, 1, 2)}
    assert len(keys) == 2
    # No value that has a text has that of something identified.
    assert arguments.key((("number", 1), 2), {}) not in keys
    assert arguments.key((1, 2), {}) == Arguments(plain, "plain").key((1, 2), {})


class _Numbered:
    def __init__(self, number: int) -> None:
        self.number = number


def test_a_default_that_has_no_text_stands_for_itself() -> None:
    def sentinel(a: Any, b: Any = _MARK) -> None: ...

    key = Arguments(sentinel, "sentinel").key
    assert key((1,), {}) == key((1, _MARK), {}) == key((), {"b": _MARK, "a": 1})
    assert key((1,), {}) not in {key((1, "default"), {}), key((1, None), {})}
    with pytest.raises(EncodeError):
        key((1, object()), {})


def test_what_is_ignored_makes_no_difference() -> None:
    key = Arguments(gathering, "f", ignore=("b", "d")).key
    assert key((1, 2), {"d": 5, "e": 6}) == key((1, object()), {"e": 6, "d": object()})
    assert key((1, 2), {"e": 6}) != key((1, 2), {"e": 7})
    assert Arguments(plain, "f", ignore="b").key((1, 2), {}) == "(1, 'x')"
    with pytest.raises(ConfigurationError, match="it has no parameter 'd'"):
        Arguments(plain, "f", ignore=["d"])


def test_a_key_of_ones_own() -> None:
    def keyed(by: Callable[..., Any]) -> Callable[..., str]:
        made = Arguments(plain, "f", key=by)
        return lambda *args, **kwargs: made.key(args, kwargs)

    first = keyed(lambda a, b, c: f"user:{a}:{b}:{c}")
    assert first(1) == first(c="x", a=1) == "user:1:1:x"
    assert keyed(lambda a, **_: a)("me") == "me"
    assert keyed(lambda *args: args[0])("me", b=3) == "me"
    by_value = keyed(lambda a, _b, _c: a)
    keys = {
        by_value(key) for key in (1, 1.0, True, None, "1", b"1", (1,), "", "\x00'a'", "a", "(1,)")
    }
    assert len(keys) == 11
    with pytest.raises(EncodeError, match=r"^f: key= gave a builtins\.object"):
        by_value(object())
    with pytest.raises(ConfigurationError, match="key= takes other arguments"):
        keyed(lambda a: a)


def test_parameters_may_be_called_anything() -> None:
    def odd(_: Any, key: Any, kwargs: Any = 1, *args: Any, self: Any = 2, k9: Any = 3) -> None: ...

    key = Arguments(odd, "odd").key
    assert key((1, 2), {"self": 4}) == key((), {"_": 1, "key": 2, "self": 4, "k9": 3})
    own = Arguments(odd, "odd", key=lambda *args, **kwargs: (args, kwargs))
    assert own.key((1, 2), {}) == own.key((), {"key": 2, "_": 1})
