"""Threads that are started so that a signal's handler can do no harm to the start."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable

__all__ = ["start"]


def start(target: Callable[..., object], arguments: tuple[object, ...], name: str) -> None:
    """Run a function in a thread that nobody waits for.

    `Thread.start` breaks the thread that it has started if a handler raises in it. No handler
    runs in other threads than the first, so that another one, started in one step, calls it.

    Raises:
        RuntimeError: there are too many threads, or the interpreter ends.
    """
    thread = threading.Thread(target=target, args=arguments, daemon=True, name=name)
    _thread.start_new_thread(_start, (thread,))


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError:
        thread.run()
