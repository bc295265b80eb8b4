"""A server that takes no more connections: it says so, and is not taken for dead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from kcache import Cache
from kcache.errors import NodeRefused
from kcache.events import NodeDown, NodeFailed
from tests.faults.nodes import Server
from tests.faults.tally import comes_true
from tests.servers import memcached, redis


@contextmanager
def full(kind: str) -> Iterator[tuple[Server, ExitStack]]:
    """A server that has a connection left for nobody, and what ends the others."""
    is_redis = kind == "redis"
    start: Any = redis if is_redis else memcached
    options = ("--maxclients", "12") if is_redis else ("-c", "40")
    with start(options=options) as server, ExitStack() as others:
        with Cache([server.url]) as cache:
            assert cache.set("k", 1)
            assert cache.namespace("shop").set("k", 1)
        fill(server, others)
        yield server, others


def fill(server: Server, others: ExitStack) -> None:
    while not is_turned_away(others.enter_context(server.connection())):
        pass


def is_turned_away(connection: socket.socket) -> bool:
    with suppress(OSError):
        # Each kind answers one of them as if all were well, and the other by an error.
        connection.sendall(b"PING\r\nmn\r\n")
    return b"many open" in (said := connection.recv(100)) or b"max number" in said


@pytest.mark.parametrize("place", ["plain", "namespace", "many", "invalidate"])
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_it_is_asked_again_at_once(kind: str, place: str, caplog: pytest.LogCaptureFixture) -> None:
    with full(kind) as (server, others), Cache([server.url], debt_interval=60) as cache:
        shop = cache if place == "plain" else cache.namespace("shop")
        events: list[object] = []
        cache.listen(events.append)
        for _ in range(3):
            if place == "many":
                assert shop.get_many(["k", "other"]) == {}
            if place == "invalidate":
                assert not cache.namespace("shop").invalidate().complete
            assert shop.get("k") is None
            assert not shop.set("k", 2)
        refusals = [each.error for each in events if isinstance(each, NodeFailed)]
        assert refusals
        assert {type(each) for each in refusals} == {NodeRefused}
        assert not [each for each in events if isinstance(each, NodeDown)]
        assert len(caplog.messages) == 1
        others.close()
        if place != "invalidate":
            assert comes_true(lambda: shop.get("k") == 1)
        assert comes_true(lambda: shop.set("k", 2))
        assert shop.get("k") == 2


def test_nor_is_one_that_was_known_before(caplog: pytest.LogCaptureFixture) -> None:
    with (
        redis(options=("--maxclients", "12")) as server,
        ExitStack() as others,
        Cache([server.url], namespace="shop") as cache,
    ):
        assert cache.set("k", 1)
        cache.close()
        fill(server, others)
        assert cache.get("k") is None
        assert not [each for each in caplog.messages if "left alone" in each]
        others.close()
        assert comes_true(lambda: cache.get("k") == 1)
