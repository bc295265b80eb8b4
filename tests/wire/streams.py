"""Ways to cut and to spoil a stream of replies, and to read one to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

from kcache.wire.errors import WireError
from kcache.wire.incremental import Incremental
from kcache.wire.reply import INCOMPLETE

ALPHABET = [b"\r\n", b"\r", b"\n", b" ", b"-", b"-1", b"0", b"1", b"9", b"99999999999", b"\x00"]


def read_all(parser: Incremental[Any], pieces: Iterable[bytes]) -> list[object]:
    """Every reply; a `WireError` ends the list with its class."""
    found: list[object] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (reply := parser.next_reply()) is not INCOMPLETE:
                found.append(reply)
    except WireError:
        found.append(WireError)
    return found


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the streams of a run must be those of every other run


def single_bytes(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def halves(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    return ((data[:i], data[i:]) for i in range(len(data) + 1))


def cut(data: bytes, random: Random) -> list[bytes]:
    """The stream in pieces of random lengths."""
    pieces = []
    at = 0
    while at < len(data):
        length = random.choice([1, 2, 3, random.randint(1, 40), len(data)])
        pieces.append(data[at : at + length])
        at += length
    return pieces


def spoil(data: bytes, random: Random) -> bytes:
    """The stream with one fault."""
    i, j = sorted(random.randint(0, len(data)) for _ in range(2))
    faults: list[Callable[[], bytes]] = [
        lambda: data[:i],
        lambda: data[:i] + data[j:],
        lambda: data[:j] + data[i:],
        lambda: data[j:] + data[:j],
        lambda: data[:i] + data[j:] + data[i:j],
        lambda: data[:i] + random.randbytes(random.randint(1, 4)) + data[i:],
        lambda: data[:i] + random.choice(ALPHABET) + data[i:],
        lambda: data[:i] + random.choice(ALPHABET) + data[i + 1 :],
    ]
    return random.choice(faults)()
