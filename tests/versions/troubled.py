"""Nodes that refuse commands, or do not answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kcache.command import Command, Refused
from kcache.errors import NodeError, NodeUnavailable
from kcache.flow import Flow
from kcache.namespaced import Namespaced
from tests.versions.client import NODES
from tests.versions.fleet import Fleet

__all__ = ["DOWN", "FULL", "Fault", "Troubled"]

Fault = Callable[[Command, Sequence[Command]], Any]
"""From a command and all that are sent with it to another reply, or None for the right one."""

DOWN = NodeUnavailable(NODES[0], "it is down")
FULL = Refused("OOM command not allowed")


class Troubled:
    """Nodes of which one has a fault; what is not answered as it should be is not done.

    Args:
        kind: of the nodes.
    """

    def __init__(self, kind: str) -> None:
        self.fleet = Fleet(kind)

    def process(self) -> Namespaced:
        """The flows of a process that has just started."""
        return self.fleet.process()[1]

    def run(self, flow: Flow[Any], fault: Fault | None = None) -> Any:
        """What a flow returns, with a fault while it runs."""
        try:
            batch = next(flow)
            while True:
                answers: dict[int, Any] = {}
                for node, commands in batch.items():
                    answers[node] = self._answer(node, commands, fault)
                batch = flow.send(answers)
        except StopIteration as end:
            return end.value

    def _answer(self, node: int, commands: Sequence[Command], fault: Fault | None) -> Any:
        replies = []
        for command in commands:
            reply = None if fault is None else fault(command, commands)
            if isinstance(reply, NodeError):
                return reply
            if reply is None:
                (reply,) = self.fleet.answers({node: (command,)})[node]
            replies.append(reply)
        return replies

    @property
    def key(self) -> bytes:
        """The wire key of "a"."""
        return self.fleet.paths[1].place("a").key

    def value(self) -> Any:
        """What a process that has just started reads under "a"."""
        return self.run(self.process().get("a"))
