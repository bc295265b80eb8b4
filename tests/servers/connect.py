"""Where servers are, and sockets to them."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.certificates import Certificates

__all__ = ["HOST", "Address", "bound_socket", "connection", "free_port"]

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""

HOST = "127.0.0.1"
_IO_TIMEOUT = 10.0
# Below the ports that the kernel gives to clients: while a server is down, none of them may take
# its port, and none that tries to reach it there may be connected to itself.
_PORTS = range(20_000, 32_768)
_TRIES = 1000


@contextmanager
def connection(address: Address, tls: Certificates | None = None) -> Iterator[socket.socket]:
    """An open socket, with a finite timeout."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(_IO_TIMEOUT)
        sock.connect(address)
        if tls is None:
            yield sock
            return
        with tls.client_context().wrap_socket(sock, server_hostname=HOST) as encrypted:
            yield encrypted


def bound_socket() -> socket.socket:
    """A socket that holds a free port."""
    # Not the generator that Hypothesis seeds: other runs of the tests would try the same ports.
    for port in random.SystemRandom().sample(_PORTS, _TRIES):
        sock = socket.socket()
        try:
            sock.bind((HOST, port))
        except OSError:
            sock.close()
        else:
            return sock
    raise OSError("no port is free")


def free_port() -> int:
    with bound_socket() as sock:
        port: int = sock.getsockname()[1]
        return port
