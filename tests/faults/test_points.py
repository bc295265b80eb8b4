"""Figure 2: wherever a call is interrupted, nothing wrong is left behind."""

from __future__ import annotations

import threading

import pytest

from kcache import Cache
from kcache.memory import MemoryStore
from kcache.node import Node
from tests.faults.conftest import Server
from tests.faults.interruptions import Interrupted, Stopped
from tests.faults.points import IN_A_NAMESPACE, OPERATIONS, Operation, at_every_point
from tests.faults.tally import comes_true, connections_to


@pytest.mark.parametrize("kind", [Stopped, ValueError])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_exception_at_any_point_leaves_nothing_wrong_on_servers(
    server: Server, operation: Operation, kind: type[BaseException]
) -> None:
    with Cache([server.url], timeout=5) as cache:
        _check(cache, server, operation, kind)
    assert comes_true(lambda: connections_to(server.port) == []), connections_to(server.port)


@pytest.mark.parametrize("operation", IN_A_NAMESPACE, ids=lambda operation: operation.name)
def test_nor_does_one_in_a_namespace(server: Server, operation: Operation) -> None:
    with Cache([server.url], timeout=5, namespace="shop") as cache:
        _check(cache, server, operation, Stopped)
    assert comes_true(lambda: connections_to(server.port) == []), connections_to(server.port)


def _check(cache: Cache, server: Server, operation: Operation, kind: type[BaseException]) -> None:
    operation.call(cache)
    threads = threading.active_count()
    tally = at_every_point(cache, operation, kind)
    assert tally.rounds > 10
    assert not tally.faults, f"{tally}"
    # One or two are idle.
    assert comes_true(lambda: len(connections_to(server.port)) <= 2)
    assert comes_true(lambda: threading.active_count() <= threads), threading.enumerate()


@pytest.mark.parametrize("kind", [Interrupted, Stopped])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_exception_at_any_point_leaves_nothing_wrong_in_memory(
    operation: Operation, kind: type[BaseException]
) -> None:
    node = Node(f"memory://points-{operation.name.replace(' ', '-')}-{kind.__name__}")
    with Cache([node], timeout=5) as cache:
        tally = at_every_point(cache, operation, kind)
        assert tally.rounds > 5
        assert not tally.faults, f"{tally}"
        store = cache._core.transport.ends[0]  # noqa: SLF001 - what is tested lies behind it
        assert isinstance(store, MemoryStore)
        cache.flush_nodes()
        assert (len(store), store.size) == (0, 0)
        cache.set("k", "value")
        fresh = MemoryStore()
        fresh.store(b"k", b"value", 0, None)
        assert store.size == fresh.size
