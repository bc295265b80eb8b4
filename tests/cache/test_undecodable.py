"""Stored bytes that mean no value are a miss, and never an exception."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any

import pylibmc
import pymemcache
import pytest
import redis as redis_py

from kcache import Cache, Miss
from tests.servers import Memcached, Redis

Put = Callable[[str, int, bytes], None]
# Flags of pickles, of compressed ones, of frames, and of nobody.
FLAGS = (1, 9, 0x6B00, 12, 3, 32, 0xFFFF, 2**32 - 1)
FRAME = 0x6B00


@pytest.fixture
def on_memcached(
    memcacheds: tuple[Memcached, ...],
) -> Iterator[tuple[Cache, Put, pymemcache.Client]]:
    url, address = memcacheds[0].url, memcacheds[0].address
    with Cache([url], timeout=20, on_error="raise") as cache:
        client = pymemcache.Client(address, default_noreply=False)

        def put(key: str, flags: int, data: bytes) -> None:
            assert client.set(key, data, flags=flags)

        yield cache, put, client
        client.close()


@pytest.fixture
def on_redis(redises: tuple[Redis, ...]) -> Iterator[tuple[Cache, redis_py.Redis]]:
    url = redises[0].url
    with (
        Cache([url], timeout=20, on_error="raise") as cache,
        redis_py.Redis.from_url(url) as client,
    ):
        yield cache, client


def assert_miss(cache: Cache, key: str) -> None:
    assert cache.get(key, "miss") == "miss"
    assert cache.lookup(key) == Miss()
    assert cache.get_many([key, "good"]) == {"good": 1}
    assert key not in cache
    assert cache.gets(key) is None


def test_pickles_and_strange_flags_are_a_miss(
    on_memcached: tuple[Cache, Put, pymemcache.Client],
) -> None:
    cache, put, _ = on_memcached
    cache.set("good", 1)
    for flags in FLAGS:
        for data in (pickle.dumps({"a": 1}), b"", b"x", b"5", b"\xc1kc\x01"):
            put("bad", flags, data)
            assert_miss(cache, "bad")


def test_numbers_and_texts_that_are_none_are_a_miss(
    on_memcached: tuple[Cache, Put, pymemcache.Client],
) -> None:
    cache, put, _ = on_memcached
    cache.set("good", 1)
    for flags, data in [
        (2, b"x"),
        (2, b""),
        (2, b"1.5"),
        (4, b"L"),
        (2, b"1" * 5000),
        (16, b"\xff"),
    ]:
        put("bad", flags, data)
        assert_miss(cache, "bad")


def test_what_pylibmc_has_pickled_is_a_miss(
    on_memcached: tuple[Cache, Put, pymemcache.Client], memcacheds: tuple[Memcached, ...]
) -> None:
    cache, _, _ = on_memcached
    client = pylibmc.Client(["{}:{}".format(*memcacheds[0].address)])
    cache.set("good", 1)
    for value in ({"a": 1}, [1], 1.5, None, ["x"] * 10_000):
        client.set("bad", value, min_compress_len=100)
        assert_miss(cache, "bad")
    client.disconnect_all()


def broken(frame: bytes) -> Iterator[bytes]:
    """A frame cut anywhere, and with bytes of it changed."""
    numbers = random.Random(3)  # noqa: S311 - the same each time
    for length in range(4, len(frame)):
        yield frame[:length]
    for _ in range(200):
        changed = bytearray(frame)
        changed[numbers.randrange(len(frame))] ^= 1 << numbers.randrange(8)
        yield bytes(changed)
    yield frame + b"x"
    yield frame * 2


def test_damaged_frames_are_a_miss_on_memcached(
    on_memcached: tuple[Cache, Put, pymemcache.Client],
) -> None:
    cache, put, client = on_memcached
    cache.set("good", 1)
    cache.set("k", {"a": [1, 2.5]})
    for data in broken(client.get("k")):
        put("k", FRAME, data)
        assert cache.get("k", "miss") == "miss", data
    assert_miss(cache, "k")


def test_damaged_frames_are_a_miss_on_redis(on_redis: tuple[Cache, redis_py.Redis]) -> None:
    cache, client = on_redis
    cache.set("good", 1)
    cache.set("k", {"a": [1, 2.5]})
    frame = client.get("k")
    assert isinstance(frame, bytes)
    for data in broken(frame):
        client.set("k", data)
        assert cache.get("k", "miss") == "miss", data
    client.set("k", frame[:10])
    assert_miss(cache, "k")


def test_keys_of_other_types_are_a_miss_and_can_be_taken_over(
    on_redis: tuple[Cache, redis_py.Redis],
) -> None:
    cache, client = on_redis
    cache.set("good", 1)
    makers: list[Callable[[str], Any]] = [
        lambda key: client.rpush(key, "x"),
        lambda key: client.hset(key, "field", "x"),
        lambda key: client.sadd(key, "x"),
        lambda key: client.zadd(key, {"x": 1}),
        lambda key: client.xadd(key, {"x": "1"}),
    ]
    for make in makers:
        client.delete("bad")
        make("bad")
        assert_miss(cache, "bad")
        assert cache.cas("bad", 1, b"x") is False
        assert cache.add("bad", 1) is False
        assert cache.replace("bad", "new") is True
        client.delete("bad")
        make("bad")
        assert cache.set("bad", "new") is True
        assert cache.get("bad") == "new"
        client.delete("bad")
        make("bad")
        assert cache.delete("bad") is True
        assert client.exists("bad") == 0


def test_calls_after_a_miss_of_that_kind_get_their_own_replies(
    on_redis: tuple[Cache, redis_py.Redis],
) -> None:
    cache, client = on_redis
    client.rpush("list", "x")
    for i in range(20):
        assert cache.set(f"k{i}", i)
        assert cache.get("list") is None
        assert cache.get(f"k{i}") == i
