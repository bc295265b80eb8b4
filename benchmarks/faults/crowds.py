"""F3: an exception that comes out of nowhere, in one of many that share a client."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from benchmarks.faults.clients import filled, opened, served
from benchmarks.faults.scenario import Contender, Effort, Finding, Scenario, found, repeated
from benchmarks.faults.told import told
from tests.faults.interruptions import Interrupted, by_signals, in_threads
from tests.faults.tally import Get, Tally, check, comes_true, connections_to

__all__ = ["SCENARIOS"]

_CHUNK = 100
_THREADS = 16

_Run = Callable[[Get, int, int], Tally]
"""Takes what reads, a count and a seed."""


def _shared(run: _Run, contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Chunk after chunk; then a closed client has no connection left."""
    with served(contender) as server, _unraisable() as ignored:
        with opened(contender, server) as client:
            get = filled(client)
            for tally in repeated(effort, _CHUNK, lambda count, seed: run(get, count, seed)):
                yield _found(tally, ignored)
        # A connection that was being opened for a call which was interrupted, is closed later.
        if not comes_true(lambda: not connections_to(server.port)):
            tally.lost += len(connections_to(server.port))
        yield _found(tally, ignored)


@contextmanager
def _unraisable() -> Iterator[list[str]]:
    """Where exceptions came that Python passes on to nobody: in destructors."""
    told: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda seen: told.append(f"{seen.object!r}")
    try:
        yield told
    finally:
        sys.unraisablehook = before


def _found(tally: Tally, ignored: Sequence[str]) -> Finding:
    return Finding(tally.rounds, tally.faults, {"in destructors": len(ignored)} if ignored else {})


def _in_threads(kind: type[BaseException], get: Get, count: int, seed: int) -> Tally:
    return in_threads(get, count, kind, seed)


def _beside_threads(get: Get, count: int, seed: int) -> Tally:
    """Ctrl-C reaches the main thread alone; the others are to see nothing of it."""
    with _busy(get) as tallies:
        total = by_signals(get, count, KeyboardInterrupt, seed)
    for tally in tallies:
        total.add(tally)
    return total


@contextmanager
def _busy(get: Get) -> Iterator[list[Tally]]:
    """Threads that read and check, as long as the block lasts."""
    ended = threading.Event()
    tallies = [Tally() for _ in range(_THREADS)]

    def read(start: int) -> None:
        while not ended.is_set():
            check(get, tallies[start], start)

    threads = [threading.Thread(target=read, args=(start,)) for start in range(_THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield tallies
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _greenlets(contender: Contender, effort: Effort) -> Iterator[Finding]:
    module = ("-m", "gevent.monkey", "--module", "benchmarks.faults.greenlets")
    with served(contender) as server:
        for tally in repeated(
            effort,
            effort.count,
            lambda count, seed: told([sys.executable, *module, server.url, f"{count}", f"{seed}"]),
        ):
            yield found(tally)


_MUST = "0 wrong, 0 false misses, 0 errors in any of them, 0 lost connections"
_FULL, _QUICK = Effort(1_000, 60), Effort(40, 1)

SCENARIOS = (
    Scenario(
        "F3",
        "PyThreadState_SetAsyncExc raises an Exception in one of 16 threads, all of which read",
        "interruptions",
        _MUST,
        partial(_shared, partial(_in_threads, Interrupted)),
        _FULL,
        _QUICK,
    ),
    Scenario(
        "F3",
        "PyThreadState_SetAsyncExc raises KeyboardInterrupt in one of 16 threads, all of which "
        "read",
        "interruptions",
        _MUST,
        partial(_shared, partial(_in_threads, KeyboardInterrupt)),
        _FULL,
        _QUICK,
    ),
    Scenario(
        "F3",
        "a signal raises KeyboardInterrupt in the main thread, while 16 others read",
        "interruptions",
        _MUST,
        partial(_shared, _beside_threads),
        _FULL,
        _QUICK,
    ),
    Scenario(
        "F3",
        "one of 16 greenlets, all of which read, is killed",
        "kills",
        _MUST,
        _greenlets,
        _FULL,
        _QUICK,
    ),
)
