"""Asking the nodes themselves, owners and others: the cache asks owners alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import click

from kcache.cache import DEFAULT_TIMEOUT
from kcache.command import Command, Refused, Reply
from kcache.errors import NodeError, NodeRefused
from kcache.memory import open_store
from kcache.net.transport import Transport
from kcache.node import Node

__all__ = ["Asker", "asking", "timeout_option"]

_LONGEST_TIMEOUT = 60.0


def _checked(_context: click.Context, _option: click.Parameter, seconds: float) -> float:
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise click.BadParameter(f"{seconds:g} is not above 0 and at most {_LONGEST_TIMEOUT:g}")
    return seconds


def timeout_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option that bounds its calls; it receives seconds as `timeout`."""
    return click.option(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=DEFAULT_TIMEOUT,
        show_default=True,
        callback=_checked,
        help="How long a call may take.",
    )(command)


class Asker:
    """Sends commands to nodes, each over a connection of its own."""

    def __init__(self, nodes: Sequence[Node], timeout: float) -> None:
        self._nodes = nodes
        self._transport = Transport(nodes, timeout, open_store)

    def ask(self, commands: Mapping[int, Sequence[Command]]) -> dict[int, list[Reply] | NodeError]:
        """Send to all at once; what each answered, or why it did not.

        Args:
            commands: by the place of the node among the nodes.
        """
        deadline = monotonic() + self._transport.timeout
        answers = self._transport.exchange(commands, deadline)
        return {index: self._read(index, answers[index]) for index in commands}

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _read(self, index: int, answer: list[Reply] | NodeError) -> list[Reply] | NodeError:
        """The answer; a refusal of any of the commands is one of all."""
        if not isinstance(answer, NodeError):
            for reply in answer:
                if isinstance(reply, Refused):
                    return NodeRefused(self._nodes[index], reply.text)
        return answer


@contextmanager
def asking(nodes: Sequence[Node], timeout: float) -> Iterator[Asker]:
    """An asker, closed at the end.

    Raises:
        ConfigurationError: the library for a kind of node is not installed.
    """
    asker = Asker(nodes, timeout)
    try:
        yield asker
    finally:
        asker.close()
