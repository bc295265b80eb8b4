"""What may befall a server's process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.process import Running, ServerFailed

__all__ = ["frozen", "kill"]


@contextmanager
def frozen(server: Running) -> Iterator[None]:
    """Stop the process: the kernel still takes connections and bytes for it, nobody answers."""
    process = server.process
    process.send_signal(signal.SIGSTOP)
    try:
        if not _has_stopped(process):
            raise ServerFailed(f"{process.args!r} has ended, and cannot be frozen")
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _has_stopped(process: subprocess.Popen[bytes]) -> bool:
    """Wait until it has stopped (True) or ended; after the signal, threads go on for a bit."""
    if process.returncode is not None:
        return False
    # Whoever asks for the end of the process later must still be told.
    change = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return change is not None and change.si_code == os.CLD_STOPPED


def kill(server: Running) -> None:
    """End the process at once, as `kill -9` does, and wait until its port is free."""
    server.process.kill()
    server.process.wait()
