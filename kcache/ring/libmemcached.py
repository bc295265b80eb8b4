"""libmemcached 1.0.16 and 1.1.4, and so pylibmc and PHP's memcached.

Four modes, which differ in what the points are made of:

* `libmemcached`: KETAMA. 100 points a node, made with the key hash; weights are not used.
* `libmemcached-weighted`: KETAMA_WEIGHTED. MD5 points in proportion to the weights.
* `libmemcached-autoweighted`: KETAMA, and then servers of which one has a weight above 1. The
  points are the weighted ones, the key hash stays that of KETAMA.
* `libmemcached-spy`: KETAMA_WEIGHTED with the spymemcached distribution. It is not what
  spymemcached does.

Of equal points the node added first wins.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from kcache.node import Node
from kcache.ring.binary32 import libmemcached_groups
from kcache.ring.dialect import Circle, Dialect, check_weights, md5_words
from kcache.ring.hashes import HASHES, KeyHash

__all__ = [
    "Libmemcached",
    "LibmemcachedAutoweighted",
    "LibmemcachedSpy",
    "LibmemcachedWeighted",
    "weighted_groups",
]

_POINTS = 100
_MAX_WEIGHT = 2**32 - 1


def _hashes(default: str) -> Mapping[str, KeyHash]:
    """The functions of libhashkit, the default first."""
    names = (
        default,
        "one_at_a_time",
        "md5",
        "crc32",
        "fnv1_64",
        "fnv1a_64",
        "fnv1_32",
        "fnv1a_32",
        "hsieh",
        "murmur",
        "murmur3",
        "jenkins",
    )
    return MappingProxyType({name: HASHES[name] for name in names})


def weighted_groups(weights: Sequence[int]) -> list[int]:
    """The groups of four points for each of the weights."""
    total = sum(weights)
    return [libmemcached_groups(weight, total, len(weights)) for weight in weights]


@dataclass(frozen=True)
class LibmemcachedWeighted(Dialect):
    """KETAMA_WEIGHTED: MD5 points; `hash` is for keys only. Weight 0 counts as 1."""

    name: ClassVar[str] = "libmemcached-weighted"
    hashes: ClassVar[Mapping[str, KeyHash]] = _hashes("md5")

    def circle(self, nodes: Sequence[Node]) -> Circle:  # noqa: D102 - said at the seam
        check_weights(self.name, nodes, least=0, most=_MAX_WEIGHT)
        groups = weighted_groups([max(node.weight, 1) for node in nodes])
        return Circle.of(
            (i, md5_words(self.label(node), groups[i])) for i, node in enumerate(nodes)
        )


@dataclass(frozen=True)
class LibmemcachedSpy(LibmemcachedWeighted):
    """KETAMA_WEIGHTED with another spelling of the labels."""

    name: ClassVar[str] = "libmemcached-spy"


@dataclass(frozen=True)
class Libmemcached(Dialect):
    """KETAMA: `hash` makes the points, too."""

    name: ClassVar[str] = "libmemcached"
    hashes: ClassVar[Mapping[str, KeyHash]] = _hashes("one_at_a_time")

    def circle(self, nodes: Sequence[Node]) -> Circle:  # noqa: D102 - said at the seam
        return Circle.of((i, self._points(node)) for i, node in enumerate(nodes))

    def _points(self, node: Node) -> array[int]:
        prefix = self.label(node).encode() + b"-"
        return array("I", [self.key_hash(prefix + b"%d" % i) for i in range(_POINTS)])


@dataclass(frozen=True)
class LibmemcachedAutoweighted(LibmemcachedWeighted):
    """KETAMA that turns into KETAMA_WEIGHTED, but for the key hash, at a weight above 1."""

    name: ClassVar[str] = "libmemcached-autoweighted"
    hashes: ClassVar[Mapping[str, KeyHash]] = _hashes("one_at_a_time")

    def circle(self, nodes: Sequence[Node]) -> Circle:  # noqa: D102 - said at the seam
        if any(node.weight > 1 for node in nodes):
            return super().circle(nodes)
        return Libmemcached(hash=self.hash).circle(nodes)
