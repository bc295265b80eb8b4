"""Ways to do the cache's work: kcache's, its peers', and the floor's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cachelib
import cachetools
import django.conf
import pylibmc
import redis
from django.core.cache.backends.redis import RedisCache
from flask import Flask
from flask_caching import Cache as FlaskCaching
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient

from benchmarks.bare import Exchange, ask, ask_all, open_sockets
from benchmarks.calls import Call, Ways
from kcache import Cache
from kcache.wire import memcached as mc
from kcache.wire import resp
from tests.servers import Memcached, Redis

__all__ = [
    "FLOOR",
    "KCACHE",
    "KEY",
    "many_on_memcached",
    "many_on_redis",
    "one_in_memory",
    "one_on_memcached",
    "one_on_redis",
    "opened",
    "place_of",
    "threads_on_memcached",
    "threads_on_redis",
]

FLOOR = "floor: bare socket"
KCACHE = "kcache"
KEY = "key:1"
_TIMEOUT = 30.0


def opened(servers: Sequence[Redis | Memcached]) -> Cache:
    """A cache on servers."""
    # A run of many rounds on a busy machine must not meet a timeout.
    return Cache([server.url for server in servers], timeout=_TIMEOUT, on_error="raise")


def one_on_redis(server: Redis, value: str) -> tuple[Ways, Ways]:
    """Get and set of one entry, by contender."""
    host, port = place_of(server)
    data = value.encode()
    (sock,) = open_sockets([server.address])
    cache = opened([server])
    client = redis.Redis(host, port)
    lib = cachelib.RedisCache(host, port)
    flask = _flask({"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": host, "CACHE_REDIS_PORT": port})
    if not django.conf.settings.configured:
        django.conf.settings.configure()
    backend = RedisCache(f"redis://{host}:{port}", {})
    cache.set(KEY, value)
    lib.set("lib", value)
    flask.set("flask", value)
    backend.set("django", value, timeout=None)
    hit = (resp.encode_get(KEY.encode()), len(b"$%d\r\n%b\r\n" % (len(data), data)))
    stored = (resp.encode_set(KEY.encode(), data), len(resp.OK_BYTES))
    gets: Ways = {
        FLOOR: ask(sock, hit),
        KCACHE: lambda: cache.get(KEY),
        "redis-py": lambda: client.get(KEY),
        "cachelib": lambda: lib.get("lib"),
        "Flask-Caching": lambda: flask.get("flask"),
        "Django": lambda: backend.get("django"),
    }
    sets: Ways = {
        FLOOR: ask(sock, stored),
        KCACHE: lambda: cache.set(KEY, value),
        "redis-py": lambda: client.set(KEY, value),
        "cachelib": lambda: lib.set("lib", value),
        "Flask-Caching": lambda: flask.set("flask", value),
        "Django": lambda: backend.set("django", value, timeout=None),
    }
    return gets, sets


def one_on_memcached(server: Memcached, value: str) -> tuple[Ways, Ways]:
    """Get and set of one entry, by contender."""
    place = place_of(server)
    data = value.encode()
    (sock,) = open_sockets([server.address])
    cache, lib = opened([server]), _pylibmc([server])
    client, ring = Client(place, no_delay=True), HashClient([place], no_delay=True)
    cache.set(KEY, value)
    hit = (b"get key:1\r\n", len(b"VALUE key:1 16 %d\r\n%b\r\nEND\r\n" % (len(data), data)))
    stored = (mc.encode_ms(KEY.encode(), data, 16), len(b"HD\r\n"))
    gets: Ways = {
        FLOOR: ask(sock, hit),
        KCACHE: lambda: cache.get(KEY),
        "pylibmc (C)": lambda: lib.get(KEY),
        "pymemcache": lambda: client.get(KEY),
        "pymemcache HashClient": lambda: ring.get(KEY),
    }
    sets: Ways = {
        FLOOR: ask(sock, stored),
        KCACHE: lambda: cache.set(KEY, value),
        "pylibmc (C)": lambda: lib.set(KEY, value),
        "pymemcache": lambda: client.set(KEY, data, noreply=False),
        "pymemcache HashClient": lambda: ring.set(KEY, data, noreply=False),
    }
    return gets, sets


def many_on_redis(servers: Sequence[Redis], count: int, value: str) -> tuple[Ways, Ways]:
    """Get and set of many entries on several nodes, by contender."""
    cache = opened(servers)
    values = {f"key:{i}": value for i in range(count)}
    cache.set_many(values)
    groups = cache.ring.group(values)
    clients = [redis.Redis(*place_of(servers[cache.ring.nodes.index(node)])) for node in groups]
    keys_of = list(groups.values())

    def get_by_hand() -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for client, keys in zip(clients, keys_of, strict=True):
            found.update(zip(keys, client.mget(keys), strict=True))
        return found

    def set_by_hand() -> None:
        for client, keys in zip(clients, keys_of, strict=True):
            pipe = client.pipeline(transaction=False)
            for key in keys:
                pipe.set(key, values[str(key)])
            pipe.execute()

    sockets = open_sockets([servers[cache.ring.nodes.index(node)].address for node in groups])
    data = value.encode()
    bulk = len(b"$%d\r\n%b\r\n" % (len(data), data))
    reads = [
        (resp.encode_mget(list(map(_bytes, keys))), len(b"*%d\r\n" % len(keys)) + bulk * len(keys))
        for keys in keys_of
    ]
    writes: list[Exchange] = [
        (
            b"".join(resp.encode_set(_bytes(key), data) for key in keys),
            len(resp.OK_BYTES) * len(keys),
        )
        for keys in keys_of
    ]
    return (
        {
            FLOOR: ask_all(sockets, reads),
            KCACHE: lambda: cache.get_many(values),
            "redis-py, by hand": get_by_hand,
        },
        {
            FLOOR: ask_all(sockets, writes),
            KCACHE: lambda: cache.set_many(values),
            "redis-py, by hand": set_by_hand,
        },
    )


def many_on_memcached(servers: Sequence[Memcached], count: int, value: str) -> tuple[Ways, Ways]:
    """Get and set of many entries on several nodes, by contender."""
    cache, lib = opened(servers), _pylibmc(servers)
    ring = HashClient([place_of(server) for server in servers], no_delay=True)
    values = {f"key:{i}": value for i in range(count)}
    raw = {key: value.encode() for key in values}
    keys = list(values)
    lib.set_multi(values)
    ring.set_many(raw, noreply=False)
    cache.set_many(values)
    groups = cache.ring.group(values)
    sockets = open_sockets([servers[cache.ring.nodes.index(node)].address for node in groups])
    data = value.encode()
    reads, writes = [], []
    for group in groups.values():
        wires = list(map(_bytes, group))
        hits = sum(len(b"VALUE %b 16 %d\r\n%b\r\n" % (key, len(data), data)) for key in wires)
        reads.append((mc.encode_get_many(wires), hits + len(b"END\r\n")))
        sets = mc.encode_set_many([(key, data, 16, 0) for key in wires])
        writes.append((sets, len(b"HD\r\n") * len(wires)))
    return (
        {
            FLOOR: ask_all(sockets, reads),
            KCACHE: lambda: cache.get_many(keys),
            "pylibmc (C)": lambda: lib.get_multi(keys),
            "pymemcache HashClient": lambda: ring.get_many(keys),
        },
        {
            FLOOR: ask_all(sockets, writes),
            KCACHE: lambda: cache.set_many(values),
            "pylibmc (C)": lambda: lib.set_multi(values),
            "pymemcache HashClient": lambda: ring.set_many(raw, noreply=False),
        },
    )


def one_in_memory(value: str) -> tuple[Ways, Ways]:
    """Get and set of one entry in this process, by contender."""
    bare: dict[str, str] = {KEY: value}
    cache, lib = Cache(), cachelib.SimpleCache()
    flask = _flask({"CACHE_TYPE": "SimpleCache"})
    table: cachetools.TTLCache[str, str] = cachetools.TTLCache(100_000, 1e9)
    lock = threading.Lock()
    cache.set(KEY, value)
    lib.set(KEY, value)
    flask.set(KEY, value)
    table[KEY] = value

    def locked_get() -> object:
        with lock:
            return table.get(KEY)

    def locked_set() -> None:
        with lock:
            table[KEY] = value

    gets: Ways = {
        "floor: dict": lambda: bare.get(KEY),
        KCACHE: lambda: cache.get(KEY),
        "cachelib": lambda: lib.get(KEY),
        "cachetools and a lock": locked_get,
        "Flask-Caching": lambda: flask.get(KEY),
    }
    sets: Ways = {
        "floor: dict": lambda: bare.__setitem__(KEY, value),
        KCACHE: lambda: cache.set(KEY, value),
        "cachelib": lambda: lib.set(KEY, value),
        "cachetools and a lock": locked_set,
        "Flask-Caching": lambda: flask.set(KEY, value),
    }
    return gets, sets


def threads_on_redis(server: Redis, value: str) -> Mapping[str, Callable[[], Call]]:
    """For each contender what gives a thread its way to get an entry."""
    cache = opened([server])
    cache.set(KEY, value)
    client = redis.Redis(*place_of(server))
    hit = (resp.encode_get(KEY.encode()), len(b"$100\r\n") + len(value) + 2)
    return {
        FLOOR: lambda: ask(open_sockets([server.address])[0], hit),
        KCACHE: lambda: lambda: cache.get(KEY),
        "redis-py": lambda: lambda: client.get(KEY),
    }


def threads_on_memcached(server: Memcached, value: str) -> Mapping[str, Callable[[], Call]]:
    """The same on memcached."""
    cache = opened([server])
    cache.set(KEY, value)
    pooled = PooledClient(place_of(server), no_delay=True)
    lib = pylibmc.ThreadMappedPool(_pylibmc([server]))
    hit = (b"get key:1\r\n", len(b"VALUE key:1 16 100\r\n\r\nEND\r\n") + len(value))

    def mapped() -> object:
        with lib.reserve() as client:
            return client.get(KEY)

    return {
        FLOOR: lambda: ask(open_sockets([server.address])[0], hit),
        KCACHE: lambda: lambda: cache.get(KEY),
        "pylibmc (C)": lambda: mapped,
        "pymemcache": lambda: lambda: pooled.get(KEY),
    }


def _pylibmc(servers: Sequence[Memcached]) -> Any:
    names = ["{}:{}".format(*place_of(server)) for server in servers]
    return pylibmc.Client(names, behaviors={"tcp_nodelay": True, "ketama": True})


def _flask(config: dict[str, Any]) -> Any:
    app = Flask("benchmark")
    caching = FlaskCaching(app, config={**config, "CACHE_DEFAULT_TIMEOUT": 0})
    return app.extensions["cache"][caching]


def place_of(server: Redis | Memcached) -> tuple[str, int]:
    """Host and port of a server."""
    address = server.address
    if isinstance(address, str):
        raise TypeError("the peers are measured on ports")
    return address


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
