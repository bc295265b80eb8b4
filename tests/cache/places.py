"""Where caches of a test live: fleets of nodes of one kind, and one of all kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from kcache import Cache

__all__ = ["BASIC", "EVERY", "SECRET", "Place", "memory_url", "one_key_for_each_node"]

BASIC = ("memory", "redis", "memcached", "mixed")
EVERY = (*BASIC, "redis-unix", "memcached-unix", "redis-tls", "memcached-tls")
SECRET = "of a test, and of nothing else"  # noqa: S105
_PATIENCE = 20.0
_numbers = count()


@dataclass(frozen=True)
class Place:
    """The nodes for one test.

    Attributes:
        kind: one of `EVERY`.
        urls: of the nodes; none means the private in-process node.
    """

    kind: str
    urls: Sequence[str]

    def open(self, **options: Any) -> Cache:
        """A cache, whose failures are seen, and which a busy machine does not upset."""
        given = {"on_error": "raise", "timeout": _PATIENCE, **options}
        return Cache(self.urls or None, **given)


def memory_url(options: str = "") -> str:
    """The URL of an in-process node that no other test has."""
    return f"memory://test{next(_numbers)}{options}"


def one_key_for_each_node(cache: Cache) -> list[str]:
    """Some keys, in the order of the ring's nodes, one on each."""
    found: dict[str, str] = {}
    for number in range(10_000):
        key = f"key{number}"
        found.setdefault(cache.node_for(key).name, key)
        if len(found) == len(cache.ring.nodes):
            break
    return [found[node.name] for node in cache.ring.nodes]
