"""Caches that are closed, pickled, shared and opened again."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import pickle
import threading
import weakref
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest

from kcache import Cache, Compression, ConfigurationError, Node, Ring, SafeCodec
from tests.cache.places import Place, memory_url
from tests.codec.values import CODEC, Point
from tests.servers import Redis, redis

MANY = [f"k{i}" for i in range(50)]


def test_a_closed_cache_opens_new_connections(cache: Cache) -> None:
    values = dict.fromkeys(MANY, "x")
    assert cache.set_many(values) == []
    for _ in range(3):
        cache.close()
        cache.close()
        assert cache.get_many(MANY) == values
        assert cache.get(MANY[0]) == "x"


def test_a_with_block_closes_and_passes_exceptions_on(place: Place) -> None:
    cache = place.open()

    def fail_inside() -> None:
        with cache as entered:
            assert entered is cache
            assert entered.set("k", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert cache.get("k") == 1
    cache.close()


def _connections(server: Redis) -> int:
    with server.connection() as sock, sock.makefile("rb") as replies:
        sock.sendall(b"CLIENT LIST\r\n")
        size = int(replies.readline()[1:])
        return replies.read(size).count(b"\n") - 1


def test_close_ends_the_connections() -> None:
    with redis() as server:
        with Cache([server.url], timeout=20, on_error="raise") as cache:
            for key in MANY:
                cache.set(key, 1)
            assert _connections(server) == 1
        deadline = monotonic() + 5
        while _connections(server) > 0 and monotonic() < deadline:
            pass
        assert _connections(server) == 0


def test_a_cache_that_is_dropped_is_gone_at_once(place: Place) -> None:
    gc.disable()
    try:
        cache = place.open()
        with suppress(ConfigurationError):
            cache.invalidate()
        albums = cache.namespace("albums")
        assert albums.set("k", 1)
        there = weakref.ref(cache), weakref.ref(albums)
        del cache, albums
        assert [found() for found in there] == [None, None]
    finally:
        gc.enable()


def test_connections_that_are_left_to_the_collector_are_closed_without_a_warning() -> None:
    with redis() as server:
        for _ in range(20):
            cache: Any = Cache([server.url], timeout=20, on_error="raise")
            assert cache.set("k", 1)
            (pool,) = cache._core.transport.ends  # noqa: SLF001 - whose order is to be arbitrary
            circle: list[Any] = [*pool.quick, *(each._sock for each in pool.quick), cache]  # noqa: SLF001
            circle.append(circle)
            del cache, pool, circle
            gc.collect()
        deadline = monotonic() + 5
        while _connections(server) > 0 and monotonic() < deadline:
            pass
        assert _connections(server) == 0


def test_what_is_pickled_together_shares_its_connections() -> None:
    cache = Cache()
    together = (cache, cache.namespace("albums"), cache.namespace("albums", "photos"))
    ours, albums, photos = pickle.loads(pickle.dumps(together))  # noqa: S301 - our own
    assert albums.set("k", 1)
    assert photos.set("k", 2)
    assert ours.namespace("albums").get("k") == 1
    assert ours.namespace("albums") == albums
    assert albums.namespace("photos").get("k") == 2


def test_a_pickled_cache_has_the_same_configuration(place: Place) -> None:
    options: dict[str, Any] = {
        "dialect": "kcache",
        "ttl": 77,
        "codec": CODEC,
        "compression": Compression("zlib"),
    }
    with place.open(**options) as cache:
        cache.set("k", Point(1, 2))
        again = pickle.loads(pickle.dumps(cache))  # noqa: S301 - made here
        with again:
            assert type(again) is Cache
            assert again.ring == cache.ring
            assert again.node_for("k") == cache.node_for("k")
            if place.kind == "memory":
                # A private store is nobody else's.
                assert again.get("k") is None
            else:
                assert again.get("k") == Point(1, 2)
            assert again.set("new", Point(3))
            assert 70 < (again.ttl("new") or 0) <= 79
            with pytest.raises(TypeError):
                again.set("bad", object())


def test_a_pickled_cache_knows_its_options_and_its_password() -> None:
    url = "redis://ada:geheim@h"
    for options in ({"hash_tag": "{}", "dialect": "twemproxy"}, {}):
        cache = pickle.loads(pickle.dumps(Cache([url], on_error="raise", **options)))  # type: ignore[arg-type]  # noqa: S301
        assert cache.ring == Ring([url], **options)  # type: ignore[arg-type]
        assert cache.node_for("k").password == "geheim"  # noqa: S105 - of nobody
    ring = Ring([url, "memory://x"], "nginx")
    assert pickle.loads(pickle.dumps(Cache(ring))).ring == ring  # noqa: S301


def _child(cache: Cache) -> list[Any]:
    seen = cache.get_many(["parent", "nothing"])
    cache.set(f"child{os.getpid()}", os.getpid())
    return [os.getpid(), seen, cache.incr("count", initial=1)]


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_other_processes_use_a_cache_that_they_are_given(place: Place, method: str) -> None:
    # What is in-process cannot be seen by others.
    urls = [url for url in place.urls if not url.startswith("memory")]
    context: Any = multiprocessing.get_context(method)
    with Cache(urls or None, timeout=20, on_error="raise") as cache:
        cache.set("parent", os.getpid())
        with context.Pool(2) as pool:
            told = pool.map(_child, [cache] * 4)
        if not urls:
            return
        assert [seen for _, seen, _ in told] == [{"parent": os.getpid()}] * 4
        assert sorted(count for _, _, count in told) == [1, 2, 3, 4]
        for pid in {pid for pid, _, _ in told}:
            assert cache.get(f"child{pid}") == pid


def test_private_caches_share_nothing() -> None:
    one, other = Cache(), Cache()
    one.set("k", 1)
    assert other.get("k") is None
    assert one.get("k") == 1


def test_a_name_is_one_store_within_the_process() -> None:
    url = memory_url()
    one, other = Cache([url]), Cache([Node(url)], ttl=50)
    one.set("k", [1])
    assert other.get("k") == [1]
    other.close()
    assert one.get("k") == [1]
    assert Cache([memory_url()]).get("k") is None
    one.get("k").append(2)
    assert other.get("k") == [1]


def test_a_name_is_open_with_one_pair_of_bounds_and_one_clock() -> None:
    url = memory_url()
    Cache([f"{url}?max_entries=2"])
    with pytest.raises(ConfigurationError, match="is open with max_entries=2 "):
        Cache([url])
    with pytest.raises(ConfigurationError, match="is open with another clock"):
        Cache([f"{url}?max_entries=2"], clock=lambda: 0.0)


def test_bounds_hold() -> None:
    bounded = Cache([memory_url("?max_entries=10")])
    for i in range(50):
        assert bounded.set(f"k{i}", i)
    assert bounded.get_many([f"k{i}" for i in range(50)]) == {f"k{i}": i for i in range(40, 50)}
    narrow = Cache([memory_url("?max_bytes=5000")])
    narrow.set_many({f"k{i}": b"x" * 700 for i in range(20)})
    assert len(narrow.get_many([f"k{i}" for i in range(20)])) == 4


def test_threads_that_open_and_close_disturb_nobody(place: Place) -> None:
    if place.kind == "memory":
        place = Place("memory", (memory_url(),))
    stop = threading.Event()
    failures: list[BaseException] = []

    def others() -> None:
        try:
            while not stop.is_set():
                with place.open() as cache:
                    assert cache.get("k") == "value"
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)

    with place.open() as cache:
        cache.set("k", "value")
        threads = [threading.Thread(target=others) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(50):
                assert cache.get_many(["k", "x"]) == {"k": "value"}
                cache.close()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert not failures


def test_a_cache_that_works_says_nothing(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kcache")
    cache.set_many(dict.fromkeys(MANY, 1))
    cache.get_many(MANY)
    cache.close()
    assert not caplog.records


def test_the_repr_names_the_nodes() -> None:
    nodes = ["memory://first", "redis://u:geheim@h:1/2", "memcached://h?name=third"]
    assert repr(Cache(nodes, codec=SafeCodec())) == "<Cache on first, h:1, third>"
