"""F6: reply streams as no server sends them."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

from benchmarks.faults.clients import served
from benchmarks.faults.scenario import Contender, Effort, Finding, Scenario, repeated
from kcache import Cache
from tests.faults.streams import through
from tests.faults.tally import EXPECTED, Tally, descriptors

__all__ = ["SCENARIOS"]

_CHUNK = 2500
# What a process may have grown by: the parser's limit is 64 MiB for one reply.
_GROWTH_MIB = 64


def _streams(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with (
        served(contender) as server,
        Cache([server.url]) as missing,
        Cache([server.url], on_error="raise") as raising,
    ):
        missing.set_many({key.replace(" ", "_"): value for key, value in EXPECTED.items()})

        def run(count: int, seed: int) -> Tally:
            return through((missing, raising)[seed % 2], contender.node, count, seed)

        run(min(_CHUNK, effort.count), effort.seed - 1)
        before, memory, begun = descriptors(), _memory(), time.monotonic()
        for tally in repeated(effort, _CHUNK, run):
            growth = _memory() - memory
            faults = tally.faults
            if growth > _GROWTH_MIB:
                faults["memory"] = 1
            if (lost := descriptors() - before - 2) > 0:
                faults["lost"] = lost
            rate = tally.rounds / (time.monotonic() - begun)
            yield Finding(tally.rounds, faults, {"MiB grown": growth, "a second": rate})


def _memory() -> float:
    """MiB that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


SCENARIOS = (
    Scenario(
        "F6",
        "lying server: reply streams that are cut, extra, swapped, doubled, of huge lengths",
        "streams",
        "no other key's value, only kcache's exceptions, <= 64 MiB grown, <= timeout + 50 ms",
        _streams,
        Effort(1_000_000, 900),
        Effort(500, 1),
        limit=1200,
    ),
)
