"""A value larger than a node takes: it is not stored, and the old one is not given any more."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis as redis_py

from kcache import Cache, Compression, NodeRefused
from kcache.route import Key
from tests.cache.places import Place, memory_url, one_key_for_each_node
from tests.servers import Memcached, Redis, redis

# Random, since a frame would be compressed.
TWO_MB = os.urandom(2 << 20)
HUGE = bytes((64 << 20) + 1)


@pytest.fixture(params=["memcached", "memory"])
def narrow(request: pytest.FixtureRequest, memcacheds: tuple[Memcached, ...]) -> Iterator[Cache]:
    """A cache on a node that takes values of a megabyte."""
    bounded = memory_url("?max_bytes=1000000")
    url = bounded if request.param == "memory" else memcacheds[0].url
    with Cache([url], timeout=20, on_error="raise") as cache:
        yield cache


def in_step(cache: Cache) -> bool:
    """Whether further calls get their own replies."""
    for i in range(5):
        assert cache.set(f"step{i}", i)
        assert cache.get(f"step{i}") == i
    steps = {f"step{i}": i for i in range(5)}
    assert cache.get_many(steps) == steps
    return cache.delete_many(steps) == 5


def _cas(cache: Cache, key: str, value: Any) -> bool:
    held = cache.gets(key)
    assert held is not None
    return cache.cas(key, value, held[1])


STORES: dict[str, Callable[[Cache, str, Any], bool]] = {
    "set": Cache.set,
    "set_many": lambda cache, key, value: cache.set_many({key: value}) != [key],
    "replace": Cache.replace,
    "cas": _cas,
}
each_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES)


@each_store
@pytest.mark.parametrize("value", [TWO_MB, TWO_MB.hex(), [TWO_MB]], ids=["bytes", "str", "frame"])
def test_what_is_too_large_for_the_node_is_not_stored(
    narrow: Cache, store: Callable[[Cache, str, Any], bool], value: Any
) -> None:
    narrow.set("k", "old")
    assert store(narrow, "k", value) is False
    assert narrow.get("k", "gone") == "gone"
    assert narrow.get_many(["k"]) == {}
    assert in_step(narrow)
    assert narrow.set("k", "new")
    assert narrow.get("k") == "new"


@each_store
def test_what_is_too_large_for_any_node_is_not_stored_anywhere(
    cache: Cache, keys: list[str], store: Callable[[Cache, str, Any], bool]
) -> None:
    for key in keys[-1:] if len(keys) < 5 else (keys[0], keys[2], keys[4]):
        cache.set(key, "old")
        assert store(cache, key, HUGE) is False
        assert cache.get(key, "gone") == "gone"
        assert in_step(cache)


def test_add_of_what_is_too_large_stores_nothing(narrow: Cache) -> None:
    assert narrow.add("k", TWO_MB) is False
    assert narrow.add("k", HUGE) is False
    assert "k" not in narrow
    assert in_step(narrow)


def test_add_of_what_is_too_large_anywhere_is_refused_and_the_entry_there_stays(
    cache: Cache, keys: list[str]
) -> None:
    for key in keys:
        cache.set(key, "old")
        assert cache.add(key, HUGE) is False
        assert cache.get(key) == "old"


@pytest.mark.parametrize("large", [TWO_MB, HUGE], ids=["2 MB", "64 MB"])
def test_set_many_stores_the_others(narrow: Cache, large: bytes) -> None:
    narrow.set("large", "old")
    values = {"first": 1, "large": large, "second": "x" * 1000, "larger": large, "last": 3}
    assert sorted(map(str, narrow.set_many(values))) == ["large", "larger"]
    assert narrow.get_many(values) == {"first": 1, "second": "x" * 1000, "last": 3}
    assert in_step(narrow)


def test_set_many_names_both_forms_of_a_key_that_was_not_stored(narrow: Cache) -> None:
    values: dict[Key, Any] = {"k": 1, "other": 2, b"k": TWO_MB}
    lost = narrow.set_many(values)
    assert set(lost) == {"k", b"k"}
    assert narrow.get_many(["k", "other"]) == {"other": 2}


def test_what_is_large_and_fits_is_stored(place: Place) -> None:
    value = [os.urandom(700_000)]
    with place.open() as cache:
        for key in one_key_for_each_node(cache):
            assert cache.set(key, value)
            assert cache.get(key) == value
            assert cache.set_many({key: value, "small": 1}) == []
            assert cache.get_many([key, "small"]) == {key: value, "small": 1}


def test_a_frame_may_fit_once_it_is_compressed(memcacheds: tuple[Memcached, ...]) -> None:
    value = ["x" * (4 << 20)]
    with Cache([memcacheds[0].url], timeout=20) as cache:
        assert cache.set("k", value)
        assert cache.get("k") == value
        without = Cache([memcacheds[0].url], timeout=20, compression=Compression("none"))
        assert without.set("k", value) is False
        assert cache.get("k") is None
        without.close()


def test_the_least_used_goes_where_a_memory_node_is_full() -> None:
    with Cache([memory_url("?max_entries=3")]) as cache:
        for key in ("a", "b", "c"):
            cache.set(key, key)
        cache.get("a")
        cache.set("d", "d")
        assert cache.get_many(["a", "b", "c", "d"]) == {"a": "a", "c": "c", "d": "d"}


FULL = "command not allowed when used memory > 'maxmemory'"


@pytest.fixture
def limited() -> Iterator[tuple[Redis, Callable[[int], None]]]:
    """A Redis that evicts nothing, and what sets its limit. It has some bytes from its start on."""
    options = ("--maxmemory", "0", "--maxmemory-policy", "noeviction")
    with redis(options=options) as server, redis_py.Redis(port=server.port) as client:
        yield server, lambda size: client.config_set("maxmemory", size)


def test_a_redis_without_room_refuses_and_gives_no_old_value(
    limited: tuple[Redis, Callable[[int], None]],
) -> None:
    server, limit = limited
    names = ("set", "many", "replace", "cas", "add", "count")
    with Cache([server.url], timeout=20) as cache:
        assert cache.set_many(dict.fromkeys(names, 5)) == []
        held = cache.gets("cas")
        assert held is not None
        limit(1)
        assert cache.set("set", "new") is False
        assert cache.set_many({"many": "new", "other": 1}) == ["many", "other"]
        assert cache.replace("replace", "new") is False
        assert cache.cas("cas", "new", held[1]) is False
        assert cache.add("added", "new") is False
        assert cache.incr("count") is None
        assert cache.incr("counted", initial=1) is None
        assert cache.get_many([*names, "added"]) == {"add": 5, "count": 5}
        limit(0)
        assert in_step(cache)


def test_under_raise_a_redis_without_room_is_told_of(
    limited: tuple[Redis, Callable[[int], None]],
) -> None:
    server, limit = limited
    with Cache([server.url], timeout=20, on_error="raise") as cache:
        cache.set("count", 5)
        limit(1)
        calls: list[Callable[[], Any]] = [
            lambda: cache.set("k", 1),
            lambda: cache.set_many({"k": 1}),
            lambda: cache.add("k", 1),
            lambda: cache.incr("count"),
            lambda: cache.incr("k", initial=1),
        ]
        for call in calls:
            with pytest.raises(NodeRefused, match=FULL) as caught:
                call()
            assert caught.value.node == cache.ring.nodes[0]
        limit(0)
        assert cache.get("count") == 5
        assert in_step(cache)


@pytest.mark.parametrize("size", [2**20, 2**22])
@pytest.mark.parametrize("names", [(), ("photos",)])
def test_a_value_over_which_redis_ends_the_connection_takes_the_old_one_with_it(
    names: tuple[str, ...], size: int
) -> None:
    with redis(options=("--proto-max-bulk-len", "1mb")) as server, Cache([server.url]) as cache:
        place = cache.namespace(*names) if names else cache
        large = os.urandom(size).hex()
        assert place.set("other", 1)
        # It is random whether all is sent before the node ends the connection.
        for _ in range(20):
            assert place.set("k", "old")
            assert not place.set("k", large)
            assert place.get("k") is None
            assert place.set("k", "old")
            assert not place.replace("k", large)
            assert place.get("k") is None
            assert place.set("k", "old")
            held = place.gets("k")
            assert held is not None
            assert not place.cas("k", large, held[1])
            assert place.get("k") is None
            # That was no outage, and nothing else went with it.
            assert place.get("other") == 1
