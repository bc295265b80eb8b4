"""What a read may not give, where calls fail: the promises R2, R3 and R4 about one entry."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from kcache.flow import MISSING
from tests.versions.choices import Found

__all__ = ["Rules"]


@dataclass
class _Span:
    """A call: who made it, when it was made, when it came back, and with what."""

    process: int
    name: str
    value: Any
    began: int
    ended: int | None = None
    result: Any = None

    @property
    def is_done(self) -> bool:
        """Whether it came back, and did what it was to do."""
        return self.ended is not None and self.result is True

    def is_before(self, time: int) -> bool:
        """Whether what it stores was computed before a time."""
        return self.began < time if self.name == "fill" else (self.ended or time) < time


class Rules:
    """Follows the calls of all processes.

    A fill began when its lease was given, since its process computes from then on.

    Args:
        owners: the node of the entry, for each process.
    """

    def __init__(self, owners: Sequence[int]) -> None:
        processes = len(owners)
        self._owners = tuple(owners)
        self._now = 0
        self._spans: list[_Span] = []
        self._open: list[_Span | None] = [None] * processes
        self._leased = [0] * processes
        self._ready: list[tuple[int, int, int]] = []

    def called(self, process: int, name: str, value: Any) -> None:
        """A call begins."""
        span = _Span(process, name, value, self._tick())
        if name == "fill":
            span.began = self._leased[process]
        self._spans.append(span)
        self._open[process] = span

    def returned(self, process: int, result: Any) -> None:
        """A call comes back. It raises `Found` where it gives what it may not."""
        span = self._open[process]
        assert span is not None
        span.ended, span.result = self._tick(), result
        self._open[process] = None
        if span.name == "miss":
            self._leased[process] = span.ended
        if span.name == "get" and result is not MISSING:
            self._check(span)

    def ready(self, process: int, node: int) -> None:
        """A process has told a node what it missed."""
        self._ready.append((process, node, self._tick()))

    def end(self) -> None:
        """Everything came back."""
        if any(self._open):
            raise Found(f"it never comes back: {self._open}")

    def state(self) -> Hashable:
        """All that what comes later depends on."""
        return repr((self._spans, self._leased, self._ready))

    def _tick(self) -> int:
        self._now += 1
        return self._now

    def _check(self, read: _Span) -> None:
        (stored,) = (
            span for span in self._spans if span.value == read.result and span.name != "get"
        )
        if not stored.is_done and stored.ended is not None:
            told = self._told(stored.process, self._owners[stored.process], stored.ended)
            if told is not None and told < read.began:
                raise Found(f"{read} gives what was refused, after {stored}")
        for span in self._spans:
            if span.ended is None or span.ended > read.began or not stored.is_before(span.began):
                continue
            # With a value it is that of another namespace.
            is_of_this = span.name == "invalidate" and span.value is None
            if is_of_this and self._counts(span, read):
                raise Found(f"{read} gives what {span} has dropped: {stored}")
            # Where a store was refused, what was said of it may come yet.
            if span.name in ("set", "fill", "delete") and span.is_done and stored.is_done:
                raise Found(f"{read} gives what was overwritten by {span}: {stored}")

    def _counts(self, invalidation: _Span, read: _Span) -> bool:
        """Whether an invalidation counts for a read: it was complete, or the reader knows of it."""
        assert invalidation.ended is not None
        if invalidation.result is True or invalidation.process == read.process:
            return True
        owner = self._owners[read.process]
        told = self._told(invalidation.process, owner, invalidation.ended)
        if told is not None and told < read.began:
            return True
        mine = [span for span in self._spans if span.process == read.process]
        if mine[0].began > invalidation.ended:
            return True
        return any(
            span.name == "look" and span.began > invalidation.ended and span.ended is not None
            for span in mine
        )

    def _told(self, process: int, node: int, after: int) -> int | None:
        """When a process has told a node what it missed, for the first time after something."""
        times = (at for who, where, at in self._ready if (who, where) == (process, node))
        return next((at for at in times if at > after), None)
