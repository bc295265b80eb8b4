"""A conversation with a real server, through the parsers alone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kcache.wire.incremental import Incremental
from kcache.wire.reply import INCOMPLETE

__all__ = ["Conversation"]

Parser = TypeVar("Parser", bound=Incremental[Any])


class Conversation(Generic[Parser]):
    """Sends bytes, and reads replies by receiving `size` bytes at most at a time."""

    def __init__(self, sock: socket.socket, parser: Parser, size: int) -> None:
        self._sock = sock
        self._size = size
        self.parser = parser

    def ask(self, *commands: bytes, replies: int | None = None) -> list[Any]:
        """Send commands at once and read as many replies."""
        self._sock.sendall(b"".join(commands))
        wanted = len(commands) if replies is None else replies
        found = [self.read(self.parser.next_reply) for _ in range(wanted)]
        assert self.parser.is_idle
        return found

    def read(self, take: Callable[[], Any]) -> Any:
        """Feed the parser until `take` gives something."""
        while (reply := take()) is INCOMPLETE:
            data = self._sock.recv(self._size)
            assert data, "the server has closed the connection"
            self.parser.feed(data)
        return reply

    def raw(self, command: bytes, ending: bytes) -> bytes:
        """Send a command; everything received up to an ending."""
        self._sock.sendall(command)
        data = b""
        while not data.endswith(ending):
            data += self._sock.recv(1 << 16)
        return data
