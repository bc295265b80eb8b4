"""Many count at the same time, and no count is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kcache import Cache
from kcache.command import CountIf, Gets, Held
from tests.cache.places import Place

THREADS = 16
WORK = """
import sys
from concurrent.futures import ThreadPoolExecutor
from kcache import Cache

cache = Cache(sys.argv[2:], timeout=20, on_error="raise")
print("ready", flush=True)
sys.stdin.readline()
each = range(int(sys.argv[1]))

def work(_):
    return [cache.incr("total", 2, initial=2) for _ in each]

with ThreadPoolExecutor(16) as pool:
    counts = [number for counts in pool.map(work, range(16)) for number in counts]
print(*counts)
"""


def at_once(work: Callable[[int], object]) -> list[object]:
    """Do work in threads that all begin at the same time."""
    barrier = threading.Barrier(THREADS)

    def begin(number: int) -> object:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def test_threads_lose_no_count(cache: Cache, keys: list[str]) -> None:
    for key in keys:

        def work(number: int, key: str = key) -> list[int | None]:
            delta = 3 if number % 2 else 1
            return [cache.incr(key, delta, initial=0) for _ in range(25)]

        at_once(work)
        # One of them has made the counter, without its delta.
        assert cache.get(key) in (THREADS * 50 - 1, THREADS * 50 - 3)


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_threads_of_several_processes_see_each_count_once(
    kind: str, redises: tuple[object, ...], memcacheds: tuple[object, ...]
) -> None:
    servers = {"redis": redises, "memcached": memcacheds}[kind]
    urls = [server.url for server in servers[:2]]  # type: ignore[attr-defined]
    each = 25
    command = [sys.executable, "-c", WORK, f"{each}", *urls]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        texts = [worker.communicate("go\n", timeout=60)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    counts = sorted(int(word) for text in texts for word in text.split())
    assert counts == [2 * (i + 1) for i in range(3 * THREADS * each)]


def test_one_of_many_that_add_wins(place: Place) -> None:
    with place.open() as cache:
        for number in range(20):
            wins = at_once(lambda thread, key=f"add{number}": cache.add(key, thread, 100))  # type: ignore[misc]
            assert wins.count(True) == 1
            assert cache.get(f"add{number}") == wins.index(True)


def test_one_of_many_that_compare_and_swap_wins(place: Place) -> None:
    with place.open() as cache:
        for number in range(20):
            key = f"cas{number}"
            cache.set(key, "old")
            held = cache.gets(key)
            assert held is not None
            token = held[1]
            wins = at_once(lambda thread, key=key, token=token: cache.cas(key, thread, token))  # type: ignore[misc]
            assert wins.count(True) == 1
            assert cache.get(key) == wins.index(True)


def test_threads_that_compare_and_swap_lose_no_change(cache: Cache) -> None:
    cache.set("list", [])

    def work(number: int) -> None:
        for i in range(5):
            while True:
                held = cache.gets("list")
                assert held is not None
                if cache.cas("list", [*held[0], (number, i)], held[1]):
                    break

    at_once(work)
    assert sorted(cache.get("list")) == [(number, i) for number in range(THREADS) for i in range(5)]


def test_a_shared_cache_mixes_nothing_up(cache: Cache) -> None:
    def work(number: int) -> None:
        mine = {f"{number}:{i}": [number, i, "x" * (i * 97)] for i in range(60)}
        for key, value in mine.items():
            assert cache.set(key, value)
            assert cache.get(key) == value
        assert cache.get_many(mine) == mine
        assert cache.delete_many(list(mine)[::2]) == 30
        assert cache.get_many(mine) == {key: mine[key] for key in list(mine)[1::2]}

    at_once(work)


def test_where_many_count_on_memcached_nobody_waits_for_long() -> None:
    # On a quiet machine the slowest of these calls takes 0.1 s; it was beyond 0.5 s, and so an
    # outage of the node, where each attempt could be lost to another thread.
    flow: Any = Cache(["memcached://h"])._flows.count("n", 1, None, None)  # noqa: SLF001 - no server can be made to lose each race
    tokens: list[int | None] = []
    batch = next(flow)
    while tokens[-1:] != [None]:
        (command,) = batch[0]
        if isinstance(command, CountIf):
            tokens.append(command.token)
        held = Held(2, b"7", len(tokens))
        if tokens[-1:] != [None]:
            batch = flow.send({0: [held if isinstance(command, Gets) else None]})
    with pytest.raises(StopIteration) as end:
        flow.send({0: [8]})
    assert end.value.value == 8
    assert tokens == [0, 1, 2, 3, None]
