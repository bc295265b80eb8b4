"""Peers that store pickles, behind the same few calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import memcache
import pylibmc
import pymemcache
import redis as redis_py
from cachelib import RedisCache as CachelibRedisCache
from django.core.cache.backends.redis import RedisCache as DjangoRedisCache
from dogpile.cache import make_region
from dogpile.cache.api import NO_VALUE
from flask import Flask
from flask_caching import Cache as FlaskCaching
from pymemcache.serde import pickle_serde

from benchmarks.faults.clients import Server
from benchmarks.faults.fillers import DJANGO, DOGPILE, FLASK
from benchmarks.faults.scenario import Contender

__all__ = ["PICKLERS", "Pickler", "pickler"]

_LIFE = 600
PICKLERS = (
    Contender(FLASK, "redis"),
    Contender(DJANGO, "redis"),
    Contender(DOGPILE, "redis"),
    Contender("cachelib", "redis"),
    Contender("pymemcache, pickle_serde", "memcached"),
    Contender("pylibmc", "memcached"),
    Contender("python-memcached", "memcached"),
)
"""All of them; those on Redis pickle what has no form of its own there, with no further option."""


@dataclass(frozen=True)
class Pickler:
    """A peer's calls; `get` gives None for a miss.

    Attributes:
        wire: the key that goes out for a key.
    """

    set: Callable[[str, Any], object]
    get: Callable[[str], Any]
    wire: Callable[[str], str]
    close: Callable[[], object]


def _flask(server: Server) -> Pickler:
    config = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": server.url}
    caching: Any = FlaskCaching(Flask("pickles"), config=config)
    return Pickler(caching.set, caching.get, "flask_cache_{}".format, lambda: None)


def _django(server: Server) -> Pickler:
    cache: Any = DjangoRedisCache(server.url, {})
    return Pickler(cache.set, cache.get, cache.make_key, cache.close)


def _dogpile(server: Server) -> Pickler:
    region: Any = make_region().configure("dogpile.cache.redis", arguments={"url": server.url})

    def get(key: str) -> Any:
        value = region.get(key)
        return None if value is NO_VALUE else value

    return Pickler(region.set, get, str, lambda: None)


def _cachelib(server: Server) -> Pickler:
    client: Any = redis_py.Redis.from_url(server.url)
    cache = CachelibRedisCache(client, default_timeout=_LIFE)
    return Pickler(cache.set, cache.get, str, client.close)


def _pymemcache(server: Server) -> Pickler:
    client = pymemcache.PooledClient(server.address, serde=pickle_serde, default_noreply=False)
    return Pickler(client.set, client.get, str, client.close)


def _pylibmc(server: Server) -> Pickler:
    client = pylibmc.Client(["{}:{}".format(*server.address)])
    return Pickler(client.set, client.get, str, client.disconnect_all)


def _python_memcached(server: Server) -> Pickler:
    client = memcache.Client(["{}:{}".format(*server.address)])
    return Pickler(client.set, client.get, str, client.disconnect_all)


_OPENED: dict[str, Callable[[Server], Pickler]] = {
    contender.who: opened
    for contender, opened in zip(
        PICKLERS,
        (_flask, _django, _dogpile, _cachelib, _pymemcache, _pylibmc, _python_memcached),
        strict=True,
    )
}


@contextmanager
def pickler(who: str, server: Server) -> Iterator[Pickler]:
    """Open a peer."""
    opened = _OPENED[who](server)
    try:
        yield opened
    finally:
        opened.close()
