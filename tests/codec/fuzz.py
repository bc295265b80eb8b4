"""Bytes that anybody might have written to a node, and what reading them comes to.

python -m tests.codec.fuzz 100000
"""

from __future__ import annotations

import random
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from kcache import frame
from kcache.entry import FRAME_FLAGS, Entries
from kcache.errors import DecodeError
from kcache.record import token_of
from kcache.signer import Signer
from tests.codec.corruption import SECRET, corrupted, entries_for
from tests.codec.values import CODEC

__all__ = ["fuzz"]

_WIRE = b"user:42"
_STAMP = bytes(range(40))
_SIGNER = Signer((SECRET.encode(),))
_OTHER = Signer((b"of another test, and nothing else",))
_VALUES: list[Any] = [
    None,
    {"name": "Ada", "tags": ("a", {1, 2}), "n": 2**70},
    [1.5, True, b"x", {(1, 2): "y"}],
    "text" * 200,
    b"\xff" * 30,
    -5,
]
_FLAGS = (FRAME_FLAGS, FRAME_FLAGS, FRAME_FLAGS, 0, 1, 2, 4, 8, 9, 10, 16, 24, 32, 0xFFFFFFFF)
_OPENINGS = (
    b"\x91",
    b"\x81\xa1a",
    b"\xc1\x92\xc7\x00\x01",
    b"\x92\xc7\x00\x02",
    b"\xdd\xff\xff\xff\xff",
)
_RARE = 0.001
_MOST_SECONDS = 1.0

Source = Callable[[random.Random], bytes]


def fuzz(count: int, seed: int = 1) -> Counter[str]:
    """Read so many inputs in every way, with a secret and without.

    Returns:
        How many readings gave a value and how many a miss.

    Raises:
        AssertionError: something else happened, a reader with a secret gave a value that was not
            signed with it for that place, or one reading took more than a second of a processor.
    """
    choice = random.Random(seed)  # noqa: S311 - the same each time
    readers = [entries_for(None), entries_for(SECRET)]
    told: Counter[str] = Counter()
    for number in range(count):
        source = _bomb if choice.random() < _RARE else choice.choice(_SOURCES)
        data = source(choice)
        flags = choice.choice(_FLAGS)
        for entries in readers:
            for read in _ways(entries, flags, data):
                spent = time.thread_time()
                outcome = _outcome(read, f"input {number} of seed {seed}: {data[:80]!r}")
                told[outcome] += 1
                assert time.thread_time() - spent < _MOST_SECONDS, f"input {number}: slow"
                if outcome == "value" and entries.signer is not None:
                    assert _is_signed(data), f"input {number}: accepted"
        token_of(data)
    return told


def _ways(entries: Entries, flags: int, data: bytes) -> list[Callable[[], Any]]:
    return [
        lambda: entries.from_memcached(flags, data, _WIRE),
        lambda: entries.from_redis(data, _WIRE),
        lambda: entries.unframe_kept(data),
        lambda: entries.unframe_stamped(data, _STAMP),
    ]


def _outcome(read: Callable[[], Any], what: str) -> str:
    try:
        read()
    except DecodeError:
        return "miss"
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} on {what}") from error
    return "value"


def _is_signed(data: bytes) -> bool:
    end = -frame.MAC_SIZE - len(frame.TAIL)
    return _SIGNER.check(data[:end], data[end : -len(frame.TAIL)])


def _noise(choice: random.Random) -> bytes:
    return choice.randbytes(choice.randrange(200))


def _marked(choice: random.Random) -> bytes:
    return frame.HEAD + b"\x01" + _noise(choice) + frame.TAIL


def _frame(choice: random.Random) -> bytes:
    """A sound frame, signed or not, of anything."""
    stamp = choice.choice([b"", _STAMP, choice.randbytes(24), choice.randbytes(300)])
    dates = choice.choice([None, None, frame.Dates(choice.uniform(-9, 9e9), 0.5, b"n" * 8)])
    signer = choice.choice([None, _SIGNER, _SIGNER, _OTHER])
    return frame.pack(
        _payload(choice),
        choice.choice([0, 1, 2, 3, 3, 3, 4, 5, 14, 15, choice.randrange(256)]),
        choice.choice([0, 0, 0, 1, 2, 3, 7]),
        stamp,
        choice.choice([1, 1, 1, 0, 2, 255]),
        dates,
        None if signer is None else signer.sign,
    )


def _payload(choice: random.Random) -> bytes:
    way = choice.randrange(5)
    encoded = CODEC.encode(choice.choice(_VALUES))
    if way == 0:
        return encoded
    if way == 1:
        return corrupted(encoded * 9, choice)
    if way == 2:
        return choice.choice(_OPENINGS) * choice.choice([1, 10, 255, 256, 2000]) + b"\xc0"
    if way == 3:
        told = choice.choice([len(encoded), 0, 2**32 - 1, 16 << 20])
        return struct.pack("<I", told) + zlib.compress(encoded)
    return _noise(choice)


def _flipped(choice: random.Random) -> bytes:
    return corrupted(_frame(choice) + b"\0", choice)


def _zlib(choice: random.Random) -> bytes:
    return zlib.compress(_noise(choice))


def _bomb(choice: random.Random) -> bytes:
    size = choice.choice([1, 15, 16, 17]) << 20
    data = zlib.compress(bytes(size), 1)
    return frame.pack(struct.pack("<I", size) + data, 3, 1, _STAMP, sign=_SIGNER.sign)


_SOURCES: tuple[Source, ...] = (_noise, _marked, _frame, _frame, _flipped, _flipped, _zlib)


def main() -> None:
    """As many inputs as are asked for."""
    count = int(sys.argv[1])
    begun = time.perf_counter()
    told = fuzz(count, seed=int(sys.argv[2]) if sys.argv[2:] else 1)
    print(f"{count} inputs, {time.perf_counter() - begun:.0f} s: {dict(told)}")  # noqa: T201


if __name__ == "__main__":
    main()
