"""Many callers at once: one computes, the others wait for it, and nobody is left hanging."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from kcache import Cache, NodeError
from tests.cache.places import Place
from tests.faults.tally import comes_true
from tests.fills.computing import PATIENCE, Caller, Computation
from tests.servers import Memcached, Redis, frozen, kill, memcached, redis

THREADS = 16


class Ended(BaseException):
    """Ends a thread."""


def end(thread: threading.Thread) -> None:
    """Raise in a thread, when it next runs Python code."""
    number = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(Ended))


class Unknown:
    """Of no type that a codec takes."""


def test_of_many_threads_one_computes(cache: Cache) -> None:
    compute = Computation({"n": 1}, held=True)
    callers = [Caller(lambda: cache.get_or_set("k", compute)) for _ in range(THREADS)]
    assert compute.has_begun()
    assert comes_true(lambda: sum(caller.is_waiting() for caller in callers) == THREADS - 1)
    compute.let_go()
    assert [caller.result() for caller in callers] == [{"n": 1}] * THREADS
    assert compute.calls == 1


def test_callers_who_wait_have_values_of_their_own(cache: Cache, other: Cache) -> None:
    for waiting in (cache, other):
        cache.delete("k")
        compute = Computation({"n": [1]}, held=True)
        leader = Caller(partial(cache.get_or_set, "k", compute))
        assert compute.has_begun()
        callers = [Caller(partial(waiting.get_or_set, "k", compute)) for _ in range(4)]
        assert all(caller.comes_to_wait() for caller in callers)
        compute.let_go()
        values = [caller.result() for caller in [leader, *callers]]
        for number, value in enumerate(values):
            assert value == {"n": [1]}
            value["n"].append(number)
        assert cache.get("k") == {"n": [1]}


def test_of_many_processes_one_computes(cache: Cache, other: Cache) -> None:
    compute = Computation({"n": 1}, held=True)
    first = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    callers = [Caller(lambda: other.get_or_set("k", compute)) for _ in range(THREADS)]
    assert all(caller.comes_to_wait() for caller in callers)
    compute.let_go()
    assert [caller.result() for caller in [first, *callers]] == [{"n": 1}] * (THREADS + 1)
    assert compute.calls == 1


def test_both_forms_of_a_key_are_computed_once(cache: Cache) -> None:
    compute = Computation(1, held=True)
    first = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    second = Caller(lambda: cache.get_or_set(b"k", compute))
    assert second.comes_to_wait()
    compute.let_go()
    assert (first.result(), second.result(), compute.calls) == (1, 1, 1)


def test_another_key_is_not_waited_for(cache: Cache) -> None:
    compute = Computation(1, held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    assert cache.get_or_set("l", lambda: 2) == 2
    compute.let_go()
    assert caller.result() == 1


def test_what_is_raised_is_raised_for_those_who_waited(cache: Cache) -> None:
    error = ValueError("no")
    failing, sound = Computation(error, held=True), Computation("yes")
    leader = Caller(lambda: cache.get_or_set("k", failing))
    assert failing.has_begun()
    callers = [Caller(lambda: cache.get_or_set("k", sound)) for _ in range(4)]
    assert all(caller.comes_to_wait() for caller in callers)
    failing.let_go()
    assert [caller.error() for caller in [leader, *callers]] == [error] * 5
    assert "k" not in cache
    assert (failing.calls, sound.calls) == (1, 0)
    assert cache.get_or_set("k", sound) == "yes"


def test_those_in_other_processes_compute_then(cache: Cache, other: Cache) -> None:
    failing, sound = Computation(ValueError("no"), held=True), Computation("yes")
    leader = Caller(lambda: cache.get_or_set("k", failing))
    assert failing.has_begun()
    callers = [Caller(lambda: other.get_or_set("k", sound)) for _ in range(4)]
    assert all(caller.comes_to_wait() for caller in callers)
    failing.let_go()
    assert isinstance(leader.error(), ValueError)
    assert [caller.result() for caller in callers] == ["yes"] * 4
    assert (failing.calls, sound.calls) == (1, 1)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, Ended])
def test_a_leader_that_is_ended_leaves_nobody_hanging(
    cache: Cache, other: Cache, kind: type[BaseException]
) -> None:
    ended, sound = Computation(kind(), held=True), Computation("yes")
    leader = Caller(lambda: cache.get_or_set("k", ended))
    assert ended.has_begun()
    callers = [Caller(partial(c.get_or_set, "k", sound, wait=60)) for c in (cache, other) * 3]
    assert all(caller.comes_to_wait() for caller in callers)
    ended.let_go()
    assert isinstance(leader.error(), kind)
    assert [caller.result() for caller in callers] == ["yes"] * 6
    assert sound.calls == 1


def test_a_thread_that_is_killed_leaves_nobody_hanging(cache: Cache, other: Cache) -> None:
    begun = Computation("never", held=True)

    def compute() -> None:
        begun.let_go()
        begun()
        while True:
            time.sleep(0.001)

    leader = Caller(lambda: cache.get_or_set("k", compute))
    assert begun.has_begun()
    sound = Computation("yes")
    callers = [Caller(partial(c.get_or_set, "k", sound, wait=60)) for c in (cache, other) * 3]
    assert all(caller.comes_to_wait() for caller in callers)
    end(leader)
    assert isinstance(leader.error(), Ended)
    assert [caller.result() for caller in callers] == ["yes"] * 6
    assert sound.calls == 1


def test_a_waiter_that_is_killed_takes_nobody_with_it(cache: Cache, other: Cache) -> None:
    compute = Computation(1, held=True)
    leader = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    # It looks at the lease for those who come after it.
    victim = Caller(lambda: other.get_or_set("k", compute, wait=60))
    assert victim.comes_to_wait()
    callers = [Caller(partial(c.get_or_set, "k", compute, wait=60)) for c in (other, cache) * 2]
    assert all(caller.comes_to_wait() for caller in callers)
    end(victim)
    assert isinstance(victim.error(), Ended)
    compute.let_go()
    assert [caller.result() for caller in [leader, *callers]] == [1] * 5
    assert compute.calls == 1


def test_nobody_waits_longer_than_asked(cache: Cache, other: Cache) -> None:
    compute = Computation("late", held=True)
    leader = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    for each in (cache, other):
        for wait in (0, 0.2):
            begun = time.monotonic()
            assert each.get_or_set("k", lambda: "own", wait=wait) == "own"
            assert wait <= time.monotonic() - begun < 10
    assert compute.calls == 1
    compute.let_go()
    assert leader.result() == "late"


def test_a_result_that_cannot_be_stored_is_given_to_those_who_waited(cache: Cache) -> None:
    value = Unknown()
    compute = Computation(value, held=True)
    leader = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    callers = [Caller(lambda: cache.get_or_set("k", compute)) for _ in range(4)]
    assert all(caller.comes_to_wait() for caller in callers)
    compute.let_go()
    assert [caller.result() for caller in [leader, *callers]] == [value] * 5
    assert compute.calls == 1


def test_a_computation_that_outlives_its_lease_is_begun_again(place: Place, name: str) -> None:
    with place.open(namespace=name) as cache, place.open(namespace=name) as other:
        slow = Computation("slow", held=True)
        leader = Caller(lambda: cache.get_or_set("k", slow, lock_ttl=0.05))
        assert slow.has_begun()
        assert other.get_or_set("k", lambda: "next", wait=PATIENCE) == "next"
        slow.let_go()
        assert leader.result() == "slow"


START: dict[str, Callable[..., object]] = {"redis": redis, "memcached": memcached}


@pytest.fixture(params=START)
def own_server(request: pytest.FixtureRequest) -> object:
    """A server that a test may end."""
    with START[request.param]() as server:  # type: ignore[attr-defined]
        yield server


@pytest.mark.parametrize("options", [{}, {"stale_ttl": 5}, {"errors": {ValueError: 5}}], ids=repr)
def test_where_a_node_is_down_everybody_computes_and_nobody_waits(
    own_server: Redis | Memcached, name: str | None, options: Any
) -> None:
    compute = Computation(1, held=True)
    with Cache([own_server.url], namespace=name, timeout=5) as cache:
        assert cache.get_or_set("other", lambda: 1) == 1
        kill(own_server)
        callers = [
            Caller(lambda: cache.get_or_set("k", compute, wait=60, **options)) for _ in range(4)
        ]
        assert compute.has_begun()
        while compute.calls < len(callers):
            time.sleep(0.001)
        compute.let_go()
        assert [caller.result() for caller in callers] == [1] * 4
        found = cache.get_or_set_many(["a", "b"], lambda keys: dict.fromkeys(keys, 1), **options)
        assert found == {"a": 1, "b": 1}
        with pytest.raises(ValueError, match="no"):
            cache.get_or_set("k", Computation(ValueError("no")), **options)


@pytest.mark.parametrize("options", [{}, {"stale_ttl": 5}, {"errors": {ValueError: 5}}], ids=repr)
def test_where_a_node_is_down_it_is_raised_if_wanted(
    own_server: Redis | Memcached, name: str | None, options: Any
) -> None:
    compute = Computation(1)
    with Cache([own_server.url], namespace=name, timeout=5, on_error="raise") as cache:
        cache.get_or_set("other", lambda: 1)
        kill(own_server)
        with pytest.raises(NodeError):
            cache.get_or_set("k", compute, **options)
        with pytest.raises(NodeError):
            cache.get_or_set_many(["k"], lambda keys: dict.fromkeys(keys, compute()), **options)
    assert compute.calls == 0


def test_a_node_that_dies_during_a_computation_costs_nobody_a_result(
    own_server: Redis | Memcached, name: str | None
) -> None:
    compute = Computation("mine", held=True)
    with (
        Cache([own_server.url], namespace=name, timeout=5) as cache,
        Cache([own_server.url], namespace=name, timeout=5) as other,
    ):
        leader = Caller(lambda: cache.get_or_set("k", compute))
        assert compute.has_begun()
        near = Caller(lambda: cache.get_or_set("k", lambda: "near", wait=60))
        far = Caller(lambda: other.get_or_set("k", lambda: "far", wait=60))
        assert near.comes_to_wait()
        assert far.comes_to_wait()
        kill(own_server)
        # Who looked at the lease sees that nobody can tell any more.
        assert far.result() == "far"
        compute.let_go()
        assert (leader.result(), near.result()) == ("mine", "mine")


def test_a_node_that_freezes_during_a_computation_costs_its_timeout(
    own_server: Redis | Memcached, name: str | None
) -> None:
    with Cache([own_server.url], namespace=name, timeout=0.2) as cache:
        compute = Computation("mine", held=True)
        leader = Caller(lambda: cache.get_or_set("k", compute))
        assert compute.has_begun()
        with frozen(own_server):
            compute.let_go()
            assert leader.result() == "mine"
