"""twemproxy (nutcracker) 0.5.0 with `distribution: ketama`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring.dialect import Circle, Dialect, check_weights, md5_words
from kcache.ring.hashes import HASHES, KeyHash
from kcache.ring.libmemcached import weighted_groups

__all__ = ["Twemproxy"]

_NAMES = (
    "fnv1a_64",
    "one_at_a_time",
    "md5",
    "crc16",
    "crc32",
    "crc32a",
    "fnv1_64",
    "fnv1_32",
    "fnv1a_32",
    "hsieh",
    "murmur",
    "jenkins",
)
_TAG_LENGTH = 2
_UINT32 = 2**32 - 1


@dataclass(frozen=True)
class Twemproxy(Dialect):
    """libmemcached's weighted points, whatever the key hash; the order of servers is immaterial.

    Args:
        hash: the key hash, fnv1a_64 by default.
        hash_tag: two characters; of a key that holds both, with something between them, only
            what is between is hashed.
    """

    name: ClassVar[str] = "twemproxy"
    hashes: ClassVar[Mapping[str, KeyHash]] = MappingProxyType({n: HASHES[n] for n in _NAMES})

    hash_tag: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        tag = self.hash_tag
        if tag is not None and (len(tag) != _TAG_LENGTH or not tag.isascii()):
            raise ConfigurationError(f"hash_tag must be two ASCII characters, not {tag!r}")

    def circle(self, nodes: Sequence[Node]) -> Circle:  # noqa: D102 - said at the seam
        check_weights(self.name, nodes, least=1, most=2**31 - 1)
        if sum(node.weight for node in nodes) > _UINT32:
            raise ConfigurationError(
                f"dialect {self.name!r} counts the sum of weights in 32 bits; use smaller ones"
            )
        groups = weighted_groups([node.weight for node in nodes])
        labels = [self.label(node) for node in nodes]

        def by_label(i: int) -> tuple[int, bytes]:
            text = labels[i].encode()
            return len(text), text

        order = sorted(range(len(nodes)), key=by_label)
        return Circle.of((i, md5_words(labels[i], groups[i])) for i in order)

    @property
    def key_hash(self) -> KeyHash:  # noqa: D102 - said at the seam
        whole = super().key_hash
        if self.hash_tag is None:
            return whole
        opening, closing = self.hash_tag[0].encode(), self.hash_tag[1].encode()

        def tagged(key: bytes) -> int:
            start = key.find(opening) + 1
            end = key.find(closing, start) if start else -1
            return whole(key[start:end] if end > start else key)

        return tagged
