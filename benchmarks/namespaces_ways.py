"""Ways to read and store in a namespace, and on plain keys: kcache's, a peer's, and the floor's."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask_caching import Cache as FlaskCaching

from benchmarks import cache_ways as ways
from benchmarks.bare import Exchange, ask, open_sockets
from benchmarks.cache_ways import FLOOR, KCACHE, KEY, opened, place_of
from benchmarks.calls import Ways
from kcache.entry import FRAME_FLAGS, Entries
from kcache.namespace import Path, Place
from kcache.record import TOKEN_SIZE
from kcache.wire import memcached as mc
from kcache.wire import resp
from kcache.wire.memcached_talk import encode_get_each
from tests.servers import Memcached, Redis

__all__ = [
    "MEMOIZED",
    "NAMESPACE",
    "PREFIX",
    "SAME_BYTES",
    "flask_caching",
    "many",
    "one_on_memcached",
    "one_on_redis",
]

NAMESPACE = "kcache, in a namespace"
SAME_BYTES = "floor: in a namespace"
MEMOIZED = "Flask-Caching, memoize"
PREFIX = b"kc"
"""Of the keys of a cache that is told no other."""
_NAME = "benchmark"
# Far more than a server takes to write the last byte of a small reply.
_SETTLED = 0.05


def one_on_redis(server: Redis, value: str) -> tuple[Ways, Ways]:
    """Get and set of one entry, by contender."""
    path, own, entry = _places(value)
    gets, sets = _ours(server, value, ways.one_on_redis(server, value))
    (sock,) = open_sockets([server.address])
    read = resp.encode_mget([path.place(KEY).key, *path.records])
    gets[SAME_BYTES] = ask(sock, _exact(sock, read))
    store = resp.encode_mget(path.records) + resp.encode_set(own.key, entry)
    sets[SAME_BYTES] = ask(sock, _exact(sock, store))
    memoized = flask_caching(server).memoize()(lambda _: value)
    gets[MEMOIZED] = lambda: memoized(1)
    return gets, sets


def one_on_memcached(server: Memcached, value: str) -> tuple[Ways, Ways]:
    """The same on memcached."""
    path, own, entry = _places(value)
    gets, sets = _ours(server, value, ways.one_on_memcached(server, value))
    (sock,) = open_sockets([server.address])
    read = mc.encode_get_many([path.place(KEY).key, *path.records])
    gets[SAME_BYTES] = ask(sock, _exact(sock, read))
    store = encode_get_each(path.records) + mc.encode_ms(own.key, entry, FRAME_FLAGS)
    sets[SAME_BYTES] = ask(sock, _exact(sock, store))
    return gets, sets


def many(
    servers: Sequence[Redis | Memcached], count: int, value: str, plain: tuple[Ways, Ways]
) -> tuple[Ways, Ways]:
    """Get and set of many entries on several nodes: the plain ways, and kcache's in a namespace."""
    namespace = opened(servers).namespace(_NAME)
    values = {f"key:{i}": value for i in range(count)}
    keys = list(values)
    namespace.set_many(values)
    gets, sets = _chosen(plain)
    gets[NAMESPACE] = lambda: namespace.get_many(keys)
    sets[NAMESPACE] = lambda: namespace.set_many(values)
    return gets, sets


def flask_caching(server: Redis) -> Any:
    """Flask-Caching on a server, with entries that have no end."""
    host, port = place_of(server)
    config = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": host, "CACHE_REDIS_PORT": port}
    return FlaskCaching(Flask(_NAME), config={**config, "CACHE_DEFAULT_TIMEOUT": 0})


def _ours(server: Redis | Memcached, value: str, plain: tuple[Ways, Ways]) -> tuple[Ways, Ways]:
    namespace = opened([server]).namespace(_NAME)
    namespace.set(KEY, value)
    gets, sets = _chosen(plain)
    gets[NAMESPACE] = lambda: namespace.get(KEY)
    sets[NAMESPACE] = lambda: namespace.set(KEY, value)
    return gets, sets


def _chosen(plain: tuple[Ways, Ways]) -> tuple[Ways, Ways]:
    gets, sets = ({way: calls[way] for way in (FLOOR, KCACHE)} for calls in plain)
    return gets, sets


def _places(value: str) -> tuple[Path, Place, bytes]:
    """The namespace's path; where the floor stores, and what: an entry as long as kcache's."""
    path = Path(PREFIX, (_NAME,))
    own = path.place("floor")
    tokens = os.urandom(TOKEN_SIZE * len(path.records))
    return path, own, Entries().frame(value, own.digest + tokens)


def _exact(sock: socket.socket, request: bytes) -> Exchange:
    """A request and how long its reply is, whose length is the same every time."""
    sock.sendall(request)
    time.sleep(_SETTLED)
    return request, len(sock.recv(1 << 16))
