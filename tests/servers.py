"""Real servers for tests: each a process of its own, on a free port or on a unix socket.

    with memcached() as server:
        server.url, server.address

One context manager per kind of server. A server is ready when it is the started process that
answers, and it is ended whatever happens. A program that is not installed is an error, never a
reason to skip: a test that was skipped has shown nothing.

A new kind is a frozen dataclass and a context manager around `_running`, which takes the command
line for a free port, and a function that tells whether the process answers there.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

__all__ = [
    "Address",
    "Memcached",
    "Nutcracker",
    "ProgramMissing",
    "ServerFailed",
    "connection",
    "memcached",
    "nutcracker",
]

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""

_HOST = "127.0.0.1"
# Where distributions put servers, and an ordinary user's PATH does not look.
_MORE_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_ATTEMPTS = 5
_START_TIMEOUT = 20.0
_IO_TIMEOUT = 10.0
_POLL_INTERVAL = 0.005


class ProgramMissing(Exception):  # noqa: N818 - says what is the matter
    """A server's program is not installed."""


class ServerFailed(Exception):  # noqa: N818 - the same
    """A server did not start, or did not do as it was told."""


@dataclass(frozen=True)
class Memcached:
    """A running memcached."""

    address: Address
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The node URL."""
        if isinstance(self.address, str):
            return f"memcached://{self.address}"
        return "memcached://{}:{}".format(*self.address)

    def flush(self) -> None:
        """Empty it."""
        with connection(self.address) as sock, sock.makefile("rb") as replies:
            sock.sendall(b"flush_all\r\n")
            reply = replies.readline()
        if reply != b"OK\r\n":
            raise ServerFailed(f"memcached at {self.address} answered flush_all with {reply!r}")


@dataclass(frozen=True)
class Nutcracker:
    """A running nutcracker (twemproxy)."""

    config: Path
    process: subprocess.Popen[bytes]


@contextmanager
def memcached(path: Path | None = None) -> Iterator[Memcached]:
    """Run memcached on a free port, or on a unix socket at `path`."""

    def address(port: int) -> Address:
        return (_HOST, port) if path is None else str(path)

    def command(port: int) -> list[str]:
        place = ["-l", _HOST, "-p", f"{port}", "-U", "0"] if path is None else ["-s", f"{path}"]
        # It refuses to run as root unless told who to be. No other user may write to the folder.
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return ["memcached", *place, *user]

    def is_ready(port: int, pid: int) -> bool:
        return _memcached_pid(address(port)) == pid

    with _running(command, is_ready) as (port, process):
        yield Memcached(address(port), process)


@contextmanager
def nutcracker(config: Path, sockets: Sequence[Path]) -> Iterator[Nutcracker]:
    """Run nutcracker with a configuration file whose pools listen on these unix sockets."""

    def command(port: int) -> list[str]:
        pid_file = config.with_suffix(".pid")
        files = ["-c", f"{config}", "-o", "/dev/stderr", "-p", f"{pid_file}"]
        # Nobody asks for its statistics, but the port cannot be switched off.
        return ["nutcracker", *files, "-a", _HOST, "-s", f"{port}"]

    def is_ready(_port: int, _pid: int) -> bool:
        return all(_accepts(str(path)) for path in sockets)

    with _running(command, is_ready) as (_, process):
        yield Nutcracker(config, process)


@contextmanager
def _running(
    command: Callable[[int], Sequence[str]], is_ready: Callable[[int, int], bool]
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Start a process on a free port; again on another one if it ends before it is ready.

    Args:
        command: from a port to the command line.
        is_ready: from the port and the process id to whether that process answers.
    """
    with tempfile.TemporaryFile() as log:
        for _ in range(_ATTEMPTS):
            # Another process may take the port before ours does; ours ends, then.
            port = _free_port()
            with _process(command(port), log) as process:
                if _comes_up(process, partial(is_ready, port, process.pid)):
                    yield port, process
                    return
        raise ServerFailed(f"{process.args!r} ended at once:\n{_text(log)}")


@contextmanager
def _process(command: Sequence[str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    program, *arguments = command
    process = subprocess.Popen(
        [_installed(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        # There is nothing to save, and memcached takes a second to end when asked.
        process.kill()
        process.wait()


def _installed(program: str) -> str:
    folders = os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_FOLDERS])
    found = shutil.which(program, path=folders)
    if found is None:
        raise ProgramMissing(f"{program} is not installed; the tests need real servers, see README")
    return found


def _comes_up(process: subprocess.Popen[bytes], is_ready: Callable[[], bool]) -> bool:
    """Wait until the process is ready (True) or has ended (False)."""
    deadline = time.monotonic() + _START_TIMEOUT
    while process.poll() is None:
        if is_ready():
            return True
        if time.monotonic() > deadline:
            raise ServerFailed(f"{process.args!r} was not ready after {_START_TIMEOUT:g} s")
        time.sleep(_POLL_INTERVAL)
    return False


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((_HOST, 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def connection(address: Address) -> Iterator[socket.socket]:
    """An open socket, with a finite timeout."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(_IO_TIMEOUT)
        sock.connect(address)
        yield sock


def _accepts(address: Address) -> bool:
    try:
        with connection(address):
            return True
    except OSError:
        return False


def _memcached_pid(address: Address) -> int | None:
    """The process that answers there, so that a stranger on our port is not taken for ours."""
    try:
        with connection(address) as sock, sock.makefile("rb") as replies:
            sock.sendall(b"stats\r\n")
            for line in iter(replies.readline, b""):
                if line.startswith(b"STAT pid "):
                    return int(line.split()[2])
                if not line.startswith(b"STAT "):
                    return None
    except OSError:
        pass
    return None


def _text(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")
