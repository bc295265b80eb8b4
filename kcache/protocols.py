"""The seams: what can be put in the place of a part of kcache."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from kcache.command import Answers, Batch

__all__ = ["Codec", "Transport"]


@runtime_checkable
class Codec(Protocol):
    """Turns values into bytes and back.

    An attribute `tag`, an int from 16 to 255, names the codec in stored entries, so that none is
    ever given another's bytes; without one it is 255. What `decode` gives must equal what
    `encode` took, type included.

    A codec is shared by threads.
    """

    def encode(self, value: Any) -> bytes:
        """Give the bytes that `decode` makes `value` of.

        Raises:
            EncodeError: `value` is of a type that this codec does not take.
        """

    def decode(self, data: bytes) -> Any:
        """Give the value that was encoded. Stored bytes may be anything: trust none.

        Raises:
            DecodeError: `data` is nothing that `encode` gives. The entry is a miss, then.
        """


class Transport(Protocol):
    """Carries batches of commands to nodes.

    Attributes:
        timeout: of a whole call, in seconds.
    """

    timeout: float

    def exchange(self, batch: Batch, deadline: float) -> Answers:
        """Carry a batch to its nodes, and their replies back.

        A node that fails is an answer, and no exception.

        Args:
            batch: what to tell which node.
            deadline: on the clock `time.monotonic`.
        """
