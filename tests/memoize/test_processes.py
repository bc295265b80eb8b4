"""Processes share what a function has computed, and its invalidations."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

import pytest

from kcache import Cache
from tests.servers import Memcached, Redis

PATIENCE = 20.0


class Shop:
    def __init__(self, number: int) -> None:
        self.number = number

    def __cache_key__(self) -> int:
        return self.number


def memoized(cache: Cache) -> Any:
    """A function that says which process has computed."""

    @cache.memoize(namespace="albums")
    def who(*args: Any, **kwargs: Any) -> tuple[int, int]:
        return os.getpid(), len(args) + len(kwargs)

    return who


def serve(urls: list[str], connection: Any) -> None:
    """Call the function as told, and answer with its result."""
    with Cache(urls, timeout=PATIENCE, on_error="raise") as cache:
        who = memoized(cache)
        while (told := connection.recv()) is not None:
            action, args, kwargs = told
            connection.send(getattr(who, action)(*args, **kwargs))


@pytest.mark.parametrize("kind", ["redis", "memcached", "mixed"])
def test_two_processes_share_entries_and_invalidations(
    kind: str, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    servers = {"redis": redises[:2], "memcached": memcacheds[:2]}
    urls = [
        server.url for name, own in servers.items() if kind in {name, "mixed"} for server in own
    ]
    context: Any = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(urls, there))
    process.start()

    def elsewhere(action: str, *args: Any, **kwargs: Any) -> Any:
        here.send((action, args, kwargs))
        assert here.poll(PATIENCE)
        return here.recv()

    try:
        with Cache(urls, timeout=PATIENCE, on_error="raise") as cache:
            _check(memoized(cache), elsewhere, process.pid, cache)
    finally:
        here.send(None)
        process.join()
    assert process.exitcode == 0


def _check(who: Any, elsewhere: Any, other: int, cache: Cache) -> None:
    own = os.getpid()
    arguments = ({"b", "a", "c"}, {"x": 1.5, "y": None}, Shop(3), "é\udc80")
    assert elsewhere("key", *arguments) == who.key(*arguments)
    assert who(*arguments) == (own, 4)
    assert elsewhere("__call__", *arguments) == (own, 4)
    assert elsewhere("__call__", 1, a=2) == (other, 2)
    assert who(1, a=2) == (other, 2)
    assert elsewhere("refresh", *arguments) == (other, 4)
    assert who(*arguments) == (other, 4)
    assert elsewhere("delete", 1, a=2) is True
    assert who(1, a=2) == (own, 2)
    for invalidate in (who.invalidate, cache.namespace("albums").invalidate):
        assert elsewhere("__call__", 5)[0] == other
        assert invalidate().complete
        assert elsewhere("get_many", [(5,)]) == [(other, 1)]
        assert elsewhere("invalidate").complete
        assert who(5) == (own, 1)
        assert elsewhere("__call__", 5) == (own, 1)
        assert who.invalidate().complete
