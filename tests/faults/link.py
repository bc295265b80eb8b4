"""One connection through a proxy: two sockets, and a thread for each direction."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from tests.faults.acceptor import reset, wake
from tests.faults.rules import Direction, Rules

__all__ = ["Link"]


class Link:
    """Passes bytes on by the rules.

    Args:
        client: the socket towards the client.
        server: the socket towards the server.
        rules: what is done to the bytes.
        wait: lets seconds pass, or raises an `OSError` at the end of the proxy.
    """

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        rules: Rules,
        wait: Callable[[float], None],
    ) -> None:
        self._client = client
        self._server = server
        self._rules = rules
        self._wait = wait
        self._lock = threading.Lock()
        self._ended = False
        self._last: Direction | None = None
        self.round_trips = 0

    def run(self) -> None:
        """Pass bytes on until both sides have ended."""
        replies = (Direction.REPLIES, self._server, self._client)
        other = threading.Thread(target=self._pump, args=replies, name="replies")
        other.start()
        try:
            self._pump(Direction.REQUESTS, self._client, self._server)
        finally:
            other.join()

    def end(self, *, by_reset: bool) -> None:
        """End the connection now."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        if by_reset:
            # It is sent by the close, once both threads have come back, in place of a FIN.
            reset(self._client)
        wake(self._client, socket.SHUT_RD if by_reset else socket.SHUT_RDWR)
        wake(self._server, socket.SHUT_RDWR)
        self._rules.wake()

    def _pump(self, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        try:
            self._pass_on(direction, source, sink)
        except OSError:
            self.end(by_reset=False)

    def _pass_on(self, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        last_turn = passed = 0
        while data := source.recv(1 << 16):
            self._count(direction)
            rule, turn = self._rules.await_passage(direction, lambda: self._ended)
            if turn != last_turn:
                last_turn, passed = turn, 0
            if rule.delay:
                self._wait(rule.delay)
            data = data if rule.limit is None else data[: rule.limit - passed]
            sink.sendall(data)
            passed += len(data)
            if passed == rule.limit:
                self.end(by_reset=rule.reset)
                return
        if not self._ended:
            wake(sink, socket.SHUT_WR)

    def _count(self, direction: Direction) -> None:
        """Before the bytes are passed on, so that what they cause is counted after them."""
        with self._lock:
            if direction is Direction.REQUESTS and self._last is not direction:
                self.round_trips += 1
            self._last = direction
