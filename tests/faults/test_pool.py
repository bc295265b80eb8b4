"""When a pool takes its node for dead, and who is concerned by that."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from resource import RUSAGE_THREAD, getrusage

import pytest

from kcache import Cache, Node
from kcache.command import Ping
from kcache.errors import TimedOut
from kcache.health import State
from kcache.net.connection import Connection
from kcache.net.leg import Leg
from kcache.net.pool import Outage, Pool
from kcache.net.talks import talk_for
from tests.faults.conftest import Server
from tests.faults.lying import lying


def test_a_node_that_was_given_little_time_is_not_taken_for_dead() -> None:
    outages: list[Outage] = []
    with lying(lambda _: []) as server:
        node = Node(f"memcached://user:secret@127.0.0.1:{server.port}")
        pool = Pool(node, 1, lambda _pool, outage: outages.append(outage))
        with pytest.raises(TimedOut):
            pool.open(0.05)
        assert outages == []
        with pytest.raises(TimedOut):
            pool.open(0.6)
        assert len(outages) == 1


@pytest.mark.parametrize("end", [Pool.close, Pool.forget])
def test_a_pool_that_is_closed_or_inherited_knows_nothing_of_its_node(
    end: Callable[[Pool], None],
) -> None:
    node = Node("memcached://127.0.0.1:1")
    pool = Pool(node, 1, lambda _pool, _outage: None)
    for _ in range(3):
        pool.be_late(TimedOut(node, "a short time"), 0.2)
    before = pool.health.state
    end(pool)
    assert (before, pool.health.state) == (State.DOWN, State.UP)


def test_what_began_before_an_outage_does_not_begin_another() -> None:
    outages: list[Outage] = []
    with lying(lambda _: []) as server:
        node = Node(f"memcached://user:secret@127.0.0.1:{server.port}")
        pool = Pool(node, 1, lambda _pool, outage: outages.append(outage))
        late: list[Exception] = []

        def open_one() -> None:
            try:
                pool.open(0.8)
            except TimedOut as error:
                late.append(error)

        opening = threading.Thread(target=open_one)
        opening.start()
        while server.connections == 0:
            time.sleep(0.001)
        pool.fail(TimedOut(node, "no answer"))
        assert pool.recover(outages[0])
        opening.join()
        assert len(late) == 1
        assert len(outages) == 1


def test_nor_does_a_call_that_waits_since_then() -> None:
    outages: list[Outage] = []
    node = Node("memcached://127.0.0.1:1")
    pool = Pool(node, 0.001, lambda _pool, outage: outages.append(outage))
    leg = Leg(pool, talk_for(node, [Ping()]))
    pool.fail(TimedOut(node, "no answer"))
    assert pool.recover(outages[0])
    time.sleep(0.01)
    leg.time_out()
    assert len(outages) == 1
    later = Leg(pool, talk_for(node, [Ping()]))
    time.sleep(0.01)
    later.time_out()
    assert len(outages) == 2


def test_a_connection_from_before_an_outage_takes_no_newer_ones_with_it(server: Server) -> None:
    with Cache([server.url]) as cache:
        (pool,) = cache._core.transport.ends  # noqa: SLF001 - what is tested lies behind it
        assert isinstance(pool, Pool)
        before = pool.epoch
        pool.drop()
        cache.set("k", 1)
        pool.drop(before)
        assert len(pool.quick) == 1


def test_a_node_that_fails_twice_is_in_one_outage(caplog: pytest.LogCaptureFixture) -> None:
    node = Node("memcached://127.0.0.1:1")
    watched: list[Outage] = []
    pool = Pool(node, 1, lambda _pool, outage: watched.append(outage))
    for reason in ("first", "second"):
        pool.fail(TimedOut(node, reason))
    assert [outage.reason for outage in watched] == ["first"]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("waited", "state"),
    [(0.05, State.SUSPECT), (0.45, State.SUSPECT), (0.6, State.DOWN)],
)
def test_a_node_is_as_late_as_it_was_waited_for(waited: float, state: State) -> None:
    node = Node("memcached://127.0.0.1:1")
    pool = Pool(node, 1, lambda _pool, _outage: None)
    for _ in range(2):
        pool.be_late(TimedOut(node, "a part of the timeout"), waited)
    assert pool.health.state is state
    pool.be_late(TimedOut(node, "a part of the timeout"), waited)
    assert pool.health.state is State.DOWN


def test_who_never_rests_leaves_time_to_the_thread_that_asks_the_node() -> None:
    node = Node("memcached://127.0.0.1:1")
    pool = Pool(node, 1, lambda _pool, _outage: None)
    pool.fail(TimedOut(node, "no answer"))
    before, end, calls = getrusage(RUSAGE_THREAD).ru_nvcsw, time.monotonic() + 0.5, 0
    while time.monotonic() < end:
        assert pool.refusal() is not None
        calls += 1
    rests = getrusage(RUSAGE_THREAD).ru_nvcsw - before
    # There is time for a hundred; other threads may cause some more.
    assert 10 < rests < 1000 < calls


def test_a_leg_is_as_old_as_what_it_was_asked_since() -> None:
    node = Node("memcached://127.0.0.1:1")
    pool = Pool(node, 0.2, lambda _pool, _outage: None)
    ours, theirs = socket.socketpair()
    with theirs:
        leg = Leg(pool, talk_for(node, [Ping()]))
        time.sleep(0.3)
        connection = Connection(ours, 0.2)
        connection.epoch = pool.epoch
        leg.use(connection)
        leg.time_out()
        assert pool.health.state is State.SUSPECT


def test_who_was_held_up_only_suspects() -> None:
    node = Node("memcached://127.0.0.1:1")
    pool = Pool(node, 0.01, lambda _pool, _outage: None)
    legs = [Leg(pool, talk_for(node, [Ping()])) for _ in range(2)]
    time.sleep(0.02)
    states = []
    for leg, late in zip(legs, (0.005, 0.001), strict=True):
        leg.time_out(late=late)
        states.append(pool.health.state)
    assert states == [State.SUSPECT, State.DOWN]
