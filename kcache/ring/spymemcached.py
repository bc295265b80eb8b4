"""spymemcached 2.12.3, KetamaNodeLocator."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from kcache.errors import ConfigurationError
from kcache.label import check_spy_format
from kcache.node import Node
from kcache.ring.dialect import HASH_SPACE, Circle, Dialect, check_weights, md5_words
from kcache.ring.hashes import KeyHash
from kcache.ring.java_hashes import JAVA_HASHES
from kcache.ring.libmemcached import weighted_groups

__all__ = ["Spymemcached"]

_POINTS = 160
_MD5 = ("md5", "KETAMA_HASH")
_JAVA_INT = 2**31 - 1


@dataclass(frozen=True)
class Spymemcached(Dialect):
    """A sorted map of points: of equal ones the node listed last overwrites the others.

    Args:
        hash: `"md5"` (Java's KETAMA_HASH, the default), or another Java enum name; it makes
            the points of unweighted rings, too.
        format: `"SPYMEMCACHED"` (the default) or `"LIBMEMCACHED"` labels.
        weighted: whether the client was given a map of weights. Without it weights are not
            used; with it weight 0 means no points.
    """

    name: ClassVar[str] = "spymemcached"
    hashes: ClassVar[Mapping[str, KeyHash]] = MappingProxyType(
        {"md5": JAVA_HASHES["KETAMA_HASH"], **JAVA_HASHES}
    )

    format: str = "SPYMEMCACHED"
    weighted: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spy_format(self.format)

    def label(self, node: Node) -> str:  # noqa: D102 - said at the seam
        return node.label(self.name, format=self.format)

    def circle(self, nodes: Sequence[Node]) -> Circle:  # noqa: D102 - said at the seam
        groups = self._groups(nodes)
        # Last node first, so that it is the one to keep its point in a tie.
        return Circle.of(
            ((i, self._points(nodes[i], groups[i])) for i in reversed(range(len(nodes)))),
            unique=True,
        )

    def _groups(self, nodes: Sequence[Node]) -> list[int]:
        if not self.weighted:
            return [_POINTS // 4] * len(nodes)
        check_weights(self.name, nodes, least=0, most=_JAVA_INT)
        weights = [node.weight for node in nodes]
        if not 0 < sum(weights) <= _JAVA_INT:
            raise ConfigurationError(
                f"dialect {self.name!r}: the sum of weights must be 1 to {_JAVA_INT}, "
                f"not {sum(weights)}"
            )
        return weighted_groups(weights)

    def _points(self, node: Node, groups: int) -> array[int]:
        label = self.label(node)
        if self.weighted or self.hash in _MD5:
            return md5_words(label, groups)
        return array("I", [self.key_hash(f"{label}-{i}".encode()) for i in range(_POINTS)])

    def tries(self, key: bytes) -> Iterator[int]:
        """The hashes that the client looks up in turn while nodes fail, without end."""
        place = self.key_hash(key)
        attempt = 0
        while True:
            yield place
            place = (place + self.key_hash(b"%d" % attempt + key)) % HASH_SPACE
            attempt += 1
