"""Nodes that are down: each call gives its miss value or raises; healthy nodes go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic
from typing import Any

import pytest

from kcache import (
    Cache,
    ConnectFailed,
    InvalidKey,
    Miss,
    NodeError,
    NodeUnavailable,
    TimedOut,
)
from tests.cache.places import memory_url
from tests.servers import Memcached, Redis, frozen, kill, memcached, redis
from tests.servers.connect import free_port

Start = Callable[..., Any]
KINDS: dict[str, Start] = {"redis": redis, "memcached": memcached}
each_kind = pytest.mark.parametrize("kind", KINDS)
MANY = [f"k{i}" for i in range(100)]


def nowhere(kind: str) -> str:
    """The URL of a port that nobody listens on."""
    return f"{kind}://127.0.0.1:{free_port()}"


def each_call(cache: Cache) -> list[tuple[str, Callable[[], Any], Any]]:
    """Every call, and its miss value."""
    return [
        ("get", lambda: cache.get("k"), None),
        ("get with a default", lambda: cache.get("k", 5), 5),
        ("get_many", lambda: cache.get_many(["k", "l"]), {}),
        ("lookup", lambda: cache.lookup("k"), Miss()),
        ("in", lambda: "k" in cache, False),
        ("set", lambda: cache.set("k", 1), False),
        ("set with a ttl", lambda: cache.set("k", 1, 5), False),
        ("set of much", lambda: cache.set("k", "x" * 100_000), False),
        ("set_many", lambda: sorted(cache.set_many({"k": 1, "l": 2})), ["k", "l"]),
        ("add", lambda: cache.add("k", 1), False),
        ("replace", lambda: cache.replace("k", 1), False),
        ("delete", lambda: cache.delete("k"), False),
        ("delete_many", lambda: cache.delete_many(["k", "l"]), 0),
        ("touch", lambda: cache.touch("k", 5), False),
        ("touch without end", lambda: cache.touch("k", None), False),
        ("ttl", lambda: cache.ttl("k"), None),
        ("incr", lambda: cache.incr("k"), None),
        ("incr with an initial", lambda: cache.incr("k", initial=1), None),
        ("decr", lambda: cache.decr("k"), None),
        ("gets", lambda: cache.gets("k"), None),
        ("cas", lambda: cache.cas("k", 1, 5), False),
        ("cas with bytes", lambda: cache.cas("k", 1, b"x"), False),
        ("flush_nodes", cache.flush_nodes, False),
    ]


@each_kind
def test_under_miss_every_call_gives_its_miss_value(kind: str) -> None:
    with Cache([nowhere(kind), nowhere(kind)]) as cache:
        for _ in range(2):
            for name, call, expected in each_call(cache):
                found = call()
                assert (type(found), found) == (type(expected), expected), name
        assert cache.node_for("k") in cache.ring.nodes


@each_kind
def test_under_raise_every_call_says_which_node_and_why(kind: str) -> None:
    for name, _, _ in each_call(Cache()):
        with Cache([nowhere(kind)], on_error="raise") as cache:
            call = next(call for each, call, _ in each_call(cache) if each == name)
            with pytest.raises(ConnectFailed, match=r"(?i)refused") as caught:
                call()
            assert caught.value.node == cache.ring.nodes[0]
            assert cache.ring.nodes[0].name in str(caught.value)
            with pytest.raises(NodeUnavailable, match=r"is down since: .*(?i:refused)") as again:
                call()
            assert isinstance(again.value, NodeError)
            assert not cache.node_for("k").password


@each_kind
@pytest.mark.parametrize("on_error", ["miss", "raise"])
def test_a_wrong_use_is_an_error_all_the_same(kind: str, on_error: Any) -> None:
    with Cache([nowhere(kind)], on_error=on_error) as cache:
        for call in (lambda: cache.get(""), lambda: cache.set_many({"": 1})):
            with pytest.raises(InvalidKey):
                call()
        with pytest.raises(TypeError):
            cache.set("k", object())


@each_kind
def test_no_more_than_kcaches_exceptions_leak(kind: str) -> None:
    path = f"{kind}+unix:///nowhere/at/all.sock"
    for url in (path, f"{kind}://no-such-host.invalid", f"{kind}s://127.0.0.1:{free_port()}"):
        with Cache([url], on_error="raise", timeout=5) as cache, pytest.raises(NodeUnavailable):
            cache.get("k")


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """Two servers of a kind; the first may be killed."""
    start = KINDS[request.param]
    with ExitStack() as stack:
        yield stack.enter_context(start()), stack.enter_context(start())


def test_a_dead_node_costs_its_own_keys_alone(pair: tuple[Redis | Memcached, ...]) -> None:
    victim, healthy = pair
    with Cache([victim.url, healthy.url, memory_url()], timeout=20) as cache:
        values = {key: key for key in MANY}
        assert cache.set_many(values) == []
        lost = {key for key in MANY if cache.node_for(key).port == victim.port}
        kept = {key: key for key in MANY if key not in lost}
        assert lost
        assert len(kept) > 20
        kill(victim)
        for _ in range(2):
            assert cache.get_many(MANY) == kept
            assert set(cache.set_many(values)) == lost
        assert cache.delete_many(MANY) == len(kept)
        assert cache.flush_nodes() is False
        assert all(cache.set(key, 1) is (key in kept) for key in MANY)
        assert all((key in cache) is (key in kept) for key in MANY)


def test_under_raise_the_healthy_nodes_have_done_their_part(
    pair: tuple[Redis | Memcached, ...],
) -> None:
    victim, healthy = pair
    with Cache([victim.url, healthy.url], timeout=20, on_error="raise") as cache:
        kill(victim)
        calls: list[Callable[[], Any]] = [
            lambda: cache.set_many(dict.fromkeys(MANY, 1)),
            lambda: cache.get_many(MANY),
            lambda: cache.delete_many(MANY[:50]),
        ]
        for call in calls:
            with pytest.raises(NodeError) as caught:
                call()
            assert caught.value.node.port == victim.port
    with Cache([healthy.url], timeout=20) as alone:
        for key in MANY:
            is_healthy = cache.node_for(key).port == healthy.port
            assert alone.get(key) == (1 if is_healthy and key in MANY[50:] else None)
        with cache, pytest.raises(NodeError):
            cache.flush_nodes()
        assert alone.get_many(MANY) == {}


def test_a_frozen_node_costs_one_timeout_and_then_nothing(
    pair: tuple[Redis | Memcached, ...],
) -> None:
    with Cache([pair[0].url], timeout=0.2, on_error="raise") as cache:
        cache.set("k", 1)
        with frozen(pair[0]):
            with pytest.raises(TimedOut, match=r"no answer within 0\.2 s"):
                cache.get("k")
            begun = monotonic()
            for _ in range(20):
                with pytest.raises(NodeUnavailable, match="is down since: no answer within"):
                    cache.get("k")
            assert monotonic() - begun < 1.0


@each_kind
def test_a_node_that_comes_back_is_used_again_and_the_log_says_both(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kcache")
    with KINDS[kind]() as server, Cache([server.url], timeout=5) as cache:
        assert cache.set("k", 1)
        kill(server)
        assert all(cache.get("k") is None for _ in range(20))
        with KINDS[kind](port=server.port):
            deadline = monotonic() + 10
            while not cache.set("k", 2) and monotonic() < deadline:
                pass
            assert cache.get("k") == 2
        lines = [record.getMessage() for record in caplog.records if record.name == "kcache"]
        assert len(lines) == 2
        assert "is left alone until it answers" in lines[0]
        assert lines[1].endswith("answers again")
