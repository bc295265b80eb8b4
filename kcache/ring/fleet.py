"""What a fleet's own configuration file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kcache.node import Node

__all__ = ["Fleet"]


@dataclass(frozen=True)
class Fleet:
    """Nodes, and the dialect in which the fleet's clients place keys on them."""

    nodes: tuple[Node, ...]
    dialect: str
    options: Mapping[str, Any] = field(default_factory=dict)
