"""F29: an hour of 64 threads, while one exchange of a hundred fails."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from benchmarks.faults.clients import wrapped
from benchmarks.faults.failing import failing_proxies
from benchmarks.faults.flatness import watched_for
from benchmarks.faults.registers import Expected, Registers
from benchmarks.faults.scenario import BOTH, KCACHE, Contender, Effort, Finding, Scenario
from kcache import Cache, InvalidationIncomplete, NodeError
from tests.faults.nodes import fleet

__all__ = ["SCENARIOS"]

_TIMEOUT, _DELAY = 0.1, 0.3
_SHARE = 0.01
_NODES = 2
_THREADS, _KEYS_EACH = 64, 2
# With more calls a node would have failed all the time, and there would be nothing to read.
_LONGEST_PAUSE = 0.2
_AT_ONCE = 10
_BETWEEN_INVALIDATIONS = 2.0
_SET, _DELETE, _MANY = 0.35, 0.42, 0.55


class _Work:
    """Threads, each of which writes its own keys and reads those of all.

    Args:
        cache: that all of them use.
        seed: of the random numbers.
    """

    def __init__(self, cache: Cache, seed: int) -> None:
        self._cache, self._seed = cache, seed
        keys = [f"key{number}" for number in range(_THREADS * _KEYS_EACH)]
        self._registers = Registers(KCACHE, wrapped(KCACHE, cache), keys)
        # Numbers that had been written when an invalidation began which was complete later.
        self._dropped: Mapping[str, int] = dict.fromkeys(keys, 0)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def start(self) -> list[threading.Thread]:
        """All threads, and one that invalidates."""
        threads = [threading.Thread(target=self._run, args=(n,)) for n in range(_THREADS)]
        threads.append(threading.Thread(target=self._invalidate))
        for thread in threads:
            thread.start()
        return threads

    def stop(self) -> None:
        """Let them end."""
        self._over.set()

    def _run(self, number: int) -> None:
        chance = random.Random(self._seed + number)  # noqa: S311 - the same each time
        keys = self._registers.keys
        own = keys[number * _KEYS_EACH : (number + 1) * _KEYS_EACH]
        counts: Counter[str] = Counter()
        faults: Counter[str] = Counter()
        while not self._over.wait(chance.uniform(0, _LONGEST_PAUSE)):
            what = chance.random()
            counts["calls"] += 1
            if what < _DELETE:
                change = self._registers.set if what < _SET else self._registers.delete
                counts["changes"] += 1
                counts["refused"] += not change(chance.choice(own))
            else:
                some = chance.sample(keys, _AT_ONCE if what < _MANY else 1)
                counts["read"] += len(some)
                counts["found"] += self._read(some, faults)
        with self._lock:
            self.counts += counts
            self.faults += faults

    def _read(self, keys: list[str], faults: Counter[str]) -> int:
        """Read some keys, and say how many were there."""
        dropped = self._dropped
        expected = {key: self._registers.expected(key) for key in keys}
        found: Mapping[Any, Any] = {}
        try:
            if len(keys) > 1:
                found = self._cache.get_many(keys)
            else:
                value = self._cache.get(keys[0])
                found = {} if value is None else {keys[0]: value}
        except NodeError:
            return 0
        except Exception:  # noqa: BLE001 - that is what is counted
            faults["other exceptions"] += 1
            return 0
        for key, number in found.items():
            if fault := _fault(number, expected[key], dropped[key]):
                faults[fault] += 1
        return len(found)

    def _invalidate(self) -> None:
        while not self._over.wait(_BETWEEN_INVALIDATIONS):
            written = self._registers.written()
            with suppress(InvalidationIncomplete):
                self._cache.invalidate()
                self._dropped = written
                self.counts["invalidations"] += 1


def _fault(number: int, expected: Expected, dropped: int) -> str:
    return expected.fault(number) or ("invalidated, and read" if number <= dropped else "")


def _hour(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with (
        fleet(contender.node, _NODES) as servers,
        failing_proxies(
            [server.address for server in servers], share=_SHARE, delay=_DELAY, seed=effort.seed
        ) as ways,
        Cache(
            [f"{contender.node}://{way[0]}:{way[1]}" for way in ways],
            namespace="hour",
            timeout=_TIMEOUT,
            on_error="raise",
        ) as cache,
    ):
        work = _Work(cache, effort.seed)
        threads = work.start()
        with watched_for(effort.seconds) as flatness:
            time.sleep(effort.seconds)
        work.stop()
        for thread in threads:
            thread.join()
        faults = {**work.faults, **flatness.faults}
        counts = work.counts
        readings = {
            "changes refused, %": counts["refused"] * 100 / counts["changes"],
            "reads found, %": counts["found"] * 100 / counts["read"],
            "complete invalidations": counts["invalidations"],
            **flatness.readings,
        }
        yield Finding(counts["calls"], faults, readings)


SCENARIOS = (
    Scenario(
        "F29",
        "64 threads write, delete, read and invalidate on 2 nodes for 1 h, while 1 % of exchanges "
        "are reset or too late; timeout 100 ms",
        "calls",
        "no read gives what is older than what was acknowledged before it began, nor what was "
        "refused or invalidated; descriptors, threads and memory no more than in the middle",
        _hour,
        Effort(0, 3600),
        Effort(0, 5),
        BOTH,
        3800,
        at_once=True,
    ),
)
