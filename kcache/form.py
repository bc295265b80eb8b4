"""The form that values have on each kind of node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kcache.entry import FRAME_FLAGS, Entries, Kept, Marker
from kcache.errors import DecodeError
from kcache.frame import Dates, is_marked

__all__ = ["Form", "form_of"]


class Form(NamedTuple):
    """How values are stored on plain keys of a node.

    Attributes:
        dump: from a value and its wire key to flags and data. It raises EncodeError.
        load: from flags, data and their wire key to the value. It raises DecodeError.
        dump_dated: the same as `dump` for a value with dates, which is framed.
        load_kept: the same as `load`, and a value that is stale is read, too.
    """

    dump: Callable[[Any, bytes], tuple[int, bytes]]
    load: Callable[[int, bytes, bytes], Any]
    dump_dated: Callable[[Any, Dates, bytes], tuple[int, bytes]]
    load_kept: Callable[[int, bytes, bytes], Kept]


def form_of(kind: str, entries: Entries) -> Form:
    """The form for nodes of a kind. Those without flags have them 0."""
    dump, load, is_framed = _of_redis(entries) if kind == "redis" else _of_others(entries)

    def dump_dated(value: Any, dates: Dates, wire: bytes) -> tuple[int, bytes]:
        stamp = entries.stamp_of_plain(wire)
        return FRAME_FLAGS, entries.stamped(entries.prepared(value), stamp, dates)

    def load_kept(flags: int, data: bytes, wire: bytes) -> Kept:
        if not is_framed(flags, data):
            return Kept(load(flags, data, wire))
        kept, stamp = entries.unframe_kept(data)
        expected = entries.stamp_of_plain(wire)
        if (expected and stamp != expected) or isinstance(kept.value, Marker):
            raise DecodeError("a value of another place, or one that is being computed")
        return kept

    return Form(dump, load, dump_dated, load_kept)


def _of_redis(entries: Entries) -> tuple[Any, Any, Any]:
    to_redis, from_redis = entries.to_redis, entries.from_redis
    return (
        lambda value, wire: (0, to_redis(value, wire)),
        lambda _flags, data, wire: from_redis(data, wire),
        lambda _flags, data: is_marked(data),
    )


def _of_others(entries: Entries) -> tuple[Any, Any, Any]:
    return (
        entries.to_memcached,
        entries.from_memcached,
        lambda flags, _data: flags == FRAME_FLAGS,
    )
