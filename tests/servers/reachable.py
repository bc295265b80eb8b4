"""What servers that keep keys have in common: where they are, and what they ask of clients."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socket import socket
from typing import BinaryIO, ClassVar
from urllib.parse import quote, urlencode

from tests.servers.certificates import Certificates
from tests.servers.connect import HOST, Address, connection
from tests.servers.process import ServerFailed

__all__ = ["Reachable", "place"]


@dataclass(frozen=True)
class Reachable:
    """A running server."""

    address: Address
    process: subprocess.Popen[bytes]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Certificates | None = None

    # The schemes of its URL: on a port, on a port with TLS, on a unix socket.
    schemes: ClassVar[tuple[str, str, str]]

    @property
    def port(self) -> int:
        """Its port; a server on a unix socket has none."""
        if isinstance(self.address, str):
            raise TypeError(f"{self.address} is a unix socket")
        return self.address[1]

    @property
    def url(self) -> str:
        """The node URL, with all that it takes to be let in."""
        plain, encrypted, unix = self.schemes
        options = {"username": self.username, "password": self.password}
        if self.tls is not None:
            files = {"ca": self.tls.authority, "cert": self.tls.client, "key": self.tls.client_key}
            options |= {name: f"{path}" for name, path in files.items()}
        if isinstance(self.address, str):
            base = f"{unix}://{quote(self.address)}"
        else:
            base = "{}://{}:{}".format(encrypted if self.tls else plain, *self.address)
        given = {name: value for name, value in options.items() if value is not None}
        return f"{base}?{urlencode(given)}" if given else base

    def is_ready(self) -> bool:
        """Whether it is this process that answers, and not a stranger in its place."""
        try:
            return self.answering_pid() == self.process.pid
        except (OSError, ServerFailed):
            return False

    def answering_pid(self) -> int | None:
        """The process that answers at the address, once it has all its keys."""
        raise NotImplementedError

    @contextmanager
    def connection(self) -> Iterator[socket]:
        """An open socket, with a finite timeout, past encryption and password."""
        with connection(self.address, self.tls) as sock, sock.makefile("rb") as replies:
            if self.password is not None:
                self.log_in(sock, replies)
            yield sock

    def log_in(self, sock: socket, replies: BinaryIO) -> None:
        """Say the name and the password."""
        raise NotImplementedError

    def expect(self, replies: BinaryIO, wanted: bytes) -> None:
        """Read a line, which must be this one."""
        reply = replies.readline()
        if reply != wanted:
            raise ServerFailed(f"{self.address} answered {reply!r}, not {wanted!r}")


def place(path: object, port: int, tls: Certificates | None) -> Address:
    """The address of a server that is given a path or a port."""
    if path is not None and tls is not None:
        raise ValueError("a server encrypts what goes through its port, not through a unix socket")
    return (HOST, port) if path is None else f"{path}"
