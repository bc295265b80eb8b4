"""What is computed before an invalidation or a delete reaches nobody who asks after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from kcache import Cache, Namespace
from kcache.command import Get
from kcache.net.pool import Pool
from kcache.net.talks import talk_for
from tests.faults.lying import lying
from tests.namespaces.test_invalidation import PATIENCE, urls

__all__ = ["urls"]

RESETS: dict[str, Callable[[Namespace], Any]] = {
    "invalidate": lambda place: place.invalidate(),
    "delete": lambda place: place.delete("k"),
}


class Clock:
    """Stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("reset", RESETS)
def test_nobody_joins_a_computation_of_an_entry_that_is_gone(
    urls: list[str] | None, reset: str
) -> None:
    clock = Clock()
    urls = None if urls is None or "memory" in str(urls) else urls
    with Cache(urls, timeout=PATIENCE, on_error="raise", clock=clock) as cache:
        place = cache.namespace("photos", reset)
        began, go_on = threading.Event(), threading.Event()
        database = ["old"]

        def look() -> str:
            return database[0]

        def look_slowly() -> str:
            found = database[0]
            began.set()
            assert go_on.wait(PATIENCE)
            return found

        def get(factory: Callable[[], str]) -> str:
            return place.get_or_set("k", factory, ttl=10, stale_on_error=1000, lock_ttl=1000)

        get(look)
        clock.now += 20
        slow = threading.Thread(target=get, args=[look_slowly])
        slow.start()
        assert began.wait(PATIENCE)
        database[0] = "new"
        RESETS[reset](place)
        clock.now += 20
        found = [get(look)]
        clock.now += 20
        asking = threading.Thread(target=lambda: found.append(get(look)))
        asking.start()
        asking.join(0.2)
        go_on.set()
        asking.join()
        slow.join()
        assert found == ["new", "new"]
        clock.now += 20
        assert get(look) == "new"


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_the_direct_path_asks_for_the_entry_before_its_records(kind: str) -> None:
    asked: list[bytes] = []

    def note(request: bytes) -> list[bytes]:
        asked.append(request)
        return []

    with lying(note) as server:
        # So that it is not asked first which server it is.
        url = f"{kind}://127.0.0.1:{server.port}"
        cache = Cache([url], timeout=0.2, trust_restart=True)
        place = cache.namespace("photos")
        (pool,) = cache._core.transport.ends  # noqa: SLF001 - so that the direct path has one
        assert isinstance(pool, Pool)
        pool.put(pool.open(1))
        place.get("k")
        key = place._router.route("k")[1].key  # noqa: SLF001 - where the entry lies
        flow = talk_for(pool.node, [Get((key, *place._path.records))]).request  # noqa: SLF001
        assert asked[-1] == flow
        assert 0 < flow.index(key) < min(map(flow.index, place._path.records))  # noqa: SLF001
