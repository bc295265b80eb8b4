"""F24: counters where they are missing, too low, too high, or none."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from benchmarks.faults.clients import Client, opened, served
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario

__all__ = ["SCENARIOS"]

_MOST = 2**63 - 1
_REFUSED = "refused"


def _counted(client: Client, method: str, delta: int) -> tuple[Any, Any]:
    """What a call gives, and what is there after it, both as text; None for nothing."""
    try:
        given = getattr(client, method)("n", delta)
    except Exception:  # noqa: BLE001 - each client has its own
        given = None
    try:
        there = client.get("n")
    except Exception:  # noqa: BLE001 - the same
        there = "unreadable"
    told = _REFUSED if given is None or given is False else f"{given}"
    return told, None if there is None else f"{there}"


def _turn(client: Client, chance: random.Random) -> Iterator[tuple[str, bool]]:
    """Each case, and whether it came out as on all of kcache's nodes."""
    delta, start = chance.randrange(1, 2**40), chance.randrange(2**40)
    client.delete("n")
    yield "missing", _counted(client, "incr", delta) == (_REFUSED, None)
    yield "missing", _counted(client, "decr", delta) == (_REFUSED, None)
    client.set("n", start)
    yield "below 0", _counted(client, "decr", start + delta) == ("0", "0")
    highest = _MOST - delta + 1
    client.set("n", highest)
    yield "overflow", _counted(client, "incr", delta) == (_REFUSED, f"{highest}")
    client.set("n", 2**64 - 1)
    yield "overflow", _counted(client, "incr", delta) == (_REFUSED, f"{2**64 - 1}")
    client.set("n", 100)
    yield "shorter", _counted(client, "decr", 1) == ("99", "99")
    client.set("n", "x")
    yield "non-number", _counted(client, "incr", delta) == (_REFUSED, "x")
    client.set("n", start)
    yield "exact", _counted(client, "incr", delta) == (f"{start + delta}",) * 2


def _counting(contender: Contender, effort: Effort) -> Iterator[Finding]:
    chance = random.Random(effort.seed)  # noqa: S311 - the same each time
    counts: Counter[str] = Counter()
    count, deadline = 0, time.monotonic() + effort.seconds
    with served(contender) as server, opened(contender, server) as client:
        while count < effort.count and time.monotonic() < deadline:
            for case, is_right in _turn(client, chance):
                counts[case] += not is_right
                count += 1
    yield Finding(count, {case: times for case, times in counts.items() if times})


SCENARIOS = (
    Scenario(
        "F24",
        "counters: missing, below 0, above 2**63 - 1, 100 - 1, no number",
        "counts",
        "the same: refused, 0, refused and unchanged, 99, refused and unchanged",
        _counting,
        Effort(8_000, 8),
        Effort(160, 1),
        (
            *BOTH,
            Contender("redis-py", "redis"),
            Contender("PooledClient", "memcached"),
            Contender("pylibmc", "memcached"),
            Contender("python-memcached", "memcached"),
        ),
        40,
    ),
)
