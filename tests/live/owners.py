"""Which node has each key: as servers, the ring and the command line say. All by node name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from kcache import Ring
from tests.servers import Address, Memcached, connection

__all__ = ["by_command", "by_ring", "differing", "observed", "store"]

_BATCH = 100


def store(address: Address, keys: Sequence[str]) -> None:
    """Store every key through one memcached, or through a proxy."""
    with connection(address) as sock, sock.makefile("rb") as replies:
        for batch in _batches(keys):
            sock.sendall(b"".join(b"set %b 0 0 4\r\nhere\r\n" % key.encode() for key in batch))
            assert [replies.readline() for _ in batch] == [b"STORED\r\n"] * len(batch)


def observed(servers: Mapping[str, Memcached], keys: Sequence[str]) -> dict[str, str]:
    """Ask every server which keys it holds; each key must be on one of them, and on one only."""
    holders: dict[str, list[str]] = {key: [] for key in keys}
    for name, server in servers.items():
        for key in _held(server, keys):
            holders[key].append(name)
    assert {key: names for key, names in holders.items() if len(names) != 1} == {}
    return {key: names[0] for key, names in holders.items()}


def _held(server: Memcached, keys: Sequence[str]) -> Iterator[str]:
    with connection(server.address) as sock, sock.makefile("rb") as replies:
        for batch in _batches(keys):
            sock.sendall(b"get %b\r\n" % b" ".join(key.encode() for key in batch))
            for line in iter(replies.readline, b"END\r\n"):
                word, key, _flags, size = line.split(b" ")
                assert word == b"VALUE"
                replies.read(int(size) + len(b"\r\n"))
                yield key.decode()


def by_ring(ring: Ring, keys: Sequence[str]) -> dict[str, str]:
    return {key: ring.node_for(key).name for key in keys}


def by_command(
    options: Sequence[str], keys: Sequence[str], *, as_arguments: bool = False
) -> dict[str, str]:
    """Ask `kcache locate`, with the keys on standard input or on the command line."""
    command = [sys.executable, "-m", "kcache", "locate", *options, "--json"]
    command += ["--", *keys] if as_arguments else ["-"]
    text = "" if as_arguments else "".join(f"{key}\n" for key in keys)
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    rows = json.loads(done.stdout)["keys"]
    assert [row["key"] for row in rows] == list(keys)
    return {row["key"]: row["node"] for row in rows}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    """How many keys have another owner."""
    assert one.keys() == other.keys()
    return sum(owner != other[key] for key, owner in one.items())


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[i : i + _BATCH] for i in range(0, len(keys), _BATCH))
