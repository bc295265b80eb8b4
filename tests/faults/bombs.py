"""Figure 28: stored bytes that are far larger, or deeper, than they look."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import cache

import zstandard

from kcache import frame
from kcache.compress import MAX_SIZE
from kcache.entry import FRAME_FLAGS
from tests.servers import Memcached, Redis

__all__ = ["bombs", "of_zeros", "store"]

_size = struct.Struct("<I")
_ZEROS = bytes(1 << 20)


@cache
def of_zeros() -> tuple[bytes, bytes]:
    """256 MiB of zeros, compressed in both ways."""
    deflate, zstd = zlib.compressobj(9), zstandard.ZstdCompressor().compressobj()
    deflated = [deflate.compress(_ZEROS) for _ in range(256)]
    packed = [zstd.compress(_ZEROS) for _ in range(256)]
    return b"".join((*deflated, deflate.flush())), b"".join((*packed, zstd.flush()))


@cache
def bombs() -> Mapping[str, bytes]:
    """By name. Made when they are asked for, since that takes a while."""
    deflated, packed = of_zeros()
    return {
        **{
            f"{name} as {number} of {size}": frame.pack(_size.pack(size) + data, 1, number)
            for number in range(1, 5)
            for name, data in (("zlib", deflated), ("zstd", packed))
            for size in (100, MAX_SIZE, 2**32 - 1)
        },
        "depth": frame.pack(b"\x91" * 10_000 + b"\xc0", 1),
        "tagged depth": frame.pack(b"\xc1" + b"\x91" * 10_000 + b"\xc0", 1),
        "length of bytes": frame.pack(b"\xc6\xff\xff\xff\xff", 1),
        "length of a list": frame.pack(b"\xdd\xff\xff\xff\xff", 1),
        "length of a map": frame.pack(b"\xdf\xff\xff\xff\xff", 1),
        "extension": frame.pack(b"\xc1\xc9\xff\xff\xff\xff\x01", 1),
    }


def store(server: Redis | Memcached, data: bytes) -> None:
    """As any other client would."""
    with server.connection() as sock:
        if server.url.startswith("redis"):
            head = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % len(data)
        else:
            head = b"set k %d 0 %d\r\n" % (FRAME_FLAGS, len(data))
        sock.sendall(head + data + b"\r\n")
        assert sock.recv(100) in (b"+OK\r\n", b"STORED\r\n")
