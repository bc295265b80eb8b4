"""Shares and plans where key hashes do not cover the whole ring, and against sampled keys."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from kcache import Ring

NODES = [f"memcached://10.0.0.{i}:11212" for i in range(1, 21)]


HASHES_OF_15_BITS = [
    ("twemproxy", "crc32"),
    ("libmemcached", "crc32"),
    ("spymemcached", "CRC_HASH"),
]


def owners_of_all_hashes(ring: Ring) -> list[str]:
    """The name of the owner of each hash of 15 bits."""
    continuum = ring._continuum  # noqa: SLF001 - hashes cannot be chosen through keys
    return [ring.nodes[continuum.owner(place)].name for place in range(2**15)]


@pytest.mark.parametrize(("dialect", "key_hash"), HASHES_OF_15_BITS)
def test_shares_are_of_the_hashes_that_keys_can_have(dialect: str, key_hash: str) -> None:
    """A hash of 15 bits reaches the start of the ring only: count every hash it can give."""
    ring = Ring(NODES, dialect, hash=key_hash)
    owners = Counter(owners_of_all_hashes(ring))
    assert ring.share() == {node: Fraction(owners[node.name], 2**15) for node in ring.nodes}
    assert ring.key_space == 2**15


@pytest.mark.parametrize(("dialect", "key_hash"), HASHES_OF_15_BITS)
def test_a_plan_is_what_counting_every_hash_gives(dialect: str, key_hash: str) -> None:
    """With so few hashes equal points are common, too."""
    ring = Ring(NODES, dialect, hash=key_hash)
    other = ring.without(ring.nodes[1].name).with_node("memcached://10.9.0.1")
    pairs = Counter(zip(owners_of_all_hashes(ring), owners_of_all_hashes(other), strict=True))
    moves = {pair: Fraction(n, 2**15) for pair, n in pairs.items() if pair[0] != pair[1]}
    plan = ring.plan(other)
    assert plan.moves == moves
    assert plan.moved == sum(moves.values())


@pytest.mark.parametrize("dialect", ["libketama", "kcache", "nginx", "libmemcached-weighted"])
def test_a_sample_of_keys_comes_near_the_exact_figures(dialect: str) -> None:
    ring = Ring(NODES, dialect)
    smaller = ring.without(ring.nodes[0].name)
    keys = [f"key:{i}" for i in range(50_000)]
    grouped = ring.group(keys)
    for node, share in ring.share().items():
        assert len(grouped[node]) / 50_000 == pytest.approx(float(share), abs=0.01)
    moved = sum(ring.node_for(key).name != smaller.node_for(key).name for key in keys)
    assert moved / 50_000 == pytest.approx(float(ring.plan(smaller).moved), abs=0.01)
