"""The layout of the `kcache` dialect, frozen, and written a second time without mmh3."""

from __future__ import annotations

import json
import statistics
import struct
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from kcache import Node, Ring

FOLDER = Path(__file__).parent.parent / "vectors/kcache"
FILES = sorted(FOLDER.glob("*.json"))
MASK = (1 << 64) - 1


def rotated(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & MASK


def mixed(value: int) -> int:
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = ((value ^ (value >> 33)) * multiplier) & MASK
    return value ^ (value >> 33)


def murmur3_x64_128(data: bytes) -> bytes:
    """Austin Appleby's MurmurHash3_x64_128 with seed 0, from its published description."""
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1 = h2 = 0
    whole = len(data) // 16 * 16
    for k1, k2 in struct.iter_unpack("<QQ", data[:whole]):
        h1 ^= (rotated((k1 * c1) & MASK, 31) * c2) & MASK
        h1 = ((rotated(h1, 27) + h2) * 5 + 0x52DCE729) & MASK
        h2 ^= (rotated((k2 * c2) & MASK, 33) * c1) & MASK
        h2 = ((rotated(h2, 31) + h1) * 5 + 0x38495AB5) & MASK
    k1, k2 = struct.unpack("<QQ", data[whole:].ljust(16, b"\0"))
    h2 ^= (rotated((k2 * c2) & MASK, 33) * c1) & MASK
    h1 ^= (rotated((k1 * c1) & MASK, 31) * c2) & MASK
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & MASK
    h2 = (h2 + h1) & MASK
    h1, h2 = mixed(h1), mixed(h2)
    h1 = (h1 + h2) & MASK
    h2 = (h2 + h1) & MASK
    return struct.pack("<QQ", h1, h2)


def ring_of(content: dict[str, Any]) -> Ring:
    return Ring([Node(**parts) for parts in content["nodes"]], "kcache")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_layout_is_frozen(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    ring = ring_of(content)
    text = "".join(f"{point} {node.label('kcache')}\n" for point, node in ring.points)
    assert len(ring.points) == content["points_total"]
    assert sha256(text.encode()).hexdigest() == content["points_sha256"]
    assert {key: ring.node_for(key).label("kcache") for key in content["keys"]} == content["keys"]
    assert {key: ring.hash_of(key) for key in content["hashes"]} == content["hashes"]


def test_there_are_frozen_layouts() -> None:
    assert len(FILES) == 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_points_follow_from_the_description(path: Path) -> None:
    ring = ring_of(json.loads(path.read_text(encoding="utf-8")))
    expected = []
    for node in ring.nodes:
        label = node.label("kcache").encode()
        for i in range(128 * node.weight):
            digest = murmur3_x64_128(label + f"-{i}".encode())
            expected += [(point, label) for point in struct.unpack("<4I", digest)]
    assert [(point, node.label("kcache").encode()) for point, node in ring.points] == sorted(
        expected
    )


def test_equal_points_go_to_the_smaller_label() -> None:
    """A collision in the points of two nodes, found by search."""
    content = json.loads((FOLDER / "ties.json").read_text(encoding="utf-8"))
    ring = ring_of(content)
    counts = Counter(point for point, _ in ring.points)
    ties = [point for point, count in counts.items() if count > 1]
    assert ties == content["ties"]
    for tie in ties:
        labels = [node.label("kcache") for point, node in ring.points if point == tie]
        assert labels == sorted(labels)


def test_shares_are_more_even_than_those_of_ketama() -> None:
    nodes = [f"memcached://10.0.0.{i}" for i in range(64)]

    def deviation(dialect: str) -> float:
        shares = [float(share) * 64 for share in Ring(nodes, dialect).share().values()]
        return statistics.pstdev(shares)

    assert deviation("kcache") < 0.7 * deviation("libketama")
