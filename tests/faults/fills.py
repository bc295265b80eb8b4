"""Figures 13, 14, 19 and 20: who computes, how often, and whether it is seen too late."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from kcache import Cache

__all__ = [
    "Expiry",
    "Filler",
    "Killed",
    "Ours",
    "Seen",
    "Stampede",
    "after_a_kill",
    "deletions",
    "expiry",
    "invalidations",
    "stampedes",
]

_KEYS = 50
_LONGEST_COMPUTATION = 0.004
_LONGEST_PAUSE = 0.02
_READS = 3
_PATIENCE = 60.0
_context: Any = multiprocessing.get_context("spawn")


class Filler(Protocol):
    """What goes through this."""

    def get_or_set(self, key: str, factory: Callable[[], Any]) -> Any: ...

    def delete(self, key: str) -> object: ...

    def invalidate(self) -> object: ...


Opening = Callable[[], Filler]
"""Opens one in another process, and so can be pickled."""


@dataclass(frozen=True)
class Ours:
    """A cache on one node, in a namespace or with plain keys."""

    url: str
    namespace: str | None = "fills"
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> Filler:
        return _Ours(self)


class _Ours:
    def __init__(self, ours: Ours) -> None:
        self._cache = Cache(
            [ours.url], namespace=ours.namespace, timeout=_PATIENCE, on_error="raise"
        )
        self._options = ours.options

    def get_or_set(self, key: str, factory: Callable[[], Any]) -> Any:
        return self._cache.get_or_set(key, factory, 600, **self._options)

    def delete(self, key: str) -> object:
        return self._cache.delete(key)

    def invalidate(self) -> object:
        return self._cache.invalidate()


@dataclass
class Seen:
    """Reads after a write, and those among them that gave what was computed before it."""

    reads: int
    stale: int


@contextmanager
def _started(work: Callable[..., None], arguments: Iterator[tuple[Any, ...]]) -> Iterator[None]:
    """Processes, which have to end by themselves; if this fails, they are ended."""
    processes = [_context.Process(target=work, args=each, daemon=True) for each in arguments]
    for process in processes:
        process.start()
    try:
        yield
        for process in processes:
            process.join(_PATIENCE)
        if failed := [process.exitcode for process in processes if process.exitcode != 0]:
            raise AssertionError(f"processes ended with {failed}")
    finally:
        for process in processes:
            process.kill()


# F13: everything is invalidated while what is missing is computed.


def _read(opening: Opening, shared: tuple[Any, Any, Any], number: int, seed: int) -> None:
    filler, (source, counts, stop) = opening(), shared
    chance = random.Random(seed + number)  # noqa: S311 - no secret

    def compute() -> int:
        now: int = source[0]
        time.sleep(chance.uniform(0, _LONGEST_COMPUTATION))
        return now

    while not stop.is_set():
        acknowledged = source[1]
        value = filler.get_or_set(f"key{chance.randrange(_KEYS)}", compute)
        counts[2 * number] += 1
        counts[2 * number + 1] += value < acknowledged


def invalidations(opening: Opening, seconds: float, seed: int, readers: int = 5) -> Seen:
    """Invalidate again and again, while other processes read and compute what is missing."""
    # What is true, and what was true when the last invalidation was done.
    source, stop = _context.RawArray("q", 2), _context.Event()
    counts = _context.RawArray("q", 2 * readers)
    chance = random.Random(seed)  # noqa: S311 - no secret
    arguments = ((opening, (source, counts, stop), number, seed) for number in range(readers))
    with _started(_read, arguments):
        filler = opening()
        while not all(counts[::2]):
            time.sleep(0.01)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            source[0] += 1
            filler.invalidate()
            source[1] = source[0]
            time.sleep(chance.uniform(0, _LONGEST_PAUSE))
        stop.set()
    return Seen(sum(counts[::2]), sum(counts[1::2]))


# F14: one key is deleted while it is computed.


def _delete_and_read(
    opening: Opening, shared: tuple[Any, Any], number: int, rounds: int, seed: int
) -> None:
    filler, (source, counts) = opening(), shared
    chance = random.Random(seed + number)  # noqa: S311 - no secret

    def read(which: int) -> int:
        def compute() -> int:
            now: int = source[which]
            time.sleep(chance.uniform(0, _LONGEST_COMPUTATION))
            return now

        value: int = filler.get_or_set(f"key{which}", compute)
        return value

    for _ in range(rounds):
        for _ in range(_READS):
            read(chance.randrange(len(source)))
        source[number] += 1
        filler.delete(f"key{number}")
        # So long what began before may take to be stored.
        time.sleep(chance.uniform(0, _LONGEST_COMPUTATION))
        counts[2 * number + 1] += read(number) < source[number]
        counts[2 * number] += 1


def deletions(opening: Opening, rounds: int, seed: int, processes: int = 6) -> Seen:
    """Each process deletes and reads its own key, and reads those of the others in between."""
    source, counts = _context.RawArray("q", processes), _context.RawArray("q", 2 * processes)
    each = -(-rounds // processes)
    arguments = ((opening, (source, counts), number, each, seed) for number in range(processes))
    with _started(_delete_and_read, arguments):
        pass
    return Seen(sum(counts[::2]), sum(counts[1::2]))


# F19: many callers of a key that is missing.


@dataclass
class Stampede:
    """One cold key: how often it was computed, and how long its callers took, in seconds."""

    computations: int
    took: list[float]


def _stampede(opening: Opening, shared: tuple[Any, Any, Any], at: range, seconds: float) -> None:
    filler, (barrier, counts, took) = opening(), shared
    filler.get_or_set("warm", time.monotonic)

    def call(number: int) -> None:
        for turn in range(len(counts)):

            def compute(turn: int = turn) -> str:
                with counts.get_lock():
                    counts[turn] += 1
                time.sleep(seconds)
                return "value"

            barrier.wait()
            begun = time.monotonic()
            assert filler.get_or_set(f"cold{turn}", compute) == "value"
            took[turn * barrier.parties + number] = time.monotonic() - begun

    threads = [threading.Thread(target=call, args=(number,)) for number in at]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def stampedes(
    opening: Opening, rounds: int, processes: int = 2, threads: int = 32, seconds: float = 0.2
) -> list[Stampede]:
    """All callers at once ask for one cold key after the other."""
    callers = processes * threads
    barrier, counts = _context.Barrier(callers, timeout=_PATIENCE), _context.Array("q", rounds)
    took = _context.RawArray("d", rounds * callers)
    arguments = (
        (opening, (barrier, counts, took), range(first, first + threads), seconds)
        for first in range(0, callers, threads)
    )
    with _started(_stampede, arguments):
        pass
    return [
        Stampede(counts[turn], took[turn * callers : (turn + 1) * callers])
        for turn in range(rounds)
    ]


@dataclass
class Killed:
    """What comes after a leader's death: how often it was computed, and when the last one was
    done, in seconds after the leader's lease began."""

    computations: int
    done: float


def _lead(opening: Opening, begun: Any) -> None:
    def compute() -> None:
        begun.value = time.monotonic()
        time.sleep(_PATIENCE)

    opening().get_or_set("key", compute)


def _follow(opening: Opening, shared: tuple[Any, Any, Any], threads: int) -> None:
    filler, (barrier, count, done) = opening(), shared
    filler.get_or_set("warm", time.monotonic)

    def compute() -> str:
        with count.get_lock():
            count.value += 1
        return "value"

    def call() -> None:
        barrier.wait()
        assert filler.get_or_set("key", compute) == "value"
        with done.get_lock():
            done.value = max(done.value, time.monotonic())

    callers = [threading.Thread(target=call) for _ in range(threads)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()


def after_a_kill(opening: Opening, processes: int = 2, threads: int = 8) -> Killed:
    """Kill a process that computes, while others wait for it."""
    barrier = _context.Barrier(processes * threads + 1, timeout=_PATIENCE)
    count, done, begun = (_context.Value(kind, 0) for kind in "qdd")
    leader = _context.Process(target=_lead, args=(opening, begun), daemon=True)
    followers = ((opening, (barrier, count, done), threads) for _ in range(processes))
    with _started(_follow, followers):
        leader.start()
        while not begun.value:
            time.sleep(0.001)
        barrier.wait()
        leader.kill()
        leader.join()
    return Killed(count.value, done.value - begun.value)


# F20: a busy key comes to its end.


@dataclass
class Expiry:
    """Calls, those that were blocked, computations, and how many there were at once."""

    calls: int = 0
    blocked: int = 0
    computations: int = 0
    at_once: int = 0
    longest: float = 0.0


class _Counted:
    """A computation that counts those who are in it."""

    def __init__(self, seconds: float) -> None:
        self.seen = Expiry()
        self._seconds, self._now, self._lock = seconds, 0, threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self._now += 1
            self.seen.computations += 1
            self.seen.at_once = max(self.seen.at_once, self._now)
        time.sleep(self._seconds)
        with self._lock:
            self._now -= 1
        return "value"

    def note(self, seconds: float, limit: float) -> None:
        with self._lock:
            self.seen.calls += 1
            self.seen.blocked += seconds > limit
            self.seen.longest = max(self.seen.longest, seconds)


def expiry(
    cache: Cache,
    seconds: float,
    *,
    rate: int = 500,
    ttl: float = 5.0,
    computation: float = 0.2,
    limit: float = 0.01,
    threads: int = 4,
) -> Expiry:
    """Call for a key at a steady rate, while it is computed again and again in the background."""
    compute = _Counted(computation)

    def call() -> object:
        return cache.get_or_set("busy", compute, ttl, early=1)

    call()
    ends, pause = time.monotonic() + seconds, threads / rate

    def work() -> None:
        due = time.monotonic()
        while due < ends:
            begun = time.monotonic()
            call()
            compute.note(time.monotonic() - begun, limit)
            due += pause
            time.sleep(max(due - time.monotonic(), 0))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return compute.seen
