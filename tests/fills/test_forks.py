"""A child that is forked during a computation waits for nobody who stayed with its parent."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from kcache import Cache
from tests.faults.tally import comes_true
from tests.fills.computing import PATIENCE, Caller, Clock, Computation

WAITERS = 8
FORKS = 40


def holds_in_a_child(work: Callable[[], bool]) -> bool:
    """Whether something is true in a forked child, which ends in time."""
    with warnings.catch_warnings():
        # Later releases of Python warn where there are threads, and those are the point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status == 0
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def gives_one(cache: Cache, key: str) -> bool:
    return cache.get_or_set(key, lambda: 1) == 1


def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have(cache: Cache) -> None:
    compute = Computation("parent's", held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    waiter = Caller(lambda: cache.get_or_set("k", compute))
    assert waiter.comes_to_wait()
    assert holds_in_a_child(lambda: cache.get_or_set("k", lambda: "own", wait=0.1) == "own")
    assert holds_in_a_child(lambda: cache.get_or_set("other", lambda: "own", wait=60) == "own")
    compute.let_go()
    assert caller.result() == waiter.result() == "parent's"


def test_a_child_looks_for_itself_whether_its_parent_has_computed(cache: Cache) -> None:
    compute = Computation("parent's", held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute, lock_ttl=2))
    assert compute.has_begun()
    going_on = threading.Timer(0.5, compute.let_go)
    going_on.start()
    # What is in memory the child has for itself, and there the lease ends by its ttl.
    assert holds_in_a_child(
        lambda: cache.get_or_set("k", lambda: "own", wait=60) in ("parent's", "own")
    )
    assert caller.result() == "parent's"


def test_a_child_that_is_forked_by_a_computation_goes_on(cache: Cache) -> None:
    def compute() -> bool:
        return holds_in_a_child(lambda: cache.get_or_set("other", lambda: 1) == 1)

    assert cache.get_or_set("k", compute) is True


def test_a_child_computes_what_its_parent_was_computing_in_the_background(
    timed: Cache, clock: Clock
) -> None:
    options: dict[str, Any] = {"ttl": 100, "stale_ttl": 1000}
    timed.get_or_set("k", lambda: "old", **options)
    options["lock_ttl"] = 0.1
    clock.go_on(101)
    compute = Computation("parent's", held=True)
    assert timed.get_or_set("k", compute, **options) == "old"
    assert compute.has_begun()

    def is_computed_again() -> bool:
        return bool(timed.get_or_set("k", lambda: "child's", **options) == "child's")

    def work() -> bool:
        # The parent's lease ends, by the nodes' clocks or by the test's.
        clock.go_on(1)
        return comes_true(is_computed_again)

    assert holds_in_a_child(work)
    compute.let_go()


def test_forks_while_threads_begin_and_end_to_wait_do_not_hang(cache: Cache) -> None:
    ended = threading.Event()

    def work(number: int) -> None:
        turn = 0
        while not ended.is_set():
            turn += 1
            cache.get_or_set(f"k{turn // WAITERS}", lambda: number, wait=0.01)

    callers = [threading.Thread(target=work, args=(number,)) for number in range(WAITERS)]
    for caller in callers:
        caller.start()
    try:
        for turn in range(FORKS):
            assert holds_in_a_child(partial(gives_one, cache, f"own{turn}"))
    finally:
        ended.set()
        for caller in callers:
            caller.join()
