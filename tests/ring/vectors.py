"""The golden vectors: data obtained from the real implementations, and how to read them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kcache import Node, Ring

FOLDER = Path(os.environ.get("KCACHE_VECTORS") or Path(__file__).parent.parent / "vectors/ketama")
_MODES = {
    "ketama": "libmemcached",
    "ketama_weighted": "libmemcached-weighted",
    "ketama_autoweighted": "libmemcached-autoweighted",
    "ketama_spy_weighted": "libmemcached-spy",
}


class Write(Protocol):
    """A fixture that writes a file and gives its path."""

    def __call__(self, text: str | bytes, name: str = ...) -> Path: ...


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def files() -> list[Path]:
    """Every file that describes one ring."""
    return [path for path in sorted(FOLDER.glob("*.json")) if "points_total" in _fields(path)]


def _fields(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Vector:
    """One file: the ring that it describes, and what that ring must give."""

    content: dict[str, Any]

    @property
    def dialect(self) -> str:
        mode = self.content.get("mode")
        return _MODES[mode] if mode else str(self.content["dialect"])

    def ring(self) -> Ring:
        options = {
            option: self.content[option]
            for option in ("format", "weighted", "hash_tag")
            if option in self.content
        }
        key_hash = self.content.get("hash_alg") or self.content["key_hash"]
        nodes = [node_of(listed) for listed in self.content["nodes"]]
        return Ring(nodes, self.dialect, hash=key_hash, **options)


def node_of(listed: dict[str, Any]) -> Node:
    return Node(
        kind="memcached",
        host=listed["host"],
        port=listed["port"],
        weight=listed.get("weight", 1),
        name=listed.get("name"),
        ip=listed.get("ip"),
    )
