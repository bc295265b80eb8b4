"""Figure 28 through the cache: stored bombs are a miss, in little memory."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib

import ormsgpack
import pytest
import zstandard

from kcache import Cache, frame
from kcache.compress import MAX_SIZE
from kcache.entry import FRAME_FLAGS
from tests.faults.conftest import Server

_size = struct.Struct("<I")
_ZEROS = bytes(1 << 20)


def _of_zeros() -> tuple[bytes, bytes]:
    """256 MiB of zeros, compressed in both ways."""
    deflate, zstd = zlib.compressobj(9), zstandard.ZstdCompressor().compressobj()
    deflated = [deflate.compress(_ZEROS) for _ in range(256)]
    packed = [zstd.compress(_ZEROS) for _ in range(256)]
    return b"".join((*deflated, deflate.flush())), b"".join((*packed, zstd.flush()))


_ZLIB, _ZSTD = _of_zeros()
BOMBS = {
    **{
        f"{name} as {number} of {size}": frame.pack(_size.pack(size) + data, 1, number)
        for number in range(1, 5)
        for name, data in (("zlib", _ZLIB), ("zstd", _ZSTD))
        for size in (100, MAX_SIZE, 2**32 - 1)
    },
    "depth": frame.pack(b"\x91" * 10_000 + b"\xc0", 1),
    "tagged depth": frame.pack(b"\xc1" + b"\x91" * 10_000 + b"\xc0", 1),
    "length of bytes": frame.pack(b"\xc6\xff\xff\xff\xff", 1),
    "length of a list": frame.pack(b"\xdd\xff\xff\xff\xff", 1),
    "length of a map": frame.pack(b"\xdf\xff\xff\xff\xff", 1),
    "extension": frame.pack(b"\xc1\xc9\xff\xff\xff\xff\x01", 1),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_stored_bomb_is_a_miss(server: Server, bomb: bytes) -> None:
    with Cache([server.url], timeout=5) as cache:
        _store(server, bomb)
        tracemalloc.start()
        try:
            begun = time.monotonic()
            is_hit = "k" in cache
            assert time.monotonic() - begun < 1
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert not is_hit
        # The bytes that were read are there in some copies, too.
        assert peak < 2 * MAX_SIZE + 8 * len(bomb)


def _store(server: Server, data: bytes) -> None:
    """As any other client would."""
    with server.connection() as sock:
        if server.url.startswith("redis"):
            head = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % len(data)
        else:
            head = b"set k %d 0 %d\r\n" % (FRAME_FLAGS, len(data))
        sock.sendall(head + data + b"\r\n")
        assert sock.recv(100) in (b"+OK\r\n", b"STORED\r\n")


def test_the_bombs_are_what_they_claim() -> None:
    assert len(zlib.decompress(_ZLIB)) == 256 << 20
    assert len(_ZLIB) < 1 << 20
    assert ormsgpack.packb([]) == b"\x90"
