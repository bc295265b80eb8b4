"""Events and counts: what happens in a cache is told to those who listen, and counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from threading import Lock

import pytest
import redis as redis_py

from kcache import Cache, Namespace
from kcache.events import (
    Computed,
    Deleted,
    Event,
    Found,
    FoundStale,
    Invalidated,
    Missed,
    NodeDown,
    NodeFailed,
    NodeUp,
    NotStored,
    Stored,
    Unreadable,
)
from tests.faults.lying import lying
from tests.faults.proxy import proxy
from tests.servers import Redis, kill, redis


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def listened(plain_cache: Cache, told: list[Event]) -> Iterator[Cache]:
    end = plain_cache.listen(told.append)
    yield plain_cache
    end()


def test_calls_are_told_of(listened: Cache, told: list[Event]) -> None:
    shop = listened.namespace("shop")
    for place, names in ((listened, ()), (shop, ("shop",))):
        told.clear()
        place.get("k")
        place.set("k", 1)
        place.get("k")
        place.get_many(["k", "l"])
        place.set_many({"l": 2})
        place.add("k", 3)
        place.add("m", 3)
        place.delete("k")
        place.delete("k")
        assert told == [
            Missed(names, "k"),
            Stored(names, "k"),
            Found(names, "k"),
            Found(names, "k"),
            Missed(names, "l"),
            Stored(names, "l"),
            Stored(names, "m"),
            Deleted(names, "k"),
        ]
        counts = listened.stats()[names]
        assert (counts.hits, counts.misses, counts.stores, counts.deletes) == (2, 2, 3, 1)


def test_fills_are_told_of(listened: Cache, told: list[Event]) -> None:
    shop = listened.namespace("shop")
    lock = Lock()
    for place, names in ((listened, ()), (shop, ("shop",))):
        told.clear()
        assert place.get_or_set("k", lambda: 5) == 5
        assert place.get_or_set("k", lambda: 6) == 5
        assert place.get_or_set("no", lambda: lock) is lock
        kinds = [type(event) for event in told]
        assert kinds == [Missed, Computed, Stored, Found, Missed, Computed, NotStored]
        assert isinstance(told[1], Computed)
        assert told[1].seconds >= 0
        assert isinstance(told[6], NotStored)
        assert "lock" in told[6].reason
        assert listened.stats()[names].computed == 2
    told.clear()
    shop.invalidate()
    assert told == [Invalidated(("shop",), ())]


def test_what_is_not_kept_since_it_was_changed_meanwhile_is_told_of(
    listened: Cache, told: list[Event]
) -> None:
    shop = listened.namespace("shop")

    def change() -> int:
        shop.set("k", 1)
        return 2

    assert shop.get_or_set("k", change) == 2
    assert shop.get("k") == 1
    reasons = [event.reason for event in told if isinstance(event, NotStored)]
    assert len(reasons) == 1
    assert "meanwhile" in reasons[0]


def test_stale_values_are_told_of() -> None:
    now = 100.0
    told: list[Event] = []
    cache = Cache(clock=lambda: now)
    cache.listen(told.append)

    def get() -> int:
        return cache.get_or_set("k", lambda: 5, ttl=10, stale_ttl=50, refresh=lambda _task: None)

    get()
    now = 120.0
    told.clear()
    assert get() == 5
    assert told[-1] == FoundStale((), "k")
    assert cache.stats()[()].stale == 1


def test_what_cannot_be_read_is_told_of(redises: tuple[Redis, ...]) -> None:
    told: list[Event] = []
    with Cache([redises[0].url]) as cache, redis_py.Redis.from_url(redises[0].url) as client:
        cache.listen(told.append)
        shop = cache.namespace("shop")
        places: list[Cache | Namespace] = [cache, shop]
        for place in places:
            place.set("k", {"a": 1})
            place.get("k")
            wire = place._router.route("k")[1]  # noqa: SLF001 - where the entry lies
            key = wire if isinstance(wire, bytes) else wire.key
            damaged = bytearray(client.get(key))
            damaged[-9] ^= 1
            client.set(key, bytes(damaged))
            told.clear()
            assert place.get("k") is None
            assert place.get_many(["k"]) == {}
            unreadable = [event for event in told if isinstance(event, Unreadable)]
            assert [event.wire for event in unreadable] == [key, key]
            assert "damaged" in unreadable[0].reason
        # What was invalidated can be read very well.
        shop.set("k", 1)
        shop.invalidate()
        told.clear()
        assert shop.get("k") is None
        assert told == [Missed(("shop",), "k")]


def test_outages_are_told_of() -> None:
    told: list[Event] = []
    with redis() as server, Cache([server.url], timeout=5) as cache:
        cache.listen(told.append)
        cache.set("k", 1)
        kill(server)
        for _ in range(3):
            assert cache.get("k") is None
        assert [type(event) for event in told].count(NodeDown) == 1
        failed = [event for event in told if isinstance(event, NodeFailed)]
        assert {event.error.node for event in failed} == {cache.ring.nodes[0]}
        assert len(failed) >= 3
        assert NodeUp not in map(type, told)


@pytest.mark.parametrize("namespace", [None, "shop"])
def test_each_call_on_a_node_that_was_never_there_is_told_of_once(namespace: str | None) -> None:
    told: list[Event] = []
    with Cache(["redis://127.0.0.1:1"], namespace=namespace) as cache:
        cache.listen(told.append)
        for _ in range(5):
            assert cache.get("k") is None
            assert not cache.set("k", 1)
    kinds = [type(event) for event in told]
    assert (kinds.count(NodeFailed), kinds.count(NodeDown)) == (10, 1)


def test_a_write_in_a_namespace_whose_connection_is_lost_is_told_of() -> None:
    told: list[Event] = []
    with (
        redis() as server,
        proxy(server.address) as way,
        Cache([f"redis://127.0.0.1:{way.port}"], namespace="shop", timeout=5) as cache,
    ):
        assert cache.set("k", 1)
        cache.listen(told.append)
        for _ in range(10):
            way.reset()
            # The reset has come before the next request.
            time.sleep(0.1)
            if not cache.set("k", 2):
                break
            # Who was held up for long has looked first whether the connection is still there.
            assert told.pop() == Stored(("shop",), "k")
    assert NodeFailed in map(type, told)


def test_a_listener_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache()
    told: list[Event] = []

    def fails(_event: Event) -> None:
        raise ValueError("a listener's fault")

    end = cache.listen(fails)
    cache.listen(told.append)
    with caplog.at_level(logging.ERROR, "kcache"):
        assert cache.set("k", 1)
    assert "a listener's fault" in caplog.text
    assert told == [Stored((), "k")]
    end()
    caplog.clear()
    cache.get("k")
    assert not caplog.text


def test_counts_are_a_copy_and_bounded() -> None:
    cache = Cache()
    before = cache.stats()[()]
    cache.set("k", 1)
    assert before.stores == 0
    for number in range(10_050):
        cache.namespace(f"n{number}")
    cache.namespace("n10049").set("k", 1)
    stats = cache.stats()
    assert len(stats) <= 10_001
    assert stats["...",].stores == 1


def test_a_call_that_fails_is_told_of_once() -> None:
    told: list[Event] = []
    with lying(lambda _: [b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        with Cache([f"redis://127.0.0.1:{server.port}"], timeout=5) as cache:
            cache.listen(told.append)
            assert cache.get("k") is None
        assert [type(each) for each in told if isinstance(each, NodeFailed)] == [NodeFailed]
