"""What came of an invalidation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcache.node import Node

__all__ = ["Invalidation"]


@dataclass(frozen=True, slots=True)
class Invalidation:
    """Which nodes know that a namespace was invalidated.

    Attributes:
        complete: whether all do. Then no read that starts later, in any process, gives a value
            that was stored before.
        pending: the nodes that could not be told.
    """

    complete: bool
    pending: tuple[Node, ...] = ()
