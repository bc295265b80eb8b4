"""An open socket to a node, made ready for short waits."""

from __future__ import annotations

import os
import socket
import ssl
import weakref
from _socket import socket as native_socket
from struct import pack

__all__ = ["WOULD_BLOCK", "Connection"]

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a send or receive raises that would have to wait."""

_open: weakref.WeakSet[Connection] = weakref.WeakSet()


class Connection:
    """A socket that is connected and authenticated.

    A native one, a plain socket of the operating system, waits in the kernel: `SO_RCVTIMEO` costs
    nothing, where `settimeout` costs a `poll()` for each call. TLS sockets, and those that gevent
    puts in the place of native ones, never block here; whoever has them polls.

    A connection that nobody refers to any more is closed. A child process closes all that it got
    from its parent: two processes that read from one would each get the other's replies.

    Args:
        sock: is owned from here on.
        timeout: of one wait in `send` or `recv`, in seconds, on native sockets. A signal whose
            handler returns makes the kernel begin anew.

    Attributes:
        is_native: whether `send` and `recv` may be used.
        is_used: whether an exchange went over it before.
        send: sends bytes, waiting until all have gone; returns how many did.
        recv: waits for bytes; returns at most so many, and none when the node has closed.
    """

    __slots__ = ("__weakref__", "_sock", "is_native", "is_used", "recv", "send")

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self.is_used = False
        self.is_native = isinstance(sock, native_socket) and not isinstance(sock, ssl.SSLSocket)
        if self.is_native:
            sock.settimeout(None)
            limit = pack("@ll", int(timeout), int(timeout % 1 * 1e6) or 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        else:
            sock.settimeout(0)
        self.send = sock.send
        self.recv = sock.recv
        _open.add(self)

    def fileno(self) -> int:
        """The descriptor; -1 once closed."""
        return self._sock.fileno()

    def send_now(self, data: memoryview) -> int:
        """Send what can go without waiting; how much did. It raises WOULD_BLOCK."""
        return self._sock.send(data, socket.MSG_DONTWAIT) if self.is_native else self.send(data)

    def recv_now(self, size: int) -> bytes:
        """Receive what is there. It raises WOULD_BLOCK."""
        return self._sock.recv(size, socket.MSG_DONTWAIT) if self.is_native else self.recv(size)

    def is_stale(self) -> bool:
        """Whether the node has closed it, or sent what nobody asked for."""
        try:
            self.recv_now(1)
        except WOULD_BLOCK:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Close it. Closed sockets stay closed."""
        self._sock.close()

    def __del__(self) -> None:
        # It is not there where the constructor was interrupted.
        sock = getattr(self, "_sock", None)
        if sock is not None:
            sock.close()


def _close_all() -> None:
    for connection in list(_open):
        connection.close()


os.register_at_fork(after_in_child=_close_all)
