"""A talk: one node's part of a batch, as bytes to send and bytes that come back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from kcache.command import HARMLESS, Command, Reply, Set
from kcache.wire.reply import INCOMPLETE

__all__ = ["Talk"]


class Plan(Protocol):
    """How a command goes out, and what becomes of the replies to it."""

    @property
    def at_once(self) -> Callable[[bytes], Reply] | None:
        """Makes the reply of bytes, if they are all of it; INCOMPLETE otherwise."""


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

    def is_done_at_once(self, plans: Sequence[Plan], data: bytes) -> bool:
        """Whether the bytes are all of the reply to a single command, in the commonest form."""
        (plan, *others) = plans
        if others or plan.at_once is None:
            return False
        reply = plan.at_once(data)
        if reply is INCOMPLETE:
            return False
        self.replies.append(reply)
        return True

    @abstractmethod
    def again(self) -> Self:
        """The same commands, to be said once more from the beginning."""

    @property
    @abstractmethod
    def missing(self) -> int:
        """So many bytes at least are still to come."""
