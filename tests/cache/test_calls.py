"""Every call does on every kind of node what the table of the contract says."""

from __future__ import annotations

from collections import OrderedDict, UserDict
from collections.abc import Callable
from math import inf
from types import MappingProxyType
from typing import Any

import pytest

from kcache import Cache, Hit, InvalidKey, Miss
from kcache.route import Key
from tests.cache.places import one_key_for_each_node
from tests.servers import Redis

MANY = [f"many{i}" for i in range(300)]


def test_each_call_on_one_key_does_its_part(cache_anywhere: Cache) -> None:
    cache = cache_anywhere
    for key in one_key_for_each_node(cache):
        assert cache.get(key) is None
        assert cache.get(key, "default") == "default"
        assert cache.set(key, "value") is True
        assert cache.get(key, "default") == "value"
        assert key in cache
        assert cache.add(key, "other") is False
        assert cache.get(key) == "value"
        assert cache.replace(key, "new") is True
        assert cache.get(key) == "new"
        assert cache.ttl(key) == inf
        assert cache.touch(key, 100) is True
        assert 90 < (cache.ttl(key) or 0) <= 102
        assert cache.delete(key) is True
        assert cache.delete(key) is False
        assert key not in cache


def test_a_call_on_a_missing_key_gives_its_miss_value(cache_anywhere: Cache) -> None:
    cache = cache_anywhere
    for key in one_key_for_each_node(cache):
        assert cache.lookup(key) == Miss()
        assert not cache.lookup(key)
        assert cache.replace(key, "new") is False
        assert cache.touch(key, 100) is False
        assert cache.touch(key, None) is False
        assert cache.touch(key, 0) is False
        assert cache.ttl(key) is None
        assert cache.incr(key) is None
        assert cache.decr(key) is None
        assert cache.gets(key) is None
        assert key not in cache
        assert cache.get_many([key]) == {}
        assert cache.delete_many([key]) == 0


def test_calls_on_many_keys_reach_every_node(cache_anywhere: Cache) -> None:
    cache = cache_anywhere
    values = {key: i for i, key in enumerate(MANY)}
    assert len({cache.node_for(key) for key in MANY}) == len(cache.ring.nodes)
    assert cache.set_many(values) == []
    assert cache.get_many(MANY) == values
    assert cache.get_many(["nothing", *MANY[:5]]) == {key: values[key] for key in MANY[:5]}
    assert cache.delete_many([*MANY[:100], "nothing"]) == 100
    assert cache.get_many(iter(MANY)) == {key: values[key] for key in MANY[100:]}
    assert [cache.get(key) for key in MANY[99:102]] == [None, 100, 101]


def test_calls_on_no_keys_do_nothing(cache: Cache) -> None:
    assert cache.get_many([]) == {}
    assert cache.set_many({}) == []
    assert cache.delete_many([]) == 0


def test_a_key_that_is_given_twice_counts_once(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        again = "".join(list(key))
        cache.set(key, 1)
        assert cache.get_many([key, again, key]) == {key: 1}
        assert cache.delete_many([key, again, key]) == 1


def test_a_stored_none_is_a_hit(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        assert cache.set(key, None)
        assert cache.get(key, "default") is None
        assert cache.get_many([key]) == {key: None}
        assert cache.lookup(key) == Hit(None)
        assert key in cache
        assert cache.add(key, 1) is False
        held = cache.gets(key)
        assert held is not None
        assert held[0] is None


def test_every_hit_is_true_and_fresh(cache: Cache, keys: list[str]) -> None:
    values: list[Any] = [None, 0, "", b"", False, [], {}]
    for value in values:
        cache.set(keys[0], value)
        found = cache.lookup(keys[0])
        assert isinstance(found, Hit)
        assert found
        assert (found.value, found.stale) == (value, False)


def test_add_stores_only_where_there_is_nothing(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        assert cache.add(key, "first", ttl=100) is True
        assert cache.add(key, "second", ttl=500) is False
        assert cache.get(key) == "first"
        assert 90 < (cache.ttl(key) or 0) <= 102
        cache.delete(key)
        assert cache.add(key, "third") is True


def test_set_and_replace_take_the_old_ttl_away(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        for store in (cache.set, cache.replace):
            cache.set(key, 1, ttl=100)
            assert store(key, 2)
            assert cache.ttl(key) == inf


def test_flush_nodes_empties_all_nodes(cache: Cache) -> None:
    cache.set_many(dict.fromkeys(MANY, "x"))
    assert cache.flush_nodes() is True
    assert cache.get_many(MANY) == {}
    assert cache.set("after", 1)
    assert cache.get("after") == 1


@pytest.mark.parametrize("keys", ["ab", b"ab"])
def test_a_key_in_the_place_of_keys_is_refused(cache: Cache, keys: Any) -> None:
    cache.set("a", 1)
    for call in (cache.get_many, cache.delete_many):
        with pytest.raises(TypeError, match=f"pass a list of keys, .* not {keys!r}"):
            call(keys)
    assert cache.get("a") == 1


PAIRS: list[Any] = [[("a", 1)], (("a", 1),), {("a", 1)}, ["ab"], "ab", b"ab", None, 5]


@pytest.mark.parametrize("values", PAIRS, ids=repr)
def test_what_is_no_mapping_is_refused_by_set_many(cache: Cache, values: Any) -> None:
    kind = type(values).__name__
    with pytest.raises(TypeError, match=f"set_many takes a mapping .* not {kind}; .*dict"):
        cache.set_many(values)
    assert cache.get_many(["a", "b", "ab"]) == {}


@pytest.mark.parametrize("kind", [MappingProxyType, OrderedDict, UserDict])
def test_any_mapping_is_taken_by_set_many(cache: Cache, kind: Any) -> None:
    assert cache.set_many(kind({"a": 1, "b": 2})) == []
    assert cache.get_many(["a", "b"]) == {"a": 1, "b": 2}


INVALID: list[Any] = ["", b"", None, 5, 1.5, True, ("a",), ["a"], bytearray(b"a"), memoryview(b"a")]


@pytest.mark.parametrize("key", INVALID, ids=repr)
def test_an_invalid_key_is_refused_by_every_call(cache: Cache, key: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: cache.get(key),
        lambda: cache.lookup(key),
        lambda: key in cache,
        lambda: cache.set(key, 1),
        lambda: cache.add(key, 1),
        lambda: cache.replace(key, 1),
        lambda: cache.delete(key),
        lambda: cache.touch(key, 1),
        lambda: cache.ttl(key),
        lambda: cache.incr(key),
        lambda: cache.decr(key),
        lambda: cache.gets(key),
        lambda: cache.cas(key, 1, 1),
        lambda: cache.node_for(key),
        lambda: cache.get_many(["good", key]),
        lambda: cache.delete_many(["good", key]),
    ]
    cache.set("good", 1)
    for call in calls:
        with pytest.raises(InvalidKey, match=r"a key (cannot be empty|is str or bytes, not)"):
            call()
    assert cache.get("good") == 1


@pytest.mark.parametrize("key", ["", b"", None, 5, ("a",)], ids=repr)
def test_set_many_stores_nothing_where_a_key_is_invalid(cache: Cache, key: Any) -> None:
    values: dict[Key, Any] = {"good": 1, key: 2}
    with pytest.raises(InvalidKey):
        cache.set_many(values)
    assert cache.get("good") is None


def test_node_for_tells_where_an_entry_is(plain_cache: Cache) -> None:
    cache = plain_cache
    assert {cache.node_for(key) for key in MANY} == set(cache.ring.nodes)
    for key in MANY:
        assert cache.node_for(key) == cache.node_for(key.encode()) == cache.ring.node_for(key)


def test_more_keys_than_a_reply_of_redis_may_have(redises: tuple[Redis, ...]) -> None:
    with Cache([redises[0].url], timeout=60, on_error="raise") as cache:
        cache.set_many({"0": "first", "70000": "later", "1099999": "last"})
        found = cache.get_many([str(number) for number in range(1_100_000)])
        assert found == {"0": "first", "70000": "later", "1099999": "last"}
