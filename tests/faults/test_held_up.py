"""A process that is held up itself: its time is over, and the nodes are not to blame."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

import pytest

from kcache import Cache
from kcache.command import Delete
from kcache.errors import NodeUnavailable
from kcache.events import NodeDown
from tests.faults.nodes import Server, fleet
from tests.faults.proxy import HOLD, Rule, proxy
from tests.faults.tally import EXPECTED
from tests.servers import Redis, redis

_TIMEOUT = 0.4
# One does not come in one piece.
VALUES = {**EXPECTED, "large": "v" * 200_000}
_SOON = 0.02


@contextmanager
def _slow(servers: Sequence[Server], user: str = "") -> Iterator[tuple[Cache, list[NodeDown]]]:
    """A cache with values on servers that answer late, and the outages that it sees."""
    with ExitStack() as stack:
        between = [stack.enter_context(proxy(server.address)) for server in servers]
        kind = "redis" if isinstance(servers[0], Redis) else "memcached"
        urls = [f"{kind}://{user}127.0.0.1:{each.port}?name=n{each.port}" for each in between]
        cache = stack.enter_context(Cache(urls, timeout=_TIMEOUT))
        assert cache.set_many(VALUES) == []
        if user:
            # From then on each new connection is asked where it leads.
            assert cache.namespace("shop").set_many(EXPECTED) == []
        for each in between:
            each.switch(replies=Rule(delay=0.1))
        outages: list[NodeDown] = []
        cache.listen(lambda event: outages.append(event) if isinstance(event, NodeDown) else None)
        yield cache, outages


@contextmanager
def _held_up(seconds: float, meanwhile: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Do nothing at all for so long, soon, as a machine without time for this process does."""

    def hold_up(_number: int, _frame: FrameType | None) -> None:
        meanwhile()
        time.sleep(seconds)

    former = signal.signal(signal.SIGALRM, hold_up)
    signal.setitimer(signal.ITIMER_REAL, _SOON)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_what_has_come_meanwhile_is_taken(kind: str) -> None:
    with fleet(kind, 3) as servers, _slow(servers) as (cache, outages):
        for is_warm in (True, False):
            if not is_warm:
                cache.close()
            with _held_up(2 * _TIMEOUT):
                assert cache.get_many(VALUES) == VALUES
            with _held_up(2 * _TIMEOUT):
                assert cache.get("key 1") == "value 1"
        assert outages == []


def test_a_node_that_was_not_asked_in_time_is_not_late() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(redis(password="secret")) for _ in range(3)]
        cache, outages = stack.enter_context(_slow(servers, ":secret@"))
        shop = cache.namespace("shop")
        for turn in range(5):
            # To say the password takes a while, and then the time is over.
            cache.close()
            with _held_up(2 * _TIMEOUT):
                if turn % 2:
                    assert cache.get_many(EXPECTED) == {}
                else:
                    # Nothing was sent that might be done later.
                    assert set(shop.set_many(EXPECTED)) == EXPECTED.keys()
        assert outages == []
        assert cache.get_many(EXPECTED) == EXPECTED


@pytest.mark.parametrize("many", [False, True])
def test_what_cannot_be_said_again_in_time_is_a_miss(server: Server, *, many: bool) -> None:
    with (
        proxy(server.address) as between,
        Cache([f"{server.url.partition(':')[0]}://127.0.0.1:{between.port}"], timeout=0.3) as cache,
    ):
        assert cache.set("k", 1)
        between.switch(replies=HOLD)

        def lose() -> None:
            # The connection ends, and then all the time is over.
            between.reset()
            between.switch()

        with _held_up(2 * _TIMEOUT, lose):
            assert (cache.get_many(["k", "l"]) or None if many else cache.get("k")) is None
        assert cache.get("k") == 1


def test_what_begins_too_late_is_not_said(server: Server) -> None:
    with Cache([server.url]) as cache:
        assert cache.set("k", 1)
        transport = cache._core.transport  # noqa: SLF001 - what is tested lies behind it
        for _ in range(5):
            answers = transport.exchange({0: [Delete((b"k",))]}, time.monotonic() - 1)
            assert type(answers[0]) is NodeUnavailable
        assert cache.get("k") == 1
