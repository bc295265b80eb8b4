"""An open socket to a node, made ready for short waits."""

from __future__ import annotations

import os
import socket
import ssl
import weakref
from _socket import socket as native_socket
from time import monotonic

from kcache.interruption import is_of_handler

__all__ = ["WOULD_BLOCK", "Connection"]

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a send or receive raises that would have to wait."""

_open: dict[weakref.ref[Connection], socket.socket] = {}


class Connection:
    """A socket that is connected and authenticated.

    A native one, a plain socket of the operating system, can wait: by a `poll()` with a deadline,
    that signals do not put off, as they do with the kernel's own SO_RCVTIMEO. It is not waited for
    where nothing has to be, which `os.read` and `os.write` leave out. TLS sockets, and those that
    gevent puts in the place of native ones, never block here; whoever has them polls.

    A connection that nobody refers to any more is closed. A child process closes all that it got
    from its parent: two processes that read from one would each get the other's replies.

    Args:
        sock: is owned from here on.
        timeout: of one wait in `recv`, in seconds, on native sockets.

    Attributes:
        fd: the descriptor; -1 once closed. It is to be read anew for each use: a child that is
            forked by a signal's handler closes it between any two steps.
        is_native: whether `recv` may be used, and `os.write` on the descriptor.
        is_used: whether an exchange went over it before.
        used_at: when it was used last, on the clock `time.monotonic`.
        recv: waits for bytes; returns at most so many, and none when the node has closed.
        epoch: of its pool, when it was opened. A pool that drops its connections begins another.
    """

    __slots__ = ("__weakref__", "_sock", "epoch", "fd", "is_native", "is_used", "recv", "used_at")

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        # Held here, too: of what is left to the collector it ends everything in any order, and it
        # would warn of a socket that it came to before its connection.
        _open[weakref.ref(self, _close_socket)] = sock
        self._sock = sock
        self.epoch: object = None
        self.is_used = False
        self.used_at = monotonic()
        self.is_native = isinstance(sock, native_socket) and not isinstance(sock, ssl.SSLSocket)
        sock.settimeout(timeout if self.is_native else 0)
        self.fd = sock.fileno()
        self.recv = sock.recv

    def send_now(self, data: memoryview) -> int:
        """Send what can go without waiting; how much did. It raises WOULD_BLOCK."""
        return os.write(self.fd, data) if self.is_native else self._sock.send(data)

    def recv_now(self, size: int) -> bytes:
        """Receive what is there. It raises WOULD_BLOCK."""
        return os.read(self.fd, size) if self.is_native else self.recv(size)

    def is_stale(self) -> bool:
        """Whether the node has closed it, or sent what nobody asked for."""
        try:
            self.recv_now(1)
        except WOULD_BLOCK:
            return False
        except OSError as error:
            if is_of_handler(error):
                raise
        return True

    def close(self) -> None:
        """Close it. Closed sockets stay closed."""
        self.fd = -1
        self._sock.close()


def _close_socket(connection_of: weakref.ref[Connection]) -> None:
    _open.pop(connection_of).close()


def _close_all() -> None:
    for connection_of in list(_open):
        connection = connection_of()
        if connection is not None:
            connection.close()


os.register_at_fork(after_in_child=_close_all)
