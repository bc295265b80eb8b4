"""The form that values have on each kind of node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kcache.entry import Entries

__all__ = ["Form", "form_of"]


class Form(NamedTuple):
    """How values are stored on plain keys of a node.

    Attributes:
        dump: from a value and its wire key to flags and data. It raises EncodeError.
        load: from flags, data and their wire key to the value. It raises DecodeError.
    """

    dump: Callable[[Any, bytes], tuple[int, bytes]]
    load: Callable[[int, bytes, bytes], Any]


def form_of(kind: str, entries: Entries) -> Form:
    """The form for nodes of a kind. Those without flags have them 0."""
    if kind != "redis":
        return Form(entries.to_memcached, entries.from_memcached)
    to_redis, from_redis = entries.to_redis, entries.from_redis
    return Form(
        lambda value, wire: (0, to_redis(value, wire)),
        lambda _flags, data, wire: from_redis(data, wire),
    )
