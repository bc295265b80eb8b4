"""Computations that a test holds up, threads that call them, and a clock that a test moves."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from tests.faults.tally import comes_true

__all__ = ["PATIENCE", "Caller", "Clock", "Computation"]

PATIENCE = 20.0
_NOTHING = object()


class Computation:
    """A factory that counts its calls, and gives one thing after the other.

    Args:
        *results: in turn; the last one again and again. What is an exception is raised.
        held: whether each call waits until the test lets it go.
    """

    def __init__(self, *results: Any, held: bool = False) -> None:
        self._results = results
        self.calls = 0
        self._counting = threading.Lock()
        self._begun, self._go = threading.Event(), threading.Event()
        if not held:
            self._go.set()

    def __call__(self) -> Any:
        with self._counting:
            result = self._results[min(self.calls, len(self._results) - 1)]
            self.calls += 1
        self._begun.set()
        assert self._go.wait(PATIENCE)
        if isinstance(result, BaseException):
            raise result
        return result

    def has_begun(self) -> bool:
        """Wait for the first call."""
        return self._begun.wait(PATIENCE)

    def let_go(self) -> None:
        self._go.set()


class Caller(threading.Thread):
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._value: Any = _NOTHING
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - told to whoever asks
            self._error = error

    def result(self) -> Any:
        """What the call gave; it raises what the call raised."""
        self.join(PATIENCE)
        if self._error is not None:
            raise self._error
        assert self._value is not _NOTHING, "it hangs"
        return self._value

    def error(self) -> BaseException | None:
        """What the call raised."""
        self.join(PATIENCE)
        return self._error

    def comes_to_wait(self) -> bool:
        """Wait until it waits for what somebody else computes."""
        return comes_true(self.is_waiting)

    def is_waiting(self) -> bool:
        """Whether it waits for what somebody else computes."""
        frame = sys._current_frames().get(self.ident or 0)  # noqa: SLF001 - nothing else tells
        while frame is not None:
            if frame.f_code.co_name == "_waited":
                return True
            frame = frame.f_back
        return False


class Clock:
    """Seconds, as a test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def __reduce__(self) -> str:
        raise TypeError("a clock of a test stays in its process")

    def go_on(self, seconds: float) -> None:
        self.now += seconds
