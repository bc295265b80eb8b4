"""Invalidations while other processes write: what was stored before is never read after."""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

import pytest

from kcache import Cache
from tests.servers import Memcached, Redis

PATIENCE = 20.0
WRITERS = 3
SECONDS = 3.0
LEAST = 100
KEYS = [f"key{i}" for i in range(12)]


def write(urls: list[str], writer: int, started: Any, stop: Any) -> None:
    """Store who and when, and tell of each call that has returned when it began."""
    with Cache(urls, namespace="shop", timeout=PATIENCE, on_error="raise") as cache:
        turn = writer
        while not stop.is_set():
            turn += 1
            # Of a machine's processes all have this clock.
            begun = time.monotonic()
            if turn % 3:
                cache.set(KEYS[turn % len(KEYS)], (writer, begun))
            else:
                cache.set_many(dict.fromkeys(KEYS[turn % 5 :: 5], (writer, begun)))
            started[writer] = begun


@pytest.mark.parametrize("kind", ["redis", "memcached", "mixed"])
def test_no_read_after_an_invalidation_gives_what_was_stored_before(
    kind: str, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    servers = {"redis": redises[:2], "memcached": memcacheds[:2]}
    urls = [
        server.url for name, own in servers.items() if kind in {name, "mixed"} for server in own
    ]
    context: Any = multiprocessing.get_context("spawn")
    started, stop = context.Array("d", WRITERS), context.Event()
    writers = [
        context.Process(target=write, args=(urls, number, started, stop))
        for number in range(WRITERS)
    ]
    for process in writers:
        process.start()
    try:
        reads = _stale_and_all(urls, started)
    finally:
        stop.set()
        for process in writers:
            process.join()
    assert [process.exitcode for process in writers] == [0] * WRITERS
    stale, everything = reads
    assert everything > LEAST
    assert stale == []


def _stale_and_all(urls: list[str], started: Any) -> tuple[list[Any], int]:
    """Invalidate and read, again and again; what was read that had been stored before."""
    stale: list[Any] = []
    everything = 0
    with Cache(urls, namespace="shop", timeout=PATIENCE, on_error="raise") as cache:
        while not all(started):
            time.sleep(0.01)
        ends = time.monotonic() + SECONDS
        latest = ends + PATIENCE
        while time.monotonic() < ends or (everything <= LEAST and time.monotonic() < latest):
            before = list(started)
            assert cache.invalidate().complete
            for key, (writer, begun) in cache.get_many(KEYS).items():
                everything += 1
                if begun <= before[writer]:
                    stale.append((key, writer, begun, before[writer]))
    return stale, everything
