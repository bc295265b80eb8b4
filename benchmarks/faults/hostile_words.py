"""F22: ttls, deltas, namespaces, and parts of node URLs that are made to be something else."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from benchmarks.faults.canary import watched
from benchmarks.faults.clients import Server, served
from benchmarks.faults.scenario import Contender, Effort, Finding, Scenario
from kcache import Cache, CacheError, Node
from tests.cache.test_hostile_keys import FRAGMENTS

__all__ = ["SCENARIOS"]

_NUMBERS: tuple[Any, ...] = (0, -1, 2**31, 2**63, -(2**63), 10**400, 1e300, float("nan"), True)
_KEPT = 500
# How many of the nodes are used, too.
_OPENED = 1 / 5
_PARTS = ("/{}", "/0?name={}", "?name={}", "?db={}", "?username={}", "?password={}", "?weight={}")


class _Words:
    """Words of every kind, and what comes of them."""

    def __init__(self, cache: Cache, server: Server, seed: int) -> None:
        self.cache, self.server = cache, server
        self.chance = random.Random(seed)  # noqa: S311 - the same each time
        self.crossed = self.refused = self.count = 0
        self.held: dict[tuple[bytes, ...], int] = {}
        self.recent: deque[tuple[bytes, ...]] = deque(maxlen=_KEPT)

    def word(self) -> bytes:
        """Bytes that no other turn has, most of the time."""
        fragment = self.chance.choice(FRAGMENTS)
        return self.chance.choice([fragment, fragment + b"%d" % self.count, self._noise()])

    def _noise(self) -> bytes:
        return self.chance.randbytes(self.chance.randrange(1, 40))

    def amount(self) -> Any:
        """What may stand where a number does."""
        word = self.word()
        some = (word, word.decode(errors="replace"), [word], self.chance.choice(_NUMBERS))
        return self.chance.choice((*some, self.chance.randint(-(2**70), 2**70)))

    def ttl(self) -> None:
        self.cache.set("ttl", self.count, self.amount())

    def delta(self) -> None:
        self.cache.set("n", 5)
        self.cache.incr("n", self.amount())

    def namespace(self) -> None:
        """An entry under one key in each; those before still have their own."""
        names = tuple(self.word() for _ in range(self.chance.randrange(1, 4)))
        space = self.cache.namespace(*names)
        self.crossed += space.get("k") != self.held.get(names)
        space.set("k", self.count)
        self.held[names] = self.count
        self.recent.append(names)
        kept = self.chance.choice(self.recent)
        self.crossed += self.cache.namespace(*kept).get("k") != self.held[kept]

    def node(self) -> None:
        """A URL is a node of this server, or refused."""
        word = self.word()
        text = quote(word) if self.chance.choice((True, False)) else word.decode(errors="replace")
        part = self.chance.choice(_PARTS).format(text)
        node = Node("{}{}".format(self.server.url.rstrip("/"), part))
        self.crossed += node.port != self.server.port
        if self.chance.random() < _OPENED:
            with Cache([node], timeout=5) as cache:
                cache.set("k", 1)


def _words(contender: Contender, effort: Effort) -> Iterator[Finding]:
    with (
        served(contender) as server,
        watched(server) as canary,
        Cache([server.url], timeout=5, on_error="raise") as cache,
    ):
        words = _Words(cache, server, effort.seed)
        turns: list[Callable[[], None]] = [words.ttl, words.delta, words.namespace, words.node]
        deadline, injected, errors = time.monotonic() + effort.seconds, 0, 0
        while words.count < effort.count and time.monotonic() < deadline:
            try:
                turns[words.count % len(turns)]()
            except (CacheError, TypeError):
                words.refused += 1
            except Exception:  # noqa: BLE001 - the others are for what is no error of the caller
                errors += 1
            words.count += 1
            injected += not canary.is_well()
        faults = {"injected": injected, "crossed": words.crossed, "errors": errors}
        shown = {name: times for name, times in faults.items() if times}
        yield Finding(words.count, shown, {"refused": words.refused})


SCENARIOS = (
    Scenario(
        "F22",
        "hostile ttls, deltas, namespaces, and paths, names and options in node URLs, a canary "
        "looked at after each",
        "words",
        "0 injections, 0 cross-key hits, only refusals",
        _words,
        Effort(100_000, 40),
        Effort(800, 2),
    ),
)
