"""Which program a node is, and its version, as far as it says."""

from __future__ import annotations

import re
import socket

from kcache.errors import NodeError
from kcache.net.opening import opener_of
from kcache.node import Node

__all__ = ["server_of"]

_QUESTIONS = {"redis": b"INFO server\r\n", "memcached": b"version\r\n"}
_PROGRAMS = (("Valkey", rb"\bvalkey_version:(\S+)"), ("Redis", rb"\bredis_version:(\S+)"))
_LONGEST = 1 << 16


def server_of(node: Node, timeout: float) -> str | None:
    """Name and version of a node's program; None where it does not say."""
    if node.kind not in _QUESTIONS:
        return None
    try:
        with opener_of(node)(node, timeout) as sock:
            sock.settimeout(timeout)
            return _asked(sock, node.kind)
    except (OSError, NodeError):
        return None


def _asked(sock: socket.socket, kind: str) -> str | None:
    sock.sendall(_QUESTIONS[kind])
    with sock.makefile("rb") as replies:
        line = replies.readline(_LONGEST)
        if kind == "memcached":
            found = re.fullmatch(rb"VERSION (\S+)\r\n", line)
            return f"memcached {_text(found[1])}" if found else None
        size = re.fullmatch(rb"\$([0-9]{1,5})\r\n", line)
        text = replies.read(int(size[1])) if size else b""
    for program, pattern in _PROGRAMS:
        if found := re.search(pattern, text):
            return f"{program} {_text(found[1])}"
    return None


def _text(version: bytes) -> str:
    return version.decode(errors="backslashreplace")
