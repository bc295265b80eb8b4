"""All that can be memoized, and what the wrapper offers."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kcache import Cache, CacheError, ConfigurationError, EncodeError, Invalidation

CACHE = Cache()
LOG: list[Any] = []


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    LOG.clear()
    yield
    CACHE.flush_nodes()


@CACHE.memoize
def bare(a: int, b: int = 2, *, c: int = 3) -> list[int]:
    """Say what it was given."""
    LOG.append((a, b, c))
    return [a, b, c]


class Base:
    def __init__(self, number: int) -> None:
        self.number = number

    @CACHE.memoize(self_key="number", ttl=60)
    def method(self, x: int) -> str:
        """Say who."""
        LOG.append(x)
        return f"{type(self).__name__} {self.number} {x}"

    @CACHE.memoize
    def nobody(self, x: int) -> int:
        return x

    @CACHE.memoize
    @classmethod
    def outer_class(cls, x: int) -> str:
        LOG.append(x)
        return f"{cls.__name__} {x}"

    @classmethod
    @CACHE.memoize
    def inner_class(cls, x: int) -> str:
        LOG.append(x)
        return f"{cls.__name__} {x}"

    @CACHE.memoize
    @staticmethod
    def outer_static(x: int) -> int:
        LOG.append(x)
        return x + 1

    @staticmethod
    @CACHE.memoize
    def inner_static(x: int) -> int:
        LOG.append(x)
        return x + 1

    @property
    @CACHE.memoize(self_key="number")
    def prop(self) -> int:
        LOG.append("prop")
        return self.number


class Child(Base):
    pass


class Known(Base):
    def __cache_key__(self) -> int:
        return self.number


def test_calls_of_equal_arguments_compute_once() -> None:
    results = [bare(1), bare(1, 2), bare(a=1, b=2), bare(1, c=3), bare(c=3, b=2, a=1)]
    assert results == [[1, 2, 3]] * 5
    assert LOG == [(1, 2, 3)]
    assert results[0] is not results[1]
    assert bare(1, c=4) == [1, 2, 4]
    with pytest.raises(TypeError, match=r"bare\(\) missing 1 required"):
        bare()  # type: ignore[call-arg]


def test_a_result_of_none_is_kept() -> None:
    @CACHE.memoize
    def nothing() -> None:
        LOG.append(1)

    assert (nothing(), nothing()) == (None, None)
    assert LOG == [1]


def test_a_result_that_cannot_be_encoded_is_returned() -> None:
    @CACHE.memoize
    def thing() -> object:
        LOG.append(1)
        return object()

    assert thing() is not thing()
    assert type(thing.refresh()) is object
    assert len(LOG) == 3


def test_an_error_of_the_function_is_raised_and_not_kept() -> None:
    @CACHE.memoize
    def failing(x: int) -> float:
        LOG.append(x)
        return 1 / x

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            failing(0)
    assert LOG == [0, 0]


def test_the_wrapper_looks_like_the_function() -> None:
    assert (bare.__name__, bare.__doc__) == ("bare", "Say what it was given.")
    assert inspect.signature(bare) == inspect.signature(bare.uncached)
    assert "bare" in repr(bare)
    bound = Base(1).method
    assert (bound.__name__, bound.__doc__) == ("method", "Say who.")
    assert list(inspect.signature(bound).parameters) == ["x"]
    assert inspect.getdoc(Base.method) == "Say who."
    for missing in (bare, bound):
        assert not hasattr(missing, "nothing_like_it")


def test_the_wrapper_is_pickled_by_name_and_copied_as_itself() -> None:
    for wrapper in (bare, Base.method, Base.outer_static, Base.inner_static):
        assert pickle.loads(pickle.dumps(wrapper)) is wrapper  # noqa: S301 - it is our own
        assert copy.copy(wrapper) is wrapper
        assert copy.deepcopy([wrapper]) == [wrapper]
    bound = pickle.loads(pickle.dumps(Base(7).method))  # noqa: S301
    assert bound(1) == "Base 7 1"
    assert pickle.loads(pickle.dumps(Base.outer_class))(1) == "Base 1"  # noqa: S301


def test_uncached_only_computes() -> None:
    assert bare.uncached(1) == [1, 2, 3]
    assert Base(1).method.uncached(5) == "Base 1 5"
    assert Base.outer_class.uncached(5) == "Base 5"
    assert bare.key(1) not in bare.namespace


def test_what_a_call_has_kept_can_be_dropped() -> None:
    bare(1)
    bare(2)
    assert bare.namespace.get(bare.key(1)) == [1, 2, 3]
    assert bare.delete(b=2, a=1) is True
    assert bare.delete(1) is False
    bare(1)
    bare(2)
    assert [a for a, _, _ in LOG] == [1, 2, 1]


def test_refresh_computes_now() -> None:
    counter = iter(range(10))

    @CACHE.memoize(ttl=60)
    def number() -> int:
        return next(counter)

    assert [number(), number(), number.refresh(), number(), number()] == [0, 0, 1, 1, 1]
    number.delete()
    assert [number.refresh(), number()] == [2, 2]
    assert 55 < (number.namespace.ttl(number.key()) or 0) <= 60


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_refresh_that_is_overtaken_by_an_invalidation_is_not_kept(*, is_kept: bool) -> None:
    during: list[Any] = [lambda: None]

    @CACHE.memoize
    def number(x: int) -> int:
        LOG.append(x)
        during[0]()
        return x

    if is_kept:
        number(1)
    during[0] = number.invalidate
    assert number.refresh(1) == 1
    during[0] = lambda: None
    assert number.key(1) not in number.namespace


def test_many_calls_compute_what_is_missing() -> None:
    bare(2)
    LOG.clear()
    assert bare.get_many([(1,), (2,), (3, 4), (1, 2)]) == [
        [1, 2, 3],
        [2, 2, 3],
        [3, 4, 3],
        [1, 2, 3],
    ]
    assert LOG == [(1, 2, 3), (3, 4, 3)]
    assert bare.get_many([]) == []
    assert bare.get_many((n,) for n in (1, 2)) == [[1, 2, 3], [2, 2, 3]]
    assert len(LOG) == 2
    assert Base(1).method.get_many([(1,), (2,)]) == ["Base 1 1", "Base 1 2"]
    assert Base(1).method(1) == "Base 1 1"
    wrong: Any = [1]
    with pytest.raises(TypeError, match="get_many takes a tuple of arguments for each call, not 1"):
        bare.get_many(wrong)


def test_invalidate_drops_the_results_of_one_function() -> None:
    bare(1)
    Base.outer_static(1)
    assert bare.invalidate() == Invalidation(complete=True, pending=())
    bare(1)
    Base.outer_static(1)
    assert LOG == [(1, 2, 3), 1, (1, 2, 3)]


def test_instances_are_told_apart_by_what_identifies_them() -> None:
    assert Base(1).method(1) == Base(1).method(1) == "Base 1 1"
    assert LOG == [1]
    assert Base(2).method(1) == "Base 2 1"
    assert Child(1).method(1) == "Child 1 1"
    assert Known(1).method(1) == "Known 1 1"
    assert Known(1).nobody(3) == 3
    assert Base(1).prop == Base(1).prop == 1
    assert LOG.count("prop") == 1
    bound = Base(1).method
    assert bound.delete(1) is True
    assert Base.method.key(Base(1), 1) == bound.key(1) == bound.key(x=1)
    assert bound.refresh(1) == "Base 1 1"
    assert bound.namespace == Base.method.namespace


def test_an_instance_that_nothing_identifies_is_an_error() -> None:
    with pytest.raises(EncodeError) as caught:
        Base(1).nobody(1)
    for part in ("Base.nobody", "'self'", "__cache_key__", "self_key=", "key=", "ignore="):
        assert part in str(caught.value)
    none: Any = None
    with pytest.raises(EncodeError, match="whose number is None"):
        Base(none).method(1)
    missing = object.__new__(Base)
    with pytest.raises(EncodeError, match="without number"):
        missing.method(1)


def test_class_methods_belong_to_the_class_that_they_are_called_on() -> None:
    for method in ("outer_class", "inner_class"):
        assert getattr(Base, method)(1) == getattr(Base(1), method)(1) == "Base 1"
        assert getattr(Child, method)(1) == getattr(Child(1), method)(1) == "Child 1"
    assert LOG == [1] * 4
    assert Base.outer_class.delete(1) is True
    assert Base.outer_class.delete(1) is False
    assert Child.outer_class.delete(1) is True


def test_static_methods_have_no_instance() -> None:
    for method in ("outer_static", "inner_static"):
        assert getattr(Base, method)(1) == getattr(Base(1), method)(1) == 2
    assert LOG == [1, 1]
    assert Base.outer_static.delete(1) is True
    assert Child.inner_static.delete(1) is True


def test_generator_functions_are_refused_when_decorated() -> None:
    def plain() -> Iterator[int]:
        yield 1

    async def asynchronous() -> Any:
        yield 1

    for function in (plain, asynchronous, functools.partial(plain)):
        with pytest.raises(ConfigurationError, match="cannot memoize the generator function"):
            CACHE.memoize(function)


def test_what_is_no_function_is_refused() -> None:
    wrong: Any
    for wrong in (60, "name", property(lambda _: 1), int):
        with pytest.raises(CacheError, match="memoize"):
            CACHE.memoize(wrong)
    with pytest.raises(ConfigurationError, match="give it one with name="):
        CACHE.memoize(functools.partial(bare.uncached, 1))
    partial = CACHE.memoize(name="partial")(functools.partial(bare.uncached, 1))
    assert partial(5) == [1, 5, 3]
    assert partial(b=5) == [1, 5, 3]
    assert len(LOG) == 1


def test_wrong_options_are_refused_when_decorated() -> None:
    options: list[dict[str, Any]] = [
        {"ttl": "soon"},
        {"jitter": 2},
        {"unknown": 1},
        {"ignore": ["z"]},
        {"key": lambda: "k"},
        {"name": 5},
        {"name": ""},
    ]
    for each in options:
        with pytest.raises(CacheError):
            CACHE.memoize(**each)(lambda a: a)


def test_the_key_is_within_the_functions_own_namespace() -> None:
    @CACHE.memoize(key=lambda user, _: f"user:{user}", name="loads")
    def load(user: int, times: int = 1) -> int:
        return user * times

    assert load(3) == load(user=3, times=2) == 3
    assert load.key(3) == "user:3"
    assert CACHE.namespace("loads").get("user:3") == 3


def test_the_namespace_can_be_within_another_one() -> None:
    albums = CACHE.namespace("albums")

    def double(x: int) -> int:
        LOG.append(x)
        return 2 * x

    by_name = CACHE.memoize(namespace="albums", name="double")(double)
    by_path = CACHE.memoize(namespace=("albums", "inner"), name="double")(double)
    by_object = albums.memoize(name="triple")(double)
    assert by_name.namespace == CACHE.namespace("albums", "double")
    assert by_path.namespace == CACHE.namespace("albums", "inner", "double")
    assert by_object.namespace == CACHE.namespace("albums", "triple")
    functions = (by_name, by_path, by_object)
    for function in functions * 2:
        function(1)
    assert LOG == [1] * 3
    albums.invalidate()
    for function in functions:
        function(1)
    assert LOG == [1] * 6


def test_a_new_version_begins_without_results() -> None:
    def first(x: int) -> str:
        return f"first {x}"

    one = CACHE.memoize(name="f", version=1)(first)
    two = CACHE.memoize(name="f", version=2)(lambda x: f"second {x}")
    assert (one(1), two(1), one(1)) == ("first 1", "second 1", "first 1")
    two.invalidate()
    assert one.key(1) in one.namespace
    CACHE.namespace("f").invalidate()
    assert one.key(1) not in one.namespace


def test_the_ttl_is_the_functions_or_that_of_the_place() -> None:
    now = [0.0]
    with Cache(ttl=50, clock=lambda: now[0]) as cache:
        as_cache = cache.memoize(name="a")(lambda: LOG.append("a"))
        own = cache.memoize(name="b", ttl=5)(lambda: LOG.append("b"))
        endless = cache.memoize(name="c", ttl=None)(lambda: LOG.append("c"))
        inner = cache.namespace("n", ttl=20).memoize(name="d")(lambda: LOG.append("d"))
        for now[0] in (0, 4, 6, 25, 60):
            for function in (as_cache, own, endless, inner):
                function()
    assert "".join(LOG) == "abcdbbdabd"


def test_threads_share_a_function() -> None:
    barrier = threading.Barrier(8)
    wrong: list[Any] = []

    @CACHE.memoize
    def identity(x: Any) -> Any:
        return x

    def run(seed: int) -> None:
        barrier.wait()
        for i in range(500):
            value: Any = (i * seed) % 50
            value = [value, str(value), (value,), float(value)][i % 4]
            result = identity(value)
            if type(result) is not type(value) or result != value:
                wrong.append((value, result))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
