"""The 32-bit hash functions of libhashkit (libmemcached) and twemproxy, by their names.

Each takes bytes and returns an int in 0 .. 2**32 - 1. The C code reads keys as `char`, which
is signed on x86: where the sign matters, bytes from 0x80 on are widened to 0xFFFFFFxx, as
compiled there. Sources: libhashkit of libmemcached 1.1.4, hash sources of twemproxy 0.5.0.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from struct import Struct
from types import MappingProxyType

import mmh3

try:
    # CPython's own module: hashlib's constructor costs half a microsecond more per call.
    from _md5 import md5
except ImportError:
    from hashlib import md5

__all__ = ["HASHES", "KeyHash", "md5", "md5_word"]

KeyHash = Callable[[bytes], int]

_MASK = 0xFFFFFFFF
_first_word = Struct("<I").unpack_from


def md5_word(data: bytes) -> int:
    """The first of MD5's four words, little-endian: what every ketama calls md5."""
    word: int = _first_word(md5(data).digest())[0]  # noqa: S324 - a place on a ring, no secret
    return word


def one_at_a_time(data: bytes) -> int:
    """Bob Jenkins's one-at-a-time; libmemcached's default."""
    h = 0
    for byte in data:
        h += byte if byte < 0x80 else byte - 0x100  # noqa: PLR2004 - the sign bit
        h = (h + (h << 10)) & _MASK
        h ^= h >> 6
    h = (h + (h << 3)) & _MASK
    h ^= h >> 11
    return (h + (h << 15)) & _MASK


def _widened(data: bytes) -> list[int]:
    """The bytes as 32-bit numbers, signs extended."""
    return [byte if byte < 0x80 else byte | 0xFFFFFF00 for byte in data]  # noqa: PLR2004 - the sign bit


def _fnv1(data: bytes, start: int, prime: int) -> int:
    h = start
    for byte in _widened(data):
        h = ((h * prime) & _MASK) ^ byte
    return h


def _fnv1a(data: bytes, start: int, prime: int) -> int:
    h = start
    for byte in _widened(data):
        h = ((h ^ byte) * prime) & _MASK
    return h


_FNV_32 = (2166136261, 16777619)
# The 64-bit functions return their low 32 bits, which the low halves alone determine.
_FNV_64 = (0x84222325, 0x1B3)


def fnv1_32(data: bytes) -> int:
    """FNV-1, 32 bits."""
    return _fnv1(data, *_FNV_32)


def fnv1a_32(data: bytes) -> int:
    """FNV-1a, 32 bits."""
    return _fnv1a(data, *_FNV_32)


def fnv1_64(data: bytes) -> int:
    """The low half of FNV-1, 64 bits."""
    return _fnv1(data, *_FNV_64)


def fnv1a_64(data: bytes) -> int:
    """The low half of FNV-1a, 64 bits; twemproxy's default."""
    return _fnv1a(data, *_FNV_64)


def crc32(data: bytes) -> int:
    """The "crc" of libmemcached and twemproxy: 15 bits from the middle of CRC-32."""
    return (zlib.crc32(data) >> 16) & 0x7FFF


def _crc16_table() -> list[int]:
    table = []
    for byte in range(256):
        register = byte << 8
        for _ in range(8):
            register = (register << 1) ^ (0x1021 if register & 0x8000 else 0)
        table.append(register & 0xFFFF)
    return table


_CRC16 = _crc16_table()


def crc16(data: bytes) -> int:
    """The "crc16" of twemproxy: the CCITT table, in a register of 32 bits, never masked."""
    register = 0
    for byte in data:
        register = ((register << 8) & _MASK) ^ _CRC16[((register >> 8) ^ byte) & 0xFF]
    return register


def murmur(data: bytes) -> int:
    """MurmurHash2 with the seed 0xdeadbeef * length."""
    m = 0x5BD1E995
    length = len(data)
    h = (0xDEADBEEF * length) & _MASK ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = (int.from_bytes(data[i : i + 4], "little") * m) & _MASK
        k ^= k >> 24
        h = ((h * m) & _MASK) ^ ((k * m) & _MASK)
    if length > whole:
        h ^= int.from_bytes(data[whole:], "little")
        h = (h * m) & _MASK
    h ^= h >> 13
    h = (h * m) & _MASK
    return h ^ (h >> 15)


def murmur3(data: bytes) -> int:
    """MurmurHash3 x86_32 with the seed 0xdeadbeef * length."""
    return mmh3.hash(data, (0xDEADBEEF * len(data)) & _MASK, signed=False)


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) & _MASK) | (value >> (32 - bits))


def jenkins(data: bytes) -> int:
    """Bob Jenkins's lookup3 `hashlittle` with the initial value 13."""
    a = b = c = (0xDEADBEEF + len(data) + 13) & _MASK
    if not data:
        return c
    last = (len(data) - 1) // 12 * 12
    for i in range(0, last, 12):
        a, b, c = _jenkins_add(a, b, c, data[i : i + 12])
        for bits_a, bits_b, bits_c in ((4, 6, 8), (16, 19, 4)):
            a = ((a - c) & _MASK) ^ _rotated(c, bits_a)
            c = (c + b) & _MASK
            b = ((b - a) & _MASK) ^ _rotated(a, bits_b)
            a = (a + c) & _MASK
            c = ((c - b) & _MASK) ^ _rotated(b, bits_c)
            b = (b + a) & _MASK
    a, b, c = _jenkins_add(a, b, c, data[last:].ljust(12, b"\0"))
    c = ((c ^ b) - _rotated(b, 14)) & _MASK
    a = ((a ^ c) - _rotated(c, 11)) & _MASK
    b = ((b ^ a) - _rotated(a, 25)) & _MASK
    c = ((c ^ b) - _rotated(b, 16)) & _MASK
    a = ((a ^ c) - _rotated(c, 4)) & _MASK
    b = ((b ^ a) - _rotated(a, 14)) & _MASK
    return ((c ^ b) - _rotated(b, 24)) & _MASK


def _jenkins_add(a: int, b: int, c: int, block: bytes) -> tuple[int, int, int]:
    x, y, z = (int.from_bytes(block[i : i + 4], "little") for i in (0, 4, 8))
    return (a + x) & _MASK, (b + y) & _MASK, (c + z) & _MASK


def hsieh(data: bytes) -> int:
    """Paul Hsieh's SuperFastHash, started from 0 instead of the length."""
    h = 0
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        h = (h + int.from_bytes(data[i : i + 2], "little")) & _MASK
        high = int.from_bytes(data[i + 2 : i + 4], "little")
        h = ((h << 16) ^ (high << 11) ^ h) & _MASK
        h = (h + (h >> 11)) & _MASK
    h = _hsieh_tail(h, data[whole:])
    for left, right in ((3, 5), (4, 17), (25, 6)):
        h ^= (h << left) & _MASK
        h = (h + (h >> right)) & _MASK
    return h


def _hsieh_tail(h: int, tail: bytes) -> int:
    if len(tail) == 1:
        h = (h + tail[0]) & _MASK
        h ^= (h << 10) & _MASK
        return (h + (h >> 1)) & _MASK
    if not tail:
        return h
    h = (h + int.from_bytes(tail[:2], "little")) & _MASK
    if len(tail) == 2:  # noqa: PLR2004 - bytes left over
        h ^= (h << 11) & _MASK
        return (h + (h >> 17)) & _MASK
    h ^= (h << 16) & _MASK
    h ^= (_widened(tail[2:])[0] << 18) & _MASK
    return (h + (h >> 11)) & _MASK


HASHES: Mapping[str, KeyHash] = MappingProxyType(
    {
        "md5": md5_word,
        "one_at_a_time": one_at_a_time,
        "fnv1_32": fnv1_32,
        "fnv1a_32": fnv1a_32,
        "fnv1_64": fnv1_64,
        "fnv1a_64": fnv1a_64,
        "crc16": crc16,
        "crc32": crc32,
        "crc32a": zlib.crc32,
        "murmur": murmur,
        "murmur3": murmur3,
        "jenkins": jenkins,
        "hsieh": hsieh,
    }
)
