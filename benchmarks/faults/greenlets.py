"""F3 under gevent, which is to be told of before anything else is imported.

python -m gevent.monkey --module benchmarks.faults.greenlets URL ROUNDS SEED
"""

from __future__ import annotations

import random
import sys

import gevent

from kcache import Cache
from tests.faults.tally import EXPECTED, Get, Tally, check, descriptors

__all__ = ["main"]

_GREENLETS = 16
_LATEST = 2e-3
_PATIENCE = 10.0


def _read(get: Get, tally: Tally, start: int) -> None:
    """Call and check until killed; `GreenletExit` is no `Exception`, and so is counted nowhere."""
    while True:
        check(get, tally, start)
        start += 1


def _killed(get: Get, tally: Tally, rounds: int, seed: int) -> None:
    """Kill one of many greenlets after the other, and put a new one in its place."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    readers = [gevent.spawn(_read, get, tally, start) for start in range(_GREENLETS)]
    for turn in range(rounds):
        gevent.sleep(chance.uniform(0, _LATEST))
        place = chance.randrange(_GREENLETS)
        victim = readers[place]
        # One that was never switched to would be ended before its first call.
        readers[place] = gevent.spawn(_read, get, tally, turn)
        gevent.sleep(0)
        _end(victim, tally)
        tally.rounds += 1
        check(get, tally, turn)
    for reader in readers:
        _end(reader, tally)


def _end(victim: gevent.Greenlet, tally: Tally) -> None:
    victim.kill(timeout=_PATIENCE)
    if not victim.dead:
        tally.lost += 1
    elif not isinstance(victim.value, gevent.GreenletExit):
        tally.swallowed += 1


def main(url: str, rounds: int, seed: int) -> Tally:
    """The greenlets share a cache, whose connections are all gone in the end."""
    cache = Cache([url], timeout=5)
    cache.set_many(EXPECTED)
    before, tally = descriptors(), Tally()
    _killed(cache.get, tally, rounds, seed)
    cache.close()
    tally.lost += max(0, descriptors() - before)
    return tally


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
