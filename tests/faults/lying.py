"""A server that answers what a test tells it to.

    with lying(lambda request: [b"$5\\r\\nhel", RESET]) as server:
        ...
        assert server.connections == 1

The script is given the bytes that a connection has received and not yet answered, each time some
come. It gives the steps to take; without any, the bytes are kept and given again with the next
ones, so that `[]` is silence.
"""

from __future__ import annotations

import enum
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.faults.acceptor import Acceptor, reset, wake

__all__ = ["CLOSE", "HALF_CLOSE", "RESET", "End", "Lying", "Script", "Step", "Trickle", "lying"]


class End(enum.Enum):
    """How a connection ends."""

    CLOSE = "close"
    RESET = "reset"
    # The other side reads the end, and may still write, which nobody answers.
    HALF_CLOSE = "half-close"


CLOSE, RESET, HALF_CLOSE = End


@dataclass(frozen=True)
class Trickle:
    """Send a byte, and each further one after an interval in seconds."""

    data: bytes
    interval: float


Step = bytes | Trickle | End
Script = Callable[[bytes], Iterable[Step]]


class Lying:
    """A running server.

    Args:
        script: what to answer; it is called in the thread of the connection.
        greeting: the steps to take before anything is received.
    """

    def __init__(self, script: Script, greeting: Iterable[Step] = ()) -> None:
        self.script = script
        """May be replaced; connections that are open follow."""
        self._greeting = tuple(greeting)
        self._acceptor = Acceptor(self._serve)

    @property
    def address(self) -> tuple[str, int]:
        return self._acceptor.address

    @property
    def port(self) -> int:
        return self.address[1]

    @property
    def connections(self) -> int:
        """How many there have been."""
        return self._acceptor.accepted

    def close(self) -> None:
        self._acceptor.close()

    def _serve(self, sock: socket.socket) -> None:
        if not self._take(self._greeting, sock):
            return
        unanswered = b""
        while data := sock.recv(1 << 16):
            unanswered += data
            steps = tuple(self.script(unanswered))
            if not self._take(steps, sock):
                return
            if steps:
                unanswered = b""

    def _take(self, steps: Iterable[Step], sock: socket.socket) -> bool:
        """Take steps; whether the connection goes on."""
        for step in steps:
            if isinstance(step, End):
                _end(sock, step)
                return False
            if isinstance(step, Trickle):
                self._trickle(sock, step)
            else:
                sock.sendall(step)
        return True

    def _trickle(self, sock: socket.socket, step: Trickle) -> None:
        for i in range(len(step.data)):
            if i:
                self._acceptor.wait(step.interval)
            sock.sendall(step.data[i : i + 1])


def _end(sock: socket.socket, how: End) -> None:
    if how is RESET:
        reset(sock)
        return
    # Before the close, which is a reset if something has come and was not read.
    wake(sock, socket.SHUT_WR)
    if how is HALF_CLOSE:
        while sock.recv(1 << 16):
            pass


@contextmanager
def lying(script: Script, greeting: Iterable[Step] = ()) -> Iterator[Lying]:
    """Run a server that follows a script, on a free port."""
    server = Lying(script, greeting)
    try:
        yield server
    finally:
        server.close()
