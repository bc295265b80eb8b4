"""Processes that read and compute what is missing, while another one invalidates, and all goes on.

The order of what is true tells what is stale: a number that rises before each invalidation.
"""

from __future__ import annotations

import logging
import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kcache import Cache

__all__ = ["NAMESPACE", "Member", "Outages", "Place", "Rollout", "Seen", "invalidated"]

NAMESPACE = "fills"
TIMEOUT = 0.25
_KEYS = 50
_LIFE = 600
_LONGEST_COMPUTATION, _LONGEST_PAUSE = 0.004, 0.02
_PATIENCE = 60.0
# After so many seconds, of which one is for a node to be asked again, all know what it missed.
_TOLD, _AFTER = 1.5, 0.3
_PART = 0.1
_context: Any = multiprocessing.get_context("forkserver")
# What every child would import by itself.
_context.set_forkserver_preload(["benchmarks.faults.registry"])


@dataclass(frozen=True)
class Place:
    """A cache, as any process can open it.

    Attributes:
        urls: of the nodes.
        options: of the cache.
        offset: seconds that its clock goes before the time.
    """

    urls: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    offset: float = 0.0

    def open(self) -> Cache:
        """A cache of its own."""
        options: dict[str, Any] = {"namespace": NAMESPACE, "timeout": TIMEOUT, **self.options}
        if self.offset:
            options["clock"] = lambda: time.time() + self.offset
        return Cache(self.urls, **options)


Member = tuple[Place, ...]
"""What one process uses, step after step of a change."""


class Rollout:
    """Which step each process is asked to take, and which it has taken."""

    def __init__(self, members: int) -> None:
        self._wanted = _context.RawArray("i", members)
        self._reached = _context.RawArray("i", members)

    def wanted(self, number: int) -> int:
        """The step that a process should be at."""
        step: int = self._wanted[number]
        return step

    def reach(self, number: int, step: int) -> None:
        """A process is there, and uses nothing of the step before."""
        self._reached[number] = step

    def proceed(self, number: int, step: int, is_over: Callable[[], bool]) -> None:
        """Ask a process to take a step, and wait until it has."""
        self._wanted[number] = step
        while self._reached[number] != step and not is_over():
            time.sleep(0.001)


class Outages:
    """When a node was down for certain, and when it was back.

    Attributes:
        now: the outage that there is.
        back: when the last one ended, until that was seen.
        is_quiet: whether nothing is to be invalidated: whoever is told of nothing has to see by
            itself that a node has what is old.
    """

    def __init__(self) -> None:
        self.now: object | None = None
        self.back: float | None = None
        self.is_quiet = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """The node answers nobody while the block lasts. Then say when it `is_back`."""
        self.back, self.now = None, object()
        try:
            yield
        finally:
            self.now = None

    def is_back(self) -> None:
        """The node answers from now on."""
        self.back = None if self.is_quiet else time.monotonic()


@dataclass
class Seen:
    """What came of it.

    Attributes:
        reads: of all processes.
        faults: what must not happen.
        complete, incomplete: invalidations.
        returns: seconds from the return of a node until an invalidation was complete.
    """

    reads: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    complete: int = 0
    incomplete: int = 0
    returns: list[float] = field(default_factory=list)


Disturb = Callable[[threading.Event, Outages, Rollout], None]
"""Does what goes wrong until the event is set, in a thread of the process that invalidates."""


class _Process:
    """The cache of one process, which is opened anew at each step."""

    def __init__(self, member: Member, rollout: Rollout, number: int) -> None:
        self._member, self._rollout, self._number = member, rollout, number
        self._step = 0
        self._cache = member[0].open()

    def cache(self) -> Cache:
        """The cache of the step that it should be at."""
        wanted = self._rollout.wanted(self._number)
        if wanted != self._step:
            self._cache.close()
            self._cache = self._member[wanted % len(self._member)].open()
            self._step = wanted
            self._rollout.reach(self._number, wanted)
        return self._cache


class _Filler:
    """Reads one of some keys, and computes it if it is missing."""

    def __init__(self, source: Sequence[int], seed: int, **options: Any) -> None:
        self._source, self._options = source, options
        self.chance = random.Random(seed)  # noqa: S311 - no secret

    def _compute(self) -> int:
        now = self._source[0]
        time.sleep(self.chance.uniform(0, _LONGEST_COMPUTATION))
        return now

    def read(self, cache: Cache) -> int:
        key = f"key{self.chance.randrange(_KEYS)}"
        value: int = cache.get_or_set(key, self._compute, _LIFE, **self._options)
        return value


def _read(
    member: Member, shared: tuple[Any, Any, Any, Rollout], number: int, filling: dict[str, Any]
) -> None:
    logging.getLogger("kcache").setLevel(logging.CRITICAL)
    source, counts, stop, rollout = shared
    process, filler = _Process(member, rollout, number), _Filler(source, number, **filling)
    while not stop.is_set():
        cache = process.cache()
        acknowledged = source[1]
        value = filler.read(cache)
        counts[2 * number] += 1
        counts[2 * number + 1] += value < acknowledged


def invalidated(
    members: Sequence[Member], disturb: Disturb, seconds: float, seed: int, **filling: Any
) -> Seen:
    """Invalidate again and again, while other processes read and something goes wrong.

    Args:
        members: what the processes use; the last one is this process, which invalidates.
        disturb: what goes wrong.
        seconds: how long.
        seed: of the random numbers.
        **filling: options of `get_or_set`.
    """
    readers = len(members) - 1
    # What is true, and what was true when an invalidation was complete last.
    source, stop = _context.RawArray("q", 2), _context.Event()
    counts, rollout = _context.RawArray("q", 2 * readers), Rollout(len(members))
    shared = (source, counts, stop, rollout)
    processes = [
        _context.Process(target=_read, args=(member, shared, number, filling), daemon=True)
        for number, member in enumerate(members[:-1])
    ]
    for process in processes:
        process.start()
    try:
        seen = Seen()
        while not all(counts[::2]):
            time.sleep(0.01)
        with _disturbed(disturb, rollout) as outages:
            own = _Process(members[-1], rollout, readers)
            filler = _Filler(source, seed + readers, **filling)
            _Invalidator(own, filler, source, outages, seen).work(seconds)
        stop.set()
        for process in processes:
            process.join(_PATIENCE)
        seen.faults["processes that failed"] = sum(bool(each.exitcode) for each in processes)
    finally:
        for process in processes:
            process.kill()
    seen.reads += sum(counts[::2])
    seen.faults["stale"] = sum(counts[1::2])
    return seen


@contextmanager
def _disturbed(disturb: Disturb, rollout: Rollout) -> Iterator[Outages]:
    over, outages = threading.Event(), Outages()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            disturb(over, outages, rollout)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield outages
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]


@dataclass
class _Invalidator:
    """Invalidates, and reads what it has invalidated."""

    own: _Process
    filler: _Filler
    source: Any
    outages: Outages
    seen: Seen

    def work(self, seconds: float) -> None:
        """Go on for some time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            cache = self.own.cache()
            if self.outages.is_quiet:
                self._read(cache, self.source[1])
            elif not self._invalidate(cache) and self.filler.chance.random() < _PART:
                self._wait(cache)
            else:
                time.sleep(self.filler.chance.uniform(0, _LONGEST_PAUSE))

    def _invalidate(self, cache: Cache) -> bool:
        """Invalidate once; whether it was complete, or no node was down."""
        outages, seen = self.outages, self.seen
        down, self.source[0] = outages.now, self.source[0] + 1
        is_complete = cache.invalidate().complete
        if is_complete:
            seen.complete += 1
            seen.faults["complete with a node down"] += down is not None and outages.now is down
            self.source[1] = self.source[0]
            back, outages.back = outages.back, None
            if back is not None:
                seen.returns.append(time.monotonic() - back)
        else:
            seen.incomplete += 1
        # Complete or not, this process itself is not given what was there before.
        self._read(cache, self.source[0])
        return is_complete or down is None

    def _wait(self, cache: Cache) -> None:
        """Invalidate nothing until all have been told of what the node has missed."""
        while self.outages.now is not None:
            self._read(cache, self.source[0])
        begun = time.monotonic()
        while time.monotonic() < begun + _TOLD:
            self._read(cache, self.source[0])
        self.source[1], self.outages.back = self.source[0], None
        while time.monotonic() < begun + _TOLD + _AFTER:
            self._read(cache, self.source[0])

    def _read(self, cache: Cache, least: int) -> None:
        self.seen.reads += 1
        self.seen.faults["stale to the process itself"] += self.filler.read(cache) < least
