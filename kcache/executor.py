"""The executor: brings a flow to its end, batch by batch."""

from __future__ import annotations

from time import monotonic
from typing import TypeVar

from kcache.command import Answers
from kcache.flow import Flow
from kcache.protocols import Transport

__all__ = ["run"]

T = TypeVar("T")


def run(flow: Flow[T], transport: Transport) -> T:
    """Carry each batch of a flow to the nodes, and give it their answers.

    All of a flow has one deadline. An empty batch costs nothing.

    Returns:
        What the flow returns.
    """
    deadline = monotonic() + transport.timeout
    answers: Answers | None = None
    while True:
        # Nothing but the flow itself may end it: the transport stands outside.
        try:
            batch = next(flow) if answers is None else flow.send(answers)
        except StopIteration as end:
            result: T = end.value
            return result
        answers = transport.exchange(batch, deadline) if batch else {}
