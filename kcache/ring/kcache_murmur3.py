"""The `kcache` dialect: a ring of its own, for fleets that need nobody else's layout.

The layout, frozen by vectors in `tests/vectors/kcache`:

* The label of a node is `host:port`, the path of its socket, or its `name=`.
* A node of weight w has 512 * w points: the four little-endian 32-bit words of
  MurmurHash3_x64_128(label-i, seed 0), i = 0 .. 128 * w - 1. They depend on nothing but the
  node itself, so a node that comes or goes moves its own keys and no others.
* Of equal points the node whose label is smaller, compared as bytes, wins. So the order in
  which nodes are listed does not matter.
* A key's place is MurmurHash3_x86_32(key, seed 0).

Three times the points of ketama make the shares more even, and murmur3
is cheaper than MD5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import mmh3

from kcache.node import Node
from kcache.ring.dialect import Circle, Dialect, check_points, check_weights, little_endian_words
from kcache.ring.hashes import KeyHash

__all__ = ["Kcache"]

_GROUPS = 128
_MAX_WEIGHT = 100


@dataclass(frozen=True)
class Kcache(Dialect):
    """Murmur3 points, 512 for each unit of weight; weights are 1 to 100."""

    name: ClassVar[str] = "kcache"
    hashes: ClassVar[Mapping[str, KeyHash]] = MappingProxyType({"mmh3": mmh3.mmh3_32_uintdigest})

    def circle(self, nodes: Sequence[Node]) -> Circle:  # noqa: D102 - said at the seam
        check_weights(self.name, nodes, least=1, most=_MAX_WEIGHT)
        check_points(self.name, nodes, 4 * _GROUPS)
        labels = [self.label(node).encode() for node in nodes]
        order = sorted(range(len(nodes)), key=labels.__getitem__)
        return Circle.of(
            (
                i,
                little_endian_words(
                    mmh3.mmh3_x64_128_digest(labels[i] + b"-%d" % group)
                    for group in range(_GROUPS * nodes[i].weight)
                ),
            )
            for i in order
        )
