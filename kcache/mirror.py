"""Two rings at once: what changes an entry also drops what the other ring's owner has of it.

While processes with an old and a new ring work side by side, an entry can be in two places. Whoever
changes it in one would leave the other as it was, for those who look there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from kcache.command import (
    Answers,
    Batch,
    Command,
    Count,
    CountIf,
    Delete,
    Reply,
    Set,
    SetIf,
    Swap,
)
from kcache.errors import NodeError
from kcache.namespace import is_entry

__all__ = ["Mirror", "Mirrored"]

Mirrored: TypeAlias = Mapping[int, frozenset[int]]
"""The nodes that were told to drop something, each with those whose commands it belongs to."""
_NOTHING: Mirrored = MappingProxyType({})


class Mirror:
    """Adds deletes to batches.

    Args:
        prefix: of the cache.
        owner_of: from a wire key to the index of its owner in the other ring.
    """

    def __init__(self, prefix: bytes, owner_of: Callable[[bytes], int]) -> None:
        self._prefix = prefix
        self._owner_of = owner_of

    def added(self, batch: Batch) -> tuple[Batch, Mirrored]:
        """A batch with the deletes that belong to it, each the last command of its node."""
        doomed: dict[int, dict[bytes, int]] = {}
        for index, commands in batch.items():
            for wire in _changed(commands):
                other = self._owner_of(wire) if is_entry(self._prefix, wire) else index
                if other != index:
                    doomed.setdefault(other, {})[wire] = index
        if not doomed:
            return batch, _NOTHING
        whole: dict[int, tuple[Command, ...]] = {i: tuple(each) for i, each in batch.items()}
        for other, wires in doomed.items():
            whole[other] = (*whole.get(other, ()), Delete(tuple(wires)))
        return whole, {other: frozenset(wires.values()) for other, wires in doomed.items()}

    @staticmethod
    def removed(batch: Batch, answers: Answers, mirrored: Mirrored) -> Answers:
        """The answers to the batch as it was. Where a delete failed, so has what it belongs to."""
        left: dict[int, list[Reply] | NodeError] = {index: answers[index] for index in batch}
        for other, sources in mirrored.items():
            answer = answers[other]
            if isinstance(answer, NodeError):
                left |= dict.fromkeys(sources, answer)
            elif other in batch:
                left[other] = answer[:-1]
        return left


def _changed(commands: Iterable[Command]) -> Iterator[bytes]:
    """The keys of what is stored or deleted."""
    for command in commands:
        if isinstance(command, Set):
            yield from (item[0] for item in command.items)
        elif isinstance(command, (SetIf, Swap)):
            yield command.item[0]
        elif isinstance(command, Delete):
            yield from command.keys
        elif isinstance(command, (Count, CountIf)):
            yield command.key
