"""get_or_set, one caller at a time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from math import inf
from typing import Any

import pytest

from kcache import Cache, ConfigurationError, InvalidKey
from tests.cache.places import Place
from tests.fills.computing import Computation

KEYS = [f"key{i}" for i in range(20)]


class Unknown:
    """Of no type that a codec takes."""


def test_what_is_missing_is_computed_and_stored(cache: Cache, other: Cache) -> None:
    for key in KEYS:
        compute = Computation({"of": key})
        assert cache.get_or_set(key, compute) == {"of": key}
        assert cache.get(key) == other.get(key) == {"of": key}
        assert cache.get_or_set(key, compute) == other.get_or_set(key, compute) == {"of": key}
        assert compute.calls == 1


def test_what_is_there_is_not_computed(cache: Cache) -> None:
    compute = Computation("new")
    for key in KEYS:
        cache.set(key, "old")
        assert cache.get_or_set(key, compute) == "old"
        assert cache.get_or_set(key.encode(), compute) == "old"
    assert compute.calls == 0


def test_a_computed_none_is_a_hit(cache: Cache, other: Cache) -> None:
    compute = Computation(None, "again")
    assert cache.get_or_set("k", compute) is None
    assert cache.get_or_set("k", compute) is None
    assert other.get_or_set("k", compute) is None
    assert compute.calls == 1
    assert cache.get("k", "default") is None


def test_the_ttl_may_depend_on_the_value(place: Place, name: str | None) -> None:
    with place.open(namespace=name, ttl=1000) as cache:
        for fill in (cache.get_or_set, cache.refill):
            for stale in (0, 500):
                for life in (100, timedelta(seconds=200), 250.5, None):
                    cache.delete("k")
                    made: list[Any] = ["token", life]
                    make = partial(list[Any], made)
                    token: list[Any] = fill("k", make, lambda t: t[1], stale_ttl=stale)
                    assert token == made
                    left = cache.ttl("k")
                    if life is None:
                        assert left == inf
                        continue
                    seconds = life.total_seconds() if isinstance(life, timedelta) else life
                    assert left is not None
                    assert seconds - 5 < left - stale <= seconds + 2
        assert cache.get_or_set("gone", lambda: 1, lambda _: 0) == 1
        assert cache.get("gone") is None
        with pytest.raises(ConfigurationError, match="a ttl is seconds"):
            cache.get_or_set("bad", lambda: 1, lambda _: "soon")  # type: ignore[arg-type, return-value]


def test_the_ttl_is_that_of_the_call_or_of_the_cache(place: Place, name: str | None) -> None:
    with place.open(namespace=name, ttl=1000) as cache:
        cache.get_or_set("default", lambda: 1)
        cache.get_or_set("given", lambda: 1, ttl=timedelta(seconds=100))
        cache.get_or_set("endless", lambda: 1, ttl=None)
        lives = [cache.ttl(key) or 0 for key in ("default", "given", "endless")]
        assert 900 < lives[0] < 1003
        assert 90 < lives[1] < 103
        assert lives[2] == inf


def test_at_zero_or_less_nothing_is_stored(cache: Cache) -> None:
    compute = Computation(1, 2, 3)
    assert cache.get_or_set("k", compute, ttl=0) == 1
    assert cache.get_or_set("k", compute, ttl=-5) == 2
    assert cache.get_or_set("k", compute, ttl=0) == 3
    assert "k" not in cache


def test_what_a_factory_raises_comes_out_and_the_next_call_computes(cache: Cache) -> None:
    error = ValueError("no")
    compute = Computation(error, "yes")
    with pytest.raises(ValueError, match="no") as raised:
        cache.get_or_set("k", compute)
    assert raised.value is error
    assert "k" not in cache
    assert cache.get_or_set("k", compute, wait=60) == "yes"


def test_a_result_that_cannot_be_stored_is_given(cache: Cache) -> None:
    first, second = Unknown(), Unknown()
    compute = Computation(first, second)
    assert cache.get_or_set("k", compute) is first
    assert "k" not in cache
    assert cache.get_or_set("k", compute, wait=60) is second


def test_a_result_that_is_too_large_is_given(cache: Cache) -> None:
    large = bytes(range(256)) * (5 * 2**18)
    compute = Computation(large, "small")
    assert cache.get_or_set("k", compute) is large
    assert cache.get("k") is None
    assert cache.get_or_set("k", compute, wait=60) == "small"
    assert cache.get("k") == "small"


@pytest.mark.parametrize("key", ["", b"", None, 5], ids=repr)
def test_what_is_no_key_is_refused_and_nothing_computed(cache: Cache, key: Any) -> None:
    compute = Computation(1)
    with pytest.raises(InvalidKey):
        cache.get_or_set(key, compute)
    with pytest.raises(InvalidKey):
        cache.get_or_set(key, compute, stale_ttl=5)
    with pytest.raises(InvalidKey):
        cache.get_or_set_many([key], lambda keys: dict.fromkeys(keys, 1))
    assert compute.calls == 0


def test_a_factory_may_fill_other_keys(cache: Cache) -> None:
    def outer() -> list[str]:
        return [cache.get_or_set(key, lambda: "inner") for key in KEYS]

    assert cache.get_or_set("outer", outer) == ["inner"] * len(KEYS)
    assert cache.get(KEYS[0]) == "inner"


def test_a_computation_may_set_its_own_key(cache: Cache, name: str | None) -> None:
    def compute() -> str:
        cache.set("k", "set within")
        return "computed"

    assert cache.get_or_set("k", compute) == "computed"
    # In a namespace what was set since the computation began stays.
    assert cache.get("k") == ("set within" if name else "computed")
