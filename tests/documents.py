"""The addresses that README and docs write, and the servers that stand for them in tests.

An example says `redis://127.0.0.1:6379`, since that is what a reader has. Where it is run, a
server is started, and its port takes the place of the one that is written: in the example, and in
the output that it shows. The ports have as many digits, so that tables keep their widths.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from tests.servers import memcached, redis

__all__ = ["Stage"]

_HOST = "127.0.0.1"
_WRITTEN = re.compile(r"(?<=127\.0\.0\.1:)[0-9]+\b|(?<= -p )[0-9]+\b")
_SERVERS: Mapping[str, Callable[..., Any]] = {"6379": redis, "6380": redis, "11211": memcached}
# Below the ports that the kernel gives to clients; those of 6379 are below those of 6380, so that
# sorting does not tell them from the written ones.
_PORTS = {
    "6379": range(6400, 8000),
    "6380": range(8000, 10_000),
    "11211": range(20_000, 32_768),
}


class Stage:
    """The servers of one document, each started when it is first named."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._ports: dict[str, str] = {}

    def played(self, text: str) -> str:
        """The text with the ports that there are instead of those that are written."""
        return _WRITTEN.sub(lambda found: self._port(found[0]), text)

    def close(self) -> None:
        """End the servers."""
        self._stack.close()
        self._ports.clear()

    def _port(self, written: str) -> str:
        if written not in _SERVERS:
            return written
        if written not in self._ports:
            port = _free_port(_PORTS[written])
            self._stack.enter_context(_SERVERS[written](port=port))
            self._ports[written] = f"{port}"
        return self._ports[written]


def _free_port(ports: range) -> int:
    # Not the generator that Hypothesis seeds: other runs of the tests would try the same ports.
    for port in random.SystemRandom().sample(ports, 100):
        with socket.socket() as sock:
            try:
                sock.bind((_HOST, port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
