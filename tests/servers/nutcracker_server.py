"""nutcracker (twemproxy)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.connect import HOST, connection
from tests.servers.process import running

__all__ = ["Nutcracker", "nutcracker"]


@dataclass(frozen=True)
class Nutcracker:
    """A running nutcracker."""

    config: Path
    process: subprocess.Popen[bytes]
    sockets: tuple[Path, ...]

    def is_ready(self) -> bool:
        """Whether it listens on all its sockets, which nobody else has the paths of."""
        return all(_accepts(path) for path in self.sockets)


@contextmanager
def nutcracker(config: Path, sockets: Sequence[Path]) -> Iterator[Nutcracker]:
    """Run nutcracker with a configuration file whose pools listen on these unix sockets."""

    def command(port: int) -> list[str]:
        pid_file = config.with_suffix(".pid")
        files = ["-c", f"{config}", "-o", "/dev/stderr", "-p", f"{pid_file}"]
        # Nobody asks for its statistics, but the port cannot be switched off.
        return ["nutcracker", *files, "-a", HOST, "-s", f"{port}"]

    def server(_port: int, process: subprocess.Popen[bytes]) -> Nutcracker:
        return Nutcracker(config, process, tuple(sockets))

    with running(command, server) as started:
        yield started


def _accepts(path: Path) -> bool:
    try:
        with connection(f"{path}"):
            return True
    except OSError:
        return False
