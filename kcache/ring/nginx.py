"""nginx 1.22 `hash KEY consistent`, and Perl's Cache::Memcached::Fast with ketama_points 160."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from kcache.node import Node
from kcache.ring.dialect import Circle, Dialect, check_points, check_weights
from kcache.ring.hashes import KeyHash

__all__ = ["Nginx"]

_POINTS = 160


@dataclass(frozen=True)
class Nginx(Dialect):
    """A chain of CRC-32 points, 160 for each unit of weight, of which no two are equal."""

    name: ClassVar[str] = "nginx"
    hashes: ClassVar[Mapping[str, KeyHash]] = MappingProxyType({"crc32_ieee": zlib.crc32})

    def circle(self, nodes: Sequence[Node]) -> Circle:  # noqa: D102 - said at the seam
        check_weights(self.name, nodes, least=1, most=2**31 - 1)
        check_points(self.name, nodes, _POINTS)
        return Circle.of(
            ((i, self._points(node)) for i, node in enumerate(nodes)),
            unique=True,
        )

    def _points(self, node: Node) -> array[int]:
        base = zlib.crc32(self.label(node).encode())
        points = array("I")
        point = 0
        for _ in range(_POINTS * node.weight):
            point = zlib.crc32(point.to_bytes(4, "little"), base)
            points.append(point)
        return points
