"""What is old is computed again by others: a queue with workers in another process, or here."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kcache import Cache
from kcache.policy import Task
from tests.faults.tally import comes_true
from tests.fills.computing import Clock
from tests.servers import Memcached, Redis

PATIENCE = 20.0
TTL = 100.0
OPTIONS: dict[str, Any] = {"ttl": TTL, "stale_ttl": 10_000}
Send = Callable[[Task], object]


def functions(cache: Cache, send: Send) -> dict[str, Any]:
    """Functions that say which process has computed, and hand over what is old."""

    @cache.memoize(name="plain", refresh=send, **OPTIONS)
    def plain(number: int, by: int = 1) -> list[int]:
        return [os.getpid(), number, by]

    @cache.memoize(name="coroutine", refresh=send, **OPTIONS)
    async def coroutine(number: int, by: int = 1) -> list[int]:
        return [os.getpid(), number, by]

    class Album:
        def __init__(self, number: int) -> None:
            self.number = number

        @cache.memoize(name="method", self_key="number", refresh=send, **OPTIONS)
        def method(self, by: int = 1) -> list[int]:
            return [os.getpid(), self.number, by]

    return {"plain": plain, "coroutine": coroutine, "method": Album.method, "Album": Album}


def work(url: str, moment: float, connection: Any) -> None:
    """A worker of a queue: is sent bytes, and refreshes what they say."""
    clock = Clock()
    clock.now = moment
    with Cache([url], timeout=PATIENCE, on_error="raise", clock=clock) as cache:
        all_of_them = functions(cache, lambda _: None)
        while (told := connection.recv()) is not None:
            (name,), args, kwargs = pickle.loads(told)  # noqa: S301 - our own
            if name == "method":
                args = (all_of_them["Album"](args[0]), *args[1:])
            result = all_of_them[name].refresh(*args, **kwargs)
            if name == "coroutine":
                result = asyncio.run(_awaited(result))
            connection.send(result)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


class Worker:
    """The other process, and the tasks that are sent there."""

    def __init__(self, url: str, moment: float) -> None:
        context: Any = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self.process = context.Process(target=work, args=(url, moment, there))
        self.process.start()
        self.tasks: list[Task] = []

    def send(self, task: Task) -> None:
        """As a hook: what goes out is bytes."""
        self.tasks.append(task)
        args = task.args
        if task.names == ("method",):
            args = (args[0].number, *args[1:])
        self._here.send(pickle.dumps((task.names, args, task.kwargs)))

    def result(self) -> Any:
        assert self._here.poll(PATIENCE)
        return self._here.recv()

    def end(self) -> None:
        self._here.send(None)
        self.process.join()


@pytest.fixture(params=["redis", "memcached"])
def url(
    request: pytest.FixtureRequest, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> str:
    return redises[0].url if request.param == "redis" else memcacheds[0].url


@pytest.fixture
def worker(url: str, clock: Clock) -> Iterator[Worker]:
    started = Worker(url, clock.now + TTL + 1)
    yield started
    started.end()
    assert started.process.exitcode == 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(url: str, clock: Clock) -> Iterator[Cache]:
    with Cache([url], timeout=PATIENCE, on_error="raise", clock=clock) as opened:
        yield opened


def test_a_worker_in_another_process_computes_what_is_old(
    cache: Cache, worker: Worker, clock: Clock
) -> None:
    of = functions(cache, worker.send)

    def call(name: str) -> Any:
        if name == "method":
            return of["Album"](7).method(by=3)
        result = of[name](7, by=3)
        return asyncio.run(_awaited(result)) if name == "coroutine" else result

    names = ("plain", "coroutine", "method")
    for name in names:
        assert call(name) == [os.getpid(), 7, 3]
    clock.go_on(TTL + 1)
    for name in names:
        assert call(name) == [os.getpid(), 7, 3]
        assert worker.result() == [worker.process.pid, 7, 3]
        assert call(name) == [worker.process.pid, 7, 3]
    assert [task.names for task in worker.tasks] == [(name,) for name in names]


def test_what_get_many_finds_old_is_handed_over_by_its_arguments(
    cache: Cache, worker: Worker, clock: Clock
) -> None:
    plain = functions(cache, worker.send)["plain"]
    plain.get_many([(1,), (2, 5)])
    clock.go_on(TTL + 1)
    assert plain.get_many([(1,), (2, 5)]) == [[os.getpid(), 1, 1], [os.getpid(), 2, 5]]
    assert [worker.result() for _ in range(2)] == [
        [worker.process.pid, 1, 1],
        [worker.process.pid, 2, 5],
    ]
    assert plain.get_many([(1,), (2, 5)])[1] == [worker.process.pid, 2, 5]


def test_a_task_says_what_it_is_about_and_stays_in_its_process(cache: Cache, clock: Clock) -> None:
    tasks: list[Task] = []
    plain = functions(cache, tasks.append)["plain"]
    plain(7, by=3)
    clock.go_on(TTL + 1)
    plain(7, by=3)
    (task,) = tasks
    assert (task.names, task.key) == (plain.namespace.names, plain.key(7, by=3))
    assert (task.args, task.kwargs) == ((7,), {"by": 3})
    with pytest.raises(TypeError, match="send its names and key"):
        pickle.dumps(task)
    task()
    assert plain.namespace.lookup(task.key).stale is False


def test_a_refresh_keeps_to_the_options(cache: Cache, clock: Clock) -> None:
    tasks: list[Task] = []
    plain = functions(cache, tasks.append)["plain"]
    plain(7)
    for _ in range(3):
        assert plain.refresh(7) == [os.getpid(), 7, 1]
        clock.go_on(TTL + 1)
        # It is stale then, and not gone.
        assert plain.namespace.lookup(plain.key(7)).stale is True

    short = cache.memoize(name="short", ttl=1000, jitter=0.5)(lambda: 1)
    short.namespace._fills._chance = lambda: 0.5  # noqa: SLF001 - the same
    for _ in range(2):
        short.refresh()
        assert 745 < (short.namespace.ttl(short.key()) or 0) < 753


def test_while_a_refresh_computes_others_get_the_old_result(cache: Cache) -> None:
    gate, begun = threading.Event(), threading.Event()
    gate.set()
    counter = iter(range(9))

    @cache.memoize(name="slow", ttl=TTL)
    def slow() -> int:
        begun.set()
        assert gate.wait(PATIENCE)
        return next(counter)

    assert slow() == 0
    gate.clear()
    begun.clear()
    thread = threading.Thread(target=slow.refresh)
    thread.start()
    assert begun.wait(PATIENCE)
    assert slow() == 0
    gate.set()
    thread.join(PATIENCE)
    assert slow() == 1


def test_a_coroutine_is_refreshed_by_the_options(cache: Cache, clock: Clock) -> None:
    coroutine = functions(cache, lambda _: None)["coroutine"]

    async def main() -> None:
        for _ in range(2):
            assert await coroutine.refresh(7) == [os.getpid(), 7, 1]
            clock.go_on(TTL + 1)
            key = coroutine.key(7)
            assert coroutine.namespace.lookup(key).stale is True

    asyncio.run(main())


def test_a_hook_may_do_it_here(cache: Cache, clock: Clock) -> None:
    threads: list[threading.Thread] = []

    def begin(task: Task) -> None:
        threads.append(threading.Thread(target=task))
        threads[-1].start()

    numbers = iter(range(9))
    number = cache.memoize(name="number", refresh=begin, **OPTIONS)(lambda: next(numbers))
    assert number() == 0
    clock.go_on(TTL + 1)
    assert number() == 0
    assert comes_true(lambda: number() == 1)
    assert len(threads) == 1
