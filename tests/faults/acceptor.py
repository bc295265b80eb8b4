"""A listening socket in a thread, and a thread for each connection; all of them end at `close`."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.servers.connect import bound_socket

__all__ = ["Acceptor", "reset", "wake"]

_END_TIMEOUT = 10.0
# More than any test opens at once; a connection that finds the queue full waits for a second.
_BACKLOG = 1024
# SO_LINGER on, with no time: closing sends RST instead of FIN.
_AT_ONCE = struct.pack("ii", 1, 0)


class Acceptor:
    """Takes connections from its making to `close`.

    Args:
        serve: is called with each connection in a thread of its own; the connection is closed
            when it returns. An `OSError` there is the end of the connection and no more.
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._accepted = 0
        self._listener = bound_socket()
        self._listener.listen(_BACKLOG)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._accepting = threading.Thread(target=self._accept, name="accept")
        self._accepting.start()

    @property
    def accepted(self) -> int:
        """How many connections there have been."""
        return self._accepted

    @property
    def is_closing(self) -> bool:
        return self._closing.is_set()

    def wait(self, seconds: float) -> None:
        """Let time pass, unless everything is to end.

        Raises:
            ConnectionAbortedError: everything is to end.
        """
        if self._closing.wait(seconds):
            raise ConnectionAbortedError("the test is over")

    def track(self, sock: socket.socket) -> None:
        """A socket to wake at `close`, besides the accepted ones."""
        with self._lock:
            self._open.add(sock)
            if self.is_closing:
                wake(sock, socket.SHUT_RDWR)

    def forget(self, sock: socket.socket) -> None:
        """A socket that its thread is about to close."""
        with self._lock:
            self._open.discard(sock)

    def close(self) -> None:
        """End all connections and threads."""
        self._closing.set()
        # On Linux this wakes a thread that waits in accept(); closing would not.
        wake(self._listener, socket.SHUT_RDWR)
        _join(self._accepting)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                wake(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            _join(thread)

    def _accept(self) -> None:
        while not self.is_closing:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._accepted += 1
            thread = threading.Thread(target=self._run, args=(sock,), name=f"{self._accepted}")
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        with sock:
            self.track(sock)
            try:
                with suppress(OSError):
                    self._serve(sock)
            finally:
                self.forget(sock)


def wake(sock: socket.socket, how: int) -> None:
    """Shut a socket down, so that threads that wait for it go on."""
    with suppress(OSError):
        sock.shutdown(how)


def reset(sock: socket.socket) -> None:
    """Make the close of this socket a reset."""
    # It may be closed already.
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)


def _join(thread: threading.Thread) -> None:
    thread.join(_END_TIMEOUT)
    if thread.is_alive():
        raise TimeoutError(f"thread {thread.name} does not end")
