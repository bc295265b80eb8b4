"""redis-server."""

from __future__ import annotations

import re
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

__all__ = ["Redis", "redis"]


class Redis(Reachable):
    """A running redis-server."""

    schemes = ("redis", "rediss", "redis+unix")

    def flush(self) -> None:
        """Empty all its databases."""
        with self.connection() as sock, sock.makefile("rb") as replies:
            sock.sendall(_command("FLUSHALL"))
            self.expect(replies, b"+OK\r\n")

    def answering_pid(self) -> int | None:
        with self.connection() as sock, sock.makefile("rb") as replies:
            sock.sendall(_command("INFO"))
            size = re.fullmatch(rb"\$(\d+)\r\n", replies.readline())
            text = replies.read(int(size[1])) if size else b""
        found = re.search(rb"\r\nprocess_id:(\d+)\r\n", text)
        return int(found[1]) if found and b"\r\nloading:0\r\n" in text else None

    def log_in(self, sock: socket, replies: BinaryIO) -> None:
        sock.sendall(_command("AUTH", self.username or "default", self.password or ""))
        self.expect(replies, b"+OK\r\n")


@contextmanager
def redis(
    path: Path | None = None,
    *,
    port: int | None = None,
    username: str | None = None,
    password: str | None = None,
    tls: Certificates | None = None,
    folder: Path | None = None,
    options: Sequence[str] = (),
) -> Iterator[Redis]:
    """Run redis-server on a free port, on a given one, or on a unix socket.

    Args:
        path: of the unix socket, instead of a port.
        port: a fixed port.
        username: a user who may do everything; the default user may do nothing, then.
        password: the user's password, or the default user's.
        tls: encrypt; clients may show a certificate, and need none unless `options` say so.
        folder: holds `dump.rdb`, which is read at the start and written by SAVE and BGSAVE
            alone; without it, a folder that does not outlive the server.
        options: further words of the command line, as in `("--maxmemory", "2mb")`.
    """
    if username is not None and password is None:
        raise ValueError("a user needs a password")

    with tempfile.TemporaryDirectory() as temporary:

        def command(port: int) -> list[str]:
            keep = ["--save", "", "--dir", f"{folder or temporary}"]
            where = _where(path, port, tls)
            return ["redis-server", *where, *keep, *_users(username, password), *options]

        def server(port: int, process: subprocess.Popen[bytes]) -> Redis:
            return Redis(place(path, port, tls), process, username, password, tls)

        with running(command, server, port) as started:
            yield started


def _where(path: Path | None, port: int, tls: Certificates | None) -> list[str]:
    if path is not None:
        return ["--port", "0", "--unixsocket", f"{path}"]
    if tls is None:
        return ["--bind", HOST, "--port", f"{port}"]
    files = ["--tls-cert-file", f"{tls.server}", "--tls-key-file", f"{tls.server_key}"]
    files += ["--tls-ca-cert-file", f"{tls.authority}", "--tls-auth-clients", "optional"]
    return ["--bind", HOST, "--port", "0", "--tls-port", f"{port}", *files]


def _users(username: str | None, password: str | None) -> list[str]:
    if password is None:
        return []
    if username is None:
        return ["--requirepass", password]
    rights = ["~*", "&*", "+@all"]
    return ["--user", username, "on", f">{password}", *rights, "--user", "default", "off"]


def _command(*words: str) -> bytes:
    encoded = [word.encode() for word in words]
    bulks = [b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]
    return b"*%d\r\n%b" % (len(bulks), b"".join(bulks))
