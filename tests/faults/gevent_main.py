"""Figure 1 under gevent, which is to be told of before anything else is imported.

python -m gevent.monkey --module tests.faults.gevent_main URL ROUNDS SEED
"""

from __future__ import annotations

import os
import random
import sys

import gevent

from kcache import Cache, Namespace
from tests.faults.tally import EXPECTED, Tally, check, descriptors

_GREENLETS = 8
_LATEST = 600e-6


def interrupted(cache: Cache | Namespace, rounds: int, seed: int) -> Tally:
    """Calls with a gevent.Timeout around each."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    tally, keys = Tally(), tuple(EXPECTED)
    for turn in range(rounds):
        try:
            with gevent.Timeout(chance.uniform(1e-6, _LATEST)):
                while True:
                    cache.get(chance.choice(keys))
        except gevent.Timeout:
            tally.rounds += 1
        check(cache.get, tally, turn)
    return tally


def forked(cache: Cache) -> Tally:
    """Calls in a child, while greenlets of the parent are at work."""
    tally = Tally()
    child = os.fork()
    if child == 0:
        check(cache.get, tally, 0, 50)
        os._exit(1 if tally.faults else 0)
    check(cache.get, tally, 0, 50)
    tally.lost += os.waitpid(child, 0)[1] != 0
    return tally


def main(url: str, rounds: int, seed: int) -> Tally:
    """Many greenlets at once share the cache, every other one in a namespace."""
    cache = Cache([url], timeout=5)
    places = cache, cache.namespace("greenlets")
    for place in places:
        place.set_many(EXPECTED)
    before = descriptors()
    shares = [
        gevent.spawn(interrupted, places[i % 2], rounds // _GREENLETS, seed + i)
        for i in range(_GREENLETS)
    ]
    gevent.joinall(shares, raise_error=True)
    total = Tally()
    for share in shares:
        total.add(share.value)
    total.add(forked(cache))
    cache.close()
    total.lost += max(0, descriptors() - before)
    return total


if __name__ == "__main__":
    found = main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print(found)  # noqa: T201 - whoever started it reads this
    sys.exit(1 if found.faults else 0)
