"""F23: how long entries live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from benchmarks.faults.clients import Client, opened, served
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario
from kcache import Cache
from tests.cache.places import memory_url
from tests.cache.test_ttl import STORES

__all__ = ["SCENARIOS"]

_DAY = 86_400
_LASTING = (2_592_000, 2_592_001, 3650 * _DAY)
_SHORT = (0.4, 1)
_TTLS = (None, 0, -1, *_SHORT, *_LASTING)
# memcached counts whole seconds; beyond 30 days, from a start that was rounded (docs/cache.md).
_SLACK = 2.0
_MONTH, _BEYOND = 30 * _DAY, 4.0
_MUST = (
    "never shorter than asked; the same within memcached's 2 s; never gone at once, never for ever"
)
_TURN = 0.01


def _left(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """What is left right after a store, for each ttl and way to store, in memory too."""
    counts: dict[str, int] = {}
    count, beyond, deadline = 0, 0.0, time.monotonic() + effort.seconds
    with served(contender) as server:
        caches = [Cache([url], timeout=20) for url in (server.url, memory_url())]
        while count < effort.count and time.monotonic() < deadline:
            for cache in caches:
                for store in STORES.values():
                    for ttl in _TTLS:
                        begun = time.monotonic()
                        store(cache, "k", ttl)
                        left = cache.ttl("k")
                        wrong = _judged(ttl, left, time.monotonic() - begun)
                        if wrong:
                            counts[wrong] = counts.get(wrong, 0) + 1
                        if ttl in _LASTING and left is not None and left != inf:
                            beyond = max(beyond, left - (ttl or 0))
                        count += 1
            yield Finding(count, dict(counts), {"longer by at most, s": beyond})
        for cache in caches:
            cache.close()


def _judged(ttl: float | None, left: float | None, passed: float) -> str:
    """What is wrong with a life, if anything is."""
    if ttl is None:
        return "" if left == inf else "not for ever"
    if ttl <= 0:
        return "" if left is None else "not gone"
    if left is None:
        return "gone at once" if passed < ttl else ""
    if left == inf:
        return "for ever"
    if left < ttl - passed - 0.01:
        return "shorter"
    return _longer(ttl, left)


def _longer(ttl: float, left: float) -> str:
    if left <= ttl + _SLACK + 0.01:
        return ""
    documented = ttl > _MONTH and left <= ttl + _BEYOND + 0.01
    return "beyond 30 days, longer by up to 4 s" if documented else "longer"


@dataclass
class _Entry:
    """A stored entry; when it was last seen, and first missed."""

    key: str
    ttl: float | None
    begun: float
    stored: float = 0.0
    seen: float = 0.0
    missed: float = 0.0

    def look(self, client: Client) -> None:
        asked = time.monotonic()
        if client.get(self.key) is not None:
            self.seen = asked
        elif not self.missed:
            self.missed = time.monotonic()

    @property
    def fault(self) -> str:
        """Judged by what is certain, however long calls took."""
        if self.ttl is None or self.ttl > max(_SHORT):
            return "gone at once" if self.missed else ""
        if self.ttl <= 0:
            return "not gone" if self.seen > self.stored + _SLACK else ""
        if self.missed and self.missed < self.begun + self.ttl:
            return "shorter"
        return "longer" if self.seen > self.stored + self.ttl + _SLACK else ""


def _lives(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Store, and read again and again until none of those that shall end can be there."""
    counts: dict[str, int] = {}
    refused, each = 0, max(1, effort.count // len(_TTLS))
    with served(contender) as server, opened(contender, server) as client:
        entries = []
        for number in range(each):
            for place, ttl in enumerate(_TTLS):
                entry = _Entry(f"k{number}.{place}", ttl, time.monotonic())
                try:
                    client.set(entry.key, "value", ttl)
                except Exception:  # noqa: BLE001 - peers don't take all of them
                    refused += 1
                    continue
                entry.stored = time.monotonic()
                entries.append(entry)
            # So that they are stored at all times of the second that servers count.
            time.sleep(1 / each)
        end = time.monotonic() + max(_SHORT) + _SLACK + 0.5
        while time.monotonic() < end:
            for entry in entries:
                entry.look(client)
            time.sleep(_TURN)
    for entry in entries:
        if entry.fault:
            name = f"{entry.fault} ({entry.ttl:,})" if entry.ttl is not None else entry.fault
            counts[name] = counts.get(name, 0) + 1
    yield Finding(len(entries), counts, {"refused": refused} if refused else {})


SCENARIOS = (
    Scenario(
        "F23",
        "ttls None, 0, -1, 0.4, 1, 2,592,000, 2,592,001, 10 years in seven ways to store, also in "
        "memory; what is left is asked at once. Documented: on memcached <= 2 s longer, beyond 30 "
        "days <= 4 s",
        "stores",
        _MUST,
        _left,
        Effort(20_000, 10),
        Effort(112, 1),
    ),
    Scenario(
        "F23",
        "the same ttls, entries read until 2 s after their end; those beyond 30 days are there",
        "entries",
        _MUST,
        _lives,
        Effort(400, 10),
        Effort(80, 1),
        (
            *BOTH,
            Contender("redis-py", "redis"),
            Contender("PooledClient", "memcached"),
            Contender("pylibmc", "memcached"),
            Contender("python-memcached", "memcached"),
        ),
        60,
    ),
)
