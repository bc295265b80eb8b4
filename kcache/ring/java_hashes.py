"""spymemcached's hash functions, by their Java names.

FNV and NATIVE run over the UTF-16 code units of Java's strings, the others over UTF-8. Keys
come as bytes here: bytes that are not UTF-8, which no Java client can have sent, are hashed
with each stray byte as a unit of its own. Source: DefaultHashAlgorithm of spymemcached 2.12.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from kcache.ring.hashes import KeyHash, crc32, md5_word

__all__ = ["JAVA_HASHES"]

_MASK = 0xFFFFFFFF
_FNV_32_PRIME = 16777619
# The low half of the 64-bit prime: the low 32 bits of the result need no more.
_FNV_64_PRIME = 0x1B3


def _units(data: bytes) -> Iterator[int]:
    utf16 = data.decode("utf-8", "surrogateescape").encode("utf-16-le", "surrogatepass")
    return (low | high << 8 for low, high in zip(utf16[::2], utf16[1::2], strict=True))


def _over_units(start: int, step: Callable[[int, int], int]) -> KeyHash:
    def hash_units(data: bytes) -> int:
        h = start
        for unit in _units(data):
            h = step(h, unit) & _MASK
        return h

    return hash_units


JAVA_HASHES: Mapping[str, KeyHash] = MappingProxyType(
    {
        "KETAMA_HASH": md5_word,
        "NATIVE_HASH": _over_units(0, lambda h, unit: 31 * h + unit),
        "CRC_HASH": crc32,
        "FNV1_32_HASH": _over_units(2166136261, lambda h, unit: (h * _FNV_32_PRIME) ^ unit),
        "FNV1A_32_HASH": _over_units(2166136261, lambda h, unit: (h ^ unit) * _FNV_32_PRIME),
        "FNV1_64_HASH": _over_units(0x84222325, lambda h, unit: (h * _FNV_64_PRIME) ^ unit),
        "FNV1A_64_HASH": _over_units(0x84222325, lambda h, unit: (h ^ unit) * _FNV_64_PRIME),
    }
)
