"""The way to the nodes for one namespace: past the guard, and with the mirror's share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic
from types import MappingProxyType
from typing import Any

from kcache.command import Answers, Batch, Command, Get, Gets, Identify, Ping, Ttl
from kcache.errors import NodeError, NodeRefused, NodeUnavailable
from kcache.guard import Guard
from kcache.mirror import Mirror

__all__ = ["Guarded", "changes", "is_unknown"]

_READS = (Get, Gets, Ttl, Ping, Identify)
_NONE: Mapping[int, Any] = MappingProxyType({})


class Guarded:
    """The way to the nodes for the flows of one namespace.

    Args:
        guard: of the cache.
        record: the namespace's own.
    """

    def __init__(self, guard: Guard, record: bytes) -> None:
        self.guard = guard
        self._record = record
        self.timeout = guard.transport.timeout

    def exchange(self, batch: Batch, deadline: float) -> Answers:
        """Carry a batch to its nodes, and their replies back; see `protocols.Transport`.

        A node that may have changed entries, and has not said so, is in arrears: what was sent may
        arrive at any time, and would bring back what is overwritten until then.
        """
        guard = self.guard
        if monotonic() >= guard.due:
            guard.look_soon()
        if guard.unsure and not guard.unsure.isdisjoint(batch):
            refused = guard.begin(batch, deadline)
            if not refused.keys().isdisjoint(batch):
                left = {index: batch[index] for index in batch if index not in refused}
                answers = self._carried(left, deadline) if left else {}
                return {**answers, **{index: refused[index] for index in batch if index in refused}}
        return self._carried(batch, deadline)

    def _carried(self, batch: Batch, deadline: float) -> Answers:
        guard = self.guard
        whole, mirrored = (batch, _NONE) if guard.mirror is None else guard.mirror.added(batch)
        answers = guard.transport.exchange(whole, deadline)
        # The other ring's owner keeps what it did not drop, even if it was asked nothing.
        missed = {
            index: answer
            for index, answer in answers.items()
            if isinstance(answer, NodeError)
            and (index in mirrored or (is_unknown(answer) and changes(batch[index])))
        }
        if missed:
            guard.missed(self._record, missed)
        return Mirror.removed(batch, answers, mirrored) if mirrored else answers

    def lost(self, index: int, error: NodeError) -> None:
        """A store on the direct path has failed."""
        if is_unknown(error):
            self.guard.missed(self._record, {index: error})


def is_unknown(error: NodeError) -> bool:
    """Whether a node that failed may have done what it was told, or may do it yet."""
    # Of one that is known to be down, nothing was asked; and one that refuses has not done it.
    return type(error) is not NodeUnavailable and not isinstance(error, NodeRefused)


def changes(commands: Iterable[Command]) -> bool:
    """Whether commands may change what a node holds."""
    return not all(isinstance(command, _READS) for command in commands)
