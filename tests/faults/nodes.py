"""Figures 7 to 9: nodes that freeze, end and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from kcache import Cache
from tests.faults.tally import EXPECTED
from tests.servers import Memcached, Redis, memcached, redis

__all__ = ["Load", "durations", "fleet", "keys_by_node", "load"]

Server = Redis | Memcached


@contextmanager
def fleet(kind: str, count: int = 4) -> Iterator[list[Server]]:
    """Servers of one kind."""
    start: Any = redis if kind == "redis" else memcached
    with ExitStack() as stack:
        yield [stack.enter_context(start()) for _ in range(count)]


def keys_by_node(cache: Cache, servers: Iterable[Server]) -> dict[int, list[str]]:
    """Keys of each server, by its port."""
    found: dict[int, list[str]] = {server.port: [] for server in servers}
    for key in EXPECTED:
        found[cache.node_for(key).effective_port or 0].append(key)
    return found


def durations(call: Callable[[], object], times: int) -> list[float]:
    """Seconds of each of some calls."""
    found = []
    for _ in range(times):
        begun = time.monotonic()
        call()
        found.append(time.monotonic() - begun)
    return found


@dataclass
class Load:
    """What threads saw that read all the time."""

    errors: list[BaseException] = field(default_factory=list)
    wrong: list[object] = field(default_factory=list)
    longest: float = 0.0
    calls: int = 0


@contextmanager
def load(cache: Cache, threads: int = 4) -> Iterator[Load]:
    """Read in threads, as long as the block lasts."""
    seen, ended = Load(), threading.Event()

    def work() -> None:
        while not ended.is_set():
            for key, value in EXPECTED.items():
                begun = time.monotonic()
                try:
                    found = cache.get(key)
                except BaseException as error:  # noqa: BLE001 - told to the test
                    seen.errors.append(error)
                    continue
                seen.longest = max(seen.longest, time.monotonic() - begun)
                seen.calls += 1
                if found not in (None, value):
                    seen.wrong.append(found)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield seen
    finally:
        ended.set()
        for worker in workers:
            worker.join()
