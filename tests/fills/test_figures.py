"""Figures 13, 14, 19 and 20, short: processes that compute, invalidate, delete, and are killed."""

from __future__ import annotations

import pytest

from kcache import Cache
from tests.faults.fills import (
    Ours,
    after_a_kill,
    deletions,
    expiry,
    invalidations,
    stampedes,
)
from tests.servers import Memcached, Redis

SEED = 20_261_122
# What memcached adds to a ttl, and then what a busy machine takes.
SLACK = 5.0


@pytest.fixture(params=["redis", "memcached"])
def url(
    request: pytest.FixtureRequest, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> str:
    """Of an empty node of each kind in turn."""
    return (redises if request.param == "redis" else memcacheds)[0].url


def test_no_read_after_an_invalidation_gives_what_was_computed_before(url: str) -> None:
    seen = invalidations(Ours(url), 3, SEED)
    assert seen.reads > 500
    assert seen.stale == 0


def test_no_read_after_a_delete_gives_what_was_computed_before(url: str) -> None:
    seen = deletions(Ours(url), 120, SEED)
    assert seen.reads >= 120
    assert seen.stale == 0


def test_of_all_callers_of_two_processes_one_computes(url: str, name: str | None) -> None:
    for stampede in stampedes(Ours(url, name), rounds=5):
        assert stampede.computations == 1
        assert max(stampede.took) < 10


def test_after_a_leader_was_killed_one_of_the_others_computes(url: str, name: str | None) -> None:
    killed = after_a_kill(Ours(url, name, {"lock_ttl": 1}))
    assert killed.computations == 1
    assert 1 <= killed.done < 1 + SLACK


def test_nobody_waits_for_a_busy_key_that_comes_to_its_end(url: str, name: str | None) -> None:
    with Cache([url], namespace=name, timeout=20, on_error="raise") as cache:
        seen = expiry(cache, 3, ttl=1, computation=0.05, limit=1)
    assert seen.computations >= 3
    assert seen.at_once == 1
    assert seen.blocked == 0
