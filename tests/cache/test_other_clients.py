"""Plain keys are shared with other clients, through the cache, on the same servers, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import memcache
import pylibmc
import pymemcache
import pymemcache.serde
import pytest
import redis as redis_py

from kcache import Cache, NotACounter
from tests.servers import Memcached, Redis

VALUES: list[Any] = [
    *["text", "é ∀", "5", "", "a\r\nb", "x" * 5000],
    *[b"bytes", b"", b"5", b"\xff\x00\r\n", bytes(5000)],
    *[0, 5, -5, 2**63 - 1, -(2**63), 2**64, 10**100],
]
each_value = pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])


def _pylibmc(address: Any) -> Any:
    return pylibmc.Client(["{}:{}".format(*address)])


def _memcache(address: Any) -> Any:
    return memcache.Client(["{}:{}".format(*address)], debug=0)


def _pymemcache(address: Any) -> Any:
    return pymemcache.Client(address, serde=pymemcache.serde.pickle_serde, default_noreply=False)


@pytest.fixture
def server(memcacheds: tuple[Memcached, ...]) -> Memcached:
    return memcacheds[0]


@pytest.fixture
def memcached_cache(server: Memcached) -> Iterator[Cache]:
    with Cache([server.url], timeout=20, on_error="raise") as cache:
        yield cache


@pytest.fixture(params=[_pylibmc, _memcache, _pymemcache], ids=lambda make: make.__name__[1:])
def client(request: pytest.FixtureRequest, server: Memcached) -> Iterator[Any]:
    opened = request.param(server.address)
    yield opened
    for name in ("disconnect_all", "close"):
        getattr(opened, name, lambda: None)()


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


@each_value
def test_memcached_clients_and_the_cache_read_each_other(
    memcached_cache: Cache, client: Any, value: Any
) -> None:
    cache = memcached_cache
    assert cache.set("ours", value)
    assert same(client.get("ours"), value)
    assert client.set("theirs", value)
    assert same(cache.get("theirs"), value)
    assert same(cache.get_many(["theirs"])["theirs"], value)
    held = cache.gets("theirs")
    assert held is not None
    assert same(held[0], value)


def test_memcached_counters_are_shared(memcached_cache: Cache, client: Any) -> None:
    cache = memcached_cache
    assert cache.incr("n", initial=99) == 99
    assert client.incr("n", 1) == 100
    assert cache.incr("n") == 101
    assert client.decr("n", 2) == 99
    assert cache.get("n") == 99
    assert cache.decr("n", 90) == 9
    assert client.get("n") == 9
    client.set("theirs", 7)
    assert cache.incr("theirs") == 8
    client.set("text", "7")
    with pytest.raises(NotACounter):
        cache.incr("text")
    assert client.get("text") == "7"


def test_what_only_kcache_can_read_is_no_value_to_others(
    memcached_cache: Cache, client: Any
) -> None:
    for value in (None, 1.5, [1], {"a": 1}):
        memcached_cache.set("k", value)
        try:
            found = client.get("k")
        except ValueError:
            # That is how python-memcached says that it does not know the flags.
            found = b""
        assert isinstance(found, bytes)


def test_other_clients_see_the_ttl_and_their_own_counts(
    memcached_cache: Cache, server: Memcached
) -> None:
    client = _pymemcache(server.address)
    client.set("k", "x", expire=100)
    assert 97 < (memcached_cache.ttl("k") or 0) <= 100
    assert client.add("k", "y") is False
    assert memcached_cache.delete("k")
    assert client.get("k") is None
    client.close()


@pytest.fixture
def both(redises: tuple[Redis, ...]) -> Iterator[tuple[Cache, redis_py.Redis]]:
    url = redises[0].url
    with (
        Cache([url], timeout=20, on_error="raise") as cache,
        redis_py.Redis.from_url(url) as client,
    ):
        yield cache, client


RAW: list[tuple[Any, bytes]] = [
    ("text", b"text"),
    ("", b""),
    ("05", b"05"),
    ("-0", b"-0"),
    ("é ∀", "é ∀".encode()),
    (b"\xff\x00\r\n", b"\xff\x00\r\n"),
    (0, b"0"),
    (-5, b"-5"),
    (2**63 - 1, b"9223372036854775807"),
    (-(2**63), b"-9223372036854775808"),
]


@pytest.mark.parametrize(("value", "data"), RAW, ids=repr)
def test_redis_py_and_the_cache_read_each_other(
    both: tuple[Cache, redis_py.Redis], value: Any, data: bytes
) -> None:
    cache, client = both
    assert cache.set("ours", value)
    assert client.get("ours") == data
    client.set("theirs", data)
    assert same(cache.get("theirs"), value)
    assert same(cache.get_many(["theirs"])["theirs"], value)


@pytest.mark.parametrize("value", ["5", "-5", b"abc", b"", b"5", 2**63, None, 1.5], ids=repr)
def test_what_redis_py_would_read_as_another_type_it_does_not_read_at_all(
    both: tuple[Cache, redis_py.Redis], value: Any
) -> None:
    cache, client = both
    cache.set("k", value)
    data = client.get("k")
    assert isinstance(data, bytes)
    assert data.startswith(b"\xc1kc")
    assert same(cache.get("k"), value)


def test_redis_counters_are_shared(both: tuple[Cache, redis_py.Redis]) -> None:
    cache, client = both
    assert cache.incr("n", initial=99, ttl=100) == 99
    assert client.incr("n") == 100
    assert cache.incr("n") == 101
    assert client.decr("n", 2) == 99
    assert cache.get("n") == 99
    assert 95 < client.ttl("n") <= 100
    client.set("theirs", 7)
    assert cache.decr("theirs") == 6
    client.set("below", -7)
    with pytest.raises(NotACounter):
        cache.incr("below")
    assert client.get("below") == b"-7"


@dataclass(frozen=True)
class Layout:
    """A way to set pylibmc up, and the dialect that does the same."""

    dialect: str
    behaviors: Mapping[str, object]
    weights: Sequence[int] = (1, 1, 1, 1, 1)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.dialect} {self.options or ''}"


LAYOUTS = [
    Layout("libmemcached", {"ketama": True}),
    Layout("libmemcached", {"ketama": True, "hash": "md5"}, options={"hash": "md5"}),
    Layout("libmemcached-autoweighted", {"ketama": True}, (3, 1, 10, 2, 5)),
    Layout("libmemcached-weighted", {"ketama_weighted": True}, (3, 1, 10, 2, 5)),
]
KEYS = [*(f"user:{i}" for i in range(300)), *(f"é{i}" for i in range(50))]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_each_key_has_the_owner_that_pylibmc_gives_it(
    memcacheds: tuple[Memcached, ...], layout: Layout
) -> None:
    pairs = list(zip(memcacheds, layout.weights, strict=True))
    specs = ["{}:{}:{}".format(*server.address, weight) for server, weight in pairs]
    theirs = pylibmc.Client(specs, behaviors=dict(layout.behaviors))
    nodes = [f"{server.url}?weight={weight}" for server, weight in pairs]
    with Cache(nodes, layout.dialect, timeout=20, on_error="raise", **layout.options) as cache:
        assert theirs.set_multi(dict.fromkeys(KEYS, "theirs")) == []
        assert cache.get_many(KEYS) == dict.fromkeys(KEYS, "theirs")
        assert holders(memcacheds) == {key: cache.node_for(key).port for key in KEYS}
        assert cache.set_many(dict.fromkeys(KEYS, "ours")) == []
        assert theirs.get_multi(KEYS) == dict.fromkeys(KEYS, "ours")
        # No server has got a second copy.
        assert holders(memcacheds) == {key: cache.node_for(key).port for key in KEYS}
    theirs.disconnect_all()


def holders(servers: Sequence[Memcached]) -> dict[str, int]:
    """The port of the server that has a key; one that two servers have is missing."""
    found: dict[str, list[int]] = {}
    for server in servers:
        with closing(pymemcache.Client(server.address, allow_unicode_keys=True)) as client:
            for key in client.get_many([key.encode() for key in KEYS]):
                found.setdefault(key.decode(), []).append(server.port)
    return {key: ports[0] for key, ports in found.items() if len(ports) == 1}


def test_cas_notices_what_other_clients_have_done(client: Any, memcached_cache: Cache) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: client.set("k", 1),
        lambda: client.delete("k"),
    ]
    memcached_cache.set("k", 0)
    held = memcached_cache.gets("k")
    assert held is not None
    for call in calls:
        call()
        assert memcached_cache.cas("k", 5, held[1]) is False
    assert memcached_cache.get("k") is None
