"""The clocks of processes need not agree: versions are random, and servers count lives."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest

from kcache import Cache
from tests.servers import Memcached, Redis

HOUR = 3600.0


def shifted(offset: float) -> Callable[[], float]:
    return lambda: time.time() + offset


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_clocks_that_differ_by_hours_change_nothing(
    kind: str, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    servers = redises if kind == "redis" else memcacheds
    with ExitStack() as stack:
        shops = [
            stack.enter_context(
                Cache(
                    [server.url for server in servers],
                    clock=shifted(offset),
                    prefix="clocks",
                    namespace="shop",
                    timeout=5,
                )
            )
            for offset in (-HOUR, 0.0, HOUR)
        ]
        turn = 0
        for writer in shops:
            for other in shops:
                turn += 1
                assert writer.set("k", turn, ttl=60)
                assert writer.get_or_set("filled", partial(abs, -turn), ttl=60) == turn
                assert [shop.get("k") for shop in shops] == [turn] * 3
                assert [shop.get("filled") for shop in shops] == [turn] * 3
                assert other.set("k", -turn, ttl=60)
                assert [shop.get("k") for shop in shops] == [-turn] * 3
                assert other.invalidate().complete
                assert [shop.get("k") for shop in shops] == [None] * 3
                assert [shop.get("filled") for shop in shops] == [None] * 3
