"""A real redis-server for tests, on a unix socket of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import ProgramMissing, ServerFailed

_START_TIMEOUT = 20.0
_POLL_INTERVAL = 0.005


@contextmanager
def redis_server() -> Iterator[Path]:
    """Run redis-server, which keeps nothing on disk; gives the path of its socket."""
    program = shutil.which("redis-server")
    if program is None:
        raise ProgramMissing("redis-server is not installed; the tests need real servers")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder]
        process = subprocess.Popen(
            [program, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            _wait(path, process)
            yield path
        finally:
            process.kill()
            process.wait()


def _wait(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(path):
            return
        time.sleep(_POLL_INTERVAL)
    raise ServerFailed(f"{process.args!r} did not come up")


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_START_TIMEOUT)
            sock.connect(str(path))
            sock.sendall(b"PING\r\n")
            return sock.recv(100) == b"+PONG\r\n"
    except OSError:
        return False
