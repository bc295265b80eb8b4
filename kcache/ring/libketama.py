"""libketama, as published by Last.fm (RJ/ketama, commit 18cf9a7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from kcache.node import Node
from kcache.ring.binary32 import libketama_groups
from kcache.ring.dialect import Circle, Dialect, check_weights, md5_words

__all__ = ["Libketama"]


@dataclass(frozen=True)
class Libketama(Dialect):
    """MD5 points, 160 for a node of mean weight. Of equal points the node listed first wins."""

    name: ClassVar[str] = "libketama"

    def circle(self, nodes: Sequence[Node]) -> Circle:  # noqa: D102 - said at the seam
        check_weights(self.name, nodes, least=1, most=2**63 - 1)
        total = sum(node.weight for node in nodes)
        return Circle.of(
            (i, md5_words(self.label(node), libketama_groups(node.weight, total, len(nodes))))
            for i, node in enumerate(nodes)
        )
