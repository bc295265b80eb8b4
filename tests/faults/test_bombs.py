"""Figure 28 through the cache: stored bombs are a miss, in little memory."""

from __future__ import annotations

import time
import tracemalloc
import zlib

import ormsgpack
import pytest

from kcache import Cache
from kcache.compress import MAX_SIZE
from tests.faults.bombs import bombs, of_zeros, store
from tests.faults.conftest import Server


@pytest.mark.parametrize("bomb", bombs().values(), ids=bombs())
def test_a_stored_bomb_is_a_miss(server: Server, bomb: bytes) -> None:
    with Cache([server.url], timeout=5) as cache:
        store(server, bomb)
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


def test_the_bombs_are_what_they_claim() -> None:
    deflated, _ = of_zeros()
    assert len(zlib.decompress(deflated)) == 256 << 20
    assert len(deflated) < 1 << 20
    assert ormsgpack.packb([]) == b"\x90"
