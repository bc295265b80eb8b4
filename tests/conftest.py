"""Servers that tests share. Starting one takes some milliseconds; emptying one, none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import Memcached, Redis, memcached, redis

# No test fails for the time that it takes: a machine may be busy.
settings.register_profile("kcache", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kcache")


@pytest.fixture(scope="session")
def memcached_fleet() -> Iterator[tuple[Memcached, ...]]:
    """Five memcached nodes on ports, with whatever earlier tests left in them."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(memcached()) for _ in range(5))


@pytest.fixture(scope="session")
def memcached_socket_fleet(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Memcached, ...]]:
    """Three memcached nodes on unix sockets, with whatever earlier tests left in them."""
    folder = tmp_path_factory.mktemp("mc")
    with ExitStack() as stack:
        yield tuple(stack.enter_context(memcached(folder / f"{i}.sock")) for i in range(3))


@pytest.fixture
def memcacheds(memcached_fleet: tuple[Memcached, ...]) -> tuple[Memcached, ...]:
    """Five empty memcached nodes on ports."""
    for server in memcached_fleet:
        server.flush()
    return memcached_fleet


@pytest.fixture
def memcacheds_on_sockets(
    memcached_socket_fleet: tuple[Memcached, ...],
) -> tuple[Memcached, ...]:
    """Three empty memcached nodes on unix sockets."""
    for server in memcached_socket_fleet:
        server.flush()
    return memcached_socket_fleet


@pytest.fixture(scope="session")
def redis_fleet() -> Iterator[tuple[Redis, ...]]:
    """Four redis nodes on ports, with whatever earlier tests left in them."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(redis()) for _ in range(4))


@pytest.fixture
def redises(redis_fleet: tuple[Redis, ...]) -> tuple[Redis, ...]:
    """Four empty redis nodes on ports."""
    for server in redis_fleet:
        server.flush()
    return redis_fleet
