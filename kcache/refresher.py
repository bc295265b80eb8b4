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
from kcache.policy import Task

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

    def ask(self, key: Hashable, task: Callable[[], Any]) -> None:
        """Have a task done by a thread in the background.

        Args:
            key: of what it computes.
            task: does nothing if another process does it already.
        """
        if not self._is_quiet(key) and self._busy < _MOST:
            self._quiet[key] = inf
            self._busy += 1
            try:
                start(self._do, (key, task), "kcache-refresh")
            except RuntimeError:
                # There are too many threads, or the interpreter ends.
                self._end(key)

    def hand_over(
        self, key: Hashable, task: Task, hook: Callable[[Task], object], seconds: float
    ) -> None:
        """Give a task to whoever does it, here or elsewhere.

        Args:
            key: of the value that is old.
            task: to compute another one.
            hook: that it is given to.
            seconds: until it may be given once more, if that value is still there then.
        """
        if self._is_quiet(key):
            return
        self._quiet[key] = monotonic() + seconds
        try:
            hook(task)
        except BaseException:
            self._quiet[key] = monotonic() + _PAUSE
            raise

    def _is_quiet(self, key: Hashable) -> bool:
        """Whether a key is left alone now."""
        now = monotonic()
        if self._quiet.get(key, 0.0) > now:
            return True
        if len(self._quiet) >= _REMEMBERED:
            self._forget_old(now)
        return False

    def _forget_old(self, now: float) -> None:
        """Forget what may be asked for again; or where that is little, all but what is computed."""
        listed = list(self._quiet.items())
        kept = {key: until for key, until in listed if until > now}
        if len(kept) > _REMEMBERED // 2:
            kept = {key: until for key, until in listed if until == inf}
        self._quiet = kept

    def here(self, key: Hashable, task: Callable[[], Any]) -> None:
        """Do what was handed over, after all in this process."""
        try:
            task()
        finally:
            self._quiet[key] = monotonic() + _PAUSE

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
