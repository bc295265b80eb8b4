"""Figure 2: an exception at every point of a call where CPython can deliver one.

CPython looks for signals and asynchronous exceptions at the entry of a function and after a call of
what is written in C. All such points in frames of kcache are counted, and the n-th raises, where
CPython would. It looks at backward jumps, too, but after one of these each time.
"""

from __future__ import annotations

import gc
import inspect
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from types import FrameType
from typing import Any

from kcache import Cache
from tests.faults.interruptions import Interrupted
from tests.faults.tally import Tally

__all__ = ["IN_A_NAMESPACE", "OPERATIONS", "Operation", "at_every_point", "at_point"]

_POINTS = ("call", "c_return")
_MOST = 20_000


@dataclass(frozen=True)
class Operation:
    """A call, and what "k" and "other" may hold after it was begun; they held 7 and "value"."""

    name: str
    call: Callable[[Any], object]
    after: tuple[object, ...]
    beside: tuple[object, ...] = ("value",)


_numbers = count()


def _cas(cache: Cache) -> object:
    found = cache.gets("k")
    return found is not None and cache.cas("k", 8, found[1])


def _filled(cache: Cache) -> object:
    cache.delete("l")
    # An interruption may leave a lease behind, which nobody is to wait for here.
    return cache.get_or_set("l", lambda: 8, wait=0, lock_ttl=1)


OPERATIONS: Sequence[Operation] = (
    Operation("get", lambda cache: cache.get("k"), (7,)),
    Operation("set", lambda cache: cache.set("k", 8), (7, 8)),
    Operation("set large", lambda cache: cache.set("k", "v" * 200_000), (7, "v" * 200_000)),
    Operation("delete", lambda cache: cache.delete("k"), (7, None)),
    Operation("get_many", lambda cache: cache.get_many(["k", "other", "none"]), (7,)),
    Operation("set_many", lambda cache: cache.set_many({"k": 8, "l": 9}), (7, 8)),
    Operation("incr", lambda cache: cache.incr("k"), (7, 8)),
    Operation("cas", _cas, (7, 8)),
    Operation("get_or_set", _filled, (7,)),
    Operation("touch", lambda cache: cache.touch("k", 100), (7,)),
    Operation(
        "get_or_set in a namespace",
        lambda cache: cache.namespace("points").get_or_set(f"{next(_numbers)}", int),
        (7,),
    ),
    Operation("invalidate", lambda cache: cache.namespace("points").invalidate(), (7,)),
)
IN_A_NAMESPACE: Sequence[Operation] = (
    *OPERATIONS[:-2],
    Operation("invalidate", lambda space: space.invalidate(), (7, None), ("value", None)),
)
"""Those of a cache that is in a namespace itself."""


class _Profiler:
    """Raises a signal at the n-th point."""

    def __init__(self, at: int, package: str) -> None:
        self._left = at
        self._package = package
        self.has_fired = False

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_flags & inspect.CO_GENERATOR:
            # One that is closed is entered, too, and CPython does not look there.
            return
        name = frame.f_globals.get("__name__", "")
        if event in _POINTS and not self.has_fired and name.startswith(self._package):
            self._left -= 1
            if self._left == 0:
                self.has_fired = True
                signal.raise_signal(signal.SIGUSR1)


def at_every_point(cache: Cache, operation: Operation, kind: type[BaseException]) -> Tally:
    """Run an operation again and again, each time interrupted at the next point."""
    total = Tally()
    for at in range(1, _MOST):
        tally = at_point(cache, operation, at, kind)
        if not tally.rounds:
            return total
        total.add(tally)
    raise AssertionError(f"{operation.name} does not end")


def at_point(
    client: Any, operation: Operation, at: int, kind: type[BaseException], package: str = "kcache"
) -> Tally:
    """Run an operation, interrupted at a point; no round if it has not as many of them.

    The points are those of a package, whose client has the calls of a cache.
    """

    def handler(_number: int, _frame: FrameType | None) -> None:
        raise kind

    tally = Tally()
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        client.set_many({"k": 7, "other": "value"})
        profiler = _Profiler(at, package)
        if not _is_interrupted(client, operation, profiler, kind):
            if not profiler.has_fired:
                return tally
            tally.swallowed += 1
        tally.rounds += 1
        _check(client, operation, tally)
    finally:
        signal.signal(signal.SIGUSR1, before)
    return tally


def _is_interrupted(
    client: Any, operation: Operation, profiler: _Profiler, kind: type[BaseException]
) -> bool:
    previous = sys.getprofile()
    # What is raised while generators of the turn before are collected is lost, in Python.
    gc.disable()
    try:
        sys.setprofile(profiler)
        operation.call(client)
    except kind:
        return True
    except Exception:
        # Clients wrap what they catch.
        if not profiler.has_fired:
            raise
    finally:
        sys.setprofile(previous)
        gc.enable()
    return False


def _check(client: Any, operation: Operation, tally: Tally) -> None:
    try:
        tally.wrong += client.get("k") not in operation.after
        tally.wrong += client.get("other") not in operation.beside
        tally.wrong += client.get("l") not in (8, 9, None)
        tally.wrong += client.get("none") is not None
        found = client.get_many(["other", "none"])
        tally.wrong += found.get("other") not in operation.beside or "none" in found
    except Interrupted:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, there is no reason for it
        tally.errors += 1
