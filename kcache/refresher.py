"""Computing values again behind their callers: when it is asked for, and by whom it is done."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Hashable
from math import inf
from time import monotonic
from typing import Any

from kcache.net.background import start
from kcache.policy import Refresh

__all__ = ["Refresher"]

_MOST = 32
"""Threads that compute at the same time. Beyond that a value stays as it is a little longer."""
_PAUSE = 0.05
"""Seconds after which a key may be asked for again, when somebody else may be computing it."""
_REMEMBERED = 10_000
_log = logging.getLogger("kcache")
_all: weakref.WeakSet[Refresher] = weakref.WeakSet()


class Refresher:
    """Sees to it that a key is computed by one thread at a time, and not asked for too often."""

    def __init__(self) -> None:
        # By key until when it is left alone.
        self._quiet: dict[Hashable, float] = {}
        self._busy = 0
        _all.add(self)

    def ask(self, key: Hashable, task: Callable[[], Any], how: Refresh) -> None:
        """Have a task done in the background.

        Args:
            key: of what it computes.
            task: does nothing if another process does it already.
            how: as in `Policy`; `"caller"` is none of these.
        """
        now = monotonic()
        if self._quiet.get(key, 0.0) > now:
            return
        if len(self._quiet) >= _REMEMBERED:
            self._quiet = {each: until for each, until in list(self._quiet.items()) if until > now}
        if callable(how):
            self._quiet[key] = now + _PAUSE
            how(task)
        elif self._busy < _MOST:
            self._quiet[key] = inf
            self._busy += 1
            try:
                start(self._do, (key, task), "kcache-refresh")
            except RuntimeError:
                # There are too many threads, or the interpreter ends.
                self._end(key)

    def _do(self, key: Hashable, task: Callable[[], Any]) -> None:
        try:
            task()
        except Exception:  # noqa: BLE001 - nobody else would hear of it
            _log.exception("a value could not be computed again in the background")
        finally:
            self._end(key)

    def forget(self) -> None:
        """Be as new, in a child process: the threads stayed with the parent."""
        self._quiet = {}
        self._busy = 0

    def _end(self, key: Hashable) -> None:
        self._busy = max(self._busy - 1, 0)
        self._quiet[key] = monotonic() + _PAUSE


def _forget_all() -> None:
    for refresher in list(_all):
        refresher.forget()


os.register_at_fork(after_in_child=_forget_all)
