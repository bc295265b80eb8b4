"""The seam between `Ring` and the implementations it stands in for.

A dialect is a frozen dataclass: its fields are its options, its methods say where nodes have
their points and how keys are hashed. A new dialect is one module with one such class, its label
in `kcache.label`, and a line in `kcache.ring.dialects`.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring.hashes import KeyHash, crc32, md5, md5_word

__all__ = [
    "HASH_SPACE",
    "MAX_POINTS",
    "Circle",
    "Dialect",
    "check_points",
    "check_weights",
    "little_endian_words",
    "md5_words",
]

HASH_SPACE = 1 << 32
"""Points are 0 .. 2**32 - 1."""
MAX_POINTS = 1 << 22


@dataclass(frozen=True)
class Circle:
    """The points of a ring before they are sorted.

    Attributes:
        groups: pairs of a node's index and its points. Of equal points that of the first group
            owns the keys.
        unique: whether of equal points only that one is kept.
    """

    groups: Sequence[tuple[int, array[int]]]
    unique: bool = False

    @classmethod
    def of(cls, groups: Iterable[tuple[int, array[int]]], *, unique: bool = False) -> Circle:
        """A circle of groups that are made one by one."""
        return cls(tuple(groups), unique)


@dataclass(frozen=True)
class Dialect(ABC):
    """How one implementation lays out its ring.

    Args:
        hash: name of the key hash; left out, the dialect's default one.
    """

    name: ClassVar[str]
    hashes: ClassVar[Mapping[str, KeyHash]] = {"md5": md5_word}
    """The key hashes to choose from, the default first."""

    hash: str = ""

    def __post_init__(self) -> None:
        if not self.hash:
            object.__setattr__(self, "hash", next(iter(self.hashes)))
        if self.hash not in self.hashes:
            raise ConfigurationError(
                f"dialect {self.name!r} has no key hash {self.hash!r}; "
                f"it takes {', '.join(self.hashes)}"
            )

    @abstractmethod
    def circle(self, nodes: Sequence[Node]) -> Circle:
        """The points of `nodes`.

        Raises:
            ConfigurationError: a weight or an address that this dialect refuses.
        """

    def label(self, node: Node) -> str:
        """The text that is hashed for `node`."""
        return node.label(self.name)

    @property
    def key_hash(self) -> KeyHash:
        """The function from a key's bytes to its place on the ring."""
        return self.hashes[self.hash]

    @property
    def key_space(self) -> int:
        """Key hashes are 0 .. key_space - 1; less than `HASH_SPACE` for the 15-bit "crc"."""
        return 1 << 15 if self.hashes[self.hash] is crc32 else HASH_SPACE


def md5_words(label: str, groups: int) -> array[int]:
    """The ketama points of a label: all four words of MD5(label-0), MD5(label-1), ..."""
    prefix = label.encode() + b"-"
    return little_endian_words(md5(prefix + b"%d" % i).digest() for i in range(groups))


def little_endian_words(digests: Iterable[bytes]) -> array[int]:
    """Digests as 32-bit numbers, each read with its low byte first."""
    words = array("I", b"".join(digests))
    if sys.byteorder == "big":
        words.byteswap()
    return words


def check_points(dialect: str, nodes: Sequence[Node], each: int) -> None:
    """Refuse a ring of more points than a machine should be asked to sort.

    For dialects in which the weight multiplies a node's points instead of sharing them out.
    """
    total = sum(node.weight for node in nodes)
    if total * each > MAX_POINTS:
        raise ConfigurationError(
            f"dialect {dialect!r} makes {each} points for each unit of weight, and there is room "
            f"for {MAX_POINTS}: the sum of weights, {total}, must be at most {MAX_POINTS // each}"
        )


def check_weights(dialect: str, nodes: Sequence[Node], *, least: int, most: int) -> None:
    """Refuse weights that the implementation refuses or cannot count."""
    for node in nodes:
        if not least <= node.weight <= most:
            raise ConfigurationError(
                f"node {node.name!r}: dialect {dialect!r} takes weights {least} to {most}, "
                f"not {node.weight}"
            )
