"""What other clients put under wire keys, and what lies there: on Redis and memcached nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import pymemcache
import redis as redis_py

from tests.servers import Memcached, Redis

__all__ = ["EXECUTED", "Gadget", "Planter", "planter_on"]

EXECUTED: list[str] = []
"""What was run by reading, of all that was planted."""


def _execute(what: str) -> str:
    EXECUTED.append(what)
    return what


class Gadget:
    """To unpickle it is to run something."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __reduce__(self) -> tuple[Any, ...]:
        return _execute, (self.what,)


class Planter(Protocol):
    """Writes to a node and reads from it, past kcache."""

    def put(self, items: Mapping[bytes, bytes], flags: int = 0x6B00) -> None: ...

    def take(self, wires: Iterable[bytes]) -> dict[bytes, bytes]: ...

    def close(self) -> None: ...


class _OnRedis:
    def __init__(self, url: str) -> None:
        self._client = redis_py.Redis.from_url(url)

    def put(self, items: Mapping[bytes, bytes], flags: int = 0x6B00) -> None:
        del flags
        self._client.mset(dict(items))

    def take(self, wires: Iterable[bytes]) -> dict[bytes, bytes]:
        listed = list(wires)
        found: list[Any] = list(self._client.mget(listed))
        return {wire: data for wire, data in zip(listed, found, strict=True) if data is not None}

    def close(self) -> None:
        self._client.close()


class _OnMemcached:
    def __init__(self, address: Any) -> None:
        self._client = pymemcache.Client(
            address, default_noreply=False, allow_unicode_keys=False, key_prefix=b""
        )
        # It takes the keys that go out for what they are.
        self._client.check_key = lambda key, key_prefix=b"": key_prefix + key

    def put(self, items: Mapping[bytes, bytes], flags: int = 0x6B00) -> None:
        assert not self._client.set_many(dict(items), flags=flags)

    def take(self, wires: Iterable[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self._client.get_many(list(wires))
        return found

    def close(self) -> None:
        self._client.close()


def planter_on(server: Redis | Memcached) -> Planter:
    if isinstance(server, Redis):
        return _OnRedis(server.url)
    return _OnMemcached(server.address)
