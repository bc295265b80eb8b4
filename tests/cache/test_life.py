"""Entries that are watched until they end: never too early, and hardly too late."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic, sleep

import pytest

from kcache import Cache
from tests.cache.places import memory_url
from tests.cache.test_ttl import STORES
from tests.servers import Memcached, Redis

TTLS = (0.05, 0.4, 1, 1.5)
_LONGEST = 6.0
# What the machine may add between two looks.
_LATE = 0.4


@dataclass
class Life:
    """When an entry was stored, and the last and the first look that found it, and did not."""

    cache: Cache
    key: str
    call: str
    ttl: float
    before: float = 0.0
    after: float = 0.0
    last_alive: float = -inf
    first_gone: float | None = None

    def begin(self) -> None:
        self.before = monotonic()
        assert STORES[self.call](self.cache, self.key, self.ttl)
        self.after = monotonic()

    def look(self) -> None:
        asked = monotonic()
        if self.key in self.cache:
            self.last_alive = asked
        else:
            self.first_gone = monotonic()

    @property
    def slack(self) -> float:
        return 2.0 if self.cache.node_for(self.key).kind == "memcached" else 0.0


@pytest.fixture(scope="module")
def lives(redis_fleet: tuple[Redis, ...], memcached_fleet: tuple[Memcached, ...]) -> list[Life]:
    """Every call that takes a ttl, on a node of every kind, all watched to their end at once."""
    nodes = (memory_url(), redis_fleet[0].url, memcached_fleet[0].url)
    caches = [Cache([node], timeout=20, on_error="raise") for node in nodes]
    watched = [
        Life(cache, f"{call} {ttl}", call, ttl)
        for ttl in TTLS
        for cache in caches
        for call in STORES
    ]
    for life in watched:
        life.begin()
    end = monotonic() + _LONGEST
    while monotonic() < end and (alive := [life for life in watched if life.first_gone is None]):
        for life in alive:
            life.look()
        sleep(0.01)
    for cache in caches:
        cache.close()
    return watched


def test_no_entry_ends_before_its_time(lives: list[Life]) -> None:
    assert all(life.first_gone is not None for life in lives), "one has no end"
    early = [life for life in lives if (life.first_gone or 0) - life.before < life.ttl]
    assert not early


def test_no_entry_lives_much_longer_than_asked(lives: list[Life]) -> None:
    late = [life for life in lives if life.last_alive - life.after > life.ttl + life.slack + _LATE]
    assert not late


def test_every_kind_of_node_and_every_call_was_watched(lives: list[Life]) -> None:
    assert len(lives) == 3 * len(STORES) * len(TTLS)
    assert {life.cache.ring.nodes[0].kind for life in lives} == {"memory", "redis", "memcached"}
