"""A server of each kind, and what every test of faults must leave as it was."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers import Memcached, Redis, memcached, redis

Server = Redis | Memcached
_PATIENCE = 3.0
_lingering: set[int] = set()


@pytest.fixture(autouse=True)
def nobody_else() -> None:
    """Wait a while for the threads that look after dead nodes of earlier tests to end.

    Those that stay, since something holds their cache, are waited for once.
    """
    gc.collect()
    deadline = time.monotonic() + _PATIENCE
    while (others := _watchers() - _lingering) and time.monotonic() < deadline:
        time.sleep(0.01)
    _lingering.update(others)


def _watchers() -> set[int]:
    return {t.ident or 0 for t in threading.enumerate() if t.name.startswith("kcache-")}


@pytest.fixture(scope="package")
def own_redis() -> Iterator[Redis]:
    with redis() as server:
        yield server


@pytest.fixture(scope="package")
def own_memcached() -> Iterator[Memcached]:
    with memcached() as server:
        yield server


@pytest.fixture(params=["redis", "memcached"])
def server(request: pytest.FixtureRequest, own_redis: Redis, own_memcached: Memcached) -> Server:
    """An empty server of each kind."""
    chosen: Server = own_redis if request.param == "redis" else own_memcached
    chosen.flush()
    return chosen
