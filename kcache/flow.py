"""A flow: a call as a conversation with nodes, and what all of them share.

A flow is a generator. It yields a batch of commands for every round trip, and is sent what the
nodes answered. It touches no socket, no clock and no source of randomness, so that a test can
interleave several of them in any order. A node that fails ends a call on one key with its
NodeError; a call on many keys goes on with the other nodes, and raises at its end, if the user
wants to know.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from kcache.command import Answers, Batch, Command, Flush, Item, Refused, Reply
from kcache.errors import DecodeError, NodeError, NodeRefused
from kcache.node import Node

__all__ = ["LARGE", "MAX_COUNT", "MAX_VALUE", "MISSING", "Flow", "Flows", "fitting", "together"]

T = TypeVar("T")
Flow: TypeAlias = Generator[Batch, Answers, T]

MAX_VALUE: Final = 64 * 2**20
"""Bytes. No node would give back more: the parsers refuse it."""
LARGE: Final = 2**18
"""Bytes. A node may end the connection over a value as large as that, instead of refusing it."""
MAX_COUNT: Final = 2**63 - 1

MISSING: Final = object()
"""Stands for no value, where None is one."""


class Flows:
    """What flows do with the answers of nodes.

    Args:
        nodes: by their indexes in batches.
        strict: whether calls on many keys raise where a node failed.

    Attributes:
        unreadable: is told of wire keys whose entries cannot be read, and why.
    """

    def __init__(self, nodes: Sequence[Node], *, strict: bool) -> None:
        self._nodes = nodes
        self._strict = strict
        self.unreadable: Callable[[bytes, DecodeError], None] = _ignore

    def flush(self) -> Flow[bool]:
        """Empty all nodes; whether all did."""
        answers = yield {index: (Flush(),) for index in range(len(self._nodes))}
        failures: list[NodeError] = []
        for index in answers:
            self._reply(index, answers, failures)
        self._report(failures)
        return not failures

    def _ask(self, index: int, command: Command) -> Flow[Reply]:
        """One command to one node; it raises NodeError."""
        failures: list[NodeError] = []
        answers = yield {index: (command,)}
        reply = self._reply(index, answers, failures)
        if failures:
            raise failures[0]
        return reply

    def _reply(self, index: int, answers: Answers, failures: list[NodeError]) -> Reply:
        """The reply to the only command for a node; None after a failure, which is noted."""
        replies = self._replies(index, answers, failures)
        return None if replies is None else replies[0]

    def _replies(
        self, index: int, answers: Answers, failures: list[NodeError]
    ) -> list[Reply] | None:
        """The replies of a node; None after a failure, which is noted."""
        replies = answers[index]
        if isinstance(replies, NodeError):
            failures.append(replies)
            return None
        for reply in replies:
            if isinstance(reply, Refused):
                failures.append(NodeRefused(self._nodes[index], reply.text))
                return None
        return replies

    def _refused(
        self,
        index: int,
        refused: Iterable[tuple[bytes, Refused]],
        items: Iterable[Item],
        failures: list[NodeError],
    ) -> list[bytes]:
        """The keys of the items that a node did not take. Too large a value is no failure."""
        wires = [wire for wire, data, _ in items if len(data) > MAX_VALUE]
        for wire, reply in refused:
            wires.append(wire)
            if not reply.is_too_large:
                failures.append(NodeRefused(self._nodes[index], reply.text))
        return wires

    def _report(self, failures: list[NodeError]) -> None:
        if failures and self._strict:
            raise failures[0]


def _ignore(_wire: bytes, _error: DecodeError) -> None:
    """Nobody wants to know."""


def fitting(items: Iterable[Item]) -> list[Item]:
    """The items that are not too large for any node."""
    return [item for item in items if len(item[1]) <= MAX_VALUE]


def together(flows: Sequence[Flow[T]]) -> Flow[list[T | NodeError]]:
    """Several flows as one, each round trip of all of them at once.

    Returns:
        What each of them returns, or the NodeError that it raises.
    """
    results: list[T | NodeError | None] = [None] * len(flows)
    answers: list[Answers | None] = [None] * len(flows)
    going = dict(enumerate(flows))
    while going:
        batches: dict[int, Batch] = {}
        for number, flow in list(going.items()):
            try:
                batches[number] = flow.send(answers[number])  # type: ignore[arg-type]  # the first
            except StopIteration as end:
                results[number] = end.value
                del going[number]
            except NodeError as error:
                results[number] = error
                del going[number]
        if batches:
            answers = _shared(batches, (yield _merged(batches)), len(flows))
    return results  # type: ignore[return-value]  # none is left


def _merged(batches: Mapping[int, Batch]) -> Batch:
    merged: dict[int, list[Command]] = {}
    for batch in batches.values():
        for index, commands in batch.items():
            merged.setdefault(index, []).extend(commands)
    return merged


def _shared(batches: Mapping[int, Batch], answers: Answers, count: int) -> list[Answers | None]:
    """The answers to each batch, from those to all of them."""
    shared: list[Answers | None] = [None] * count
    taken: dict[int, int] = {}
    for number, batch in batches.items():
        own: dict[int, list[Reply] | NodeError] = {}
        for index, commands in batch.items():
            replies, at = answers[index], taken.get(index, 0)
            taken[index] = at + len(commands)
            own[index] = (
                replies if isinstance(replies, NodeError) else replies[at : at + len(commands)]
            )
        shared[number] = own
    return shared
