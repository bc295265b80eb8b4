"""A conversation with a real server, through the parsers alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from kcache.wire.incremental import Incremental
from kcache.wire.reply import INCOMPLETE
from tests.servers import Address, _accepts, _running, connection

__all__ = ["Conversation", "memcached_with_password", "redis_server"]

_HOST = "127.0.0.1"


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


@contextmanager
def redis_server() -> Iterator[Address]:
    """Run redis-server on a free port; nothing is kept on disk."""

    def command(port: int) -> Sequence[str]:
        return ["redis-server", "--bind", _HOST, "--port", f"{port}", "--save", ""]

    with _running(command, _redis_is_ready) as (port, _):
        yield _HOST, port


@contextmanager
def memcached_with_password(folder: Path, user: str, password: str) -> Iterator[Address]:
    """Run memcached on a unix socket; it answers nobody who does not say who they are."""
    path = folder / "memcached.sock"
    secrets = folder / "passwords"
    secrets.write_text(f"{user}:{password}\n")

    def command(_port: int) -> Sequence[str]:
        run_as = ["-u", "root"] if os.geteuid() == 0 else []
        return ["memcached", "-s", f"{path}", "-Y", f"{secrets}", *run_as]

    with _running(command, lambda _port, _pid: _accepts(f"{path}")):
        yield f"{path}"


def _redis_is_ready(port: int, pid: int) -> bool:
    try:
        with connection((_HOST, port)) as sock, sock.makefile("rb") as replies:
            sock.sendall(b"INFO server\r\n")
            size = int(replies.readline()[1:])
            return b"process_id:%d\r\n" % pid in replies.read(size)
    except (OSError, ValueError):
        return False
