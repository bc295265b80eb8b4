"""A server's process, from its start until it has ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Protocol, TypeVar

from tests.servers.connect import free_port

__all__ = ["ProgramMissing", "Running", "Server", "ServerFailed", "running"]

# Where distributions put servers, and an ordinary user's PATH does not look.
_MORE_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_ATTEMPTS = 5
_START_TIMEOUT = 20.0
_POLL_INTERVAL = 0.005


class ProgramMissing(Exception):  # noqa: N818 - says what is the matter
    """A server's program is not installed."""


class ServerFailed(Exception):  # noqa: N818 - the same
    """A server did not start, or did not do as it was told."""


class Running(Protocol):
    """What has a process."""

    @property
    def process(self) -> subprocess.Popen[bytes]: ...


class Server(Running, Protocol):
    """What is waited for."""

    def is_ready(self) -> bool:
        """Whether it is this process that answers."""


AnyServer = TypeVar("AnyServer", bound=Server)


@contextmanager
def running(
    command: Callable[[int], Sequence[str]],
    server: Callable[[int, subprocess.Popen[bytes]], AnyServer],
    port: int | None = None,
) -> Iterator[AnyServer]:
    """Start a process, and again if it ends before it is ready.

    Args:
        command: from a port to the command line.
        server: from the port and the process to the server, of which it is asked whether it is
            ready.
        port: the port; without it a free one, and another one at each attempt.
    """
    with tempfile.TemporaryFile() as log:
        for _ in range(_ATTEMPTS):
            # Another process may take the port before ours does; ours ends, then.
            chosen = free_port() if port is None else port
            with _process(command(chosen), log) as process:
                started = server(chosen, process)
                if _comes_up(started):
                    yield started
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


def _comes_up(server: Server) -> bool:
    """Wait until the server is ready (True) or its process has ended (False)."""
    deadline = time.monotonic() + _START_TIMEOUT
    process = server.process
    while process.poll() is None:
        if server.is_ready():
            return True
        if time.monotonic() > deadline:
            raise ServerFailed(f"{process.args!r} was not ready after {_START_TIMEOUT:g} s")
        time.sleep(_POLL_INTERVAL)
    return False


def _text(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")
