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
from types import FrameType
from typing import Any

from kcache import Cache
from tests.faults.interruptions import Interrupted
from tests.faults.tally import Tally

__all__ = ["OPERATIONS", "Operation", "at_every_point"]

_POINTS = ("call", "c_return")
_MOST = 20_000


@dataclass(frozen=True)
class Operation:
    """A call, and what "k" may hold after it was begun; it held 7."""

    name: str
    call: Callable[[Cache], object]
    after: tuple[object, ...]


def _cas(cache: Cache) -> object:
    found = cache.gets("k")
    return found is not None and cache.cas("k", 8, found[1])


OPERATIONS: Sequence[Operation] = (
    Operation("get", lambda cache: cache.get("k"), (7,)),
    Operation("set", lambda cache: cache.set("k", 8), (7, 8)),
    Operation("set large", lambda cache: cache.set("k", "v" * 200_000), (7, "v" * 200_000)),
    Operation("delete", lambda cache: cache.delete("k"), (7, None)),
    Operation("get_many", lambda cache: cache.get_many(["k", "other", "none"]), (7,)),
    Operation("set_many", lambda cache: cache.set_many({"k": 8, "l": 9}), (7, 8)),
    Operation("incr", lambda cache: cache.incr("k"), (7, 8)),
    Operation("cas", _cas, (7, 8)),
    Operation("touch", lambda cache: cache.touch("k", 100), (7,)),
)


class _Profiler:
    """Raises a signal at the n-th point."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.has_fired = False

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_flags & inspect.CO_GENERATOR:
            # One that is closed is entered, too, and CPython does not look there.
            return
        name = frame.f_globals.get("__name__", "")
        if event in _POINTS and not self.has_fired and name.startswith("kcache"):
            self._left -= 1
            if self._left == 0:
                self.has_fired = True
                signal.raise_signal(signal.SIGUSR1)


def at_every_point(cache: Cache, operation: Operation, kind: type[BaseException]) -> Tally:
    """Run an operation again and again, each time interrupted at the next point."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        raise kind

    tally = Tally()
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        for at in range(1, _MOST):
            cache.set_many({"k": 7, "other": "value"})
            profiler = _Profiler(at)
            if not _is_interrupted(cache, operation, profiler, kind):
                tally.swallowed += profiler.has_fired
                if not profiler.has_fired:
                    return tally
            tally.rounds += 1
            _check(cache, operation, tally)
    finally:
        signal.signal(signal.SIGUSR1, before)
    raise AssertionError(f"{operation.name} does not end")


def _is_interrupted(
    cache: Cache, operation: Operation, profiler: _Profiler, kind: type[BaseException]
) -> bool:
    previous = sys.getprofile()
    # What is raised while generators of the turn before are collected is lost, in Python.
    gc.disable()
    try:
        sys.setprofile(profiler)
        operation.call(cache)
    except kind:
        return True
    finally:
        sys.setprofile(previous)
        gc.enable()
    return False


def _check(cache: Cache, operation: Operation, tally: Tally) -> None:
    try:
        tally.wrong += cache.get("k") not in operation.after
        tally.wrong += cache.get("other") != "value"
        tally.wrong += cache.get("none") is not None
        tally.wrong += cache.get_many(["other", "none"]) != {"other": "value"}
    except Interrupted:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, there is no reason for it
        tally.errors += 1
