"""A talk: one node's part of a batch, as bytes to send and bytes that come back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from kcache.command import HARMLESS, Command, Reply, Set

__all__ = ["Talk"]


class Talk(ABC):
    """Commands to one node, and its replies to them. No I/O: whoever has the socket moves bytes.

    Args:
        commands: of the batch; at least one.

    Attributes:
        commands: those of the batch.
        request: the bytes to send.
        replies: those to the commands, in order, when all have come.
    """

    __slots__ = ("commands", "replies", "request")

    def __init__(self, commands: Sequence[Command], request: bytes) -> None:
        self.commands = commands
        self.request = request
        self.replies: list[Reply] = []

    @property
    def is_harmless(self) -> bool:
        """Whether the request may be sent again."""
        return all(
            type(command) in HARMLESS and not (isinstance(command, Set) and command.once)
            for command in self.commands
        )

    @abstractmethod
    def receive(self, data: bytes) -> bool:
        """Take bytes that came; whether all replies are there, now.

        Raises:
            WireError: the bytes are no replies to these commands, or more than that. The
                connection is of no more use.
        """

    @abstractmethod
    def again(self) -> Self:
        """The same commands, to be said once more from the beginning."""

    @property
    @abstractmethod
    def missing(self) -> int:
        """So many bytes at least are still to come."""
