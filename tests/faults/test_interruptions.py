"""Figures 1 and 3, short: after an interruption every call gives what is right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

import pytest

from kcache import Cache, Node
from kcache.net.connection import Connection
from kcache.net.pool import Pool
from kcache.net.transport import Transport
from tests.faults.conftest import Server
from tests.faults.interruptions import Interrupted, Stopped, by_signals, handling, in_threads
from tests.faults.proxy import HOLD, proxy
from tests.faults.tally import EXPECTED, comes_true, connections_to

SEED = 20_261_122
ROUNDS = 400
_GEVENT = ("-m", "gevent.monkey", "--module", "tests.faults.gevent_main")


def transport_of(cache: Cache) -> Transport:
    return cache._core.transport  # noqa: SLF001 - what is tested lies behind it


@pytest.mark.parametrize("namespace", [None, "shop"])
@pytest.mark.parametrize("kind", [Interrupted, Stopped, ValueError, TimeoutError, KeyError])
def test_whatever_a_handler_raises_comes_out_and_leaves_nothing_wrong(
    server: Server, kind: type[BaseException], namespace: str | None
) -> None:
    with Cache([server.url], timeout=5, namespace=namespace) as cache:
        cache.set_many(EXPECTED)
        tally = by_signals(cache.get, ROUNDS, kind, SEED)
        assert not tally.faults, f"seed {SEED}: {tally}"
        assert comes_true(lambda: len(connections_to(server.port)) <= 2)


def test_calls_on_many_keys_pass_on_what_a_handler_raises(server: Server) -> None:
    with Cache([server.url], timeout=5) as cache:
        cache.set_many(EXPECTED)
        keys = list(EXPECTED)
        tally = by_signals(lambda key: cache.get_many(keys).get(key), ROUNDS, ValueError, SEED)
        assert not tally.faults, f"seed {SEED}: {tally}"


def test_a_handler_may_raise_while_a_connection_is_opened(server: Server) -> None:
    node = Node(server.url)
    with Cache([node], timeout=5) as cache:
        cache.set_many(EXPECTED)
        # What a handler raises in a destructor is lost, in Python; so none shall run here.
        held: list[Connection] = []

        def get(key: str) -> object:
            for pool in transport_of(cache).ends:
                assert isinstance(pool, Pool)
                held.extend(pool.quick)
                pool.drop()
            return cache.get(key)

        for kind in (ValueError, TimeoutError, Stopped):
            tally = by_signals(get, ROUNDS // 4, kind, SEED)
            assert not tally.faults, f"seed {SEED}: {tally}"


def test_gevent_timeouts_leave_nothing_wrong(server: Server) -> None:
    command = [sys.executable, "-X", "dev", "-W", "error", *_GEVENT]
    done = subprocess.run(
        [*command, server.url, "400", f"{SEED}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("namespace", [None, "shop"])
@pytest.mark.parametrize("kind", [Interrupted, KeyboardInterrupt])
def test_an_exception_in_one_thread_is_none_in_others(
    server: Server, kind: type[BaseException], namespace: str | None
) -> None:
    with Cache([server.url], timeout=5, namespace=namespace) as cache:
        cache.set_many(EXPECTED)
        tally = in_threads(cache.get, 150, kind, SEED)
        assert not tally.faults, f"seed {SEED}: {tally}"
        cache.close()
        assert comes_true(lambda: connections_to(server.port) == []), connections_to(server.port)


def test_signals_do_not_put_off_the_deadline(server: Server) -> None:
    with (
        proxy(server.address) as between,
        Cache([server.url.replace(f":{server.port}", f":{between.port}")], timeout=0.3) as cache,
        handling(lambda _number, _frame: None),
    ):
        cache.set("k", 1)
        between.switch(replies=HOLD)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        begun = time.monotonic()
        assert cache.get("k") is None
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize("call", ["get", "get_many", "incr"])
def test_a_child_that_is_forked_in_the_middle_of_a_call_finishes_it(
    server: Server, call: str
) -> None:
    children: list[int] = []

    def fork(_number: int, _frame: FrameType | None) -> None:
        children.append(os.fork())
        if children[0]:
            threading.Timer(0.05, between.switch).start()

    with (
        proxy(server.address) as between,
        Cache([server.url.replace(f":{server.port}", f":{between.port}")], timeout=5) as cache,
        handling(fork),
    ):
        cache.set("k", 7)
        between.switch(replies=HOLD)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        found: object = cache.get("k") if call == "get" else None
        if call == "get_many":
            found = cache.get_many(["k", "l"]).get("k")
        elif call == "incr":
            found = cache.incr("k")
        if children == [0]:
            # What must not be said twice is not finished by two; on memcached it had not begun.
            right = found in (None, 8, 9) if call == "incr" else found == 7
            os._exit(0 if right and cache.get("k") in (7, 8, 9) else 1)
        assert found in ((8, 9) if call == "incr" else (7,))
        assert os.waitpid(children[0], 0)[1] == 0
