"""Compression saves space or stays away, and whoever has the library can read it."""

from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache import compress
from kcache.compress import Compression, inflate
from kcache.errors import ConfigurationError, DecodeError

ALGORITHMS = ("lz4", "zstd", "zlib")
NOISE = random.Random(1).randbytes(100_000)  # noqa: S311 - no secret

each_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


@each_algorithm
@given(st.binary(max_size=300), st.integers(0, 200))
def test_what_was_compressed_comes_back(algorithm: str, part: bytes, times: int) -> None:
    plan = Compression(algorithm, threshold=0)
    payload = part * times
    number, data = plan.compress(payload)
    assert len(data) <= len(payload)
    # Everyone reads it, whatever they write themselves.
    for reader in ALGORITHMS:
        assert Compression(reader).expand(number, data) == payload


@each_algorithm
def test_only_what_gets_smaller_is_compressed(algorithm: str) -> None:
    plan = Compression(algorithm)
    assert plan.compress(b"short") == (0, b"short")
    assert plan.compress(b"x" * (plan.least - 1))[0] == 0
    number, data = plan.compress(b"x" * plan.least)
    assert number in (1, 2, 3)
    assert len(data) < plan.least // 8
    for size in (plan.least, 100_000):
        assert plan.compress(NOISE[:size]) == (0, NOISE[:size])


@each_algorithm
def test_of_32_kib_and_more_the_first_4_tell_whether_the_rest_is_tried(algorithm: str) -> None:
    plan = Compression(algorithm, threshold=0)

    def is_compressed(noise: int, size: int) -> bool:
        return plan.compress(NOISE[:noise] + bytes(size - noise))[0] > 0

    assert is_compressed(4096, (32 << 10) - 1)
    assert not is_compressed(4096, 32 << 10)
    # An eighth of the sample is saved.
    assert is_compressed(3400, 32 << 10)
    assert not is_compressed(3700, 32 << 10)


def test_the_limit_is_the_one_that_is_documented() -> None:
    assert Compression().max_size == 16 << 20


def test_numbers_never_change() -> None:
    payload = b"na" * 1000
    numbers = {name: Compression(name, threshold=0).compress(payload)[0] for name in ALGORITHMS}
    assert numbers == {"zlib": 1, "zstd": 2, "lz4": 3}


def test_beyond_the_limit_nothing_is_compressed_nor_expanded() -> None:
    plan = Compression("zlib", threshold=0, max_size=1000)
    assert plan.compress(bytes(1001)) == (0, bytes(1001))
    number, data = plan.compress(bytes(1000))
    assert plan.expand(number, data) == bytes(1000)
    with pytest.raises(DecodeError, match="limit"):
        Compression(max_size=999).expand(number, data)


@each_algorithm
@given(st.data())
def test_damaged_data_is_refused(algorithm: str, data: st.DataObject) -> None:
    plan = Compression(algorithm, threshold=0)
    payload = b"to be or not to be, that is the question " * 20
    number, sound = plan.compress(payload)
    damaged = bytearray(sound)
    damaged[data.draw(st.integers(0, len(sound) - 1))] ^= data.draw(st.integers(1, 255))
    for each in (bytes(damaged), sound[: data.draw(st.integers(0, len(sound) - 1))], sound + b"x"):
        # lz4 has no checksum; the frame has one.
        with suppress(DecodeError):
            assert len(plan.expand(number, each)) <= plan.max_size


@each_algorithm
@given(st.binary(max_size=100), st.integers(0, 2000))
def test_random_bytes_are_refused_or_as_long_as_they_say(
    algorithm: str, data: bytes, size: int
) -> None:
    number = {"zlib": 1, "zstd": 2, "lz4": 3}[algorithm]
    with suppress(DecodeError):
        assert len(Compression().expand(number, size.to_bytes(4, "little") + data)) == size


@pytest.mark.parametrize("number", [4, 15, -1])
def test_unknown_algorithms_are_a_miss(number: int) -> None:
    with pytest.raises(DecodeError):
        Compression().expand(number, b"\x01\x00\x00\x00x")


@pytest.fixture
def _only_zlib(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Python without the extras."""

    def forget() -> None:
        compress._imported.cache_clear()  # noqa: SLF001 - what is installed does change here
        compress._chosen.cache_clear()  # noqa: SLF001 - the same

    forget()
    for module in ("lz4.block", "zstandard"):
        monkeypatch.setitem(sys.modules, module, None)
    yield
    forget()


@pytest.mark.usefixtures("_only_zlib")
def test_without_extras_zlib_is_used() -> None:
    number, data = Compression(threshold=0).compress(b"x" * 1000)
    assert number == 1
    assert Compression().expand(number, data) == b"x" * 1000


@pytest.mark.usefixtures("_only_zlib")
@pytest.mark.parametrize("algorithm", ["lz4", "zstd"])
def test_a_missing_library_is_a_miss_for_readers_and_an_error_for_writers(algorithm: str) -> None:
    number = {"zstd": 2, "lz4": 3}[algorithm]
    with pytest.raises(DecodeError):
        Compression("zlib").expand(number, b"\x01\x00\x00\x00x")
    with pytest.raises(ConfigurationError, match=rf"pip install 'kcache-client\[{algorithm}\]'"):
        Compression(algorithm)


def test_bad_options_get_one_clear_line() -> None:
    with pytest.raises(ConfigurationError, match="auto, none, lz4, zstd, zlib"):
        Compression("brotli")
    for size in (-1, 1 << 31):
        with pytest.raises(ConfigurationError, match="max_size"):
            Compression(max_size=size)
    with pytest.raises(ConfigurationError, match="threshold"):
        Compression(threshold=-1)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("told", [0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_the_largest_limit_is_one_that_every_library_takes(number: int, told: int) -> None:
    with pytest.raises(DecodeError):
        Compression(max_size=(1 << 31) - 1).expand(number, told.to_bytes(4, "little") + b"x")


def test_none_compresses_nothing_and_reads_everything() -> None:
    plan = Compression("none")
    assert plan.compress(bytes(1_000_000))[0] == 0
    number, data = Compression("zlib", threshold=0).compress(bytes(1000))
    assert plan.expand(number, data) == bytes(1000)


def test_a_plan_pickles() -> None:
    plan = Compression("zlib", threshold=7)
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301 - our own


def test_inflate_stops_at_its_limit() -> None:
    number, data = Compression("zlib", threshold=0).compress(bytes(1000))
    assert number == 1
    assert inflate(data[4:], 1000) == bytes(1000)
    for limit, stream in ((999, data[4:]), (1000, data[4:-1]), (1000, data[4:] + b"x")):
        with pytest.raises(DecodeError):
            inflate(stream, limit)
