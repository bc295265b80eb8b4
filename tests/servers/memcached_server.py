"""memcached."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import BinaryIO

from tests.servers.certificates import Certificates
from tests.servers.connect import HOST
from tests.servers.process import running
from tests.servers.reachable import Reachable, place

__all__ = ["Memcached", "memcached"]


class Memcached(Reachable):
    """A running memcached."""

    schemes = ("memcached", "memcacheds", "memcached")

    def flush(self) -> None:
        """Empty it."""
        with self.connection() as sock, sock.makefile("rb") as replies:
            sock.sendall(b"flush_all\r\n")
            self.expect(replies, b"OK\r\n")

    def answering_pid(self) -> int | None:
        with self.connection() as sock, sock.makefile("rb") as replies:
            sock.sendall(b"stats\r\n")
            for line in iter(replies.readline, b""):
                if line.startswith(b"STAT pid "):
                    return int(line.split()[2])
                if not line.startswith(b"STAT "):
                    return None
        return None

    def log_in(self, sock: socket, replies: BinaryIO) -> None:
        words = f"{self.username} {self.password}".encode()
        # The key is of no importance.
        sock.sendall(b"set k 0 0 %d\r\n%b\r\n" % (len(words), words))
        self.expect(replies, b"STORED\r\n")


@contextmanager
def memcached(
    path: Path | None = None,
    *,
    port: int | None = None,
    username: str | None = None,
    password: str | None = None,
    tls: Certificates | None = None,
    options: Sequence[str] = (),
) -> Iterator[Memcached]:
    """Run memcached on a free port, on a given one, or on a unix socket.

    Args:
        path: of the unix socket, instead of a port.
        port: a fixed port.
        username: who must say the password before anything else; needs `password`.
        password: the user's; needs `username`. It is said in the text protocol alone.
        tls: encrypt; clients may show a certificate, and need none unless `options` say so.
        options: further words of the command line, as in `("-I", "2m")`.
    """
    if (username is None) != (password is None):
        raise ValueError("memcached takes a user name and a password, or neither")

    with tempfile.TemporaryDirectory() as temporary:
        secrets = Path(temporary) / "passwords"
        secrets.write_text(f"{username}:{password}\n", encoding="utf-8")
        login = [] if password is None else ["-Y", f"{secrets}"]
        # It refuses to run as root unless told who to be. No other user may write to the folder.
        user = ["-u", "root"] if os.geteuid() == 0 else []

        def command(port: int) -> list[str]:
            return ["memcached", *_where(path, port, tls), *login, *user, *options]

        def server(port: int, process: subprocess.Popen[bytes]) -> Memcached:
            return Memcached(place(path, port, tls), process, username, password, tls)

        with running(command, server, port) as started:
            yield started


def _where(path: Path | None, port: int, tls: Certificates | None) -> list[str]:
    if path is not None:
        return ["-s", f"{path}"]
    ports = ["-l", HOST, "-p", f"{port}", "-U", "0"]
    if tls is None:
        return ports
    files = f"ssl_chain_cert={tls.server},ssl_key={tls.server_key},ssl_ca_cert={tls.authority}"
    return [*ports, "-Z", "-o", files]
