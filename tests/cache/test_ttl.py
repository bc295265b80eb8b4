"""What a ttl may be, and what becomes of it, without waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from math import inf, nan
from typing import Any, TypeAlias

import pytest

from kcache import Cache, ConfigurationError
from tests.cache.places import Place, memory_url, one_key_for_each_node

DAY = 86_400
LONG: list[Any] = [
    20,
    90.5,
    timedelta(minutes=5),
    30 * DAY - 1,
    30 * DAY,
    30 * DAY + 1,
    31 * DAY,
    3650 * DAY,
]
BEYOND: list[Any] = [10**12, 1e12, 1e300, 10**400, timedelta.max]
GONE: list[Any] = [
    0,
    -1,
    0.0,
    -0.5,
    -(10**12),
    -1e300,
    -(10**400),
    -inf,
    timedelta(0),
    timedelta(days=-1),
    timedelta.min,
]
REFUSED: list[Any] = ["5", b"5", nan, True, False, [5], 5j, object()]

Store: TypeAlias = Callable[[Cache, str, Any], object]


def _cas(cache: Cache, key: str, ttl: Any) -> object:
    cache.set(key, "before")
    held = cache.gets(key)
    assert held is not None
    return cache.cas(key, "value", held[1], ttl)


def _after(prepare: Callable[[Cache, str], object], store: Store) -> Store:
    def prepared(cache: Cache, key: str, ttl: Any) -> object:
        prepare(cache, key)
        return store(cache, key, ttl)

    return prepared


def _fill(cache: Cache, key: str) -> object:
    return cache.set(key, "before")


def _clear(cache: Cache, key: str) -> object:
    return cache.delete(key)


# Each gives something true where it has done its part.
STORES: dict[str, Store] = {
    "set": lambda cache, key, ttl: cache.set(key, "value", ttl),
    "set_many": lambda cache, key, ttl: cache.set_many({key: "value"}, ttl) == [],
    "add": _after(_clear, lambda cache, key, ttl: cache.add(key, "value", ttl)),
    "replace": _after(_fill, lambda cache, key, ttl: cache.replace(key, "value", ttl)),
    "cas": _cas,
    "touch": _after(_fill, lambda cache, key, ttl: cache.touch(key, ttl)),
    "incr": _after(_clear, lambda cache, key, ttl: cache.incr(key, initial=1, ttl=ttl)),
}
each_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES)


def slack(cache: Cache, key: str, asked: float = 0) -> float:
    """How much longer an entry may live: memcached's clock ticks in whole seconds.

    Beyond 30 days it must be told a Unix time, and how that and its clock are rounded against
    each other is different after each start.
    """
    if cache.node_for(key).kind != "memcached":
        return 0.01
    return 2.0 if asked < 30 * DAY else 4.0


def in_seconds(ttl: Any) -> float:
    return ttl.total_seconds() if isinstance(ttl, timedelta) else ttl


@each_store
def test_an_entry_lives_as_long_as_was_asked(cache: Cache, keys: list[str], store: Store) -> None:
    for key in keys:
        for ttl in LONG:
            assert store(cache, key, ttl)
            left = cache.ttl(key)
            assert left is not None
            asked = in_seconds(ttl)
            assert asked - 10 < left <= asked + slack(cache, key, asked), ttl


@each_store
def test_a_ttl_beyond_what_the_node_can_count_is_clamped(
    cache: Cache, keys: list[str], store: Store
) -> None:
    for key in keys:
        for ttl in BEYOND:
            assert store(cache, key, ttl)
            left = cache.ttl(key)
            assert left is not None
            assert left > 3650 * DAY, ttl
            assert key in cache


@each_store
@pytest.mark.parametrize("endless", [None, inf])
def test_no_end_is_none_or_infinity(
    cache: Cache, keys: list[str], store: Store, endless: float | None
) -> None:
    for key in keys:
        assert store(cache, key, endless)
        assert cache.ttl(key) == inf


@each_store
def test_at_zero_or_less_the_entry_is_gone_at_once(
    cache: Cache, keys: list[str], store: Store
) -> None:
    for key in keys:
        for ttl in GONE:
            assert store(cache, key, ttl), ttl
            assert cache.get(key, "gone") == "gone", ttl
            assert cache.ttl(key) is None
            assert key not in cache
            assert cache.add(key, "room again")


@each_store
@pytest.mark.parametrize("ttl", REFUSED, ids=repr)
def test_what_is_no_ttl_is_refused(cache: Cache, store: Store, ttl: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"a ttl is seconds .*, a timedelta, or None"):
        store(cache, "refused", ttl)
    assert cache.get("refused") in (None, "before")


@pytest.mark.parametrize("ttl", REFUSED, ids=repr)
def test_what_is_no_ttl_is_no_default_either(place: Place, ttl: Any) -> None:
    with pytest.raises(ConfigurationError, match="a ttl is seconds"):
        place.open(ttl=ttl)


@each_store
def test_the_default_of_a_cache_is_for_ever(cache: Cache, keys: list[str], store: Store) -> None:
    for key in keys:
        cache.set(key, "before", 100)
        store_without_ttl(store, cache, key)
        assert cache.ttl(key) == inf


@each_store
def test_a_default_counts_where_no_ttl_is_said(place: Place, store: Store) -> None:
    with place.open(ttl=timedelta(seconds=300)) as cache:
        for key in one_key_for_each_node(cache):
            store_without_ttl(store, cache, key)
            left = cache.ttl(key)
            assert left is not None
            assert 298 < left <= 300 + slack(cache, key)
            # To say None is to say something.
            store(cache, key, None)
            assert cache.ttl(key) == inf
            store(cache, key, 500)
            assert (cache.ttl(key) or 0) > 498


def store_without_ttl(store: Store, cache: Cache, key: str) -> None:
    assert store(_WithoutTtl(cache), key, None)  # type: ignore[arg-type]  # it is one, but for the ttl


class _WithoutTtl:
    """A cache whose calls drop the ttl that they are given."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.delete, self.gets = cache.delete, cache.gets

    def set(self, key: str, value: object, _ttl: object = None) -> bool:
        return self._cache.set(key, value)

    def set_many(self, values: dict[Any, Any], _ttl: object) -> list[Any]:
        return self._cache.set_many(values)

    def add(self, key: str, value: object, _ttl: object) -> bool:
        return self._cache.add(key, value)

    def replace(self, key: str, value: object, _ttl: object) -> bool:
        return self._cache.replace(key, value)

    def cas(self, key: str, value: object, token: Any, _ttl: object) -> bool:
        return self._cache.cas(key, value, token)

    def touch(self, key: str, _ttl: object) -> bool:
        return self._cache.touch(key)

    def incr(self, key: str, *, initial: int, ttl: object) -> int | None:
        del ttl
        return self._cache.incr(key, initial=initial)


def test_counting_keeps_the_ttl(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        cache.incr(key, initial=10, ttl=100)
        cache.incr(key, ttl=5000)
        cache.decr(key, 20, initial=5, ttl=None)
        left = cache.ttl(key)
        assert left is not None
        assert 98 < left <= 102


def test_a_refused_ttl_leaves_a_counter_alone(cache: Cache) -> None:
    cache.set("n", 1)
    with pytest.raises(ConfigurationError):
        cache.incr("n", ttl="5")  # type: ignore[arg-type]
    assert cache.get("n") == 1


def test_in_process_nodes_go_by_the_clock_that_they_are_given() -> None:
    now = [1000.0]
    for nodes in (None, [memory_url()]):
        cache = Cache(nodes, clock=lambda: now[0])
        cache.set("k", 1, 0.4)
        cache.incr("n", initial=1, ttl=1)
        now[0] += 0.3
        assert cache.ttl("k") == pytest.approx(0.1)
        assert cache.get_many(["k", "n"]) == {"k": 1, "n": 1}
        now[0] += 0.1
        assert cache.get("k") is None
        assert cache.incr("n") == 2
        cache.touch("n", 5)
        now[0] += 4.9
        assert "n" in cache
        now[0] += 0.1
        assert cache.incr("n") is None
