"""What servers say of themselves: how much they hold, and how often they were asked in vain."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO

from kcache import CacheError, Node
from kcache.net.opening import opener_of

__all__ = ["NodeFacts", "facts_of"]

_MOST_AT_ONCE = 32
_LONGEST = 1 << 20


@dataclass(frozen=True)
class NodeFacts:
    """One server. What it does not say is None.

    Attributes:
        node: which one.
        error: why it says nothing; None if it does.
        server: program and version.
        keys: entries; on Redis in the database of the node's URL.
        memory: bytes in use.
        memory_limit: bytes at most; None for no limit.
        hits: since it was started, whoever asked.
        misses: the same.
        evictions: entries dropped for want of memory.
        uptime: seconds since it was started.
        policy: on Redis, what is dropped for want of memory.
    """

    node: Node
    error: str | None = None
    server: str | None = None
    keys: int | None = None
    memory: int | None = None
    memory_limit: int | None = None
    hits: int | None = None
    misses: int | None = None
    evictions: int | None = None
    uptime: int | None = None
    policy: str | None = None


def facts_of(nodes: Sequence[Node], timeout: float) -> list[NodeFacts]:
    """Ask all nodes at once.

    Args:
        nodes: to ask. Those in the process have nothing to say.
        timeout: of each wait, in seconds.
    """
    with ThreadPoolExecutor(min(len(nodes), _MOST_AT_ONCE)) as threads:
        return list(threads.map(lambda node: _facts(node, timeout), nodes))


def _facts(node: Node, timeout: float) -> NodeFacts:
    if node.kind not in _ASK:
        return NodeFacts(node)
    try:
        with opener_of(node)(node, timeout) as sock, sock.makefile("rb") as replies:
            sock.settimeout(timeout)
            return _ASK[node.kind](node, sock, replies)
    except TimeoutError:
        return NodeFacts(node, f"no answer within {timeout:g} s")
    except (CacheError, OSError) as error:
        return NodeFacts(node, getattr(error, "reason", None) or f"{error}")


def _redis(node: Node, sock: socket.socket, replies: IO[bytes]) -> NodeFacts:
    sock.sendall(b"INFO\r\n")
    line = replies.readline(_LONGEST)
    size = re.fullmatch(rb"\$([0-9]{1,6})\r\n", line)
    if size is None:
        return NodeFacts(node, _refusal(line))
    said = _pairs(rb"(?m)^([^#:\r\n]+):([^\r\n]*)", replies.read(int(size[1])))
    valkey, redis = said.get("valkey_version"), said.get("redis_version")
    held = re.match("keys=([0-9]+)", said.get(f"db{node.database or 0}", ""))
    return NodeFacts(
        node,
        server=f"Valkey {valkey}" if valkey else f"Redis {redis}" if redis else None,
        keys=int(held[1]) if held else 0,
        memory=_number(said, "used_memory"),
        memory_limit=_number(said, "maxmemory") or None,
        hits=_number(said, "keyspace_hits"),
        misses=_number(said, "keyspace_misses"),
        evictions=_number(said, "evicted_keys"),
        uptime=_number(said, "uptime_in_seconds"),
        policy=said.get("maxmemory_policy"),
    )


def _memcached(node: Node, sock: socket.socket, replies: IO[bytes]) -> NodeFacts:
    sock.sendall(b"stats\r\n")
    text, line = b"", replies.readline(_LONGEST)
    while line.startswith(b"STAT ") and len(text) < _LONGEST:
        text += line
        line = replies.readline(_LONGEST)
    if line != b"END\r\n":
        return NodeFacts(node, _refusal(line))
    said = _pairs(rb"(?m)^STAT (\S+) ([^\r\n]*)", text)
    return NodeFacts(
        node,
        server=f"memcached {said['version']}" if "version" in said else None,
        keys=_number(said, "curr_items"),
        memory=_number(said, "bytes"),
        memory_limit=_number(said, "limit_maxbytes"),
        hits=_number(said, "get_hits"),
        misses=_number(said, "get_misses"),
        evictions=_number(said, "evictions"),
        uptime=_number(said, "uptime"),
    )


def _refusal(line: bytes) -> str:
    said = line.decode(errors="backslashreplace").strip()
    return f"it does not say: {said}" if said else "it ended the connection"


def _pairs(pattern: bytes, text: bytes) -> dict[str, str]:
    found = re.findall(pattern, text)
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in found}


def _number(said: Mapping[str, str], name: str) -> int | None:
    text = said.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None


_ASK: Mapping[str, Callable[[Node, socket.socket, IO[bytes]], NodeFacts]] = MappingProxyType(
    {"redis": _redis, "memcached": _memcached}
)
