"""Namespaces on real servers: what is invalidated is gone, for every process, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from kcache import Cache, ConfigurationError, Invalidation, InvalidationIncomplete, InvalidKey
from tests.faults.proxy import proxy
from tests.servers import Memcached, Redis, frozen
from tests.servers.connect import free_port

PATIENCE = 20.0
MANY = {f"key{i}": i for i in range(60)}


@pytest.fixture(params=["memory", "redis", "memcached", "mixed"])
def urls(request: pytest.FixtureRequest) -> list[str] | None:
    if request.param == "memory":
        return None
    found: list[str] = []
    if request.param != "memcached":
        found += [server.url for server in request.getfixturevalue("redises")[:2]]
    if request.param != "redis":
        found += [server.url for server in request.getfixturevalue("memcacheds")[:2]]
    return found


@pytest.fixture
def cache(urls: list[str] | None) -> Iterator[Cache]:
    with Cache(urls, timeout=PATIENCE, on_error="raise") as opened:
        yield opened


def test_invalidating_drops_a_namespace_and_what_is_within_it(cache: Cache) -> None:
    photos, songs = cache.namespace("photos"), cache.namespace("songs")
    album = photos.namespace("42")
    everywhere = (photos, album, songs, cache)
    for place in everywhere:
        assert place.set_many(MANY) == []
    assert album.invalidate() == Invalidation(complete=True, pending=())
    assert [len(place.get_many(MANY)) for place in everywhere] == [60, 0, 60, 60]
    assert album.set_many(MANY) == []
    assert photos.invalidate().complete
    assert [len(place.get_many(MANY)) for place in everywhere] == [0, 0, 60, 60]
    for place in (photos, album):
        assert all(place.lookup(key) == place.lookup("none") for key in MANY)


def test_no_key_of_one_place_reaches_another(cache: Cache) -> None:
    places = [
        cache,
        cache.namespace("a"),
        cache.namespace("a", "b"),
        cache.namespace("ab"),
        cache.namespace("a b"),
        cache.namespace("b", "a"),
        cache.namespace(b"\xff"),
        cache.namespace("\udcff"),
    ]
    for number, place in enumerate(places):
        assert place.set("k", number)
    assert [place.get("k") for place in places] == list(range(len(places)))
    for place in places[1:]:
        assert place.delete("k")
    assert cache.get("k") == 0


def test_one_path_is_one_namespace_however_it_is_opened(cache: Cache) -> None:
    album = cache.namespace("photos", "42")
    same = [cache.namespace("photos").namespace("42"), cache.namespace(b"photos", b"42")]
    album.set("cover", b"...")
    for other in same:
        assert other == album
        assert hash(other) == hash(album)
        assert other.get("cover") == b"..."
    assert cache.namespace("photos") != album


def test_what_another_process_has_invalidated_is_gone_here(urls: list[str]) -> None:
    if urls is None:
        urls = ["memory://one-store-in-one-process"]
    caches = [Cache(urls, timeout=PATIENCE, on_error="raise").namespace("shop") for _ in range(2)]
    for turn in range(20):
        mine, yours = caches if turn % 2 else caches[::-1]
        # Its tokens are old by now: it finds out, and stores once more.
        assert mine.set("k", turn)
        assert mine.set_many(MANY) == []
        assert yours.get("k") == turn
        assert len(yours.get_many(MANY)) == len(MANY)
        assert yours.invalidate().complete
        assert mine.get("k") is None
        assert mine.get_many(MANY) == {}


def test_defaults_of_a_namespace(cache: Cache) -> None:
    short = cache.namespace("short", ttl=50)
    for place in (short, short.namespace("inner")):
        place.set("k", 1)
        left = place.ttl("k")
        assert left is not None
        assert 45 < left < 53
        place.set("k", 1, ttl=None)
        assert place.ttl("k") == float("inf")


def test_a_namespace_needs_a_name_and_a_cache_without_one_cannot_be_invalidated() -> None:
    with Cache() as cache:
        for names in ((), ("",), ("a", ""), (5,), (None,), tuple("abcdefghijklmnopq")):
            with pytest.raises(InvalidKey):
                cache.namespace(*names)
        with pytest.raises(ConfigurationError, match="flush_nodes"):
            cache.invalidate()
        for prefix in ("a b", "a\n", "x" * 65, 5):
            with pytest.raises(ConfigurationError, match="prefix"):
                Cache(prefix=prefix)  # type: ignore[arg-type]  # the same


def test_nodes_that_cannot_be_told_are_said(
    redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    dead = f"redis://127.0.0.1:{free_port()}"
    nodes = [redises[0].url, memcacheds[0].url, dead]
    with Cache(nodes, namespace="shop", timeout=0.5) as cache:
        outcome = cache.invalidate()
        assert not outcome.complete
        assert [node.address for node in outcome.pending] == [dead.removeprefix("redis://")]
    with (
        Cache(nodes, namespace="shop", timeout=0.5, on_error="raise") as strict,
        pytest.raises(InvalidationIncomplete, match="not invalidated on 127") as caught,
    ):
        strict.invalidate()
    assert [node.address for node in caught.value.pending] == [dead.removeprefix("redis://")]


def test_a_frozen_node_makes_an_invalidation_incomplete(redises: tuple[Redis, ...]) -> None:
    servers = redises[:2]
    with Cache([server.url for server in servers], namespace="shop", timeout=0.3) as cache:
        cache.set_many(MANY)
        with frozen(servers[0]):
            outcome = cache.invalidate()
        assert [node.port for node in outcome.pending] == [servers[0].port]


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_calls_in_a_namespace_are_one_round_trip(
    kind: str, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    server = (redises if kind == "redis" else memcacheds)[0]
    with Cache([server.url], namespace="shop") as other:
        other.set_many(MANY)
    with (
        proxy(server.address) as between,
        Cache([f"{kind}://127.0.0.1:{between.port}"], timeout=PATIENCE) as cache,
    ):
        shop = cache.namespace("shop")
        assert shop.get("key1") == MANY["key1"]
        # The first use of a Redis has two more: which server it is and what it missed, and from
        # then on every connection is asked first where it leads.
        before = (1,) if kind == "redis" else ()
        first = len(before) + 1
        assert between.round_trips == (*before, first)
        calls = (
            lambda: shop.get("key1"),
            lambda: shop.get("none"),
            lambda: shop.set("key1", 5),
            lambda: shop.get_many(MANY),
            lambda: shop.set_many(MANY),
            lambda: shop.delete("key2"),
            lambda: shop.touch("key1", 50),
            lambda: shop.ttl("key1"),
            shop.invalidate,
            lambda: shop.get("key1"),
        )
        for number, call in enumerate(calls, start=first + 1):
            call()  # type: ignore[no-untyped-call]  # they have several types
            assert between.round_trips == (*before, number)


def test_a_restarted_or_emptied_node_gives_nothing_old(redises: tuple[Redis, ...]) -> None:
    server = redises[0]
    with Cache([server.url], namespace="shop", timeout=PATIENCE) as cache:
        cache.set("k", "old")
        server.flush()
        assert cache.get("k") is None
        assert cache.set("k", "new")
        assert cache.get("k") == "new"


def set_soon(cache: Cache, value: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not cache.set("k", value):
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_a_set_that_may_have_been_done_is_not_done_under_newer_tokens(
    kind: str, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    server = (redises if kind == "redis" else memcacheds)[0]
    with (
        proxy(server.address) as between,
        Cache([f"{kind}://127.0.0.1:{between.port}"], namespace="shop", timeout=PATIENCE) as cache,
        Cache([server.url], namespace="shop", timeout=PATIENCE) as other,
    ):
        assert cache.set("k", 1)
        assert other.get("k") == 1
        # What it knows is old, and its connection lost: the call cannot tell what became of it.
        assert other.invalidate().complete
        between.reset()
        assert not cache.set("k", 2)
        assert other.get("k") is None
        # Until the node was told that the namespace is new, nothing is asked of it.
        set_soon(cache, 3)
        assert other.get("k") == 3
        # Nor is it said again where nothing was invalidated: somebody may have deleted it since.
        between.reset()
        assert not cache.set("k", 4)
        assert cache.get("k") is None
        set_soon(cache, 5)
        assert other.get("k") == 5
