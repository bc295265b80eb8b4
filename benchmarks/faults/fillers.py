"""kcache and its peers behind the few calls of `tests.faults.fills`, opened in any process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.cache.backends.redis import RedisCache
from dogpile.cache import make_region
from flask import Flask
from flask_caching import Cache as FlaskCaching

from benchmarks.faults.clients import Server
from benchmarks.faults.scenario import KCACHE
from tests.faults.fills import Filler, Opening, Ours

__all__ = ["DISTRIBUTED", "DJANGO", "DOGPILE", "FLASK", "NAMESPACE", "opening_of"]

FLASK, DJANGO = "Flask-Caching", "Django"
DOGPILE, DISTRIBUTED = "dogpile.cache", "dogpile.cache, distributed_lock"
NAMESPACE = "fills"
_LIFE = 600


@dataclass(frozen=True)
class _Peer:
    """What opens a peer."""

    who: str
    url: str

    def __call__(self) -> Filler:
        return _PEERS[self.who](self.url)


class _Flask:
    """A function whose results are kept, with the key for its argument."""

    def __init__(self, url: str) -> None:
        config = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url}
        self._caching: Any = FlaskCaching(Flask("fills"), config=config)
        asked = self._asked = threading.local()

        @self._caching.memoize(timeout=_LIFE)
        def value(_key: str) -> Any:
            return asked.factory()

        self._value = value

    def get_or_set(self, key: str, factory: Callable[[], Any]) -> Any:
        self._asked.factory = factory
        return self._value(key)

    def delete(self, key: str) -> object:
        return self._caching.delete_memoized(self._value, key)

    def invalidate(self) -> object:
        return self._caching.delete_memoized(self._value)


class _Django:
    def __init__(self, url: str) -> None:
        self._cache = RedisCache(url, {})

    def get_or_set(self, key: str, factory: Callable[[], Any]) -> Any:
        return self._cache.get_or_set(key, factory, _LIFE)

    def delete(self, key: str) -> object:
        return self._cache.delete(key)

    def invalidate(self) -> object:
        return self._cache.clear()


class _Dogpile:
    def __init__(self, url: str, *, distributed: bool = False) -> None:
        arguments = {"url": url, "distributed_lock": distributed, "thread_local_lock": False}
        self._region: Any = make_region().configure("dogpile.cache.redis", arguments=arguments)

    def get_or_set(self, key: str, factory: Callable[[], Any]) -> Any:
        return self._region.get_or_create(key, factory, _LIFE)

    def delete(self, key: str) -> object:
        self._region.delete(key)
        return None

    def invalidate(self) -> object:
        # It is of this process alone.
        self._region.invalidate()
        return None


_PEERS: dict[str, Callable[[str], Filler]] = {
    FLASK: _Flask,
    DJANGO: _Django,
    DOGPILE: _Dogpile,
    DISTRIBUTED: lambda url: _Dogpile(url, distributed=True),
}


def opening_of(
    who: str, server: Server, namespace: str | None = NAMESPACE, **options: Any
) -> Opening:
    """What opens a contender on a server; kcache in a namespace, or on plain keys, with options."""
    if who == KCACHE:
        return Ours(server.url, namespace, options)
    return _Peer(who, server.url)
