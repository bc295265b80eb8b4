"""Two rings at once: nobody is given what was changed or dropped by way of the other one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from kcache import Cache, ConfigurationError, InvalidationIncomplete, NewerEpoch, Ring
from tests.servers import Memcached, Redis, frozen, memcached, redis

KEYS = [f"key {i}" for i in range(60)]
Server = Redis | Memcached


@pytest.fixture(params=["redis", "memcached"])
def urls(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Three nodes, of which the third is new."""
    start: Any = redis if request.param == "redis" else memcached
    with ExitStack() as stack:
        servers = [stack.enter_context(start()) for _ in range(3)]
        yield [f"{server.url}?name=n{number}" for number, server in enumerate(servers)]


def shop(nodes: list[str], **options: Any) -> Cache:
    return Cache(nodes, namespace="shop", timeout=2, **options)


def moved(old: Cache, new: Cache) -> list[str]:
    """Keys that have another owner in the new ring."""
    found = [key for key in KEYS if old.node_for(key).name != new.node_for(key).name]
    assert found
    return found


def test_an_invalidation_reaches_the_nodes_of_both_rings(urls: list[str]) -> None:
    with (
        shop(urls[:2], invalidate_nodes=urls) as old,
        shop(urls, invalidate_nodes=urls[:2], epoch=1) as new,
    ):
        for writer, invalidator in ((new, old), (old, new)):
            assert writer.set_many(dict.fromkeys(KEYS, "old")) == []
            invalidator.invalidate()
            assert old.get_many(KEYS) == new.get_many(KEYS) == {}


def test_what_is_changed_by_way_of_one_ring_is_not_old_by_way_of_the_other(
    urls: list[str],
) -> None:
    with (
        shop(urls[:2], invalidate_nodes=urls) as old,
        shop(urls, invalidate_nodes=Ring(urls[:2])) as new,
    ):
        keys = moved(old, new)
        for writer, reader in ((new, old), (old, new)):
            calls = (
                lambda key, cache=writer: cache.set(key, "new"),
                lambda key, cache=writer: cache.set_many({key: "new"}) == [],
                lambda key, cache=writer: cache.delete(key) in (True, False),
                lambda key, cache=writer: cache.delete_many([key]) in (0, 1),
                lambda key, cache=writer: cache.incr(key, initial=7) == 7,
                lambda key, cache=writer: cache.get_or_set(key, lambda: "new") == "new",
                lambda key, cache=writer: cache.add(key, "new"),
            )
            for number, call in enumerate(calls):
                key = keys[number % len(keys)]
                writer.delete(key)
                assert reader.set(key, "old")
                assert call(key)  # type: ignore[no-untyped-call]  # they have several types
                assert reader.get(key) is None, number


def test_a_change_that_does_not_reach_the_other_owner_is_refused(
    urls: list[str],
) -> None:
    start: Any = redis if urls[0].startswith("redis") else memcached
    with start() as server:
        nodes = [*urls[:2], f"{server.url}?name=last"]
        with (
            Cache(urls[:2], namespace="shop", timeout=0.3, invalidate_nodes=nodes) as old,
            Cache(nodes, namespace="shop", timeout=0.3) as new,
        ):
            key = next(key for key in moved(old, new) if new.node_for(key).name == "last")
            assert new.set(key, "old")
            old.get(key)
            with frozen(server):
                assert not old.set(key, "new")
            # It was told of it since, and only then used again.
            deadline = time.monotonic() + 10
            while not old.set(key, "newer"):
                assert time.monotonic() < deadline
            assert new.get(key) is None


def test_who_knows_an_older_ring_only_cannot_invalidate_all(urls: list[str]) -> None:
    with shop(urls[:2], epoch=6) as old, shop(urls, epoch=7, invalidate_nodes=urls[:2]) as new:
        assert old.invalidate().complete
        assert new.invalidate().complete
        assert [node.name for node in old.invalidate().pending] == ["n0", "n1"]
        # The nodes are well, all the same.
        assert old.set("k", 1)
        assert old.get("k") == 1
        assert new.invalidate().complete
    with (
        shop(urls[:2], epoch=6, on_error="raise") as old,
        pytest.raises(
            InvalidationIncomplete, match="epoch 7, and this process knows that of 6"
        ) as e,
    ):
        old.invalidate()
    assert isinstance(e.value.__cause__, NewerEpoch)


def test_a_node_that_owns_more_than_before_begins_anew(urls: list[str]) -> None:
    with shop(urls[:2]) as old:
        assert old.set_many(dict.fromkeys(KEYS, "older")) == []
    with shop(urls, epoch=1, invalidate_nodes=urls[:2]) as new:
        keys = moved(old, new)
        # Where nothing came in addition there is what was there.
        stayed = [key for key in KEYS if key not in keys]
        assert new.get_many(KEYS) == dict.fromkeys(stayed, "older")
        assert new.set_many(dict.fromkeys(KEYS, "old")) == []
    with shop(urls, epoch=1) as later:
        assert later.set_many(dict.fromkeys(keys, "new")) == []
    with shop(urls[:2], epoch=2, invalidate_nodes=urls) as back:
        # They have what was there before the third node came, and has changed since.
        assert back.get_many(keys) == {}
        assert back.set_many(dict.fromkeys(keys, "newest")) == []
    with shop(urls[:2], epoch=2) as again:
        assert again.get_many(keys) == dict.fromkeys(keys, "newest")


def test_rings_that_cannot_be_used_side_by_side_are_refused() -> None:
    nodes = ["redis://10.0.0.1?name=a", "redis://10.0.0.2?name=b"]
    others = ("redis://10.0.0.3?name=a", "memcached://10.0.0.1?name=a", "redis://10.0.0.1/5?name=a")
    for other in ([], *([url] for url in others)):
        with pytest.raises(ConfigurationError, match="invalidate_nodes"):
            Cache(nodes, invalidate_nodes=other)
    with pytest.raises(ConfigurationError, match="list of URLs"):
        Cache(nodes, invalidate_nodes="redis://10.0.0.3")
    for epoch in (-1, 2**63, 1.5, True, "1"):
        with pytest.raises(ConfigurationError, match="epoch"):
            Cache(nodes, epoch=epoch)  # type: ignore[arg-type]  # what is refused


def test_where_all_nodes_change_their_dialect_all_begin_anew(urls: list[str]) -> None:
    with shop(urls) as old:
        assert old.set_many(dict.fromkeys(KEYS, "old")) == []
    with shop(urls, dialect="kcache", epoch=1, invalidate_nodes=Ring(urls)) as new:
        assert new.get_many(KEYS) == {}
