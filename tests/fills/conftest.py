"""Caches on each kind of node, with plain keys and in a namespace, and a second one beside each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcache import Cache
from tests.cache.places import Place, memory_url
from tests.fills.computing import Clock

KINDS = ("memory", "redis", "memcached")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    """Empty nodes of each kind in turn."""
    if request.param == "memory":
        return Place("memory", (memory_url(), memory_url()))
    servers = request.getfixturevalue("redises" if request.param == "redis" else "memcacheds")
    return Place(request.param, tuple(server.url for server in servers[:2]))


@pytest.fixture(params=[None, "shop"], ids=["plain", "namespaced"])
def name(request: pytest.FixtureRequest) -> str | None:
    """Of the namespace; None for plain keys."""
    found: str | None = request.param
    return found


@pytest.fixture
def cache(place: Place, name: str | None) -> Iterator[Cache]:
    """An empty cache; failures raise."""
    with place.open(namespace=name) as opened:
        yield opened


@pytest.fixture
def other(place: Place, name: str | None) -> Iterator[Cache]:
    """A cache on the same nodes, that shares nothing else with the first: as in another process."""
    with place.open(namespace=name) as opened:
        yield opened


@pytest.fixture
def shop(place: Place) -> Iterator[Cache]:
    """A cache in a namespace."""
    with place.open(namespace="shop") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    """Stands still until it is told to go on."""
    return Clock()


@pytest.fixture
def timed(place: Place, name: str | None, clock: Clock) -> Iterator[Cache]:
    """A cache by that clock."""
    with place.open(namespace=name, clock=clock) as opened:
        yield opened


@pytest.fixture
def other_timed(place: Place, name: str | None, clock: Clock) -> Iterator[Cache]:
    """Another one, as in another process."""
    with place.open(namespace=name, clock=clock) as opened:
        yield opened
