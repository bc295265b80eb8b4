"""Nodes that carry out whole flows, one after the other, and count the round trips."""

from __future__ import annotations

from typing import Any

from kcache.command import Batch, Command
from kcache.flow import Flow
from kcache.known import Known
from kcache.namespace import Path
from kcache.namespaced import Namespaced
from tests.versions.client import System, legs_of, token_of
from tests.versions.world import EMPTY, Contents, act

__all__ = ["Fleet"]


class Fleet:
    """Two nodes: that of the keys that begin with "b", and that of "a".

    Args:
        kind: of both.

    Attributes:
        batches: the commands of each round trip, by node.
    """

    def __init__(self, kind: str) -> None:
        keys = [f"{letter}{number}" for letter in "ab" for number in ("", *range(50))]
        owners = {key: int(key[0] == "b") for key in keys}
        self.system = System(kind, (("p",), ("p", "c")), owners)
        self.contents: list[Contents] = [EMPTY, EMPTY]
        self.batches: list[dict[int, tuple[Command, ...]]] = []
        self._made = 0

    def process(self) -> list[Namespaced]:
        """The flows of a process that has just started: those of ("p",), and of ("p", "c")."""
        known = Known(2)
        return [self.system.flows(path, known, self._fresh) for path in self.system.paths]

    @property
    def paths(self) -> list[Path]:
        return self.system.paths

    def run(self, flow: Flow[Any]) -> Any:
        """What a flow returns; `batches` are those of this flow."""
        self.batches = []
        try:
            batch = next(flow)
            while True:
                batch = flow.send(self.answers(batch))
        except StopIteration as end:
            return end.value

    def answers(self, batch: Batch) -> dict[int, list[Any]]:
        """What the nodes answer to a batch."""
        if not batch:
            return {}
        legs = legs_of(self.system.kind, batch)
        self.batches.append({leg.node: leg.commands for leg in legs})
        answers = {}
        for leg in legs:
            replies = []
            for _, command in leg.steps:
                self.contents[leg.node], reply = act(
                    self.system.kind, self.contents[leg.node], command
                )
                replies.append(reply)
            answers[leg.node] = list(leg._replace(replies=tuple(replies)).answer())
        return answers

    def _fresh(self) -> bytes:
        self._made += 1
        return token_of(0, self._made)
