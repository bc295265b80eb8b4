"""Stored values that go wrong, many of them: what reading them gives."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from kcache import frame
from kcache.compress import Compression
from kcache.entry import Entries
from kcache.errors import DecodeError
from kcache.signed import entries_of
from kcache.signer import signer_of
from tests.codec.values import CODEC, form

__all__ = ["SECRET", "corrupted", "corruptions", "entries_for"]

SECRET = "of a test, and of nothing else"  # noqa: S105
_STAMP = bytes(range(56))
_WIRE = b"user:42"
_SAMPLES = [None, 1.5, True, [1, 2], {"id": 1, "tags": ("a", "b")}, "5", b"abc", "x" * 5000]


def entries_for(secret: str | None) -> Entries:
    return entries_of(CODEC, Compression("zlib", threshold=50), signer_of(secret))


def corruptions(count: int, secret: str | None, seed: int = 26) -> Counter[str]:
    """Read so many corrupted values.

    Returns:
        How many were a miss, the same in spite of all, altered, or an exception.
    """
    choice = random.Random(seed)  # noqa: S311 - the same each time
    readers = _readers(entries_for(secret))
    told: Counter[str] = Counter()
    for _ in range(count):
        data, same, read = choice.choice(readers)
        told[_outcome(partial(read, corrupted(data, choice)), same)] += 1
    return told


def _readers(entries: Entries) -> list[tuple[bytes, Any, Callable[[bytes], Any]]]:
    """Frames as they are stored, what they hold, and how they are read."""
    found: list[tuple[bytes, Any, Callable[[bytes], Any]]] = []
    for value in _SAMPLES:
        same = form(value)
        flags, stored = entries.to_memcached(value, _WIRE)
        stamped = entries.frame(value, _STAMP)
        found += [
            (data, same, read)
            for data, read in (
                (entries.to_redis(value, _WIRE), lambda data: entries.from_redis(data, _WIRE)),
                (stored, partial(_from_memcached, entries, flags)),
                (stamped, lambda data: entries.unframe_stamped(data, _STAMP)),
            )
            # What is raw is common ground, where nothing guards it.
            if data.startswith(frame.HEAD)
        ]
    return found


def _from_memcached(entries: Entries, flags: int, data: bytes) -> Any:
    return entries.from_memcached(flags, data, _WIRE)


def _outcome(read: Callable[[], Any], same: Any) -> str:
    try:
        value = read()
    except DecodeError:
        return "miss"
    except Exception:  # noqa: BLE001 - that is what is counted
        return "exception"
    return "same" if form(value) == same else "altered"


def corrupted(data: bytes, choice: random.Random) -> bytes:
    """One of the ways in which stored bytes go wrong."""
    way = choice.randrange(5)
    cut = choice.randrange(4, len(data) - 4)
    if way == 0:
        flipped = bytearray(data)
        flipped[choice.randrange(len(data))] ^= choice.randrange(1, 256)
        return bytes(flipped)
    if way == 1:
        return data[:cut]
    if way == 2:
        return data[cut:]
    if way == 3:
        return data[:cut] + choice.randbytes(choice.randrange(1, 9)) + data[cut:]
    return data[:cut] + bytes(len(data) - cut)


def main() -> None:
    """The full figure."""
    for secret in (None, SECRET):
        print("signed" if secret else "unsigned", dict(corruptions(100_000, secret)))  # noqa: T201


if __name__ == "__main__":
    main()
