"""gets and cas: an entry is stored only if nobody else stored it in the meantime."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from kcache import Cache
from tests.cache.places import memory_url
from tests.servers import Memcached, Redis


def token_of(cache: Cache, key: str) -> Any:
    held = cache.gets(key)
    assert held is not None
    return held[1]


CHANGES: list[Callable[[Cache, str], Any]] = [
    lambda cache, key: cache.set(key, "theirs"),
    lambda cache, key: cache.replace(key, "theirs"),
    lambda cache, key: cache.set_many({key: "theirs"}),
    lambda cache, key: cache.cas(key, "theirs", token_of(cache, key)),
    lambda cache, key: (cache.delete(key), cache.add(key, "theirs")),
]


def test_a_token_stores_once(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        cache.set(key, {"n": 1})
        held = cache.gets(key)
        assert held is not None
        value, token = held
        assert value == {"n": 1}
        assert cache.cas(key, {"n": 2}, token) is True
        assert cache.get(key) == {"n": 2}
        assert cache.cas(key, {"n": 3}, token) is False
        assert cache.get(key) == {"n": 2}


def test_a_change_in_between_is_noticed(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        for change in CHANGES:
            cache.set(key, "mine")
            token = token_of(cache, key)
            change(cache, key)
            assert cache.cas(key, "too late", token) is False
            assert cache.get(key) == "theirs"
        cache.set(key, 1)
        token = token_of(cache, key)
        cache.incr(key)
        assert cache.cas(key, 10, token) is False
        assert cache.get(key) == 2


def test_a_deleted_entry_is_not_stored(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        for value in ("mine", ""):
            cache.set(key, value)
            token = token_of(cache, key)
            cache.delete(key)
            assert cache.cas(key, "too late", token) is False
            assert key not in cache


def test_a_store_of_equal_bytes_is_a_change_except_on_redis(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        cache.set(key, "same")
        token = token_of(cache, key)
        cache.set(key, "same")
        is_redis = cache.node_for(key).kind == "redis"
        assert cache.cas(key, "new", token) is is_redis
        assert cache.get(key) == ("new" if is_redis else "same")


def test_a_touch_is_no_change(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        cache.set(key, "old")
        token = token_of(cache, key)
        cache.touch(key, 100)
        assert cache.cas(key, "new", token, ttl=500)
        assert (cache.ttl(key) or 0) > 400


def test_a_store_takes_the_old_ttl_away(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        cache.set(key, 1, ttl=100)
        assert cache.cas(key, 2, token_of(cache, key))
        assert cache.ttl(key) == inf


def test_a_token_of_another_kind_of_node_stores_nothing(
    redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    urls = (redises[0].url, memcacheds[0].url, memory_url())
    caches = [Cache([url], timeout=20, on_error="raise") for url in urls]
    for cache in caches:
        cache.set("k", cache.ring.nodes[0].kind)
    tokens = [token_of(cache, "k") for cache in caches]
    assert [type(token) for token in tokens] == [bytes, int, int]
    redis, memcached, memory = caches
    assert memcached.cas("k", "new", tokens[0]) is False
    assert memory.cas("k", "new", tokens[0]) is False
    assert redis.cas("k", "new", tokens[1]) is False
    assert redis.cas("k", "new", tokens[2]) is False
    assert [cache.get("k") for cache in caches] == ["redis", "memcached", "memory"]
    for cache, token in zip(caches, tokens, strict=True):
        assert cache.cas("k", "new", token) is True
        cache.close()


@pytest.mark.parametrize("token", [None, "5", 1.5, ()], ids=repr)
def test_what_is_no_token_is_refused(cache: Cache, keys: list[str], token: Any) -> None:
    for key in keys:
        with pytest.raises(TypeError, match="a token is what gets gives"):
            cache.cas(key, "new", token)
        assert key not in cache
        cache.set(key, "old")
        with pytest.raises(TypeError, match="a token is what gets gives"):
            cache.cas(key, "new", token)
        assert cache.get(key) == "old"


@pytest.mark.parametrize("token", [0, -1, 2**64, 10**30, b"", b"x"], ids=repr)
def test_a_token_that_nobody_gave_stores_nothing(cache: Cache, keys: list[str], token: Any) -> None:
    for key in keys:
        assert cache.cas(key, "new", token) is False
        cache.set(key, "old")
        assert cache.cas(key, "new", token) is False
        assert cache.get(key) == "old"
