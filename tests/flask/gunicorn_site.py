"""gunicorn, with two workers of eight threads each."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.flask.gunicorn_app import noted
from tests.servers.connect import HOST
from tests.servers.process import running

__all__ = ["PLACES", "THREADS", "Answer", "Gunicorn", "gunicorn", "until"]

WORKERS, THREADS = 2, 8
PLACES = WORKERS * THREADS
"""Requests that are answered at the same time."""
_PATIENCE = 60.0
_POLL_INTERVAL = 0.01
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """What a client is given."""

    status: int
    text: str
    worker: int
    cache_status: str

    @property
    def json(self) -> dict[str, int]:
        """The numbers in it."""
        numbers: dict[str, int] = json.loads(self.text)
        return numbers


@dataclass(frozen=True)
class Gunicorn:
    """A running gunicorn.

    Attributes:
        port: that it listens on.
        process: its master.
        folder: where the app notes what happens.
    """

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    def get(self, path: str) -> Answer:
        """One request on a connection of its own.

        Raises:
            OSError, HTTPException: there was no answer.
        """
        connection = HTTPConnection(HOST, self.port, timeout=_PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            text = response.read().decode()
            headers = response.headers
            worker = int(headers.get("Worker", "0"))
            return Answer(response.status, text, worker, headers.get("Cache-Status", ""))
        finally:
            connection.close()

    def get_until_answered(self, path: str) -> Answer:
        """The same, again whenever the worker ends in the middle of it."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self.get(path)
            except (OSError, HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_INTERVAL)

    def is_ready(self) -> bool:
        """Whether it is a worker of this process that answers."""
        try:
            return self.get("/ready").json["master"] == self.process.pid
        except (OSError, HTTPException, ValueError, KeyError):
            return False

    def noted(self, name: str) -> list[int]:
        """The processes of the workers that noted something."""
        return [int(line) for line in noted(self.folder, name)]

    def go(self) -> None:
        """Let the computations end that wait."""
        (self.folder / "go").touch()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"it never came about: {holds}"
        time.sleep(_POLL_INTERVAL)


@contextmanager
def gunicorn(node: str, folder: Path, *, preload: bool) -> Iterator[Gunicorn]:
    """Run gunicorn with the app of `tests.flask.gunicorn_app`.

    Args:
        node: the URL of the cache's node.
        folder: where the app notes what happens; empty.
        preload: whether the app is made before the workers are forked.
    """
    # A worker takes no more connections than it has threads, and leaves the others to the other.
    options = [
        *("--worker-class", "gthread", "--workers", f"{WORKERS}", "--threads", f"{THREADS}"),
        *("--worker-connections", f"{THREADS}", "--keep-alive", "0", "--timeout", "120"),
        *("--chdir", f"{_ROOT}", "--env", f"NODE={node}", "--env", f"FOLDER={folder}"),
        *(["--preload"] if preload else []),
        "--no-control-socket",
    ]

    def command(port: int) -> list[str]:
        app = "tests.flask.gunicorn_app:create_app()"
        return [sys.executable, "-m", "gunicorn", "--bind", f"{HOST}:{port}", *options, app]

    def server(port: int, process: subprocess.Popen[bytes]) -> Gunicorn:
        return Gunicorn(port, process, folder)

    with running(command, server) as started:
        try:
            yield started
        finally:
            started.go()
            # Its workers end with it only if it is asked.
            started.process.send_signal(signal.SIGQUIT)
            started.process.wait(_PATIENCE)
