"""F10: replies that do not come, or not to their end."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import MappingProxyType

from benchmarks.faults.clients import served
from benchmarks.faults.scenario import Contender, Effort, Finding, Scenario
from benchmarks.faults.spoiling import SPOILS, spoiled
from kcache import Cache
from tests.faults.tally import EXPECTED
from tests.servers.connect import bound_socket

__all__ = ["SCENARIOS"]

_TIMEOUT = 0.25
_SLACK = 0.05
_MS = 1e3
_CALLS = 2
"""In each round: one that meets the fault, and one after it."""
_TEXT = "".join(f"{i:04}" for i in range(100))
_NUMBER = 123_456_789
_SPACE = "photos"


def _right(found: object, value: object) -> bool:
    return found is None or found == value


def _get(cache: Cache) -> bool:
    return _right(cache.get("text"), _TEXT)


def _get_number(cache: Cache) -> bool:
    return _right(cache.get("number"), _NUMBER)


def _get_many(cache: Cache) -> bool:
    found = cache.get_many([*EXPECTED, "text"])
    expected = {**EXPECTED, "text": _TEXT}
    return all(expected[key] == value for key, value in found.items())


def _get_in_space(cache: Cache) -> bool:
    return _right(cache.namespace(_SPACE).get("text"), _TEXT)


def _set(cache: Cache) -> bool:
    """No reply comes whole, so that nobody can say that it is stored."""
    return not cache.set("other", _TEXT)


def _incr(cache: Cache) -> bool:
    """By nothing, since the counts of those whose replies were lost are not known."""
    return _right(cache.incr("number", 0), _NUMBER)


_OPERATIONS: Mapping[str, Callable[[Cache], bool]] = MappingProxyType(
    {
        "get": _get,
        "get of a number": _get_number,
        "get_many": _get_many,
        "get in a namespace": _get_in_space,
        "set": _set,
        "incr": _incr,
    }
)
"""Each says whether what came is right."""


class _Judge:
    """What calls came to."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._slowest, self._calls = 0.0, 0

    def judge(self, cache: Cache, operation: Callable[[Cache], bool]) -> None:
        """Call again and again."""
        for _ in range(_CALLS):
            begun = time.monotonic()
            try:
                self._counts["truncated"] += not operation(cache)
            except Exception:  # noqa: BLE001 - that is what is counted
                self._counts["exceptions"] += 1
            took = time.monotonic() - begun
            self._slowest = max(self._slowest, took)
            self._counts["slow"] += took > _TIMEOUT + _SLACK
            self._calls += 1

    @property
    def finding(self) -> Finding:
        """Up to now."""
        faults = {name: count for name, count in self._counts.items() if count}
        return Finding(self._calls, faults, {"slowest, ms": self._slowest * _MS})


def _rounds(effort: Effort) -> Iterator[Callable[[Cache], bool]]:
    """The operations in turns, until there were enough calls."""
    deadline, operations = time.monotonic() + effort.seconds, tuple(_OPERATIONS.values())
    for turn in range(effort.count // _CALLS):
        if turn >= len(operations) and time.monotonic() > deadline:
            return
        yield operations[turn % len(operations)]


def _spoiled(fault: str, contender: Contender, effort: Effort) -> Iterator[Finding]:
    """A cache of its own for each round, whose connection is open when its replies are spoiled."""
    judge = _Judge()
    with served(contender) as server, spoiled(server, effort.seed) as (way, spoiler):
        with Cache([server.url], timeout=5) as direct:
            direct.set_many({**EXPECTED, "text": _TEXT, "number": _NUMBER})
            direct.namespace(_SPACE).set("text", _TEXT)
        url = f"{contender.node}://127.0.0.1:{way.port}"
        for operation in _rounds(effort):
            with Cache([url], timeout=_TIMEOUT) as cache:
                if cache.namespace(_SPACE).get("text") != _TEXT:
                    # On a busy machine what is not spoiled may come too late, once in a while.
                    continue
                spoiler.spoil = SPOILS[fault]
                judge.judge(cache, operation)
                spoiler.spoil = None
            yield judge.finding


@contextmanager
def _full() -> Iterator[int]:
    """A port whose queue is full: connections to it neither fail nor come about."""
    with ExitStack() as stack:
        listener = stack.enter_context(bound_socket())
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(0)
            with suppress(BlockingIOError):
                sock.connect(listener.getsockname())
        yield listener.getsockname()[1]


def _unconnected(contender: Contender, effort: Effort) -> Iterator[Finding]:
    judge = _Judge()
    with _full() as port:
        for operation in _rounds(effort):
            with Cache([f"{contender.node}://127.0.0.1:{port}"], timeout=_TIMEOUT) as cache:
                judge.judge(cache, operation)
            yield judge.finding


_NAMES = {
    "blackhole": "no reply comes",
    "trickle": "a byte of a reply comes every 100 ms",
    "reset": "a reset in the middle of a reply",
    "half-close": "a half-close in the middle of a reply",
}
_LOAD = "; six kinds of calls, timeout 250 ms"
_MUST = "0 truncated values, 0 exceptions, <= timeout + 50 ms per call"

SCENARIOS = (
    Scenario(
        "F10",
        f"no connection comes about{_LOAD}",
        "calls",
        _MUST,
        _unconnected,
        Effort(240, 40),
        Effort(12, 1),
    ),
    *(
        Scenario(
            "F10",
            f"{name}{_LOAD}",
            "calls",
            _MUST,
            partial(_spoiled, fault),
            Effort(240 if fault in {"blackhole", "trickle"} else 4_000, 40),
            Effort(12, 1),
        )
        for fault, name in _NAMES.items()
    ),
)
