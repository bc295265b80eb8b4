"""Coroutine functions: nodes are asked in threads, and one of those that await a key computes."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kcache import Cache, Invalidation
from kcache.off_loop import SLOTS
from tests.servers import Redis, frozen

LOG: list[Any] = []


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    LOG.clear()
    urls = None
    if request.param == "redis":
        urls = [server.url for server in request.getfixturevalue("redises")[:2]]
    with Cache(urls, timeout=20, on_error="raise") as opened:
        yield opened


def test_a_coroutine_function_computes_once(cache: Cache) -> None:
    @cache.memoize(ttl=60)
    async def double(x: int, by: int = 2) -> list[int]:
        """Say it."""
        LOG.append(x)
        await asyncio.sleep(0.01)
        return [x * by]

    async def main() -> None:
        assert await double(1) == await double(x=1, by=2) == [2]
        assert LOG == [1]
        assert await asyncio.gather(*(double(5) for _ in range(200))) == [[10]] * 200
        assert LOG == [1, 5]
        # The 200 waited for one; none of them was late and found what is stored.
        assert cache.stats()[double.namespace.names].hits == 1
        assert await double.get_many([(1,), (7,), (8,), (7,)]) == [[2], [14], [16], [14]]
        assert sorted(LOG) == [1, 5, 7, 8]
        assert await double.refresh(1) == [2]
        assert LOG[-1] == 1
        assert (await double.delete(1), await double.delete(1)) == (True, False)
        assert await double.invalidate() == Invalidation(complete=True, pending=())
        assert await double(5) == [10]
        assert LOG[-1] == 5
        assert await double.uncached(3) == [6]
        assert double.key(1) == double.key(x=1)

    asyncio.run(main())
    assert inspect.signature(double) == inspect.signature(double.uncached)
    assert double.__doc__ == "Say it."


class Shop:
    def __init__(self, number: int) -> None:
        self.number = number


def test_methods_of_all_kinds(cache: Cache) -> None:
    class Local(Shop):
        @cache.memoize(self_key="number")
        async def method(self, x: int) -> tuple[int, int]:
            LOG.append("method")
            return self.number, x

        @cache.memoize
        @classmethod
        async def of_class(cls, x: int) -> tuple[str, int]:
            LOG.append("class")
            return cls.__name__, x

        @cache.memoize
        @staticmethod
        async def static(x: int) -> int:
            LOG.append("static")
            return x

    async def main() -> None:
        for _ in range(2):
            assert await Local(1).method(2) == (1, 2)
            assert await Local.of_class(2) == ("Local", 2)
            assert await Local.static(2) == 2
        assert LOG == ["method", "class", "static"]
        assert await Local(1).method.delete(2)
        assert await Local.of_class.delete(2)

    asyncio.run(main())


def test_an_error_reaches_all_that_wait_and_is_not_kept(cache: Cache) -> None:
    @cache.memoize
    async def failing(x: int) -> float:
        LOG.append(x)
        await asyncio.sleep(0.01)
        return 1 / x

    async def main() -> None:
        for _ in range(2):
            results = await asyncio.gather(*(failing(0) for _ in range(5)), return_exceptions=True)
            assert [type(each) for each in results] == [ZeroDivisionError] * 5
        assert LOG == [0, 0]

    asyncio.run(main())


def test_many_that_compute_may_await_others(cache: Cache) -> None:
    @cache.memoize
    async def inner(x: int) -> int:
        await asyncio.sleep(0.001)
        return x

    @cache.memoize
    async def outer(x: int) -> int:
        await asyncio.sleep(0.1)
        return await inner(x) + await inner(x + 1000)

    async def main() -> list[int]:
        return await asyncio.gather(*(outer(x) for x in range(SLOTS * 3)))

    assert asyncio.run(main()) == [2 * x + 1000 for x in range(SLOTS * 3)]


def test_a_computation_that_nobody_awaits_any_more_is_cancelled(cache: Cache) -> None:
    ended: list[str] = []

    @cache.memoize
    async def slow(x: int) -> int:
        try:
            await asyncio.sleep(30 if not ended else 0)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return x

    async def main() -> None:
        patient = asyncio.ensure_future(slow(1))
        hasty = asyncio.ensure_future(slow(1))
        await asyncio.sleep(0.2)
        hasty.cancel()
        await asyncio.sleep(0.1)
        assert ended == []
        patient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await patient
        await asyncio.sleep(0.2)
        assert ended == ["cancelled"]
        assert await slow(1) == 1

    asyncio.run(main())


def test_the_context_of_the_caller_is_that_of_the_computation(cache: Cache) -> None:
    user = contextvars.ContextVar("user", default="nobody")

    @cache.memoize
    async def who(_: int) -> str:
        return user.get()

    async def main() -> None:
        user.set("Ada")
        assert await who(1) == "Ada"

    asyncio.run(main())


def test_loops_of_several_threads_share_a_function(cache: Cache) -> None:
    results: list[Any] = []

    @cache.memoize
    async def number(x: int) -> int:
        await asyncio.sleep(0.01)
        return x

    async def main() -> None:
        results.append(await asyncio.gather(*(number(x % 10) for x in range(50))))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[x % 10 for x in range(50)]] * 4


def test_a_node_that_does_not_answer_does_not_stop_the_loop(redises: tuple[Redis, ...]) -> None:
    with Cache([redises[0].url], timeout=1.0) as cache:

        @cache.memoize
        async def double(x: int) -> int:
            return 2 * x

        async def main() -> float:
            await double(1)
            with frozen(redises[0]):
                asked = asyncio.ensure_future(double(2))
                longest, last = 0.0, time.monotonic()
                while not asked.done():
                    await asyncio.sleep(0.01)
                    longest = max(longest, time.monotonic() - last)
                    last = time.monotonic()
                assert await asked == 4
            return longest

        assert asyncio.run(main()) < 0.8
