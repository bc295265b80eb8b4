"""What is said once more after a connection was lost, and what is not."""

from __future__ import annotations

import threading
import time

import pytest

from kcache import Cache
from kcache.net.pool import Pool
from tests.faults.conftest import Server
from tests.faults.lying import lying
from tests.faults.proxy import HOLD, Proxy, proxy


def through(server: Server, between: Proxy) -> str:
    return f"{server.url.partition(':')[0]}://127.0.0.1:{between.port}"


def wait_until_lost(cache: Cache) -> None:
    (pool,) = cache._core.transport.ends  # noqa: SLF001 - what is tested lies behind it
    assert isinstance(pool, Pool)
    deadline = time.monotonic() + 10
    while not pool.quick[-1].is_stale():
        assert time.monotonic() < deadline


def test_a_count_whose_answer_is_lost_is_not_done_twice(server: Server) -> None:
    with (
        proxy(server.address) as between,
        Cache([through(server, between)], timeout=1) as cache,
        Cache([server.url]) as direct,
    ):
        cache.set("k", 7)
        between.switch(replies=HOLD)

        def lose() -> None:
            between.reset()
            between.switch()

        timer = threading.Timer(0.1, lose)
        timer.start()
        counted = cache.incr("k")
        timer.join()
        # memcached is asked first, and that may be said again.
        assert (counted, direct.get("k")) == ((None, 8) if server.url[0] == "r" else (8, 8))


@pytest.mark.parametrize("call", ["set", "set_many"])
def test_a_set_in_a_namespace_whose_answer_is_lost_is_not_done_twice(
    server: Server, call: str
) -> None:
    with (
        proxy(server.address) as between,
        Cache([through(server, between)], timeout=5) as cache,
        Cache([server.url]) as direct,
    ):
        place, elsewhere = cache.namespace("photos"), direct.namespace("photos")
        assert place.set("k", 7)
        assert place.get("k") == 7
        between.switch(replies=HOLD)
        seen: list[object] = []

        def lose() -> None:
            # It was done, seen and deleted before whoever did it hears of it.
            deadline = time.monotonic() + 5
            while elsewhere.get("k") != 8 and time.monotonic() < deadline:
                time.sleep(0.01)
            seen.append(elsewhere.get("k"))
            elsewhere.delete("k")
            between.reset()
            between.switch()

        other = threading.Thread(target=lose)
        other.start()
        is_stored = place.set("k", 8) if call == "set" else not place.set_many({"k": 8})
        other.join()
        assert seen == [8]
        assert not is_stored
        assert elsewhere.get("k") is None


@pytest.mark.parametrize("call", ["get", "incr", "get_many"])
def test_an_idle_connection_that_was_lost_is_not_noticed(server: Server, call: str) -> None:
    with (
        proxy(server.address) as between,
        Cache([through(server, between)], timeout=5) as cache,
    ):
        for turn in range(5):
            cache.set("k", 7)
            between.reset()
            wait_until_lost(cache)
            found: object = cache.incr("k") if call == "incr" else None
            if call == "get":
                found = cache.get("k")
            elif call == "get_many":
                found = cache.get_many(["k"]).get("k")
            assert found == (8 if call == "incr" else 7), turn


def test_a_connection_that_may_end_over_a_value_is_not_kept() -> None:
    def refuse(request: bytes) -> list[bytes]:
        # The end comes some time after this, and whoever used the connection until then would lose
        # what may not be said twice.
        is_whole = request.endswith(b"\r\nNX\r\n")
        return [b"-ERR Protocol error: invalid bulk length\r\n"] if is_whole else []

    with (
        lying(refuse) as server,
        Cache([f"redis://127.0.0.1:{server.port}"], timeout=5) as cache,
    ):
        for turn in range(3):
            assert cache.add("k", bytes(2**20)) is False
            assert server.connections == turn + 1
