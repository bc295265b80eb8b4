"""An entry that no call names: if it changes, a command came out of words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

from benchmarks.faults.clients import Server
from tests.servers import Memcached

__all__ = ["Canary", "watched"]

_SET = {
    True: (b"set canary 0 0 5\r\nalive\r\n", b"STORED\r\n"),
    False: (b"SET canary alive\r\n", b"+OK\r\n"),
}
_GET = {
    True: (b"get canary\r\n", b"VALUE canary 0 5\r\nalive\r\nEND\r\n"),
    False: (b"GET canary\r\n", b"$5\r\nalive\r\n"),
}


class Canary:
    """The entry, and a connection of its own to look at it."""

    def __init__(self, sock: socket, *, is_memcached: bool) -> None:
        self._sock, self._is_memcached = sock, is_memcached
        self._revive()

    def _revive(self) -> None:
        command, reply = _SET[self._is_memcached]
        self._sock.sendall(command)
        if self._sock.recv(100) != reply:
            raise AssertionError("the canary cannot be stored")

    def is_well(self) -> bool:
        """Whether it is as it was; if not, it is from now on."""
        command, reply = _GET[self._is_memcached]
        self._sock.sendall(command)
        # A reply of some bytes comes in one piece over loopback.
        well = self._sock.recv(1 << 16) == reply
        if not well:
            self._revive()
        return well


@contextmanager
def watched(server: Server) -> Iterator[Canary]:
    """Put a canary on a server."""
    with server.connection() as sock:
        yield Canary(sock, is_memcached=isinstance(server, Memcached))
