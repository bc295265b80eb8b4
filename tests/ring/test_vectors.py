"""Every ring and every owner of the golden vectors, bit for bit."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from pathlib import Path
from typing import Any

import pytest

from kcache import Node, Ring
from kcache.ring.hashes import HASHES
from tests.ring import vectors

FILES = vectors.files()


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def vector(request: pytest.FixtureRequest) -> vectors.Vector:
    return vectors.Vector(vectors.read(request.param))


@pytest.fixture(scope="module")
def ring(vector: vectors.Vector) -> Ring:
    return vector.ring()


@pytest.fixture(scope="module")
def label(vector: vectors.Vector, ring: Ring) -> dict[Node, str]:
    """How the file calls each node: by its place in the list, not by our rules."""
    listed = vector.content["nodes"]
    return {node: item["label"] for node, item in zip(ring.nodes, listed, strict=True)}


def test_there_are_vectors_of_every_dialect() -> None:
    seen = {vectors.Vector(vectors.read(path)).dialect for path in FILES}
    assert seen == {
        "libketama",
        "libmemcached",
        "libmemcached-weighted",
        "libmemcached-autoweighted",
        "libmemcached-spy",
        "twemproxy",
        "spymemcached",
        "nginx",
    }


def test_labels(vector: vectors.Vector, ring: Ring) -> None:
    options = {"format": vector.content["format"]} if "format" in vector.content else {}
    for node, listed in zip(ring.nodes, vector.content["nodes"], strict=True):
        hashed = listed.get("hashed", listed["label"])
        assert node.label(vector.dialect, **options) == hashed


def test_points(vector: vectors.Vector, ring: Ring, label: dict[Node, str]) -> None:
    points = [[point, label[node]] for point, node in ring.points]
    assert points[:32] == vector.content["first_points"]
    assert points[-1] == vector.content["last_point"]
    assert len(points) == vector.content["points_total"]
    text = "".join(f"{point} {owner}\n" for point, owner in points)
    assert hashlib.sha256(text.encode()).hexdigest() == vector.content["points_sha256"]


def test_points_of_each_node(vector: vectors.Vector, ring: Ring) -> None:
    owned = dict.fromkeys(ring.nodes, 0)
    for _, node in ring.points:
        owned[node] += 1
    assert list(owned.values()) == [listed["points"] for listed in vector.content["nodes"]]


def test_owners(vector: vectors.Vector, ring: Ring, label: dict[Node, str]) -> None:
    expected = vector.content["keys"]
    assert {key: label[ring.node_for(key)] for key in expected} == expected
    assert {key: label[ring.node_for(key.encode())] for key in expected} == expected
    assert {key: label[ring.owners(key, 1)[0]] for key in expected} == expected
    grouped = {key: label[node] for node, keys in ring.group(expected).items() for key in keys}
    assert grouped == expected


def test_named_keys_are_among_the_owners(vector: vectors.Vector) -> None:
    """The traps that the files name really are in the keys that `test_owners` checks."""
    for kind in ("wraparound_keys", "exact_hit_keys", "tie_keys"):
        assert set(vector.content.get(kind, ())) <= set(vector.content["keys"])


def test_ties(vector: vectors.Vector, ring: Ring, label: dict[Node, str]) -> None:
    points = [[point, label[node]] for point, node in ring.points]
    ties = vector.content.get("tie_points", [])
    values = {point for point, _ in ties}
    assert sorted(p for p in points if p[0] in values) == sorted(ties)


def test_exact_hits_lie_on_points(vector: vectors.Vector, ring: Ring) -> None:
    points = {point for point, _ in ring.points}
    for key in vector.content.get("exact_hit_keys", ()):
        assert ring.hash_of(key) in points


def test_key_hashes(vector: vectors.Vector, ring: Ring) -> None:
    samples = vector.content.get("key_hash_samples", {})
    assert {key: ring.hash_of(key) for key in samples} == samples


def _digest_files() -> list[Path]:
    return [path for path in FILES if "digest_1m" in vectors.read(path)]


@pytest.mark.parametrize("path", _digest_files(), ids=lambda path: path.stem)
def test_a_million_lookups(path: Path) -> None:
    content = vectors.read(path)
    ring = vectors.Vector(content).ring()
    points = [point for point, _ in ring.points]
    labels = {node: node.label(ring.dialect) for node in ring.nodes}
    digest = hashlib.md5(b"\n", usedforsecurity=False)
    for key in map(str, range(1_000_000)):
        place = ring.hash_of(key)
        point = points[bisect_left(points, place) % len(points)]
        digest.update(f"{place} {point} {labels[ring.node_for(key)]}\n".encode())
    assert digest.hexdigest() == content["digest_1m"]["md5"]


def _golden_sets() -> list[dict[str, Any]]:
    path = vectors.FOLDER / "spymemcached-upstream-golden.json"
    return list(vectors.read(path)["sets"]) if path.exists() else []


@pytest.mark.parametrize("golden", _golden_sets(), ids=lambda golden: golden["name"])
def test_spymemcached_upstream(golden: dict[str, Any]) -> None:
    nodes = [vectors.node_of(listed) for listed in golden["nodes"]]
    ring = Ring(
        nodes,
        "spymemcached",
        hash=golden["hash_alg"],
        format=golden["format"],
        weighted=golden["weighted"],
    )
    label = {n: listed["label"] for n, listed in zip(nodes, golden["nodes"], strict=True)}
    keys = golden["keys"]
    assert {key: label[ring.node_for(key)] for key in keys} == keys
    for key, tried in golden.get("sequences", {}).items():
        assert [label[node] for node in ring.failover(key, len(tried))] == tried
    if "last_point" in golden:
        assert ring.points[-1][0] == golden["last_point"]


def _hash_cases() -> list[tuple[str, dict[bytes, int]]]:
    path = vectors.FOLDER / "hash-functions.json"
    if not path.exists():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = {key.encode(): values for key, values in content["keys"].items()}
    rows |= {bytes.fromhex(key): values for key, values in content["keys_hex"].items()}
    return [
        (name, {key: values[column] for key, values in rows.items()})
        for column, name in enumerate(content["functions"])
    ]


@pytest.mark.parametrize(("name", "expected"), _hash_cases())
def test_hash_functions(name: str, expected: dict[bytes, int]) -> None:
    assert {key: HASHES[name](key) for key in expected} == expected
