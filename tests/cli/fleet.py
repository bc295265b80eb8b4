"""A fleet that need not be there, as options of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["NODES", "THREE", "Printed", "options"]

THREE = ["memcached://10.0.0.1", "memcached://10.0.0.2", "memcached://10.0.0.3"]
NODES = [part for url in THREE for part in ("--node", url)]
Printed = Callable[..., str]


def options(urls: Iterable[str]) -> list[str]:
    """Nodes as the command line takes them."""
    return [part for url in urls for part in ("--node", url)]
