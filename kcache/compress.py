"""Compression of framed values, by lz4 or zstd where installed, else by zlib.

Compressed data begins with the size of the original, 4 bytes, low byte first. Expanding takes no
more memory than that says, and nothing at all where it says too much.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from struct import Struct
from types import MappingProxyType, ModuleType
from typing import Any

from kcache.errors import ConfigurationError, DecodeError

__all__ = ["MAX_SIZE", "Compression", "inflate"]

MAX_SIZE = 16 << 20
"""Bytes. zlib takes 60 ms to expand so many."""

_size = Struct("<I")
# The longest that lz4 can be told to expand to.
_LARGEST = (1 << 31) - 1
# From this length on, a sample tells first whether the rest is worth the time: on noise, zlib
# takes 20 us/KB for nothing.
_SAMPLED_FROM = 32 << 10
_SAMPLE = 4 << 10


@dataclass(frozen=True)
class _Algorithm(ABC):
    """One way to compress.

    Attributes:
        number: names it in frames.
        extra: of this distribution, which brings the library.
        module: the library.
        worth_from: bytes; below, it costs more time than it saves.
    """

    number: int
    extra: str
    module: str
    worth_from: int

    @property
    def library(self) -> ModuleType | None:
        """The library, if it is installed."""
        return _imported(self.module)

    @abstractmethod
    def compress(self, library: Any, data: bytes) -> bytes: ...

    @abstractmethod
    def expand(self, library: Any, data: bytes, size: int) -> bytes:
        """Give at most `size` bytes, or raise one of `errors`."""

    @abstractmethod
    def errors(self, library: Any) -> tuple[type[Exception], ...]:
        """What `expand` raises on bytes that are not its own."""


@cache
def _imported(module: str) -> ModuleType | None:
    # At first use: zstandard takes 12 ms to import.
    try:
        return import_module(module)
    except ImportError:
        return None


class _Zlib(_Algorithm):
    def compress(self, library: Any, data: bytes) -> bytes:
        compressed: bytes = library.compress(data, 1)
        return compressed

    def expand(self, library: Any, data: bytes, size: int) -> bytes:
        del library
        return inflate(data, size)

    def errors(self, library: Any) -> tuple[type[Exception], ...]:
        return (library.error,)


class _Zstd(_Algorithm):
    def compress(self, library: Any, data: bytes) -> bytes:
        # A compressor of its own for each call: they cannot be shared by threads.
        compressed: bytes = library.ZstdCompressor(level=1).compress(data)
        return compressed

    def expand(self, library: Any, data: bytes, size: int) -> bytes:
        # It allocates what the data says, whatever limit it is given.
        if library.get_frame_parameters(data).content_size != size:
            raise DecodeError("compressed data that contradicts itself about its size")
        expanded: bytes = library.ZstdDecompressor().decompress(data, allow_extra_data=False)
        return expanded

    def errors(self, library: Any) -> tuple[type[Exception], ...]:
        return (library.ZstdError,)


class _Lz4(_Algorithm):
    def compress(self, library: Any, data: bytes) -> bytes:
        compressed: bytes = library.compress(data, store_size=False)
        return compressed

    def expand(self, library: Any, data: bytes, size: int) -> bytes:
        expanded: bytes = library.decompress(data, uncompressed_size=size)
        return expanded

    def errors(self, library: Any) -> tuple[type[Exception], ...]:
        return (library.LZ4BlockError,)


# The first one that is installed is used. What they cost: benchmarks/results/codec.md.
_ALGORITHMS = MappingProxyType(
    {
        "lz4": _Lz4(3, "lz4", "lz4.block", 4 << 10),
        "zstd": _Zstd(2, "zstd", "zstandard", 8 << 10),
        "zlib": _Zlib(1, "", "zlib", 32 << 10),
    }
)
_BY_NUMBER = MappingProxyType({each.number: each for each in _ALGORITHMS.values()})
_CHOICES = ("auto", "none", *_ALGORITHMS)


@dataclass(frozen=True)
class Compression:
    """What is compressed, and how. Whatever it says, every installed algorithm is read.

    Args:
        algorithm: "lz4", "zstd" or "zlib"; "auto" for the first of them that is installed;
            "none".
        threshold: bytes from which a payload is compressed; None for the algorithm's own.
        max_size: bytes. Longer payloads stay as they are, and none is expanded to more.

    Raises:
        ConfigurationError: unknown algorithm, its library is not installed, or a number of bytes
            that is none.

    Example:
        >>> plan = Compression("zlib", threshold=100)
        >>> number, data = plan.compress(b"na" * 1000)
        >>> number, len(data)
        (1, 34)
        >>> plan.expand(number, data) == b"na" * 1000
        True
    """

    algorithm: str = "auto"
    threshold: int | None = None
    max_size: int = MAX_SIZE

    def __post_init__(self) -> None:
        if self.algorithm not in _CHOICES:
            raise ConfigurationError(
                f"unknown compression {self.algorithm!r}; it is one of {', '.join(_CHOICES)}"
            )
        if not 0 <= self.max_size <= _LARGEST:
            raise ConfigurationError(
                f"max_size is a number of bytes from 0 to {_LARGEST}, not {self.max_size}"
            )
        if self.threshold is not None and self.threshold < 0:
            raise ConfigurationError(f"threshold is a number of bytes, not {self.threshold}")
        chosen = _ALGORITHMS.get(self.algorithm)
        if chosen is not None and chosen.library is None:
            raise ConfigurationError(
                f"compression {self.algorithm!r} needs a library that is not installed: "
                f"install this distribution's `{chosen.extra}` extra: "
                f"pip install 'kcache-client[{chosen.extra}]'"
            )

    @property
    def least(self) -> int:
        """Bytes; shorter payloads stay as they are."""
        chosen = _chosen(self.algorithm)
        if chosen is None:
            return self.max_size + 1
        return chosen.worth_from if self.threshold is None else self.threshold

    def compress(self, payload: bytes) -> tuple[int, bytes]:
        """Give the algorithm's number and the compressed payload, or 0 and the payload itself.

        It stays as it is unless that saves an eighth.
        """
        chosen = _chosen(self.algorithm)
        if chosen is None or not self.least <= len(payload) <= self.max_size:
            return 0, payload
        pack = _packer(chosen)
        if len(payload) >= _SAMPLED_FROM and not _saves(pack(payload[:_SAMPLE]), _SAMPLE):
            return 0, payload
        compressed = _size.pack(len(payload)) + pack(payload)
        if not _saves(compressed, len(payload)):
            return 0, payload
        return chosen.number, compressed

    def expand(self, number: int, data: bytes) -> bytes:
        """Undo `compress`.

        Raises:
            DecodeError: damaged data, more than `max_size`, an unknown algorithm, or one whose
                library is not installed.
        """
        if not number:
            return data
        algorithm = _BY_NUMBER.get(number)
        library = None if algorithm is None else algorithm.library
        if algorithm is None or library is None or len(data) < _size.size:
            raise DecodeError(f"compression {number} cannot be read here")
        (size,) = _size.unpack_from(data)
        if size > self.max_size:
            raise DecodeError(f"compressed data of {size} bytes; the limit is {self.max_size}")
        try:
            expanded = algorithm.expand(library, data[_size.size :], size)
        except algorithm.errors(library) as error:
            raise DecodeError(f"damaged compressed data: {error}") from error
        if len(expanded) != size:
            raise DecodeError("compressed data that contradicts itself about its size")
        return expanded


@cache
def _chosen(algorithm: str) -> _Algorithm | None:
    if algorithm != "auto":
        return _ALGORITHMS.get(algorithm)
    return next(each for each in _ALGORITHMS.values() if each.library is not None)


def _packer(algorithm: _Algorithm) -> Callable[[bytes], bytes]:
    library = algorithm.library
    return lambda data: algorithm.compress(library, data)


def _saves(compressed: bytes, size: int) -> bool:
    return len(compressed) <= size - size // 8


def inflate(data: bytes, limit: int) -> bytes:
    """Expand a zlib stream to at most `limit` bytes.

    Raises:
        DecodeError: damaged, incomplete or longer.
    """
    stream = zlib.decompressobj()
    try:
        # With room for one byte more, since the stream's end comes after the last one.
        expanded = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise DecodeError(f"damaged compressed data: {error}") from error
    if not stream.eof or stream.unused_data or len(expanded) > limit:
        raise DecodeError("compressed data that is incomplete or too long")
    return expanded
