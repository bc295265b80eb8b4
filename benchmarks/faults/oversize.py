"""F25 and F28: values that are too large, that claim to be, and that grow when they are read."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from benchmarks.faults.clients import Client, opened, served
from benchmarks.faults.scenario import BOTH, Contender, Effort, Finding, Scenario
from kcache import Cache
from kcache.compress import MAX_SIZE
from tests.faults.bombs import bombs, store
from tests.faults.lying import lying

__all__ = ["SCENARIOS"]

_SIZE = 2 << 20
_CLAIM = 600_000_000
_MIB = 1 << 20
# memcached takes values of a megabyte; Redis is told to.
_LIMITS = {"redis": ("--proto-max-bulk-len", "1mb"), "memcached": ()}
_SOON = 0.1
_PATIENCE = 5.0


def _large(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """Peers have no options, as their users would write them first."""
    counts: Counter[str] = Counter()
    count, longest, deadline = 0, 0.0, time.monotonic() + effort.seconds
    with (
        served(contender, *_LIMITS[contender.node]) as server,
        opened(contender, server, bounded=False) as client,
    ):
        while count < effort.count and time.monotonic() < deadline:
            client.set("k", "old")
            # ASCII, which all clients take, and random, so that none of them makes it fit.
            value = os.urandom(_SIZE // 2).hex()
            counts["said to be stored"] += not _is_refused(client, value)
            begun = time.monotonic()
            _await(client)
            longest = max(longest, time.monotonic() - begun)
            counts.update(_after(client))
            count += 1
            shown = {name: times for name, times in counts.items() if times}
            yield Finding(count, shown, {"used again after, ms": longest * 1e3})


def _is_refused(client: Client, value: str) -> bool:
    """Peers that raise have said so, too; pylibmc and python-memcached give 0."""
    try:
        return not client.set("k", value)
    except Exception:  # noqa: BLE001 - each client has its own
        return True


def _await(client: Client) -> None:
    """Redis closes the connection, after which its node may be taken for dead for a while."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(Exception):
            client.set("again", "1")
            if client.get("again") == "1":
                client.delete("again")
                return
        time.sleep(0.001)


def _after(client: Client) -> Iterator[str]:
    """What is wrong once a value was too large."""
    try:
        if client.get("k") == "old":
            yield "old value"
        for i in range(5):
            client.set(f"step{i}", f"{i}")
            if client.get(f"step{i}") != f"{i}":
                yield "out of step"
    except Exception:  # noqa: BLE001 - each client has its own
        yield "out of step"


def _claimed(contender: Contender, effort: Effort) -> Iterator[Finding]:
    """A server that announces far more than it sends."""
    heads = {"redis": b"$%d\r\n", "memcached": b"VALUE k 16 %d\r\n"}
    told = heads[contender.node] % _CLAIM + b"x" * 1000
    faults: Counter[str] = Counter()
    slowest, peak = 0.0, 0.0
    with (
        lying(lambda _: [told]) as server,
        Cache([f"{contender.node}://127.0.0.1:{server.port}"]) as cache,
    ):
        for count in range(1, effort.count + 1):
            tracemalloc.start()
            begun = time.monotonic()
            faults["wrong"] += cache.get("k") is not None
            slowest = max(slowest, time.monotonic() - begun)
            peak = max(peak, tracemalloc.get_traced_memory()[1] / _MIB)
            tracemalloc.stop()
            faults["slow"] += time.monotonic() - begun > 0.5 + 0.05
            faults["memory"] += peak > 1
            shown = {name: times for name, times in faults.items() if times}
            yield Finding(count, shown, {"slowest, ms": slowest * 1e3, "MiB": peak})


def _bombs(contender: Contender, effort: Effort) -> Iterator[Finding]:
    faults: Counter[str] = Counter()
    slowest, most, count = 0.0, 0.0, 0
    deadline = time.monotonic() + effort.seconds
    with served(contender) as server, Cache([server.url], timeout=5) as cache:
        while count < effort.count and time.monotonic() < deadline:
            for bomb in list(bombs().values())[: effort.count]:
                store(server, bomb)
                begun = time.monotonic()
                faults["hit"] += "k" in cache
                seconds = time.monotonic() - begun
                peak = _peak(cache)
                slowest, most = max(slowest, seconds), max(most, peak / _MIB)
                faults["slow"] += seconds > _SOON
                # The bytes that were read are there in some copies, too.
                faults["memory"] += peak > 2 * MAX_SIZE + 8 * len(bomb)
                count += 1
            shown = {name: times for name, times in faults.items() if times}
            yield Finding(count, shown, {"slowest, ms": slowest * 1e3, "MiB": most})


def _peak(cache: Cache) -> int:
    """Bytes that one more read takes; it is slower than one that nobody looks at."""
    tracemalloc.start()
    try:
        _ = "k" in cache
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


SCENARIOS = (
    Scenario(
        "F25",
        "2 MiB where 1 MiB is the limit; no options",
        "stores",
        "False, old value not served, connection in step",
        _large,
        Effort(200, 8),
        Effort(3, 2),
        (
            *BOTH,
            Contender("redis-py", "redis"),
            Contender("PooledClient", "memcached"),
            Contender("pylibmc", "memcached"),
            Contender("python-memcached", "memcached"),
        ),
        60,
    ),
    Scenario(
        "F25",
        "a server that claims 600 MB; no options",
        "gets",
        "a miss, <= 1 MiB, <= timeout + 50 ms",
        _claimed,
        Effort(1000, 12),
        Effort(10, 2),
    ),
    Scenario(
        "F28",
        "stored bombs: zlib and zstd of zeros, depth 10,000, lengths of 2**32",
        "reads",
        f"a miss, memory <= 2x the limit of {MAX_SIZE >> 20} MiB and 8x what was read, <= 100 ms",
        _bombs,
        Effort(300, 20),
        Effort(6, 4),
    ),
)
