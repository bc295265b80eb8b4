"""F11, F12: what is written to a node that has stopped, and may do it when it goes on."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.faults.beside import Read, numbers, reader_beside
from benchmarks.faults.fleets import POLLING, Opening
from benchmarks.faults.registers import Registers, in_threads
from benchmarks.faults.scenario import BOTH, KCACHE, Contender, Effort, Finding, Scenario
from tests.faults.nodes import fleet
from tests.servers import frozen

__all__ = ["SCENARIOS"]

_TIMEOUT = 0.25
_NODES, _THREADS = 2, 16
# Long enough for every first change to be over, or shorter than a call, too.
_ALL_LATE, _ANY_TIME = (0.8, 0.8), (0.02, 0.5)
_PATIENCE = 4.0
_PAUSE = 0.002
_PART = 0.4
_OPTIONS: dict[str, dict[str, Any]] = {
    KCACHE: {"namespace": "frozen"},
    # By default it leaves a node alone for a minute.
    "HashClient": {"dead_timeout": 1, "retry_attempts": 0},
    POLLING: {},
    f"{POLLING}, remove_failed": {"remove_failed": 1, "dead_timeout": 1},
}


class _Flaps:
    """A node that stops, and goes on, while keys are changed in threads.

    Args:
        registers: the keys.
        readers: of all that read them back, in this process and in another one.
        chance: of what is done.
        deletes: whether keys are deleted, too.
    """

    def __init__(
        self, registers: Registers, readers: list[Read], chance: random.Random, *, deletes: bool
    ) -> None:
        self._registers, self._readers = registers, readers
        self._chance, self._deletes = chance, deletes
        self._lock = threading.Lock()
        self.faults: Counter[str] = Counter()
        self.acknowledged = self.refused = self.checked = self.found = 0
        self._deadline = 0.0

    def once(self, server: Any, seconds: tuple[float, float]) -> None:
        """Change all keys while a node has stopped, and half of them again when it goes on."""
        keys = self._registers.keys
        self._deadline = time.monotonic() + _PATIENCE
        in_threads(partial(self._surely, self._registers.set), keys, _THREADS)
        self._deadline = time.monotonic() + seconds[1] + _PATIENCE
        changing = threading.Thread(target=in_threads, args=(self._change, keys, _THREADS))
        with frozen(server):
            changing.start()
            time.sleep(self._chance.uniform(*seconds))
        changing.join()
        self._check(keys)

    def _change(self, share: tuple[str, ...]) -> None:
        outcomes = [self._any_change(key) for key in share]
        with self._lock:
            self.acknowledged += sum(outcomes)
            self.refused += len(outcomes) - sum(outcomes)
        # Others stay as that has left them.
        self._surely(self._any_change, share[::2])

    def _any_change(self, key: str) -> bool:
        if self._deletes and self._chance.random() < _PART:
            return self._registers.delete(key)
        return self._registers.set(key)

    def _surely(self, change: Callable[[str], bool], share: tuple[str, ...]) -> None:
        for key in share:
            while not change(key) and time.monotonic() < self._deadline:
                time.sleep(_PAUSE)

    def _check(self, keys: tuple[str, ...]) -> None:
        """Read back, once writes to all nodes succeed, and their keys are found again."""
        in_threads(partial(self._surely, self._registers.set), keys[:: len(keys) // 40], 1)
        for read in self._readers:
            deadline = time.monotonic() + _PATIENCE
            while not self._sees(read, keys[:: len(keys) // 40]) and time.monotonic() < deadline:
                time.sleep(_PAUSE)
            found = read(keys)
            self.checked += len(keys)
            self.found += len(found)
            self.faults += self._registers.faults(found)

    @staticmethod
    def _sees(read: Read, keys: tuple[str, ...]) -> bool:
        return len(read(keys)) == len(keys)


def _flaps(contender: Contender, effort: Effort, *, keys: int, deletes: bool) -> Iterator[Finding]:
    chance = random.Random(effort.seed)  # noqa: S311 - the same each time
    options = _OPTIONS[contender.who]
    if contender.who == KCACHE and deletes:
        # Otherwise it says the same of what is not there and of what could not be deleted.
        options = {**options, "on_error": "raise"}
    with fleet(contender.node, _NODES) as servers:
        opening = Opening(contender.who, servers, _TIMEOUT, **options)
        client = opening()
        registers = Registers(contender.who, client, [f"key{i}" for i in range(keys)])
        with reader_beside(opening) as beside:
            readers: list[Read] = [partial(numbers, client), beside]
            flaps = _Flaps(registers, readers, chance, deletes=deletes)
            deadline = time.monotonic() + effort.seconds
            for turn in range(effort.count):
                server = servers[turn % _NODES]
                flaps.once(server, _ANY_TIME if deletes else _ALL_LATE)
                yield _found(flaps)
                if time.monotonic() > deadline:
                    break
        client.close()


def _found(flaps: _Flaps) -> Finding:
    readings = {
        "acknowledged at first": flaps.acknowledged,
        "refused at first": flaps.refused,
        "found, %": flaps.found * 100 / flaps.checked,
    }
    return Finding(flaps.checked, dict(flaps.faults), readings)


_PEERS = tuple(Contender(who, "memcached") for who in _OPTIONS if who != KCACHE)

SCENARIOS = (
    Scenario(
        "F11",
        "1 of 2 nodes stops, 1,000 keys are overwritten in 16 threads, it goes on, and half of "
        "them are overwritten again; timeout 250 ms",
        "keys read back by the same process and by another one",
        "0 older than what was acknowledged; 0 that were refused",
        partial(_flaps, keys=1000, deletes=False),
        Effort(5, 60),
        Effort(1, 5),
        (*BOTH, *_PEERS),
        120,
    ),
    Scenario(
        "F12",
        "50 times: 1 of 2 nodes stops, 400 keys are overwritten or deleted in 16 threads, it goes "
        "on, and half of them are again; timeout 250 ms",
        "keys read back by the same process and by another one",
        "0 that were deleted; 0 older than what was acknowledged; 0 that were refused",
        partial(_flaps, keys=400, deletes=True),
        Effort(50, 300),
        Effort(2, 5),
        (*BOTH, *_PEERS),
        420,
    ),
)
