"""The floor: bare sockets that send exact bytes, and receive until the reply is all there."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from tests.servers import Address

__all__ = ["Exchange", "ask", "ask_all", "open_sockets"]

Exchange = tuple[bytes, int]
"""A request, and the length of the reply in bytes."""
_CHUNK = 1 << 16


def open_sockets(addresses: Sequence[Address]) -> list[socket.socket]:
    """A blocking socket to each address, which wait no longer than they must."""
    sockets = []
    for address in addresses:
        sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        sock.connect(address)
        if not isinstance(address, str):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets.append(sock)
    return sockets


def ask(sock: socket.socket, exchange: Exchange) -> Callable[[], bytes]:
    """One request and its reply."""
    request, length = exchange

    def call() -> bytes:
        sock.sendall(request)
        data = sock.recv(_CHUNK)
        if len(data) < length:
            data = _rest(sock, data, length)
        return data

    return call


def ask_all(sockets: Sequence[socket.socket], exchanges: Sequence[Exchange]) -> Callable[[], None]:
    """A request to each socket, then the reply of each."""
    both = list(zip(sockets, exchanges, strict=True))

    def call() -> None:
        for sock, (request, _) in both:
            sock.sendall(request)
        for sock, (_, length) in both:
            received = len(sock.recv(_CHUNK))
            while received < length:
                received += len(sock.recv(_CHUNK))

    return call


def _rest(sock: socket.socket, data: bytes, length: int) -> bytes:
    pieces, received = [data], len(data)
    while received < length:
        pieces.append(sock.recv(_CHUNK))
        received += len(pieces[-1])
    return b"".join(pieces)
