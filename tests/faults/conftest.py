"""A server of each kind, and what every test of faults must leave as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import Memcached, Redis, memcached, redis

Server = Redis | Memcached


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
