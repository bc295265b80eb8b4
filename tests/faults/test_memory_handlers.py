"""A signal's handler that uses an in-process node, or forks, in the middle of a call on it."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from kcache import Cache
from kcache.memory import MemoryStore

_INTERVAL = 0.001
_SECONDS = 1.0


def test_a_handler_uses_the_store_that_it_has_interrupted() -> None:
    cache = Cache()
    (store,) = cache._core.transport.ends  # noqa: SLF001 - what is measured lies behind it
    assert isinstance(store, MemoryStore)
    end = time.monotonic() + _SECONDS
    calls = 0

    def handler(_signal: int, _frame: FrameType | None) -> None:
        nonlocal calls
        calls += 1
        cache.set("from a handler", calls)
        cache.delete("key 1")
        if calls % 50 == 0:
            child = os.fork()
            if not child:
                cache.set("from a child", 1)
                os._exit(0 if cache.get("from a child") == 1 else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        if time.monotonic() < end:
            signal.setitimer(signal.ITIMER_REAL, _INTERVAL)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, _INTERVAL)
        turn = 0
        while time.monotonic() < end:
            turn += 1
            assert cache.set(f"key {turn % 10}", "v" * (turn % 100))
            assert cache.get("key 1") in (None, *("v" * size for size in range(100)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert calls > 50
    assert store.size == sum(
        len(key) + len(entry[0]) + 300
        for key, entry in store._entries.items()  # noqa: SLF001 - counted anew
    )
