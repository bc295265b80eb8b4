"""Blocking calls of a coroutine, off its event loop, and what they compute on it.

Each call has a thread. So many talk to nodes at the same time as there are slots; one that waits
for a coroutine that computes holds none. So a coroutine may make such calls itself, however many
of them wait already.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, CancelledError, Future, Task
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import wait
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["SLOTS", "Compute", "off_loop", "shared"]

T = TypeVar("T")
Compute: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]
"""Runs a coroutine on the event loop, for a thread that waits for it."""

SLOTS = 32
"""Threads that talk to nodes at the same time, for each event loop."""
# Seconds. A loop that has ended runs nothing and tells nobody.
_GLANCE = 1.0


@dataclass(eq=False)
class _Flight:
    """A computation that coroutines wait for."""

    task: Task[Any]
    waiting: int = 0


@dataclass(eq=False)
class _Loop:
    """What belongs to an event loop."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SLOTS))
    flights: dict[Hashable, _Flight] = field(default_factory=dict)


_loops: WeakKeyDictionary[AbstractEventLoop, _Loop] = WeakKeyDictionary()


async def off_loop(call: Callable[[Compute], T]) -> T:
    """Do a blocking call in a thread, with the context of the caller.

    Args:
        call: is given what runs coroutines on this loop.
    """
    loop = asyncio.get_running_loop()
    slots = _of(loop).slots
    await slots.acquire()
    job = _Job(loop, slots)
    try:
        Thread(target=copy_context().run, args=(job.run, call), daemon=True).start()
    except BaseException:
        job.free_slot()
        raise
    try:
        result: T = await job.result
    except CancelledError:
        job.cancel()
        raise
    return result


async def shared(name: Hashable, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine that is run once for all that wait for it at the same time.

    It is cancelled when nobody waits any more.

    Args:
        name: of what is computed.
        begin: makes the coroutine.
    """
    loop = asyncio.get_running_loop()
    flights = _of(loop).flights
    flight = flights.get(name)
    if flight is None:
        flight = flights[name] = _Flight(loop.create_task(begin()))
    flight.waiting += 1
    try:
        result: T = await asyncio.shield(flight.task)
    finally:
        flight.waiting -= 1
        if not flight.waiting:
            flight.task.cancel()
        if flights.get(name) is flight and (flight.task.done() or not flight.waiting):
            del flights[name]
    return result


class _Job:
    """A call in a thread."""

    def __init__(self, loop: AbstractEventLoop, slots: asyncio.Semaphore) -> None:
        self.result: Future[Any] = loop.create_future()
        self._loop = loop
        self._slots: asyncio.Semaphore | None = slots
        self._computation: ThreadFuture[Any] | None = None
        self._is_cancelled = False

    def run(self, call: Callable[[Compute], Any]) -> None:
        """Do the call; in the thread."""
        value: Any = None
        error: BaseException | None = None
        try:
            value = call(self._compute)
        except BaseException as raised:  # noqa: BLE001 - it is raised where the result is awaited
            error = raised
        # The loop may have been closed.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._finish, value, error)

    def _finish(self, value: Any, error: BaseException | None) -> None:
        self.free_slot()
        if self.result.done():
            return
        if error is None:
            self.result.set_result(value)
        elif isinstance(error, CancelledError):
            self.result.cancel()
        else:
            self.result.set_exception(error)

    def free_slot(self) -> None:
        """Let another call talk to nodes; in the loop."""
        if self._slots is not None:
            self._slots.release()
            self._slots = None

    def cancel(self) -> None:
        """End what is computed, or would be."""
        self._is_cancelled = True
        if self._computation is not None:
            self._computation.cancel()

    def _compute(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run a coroutine on the loop, and wait for it; in a thread."""
        coroutine = self._begin(make)
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise
        self._computation = future
        if self._is_cancelled:
            future.cancel()
        while not wait([future], timeout=_GLANCE).done:
            if self._loop.is_closed():
                raise CancelledError
        if future.cancelled():
            raise CancelledError
        return future.result()

    async def _begin(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self.free_slot()
        return await make()


def _of(loop: AbstractEventLoop) -> _Loop:
    found = _loops.get(loop)
    if found is None:
        found = _loops[loop] = _Loop()
    return found
