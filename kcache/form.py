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
        dump: from a value to flags and data. It raises EncodeError.
        load: from flags and data to the value. It raises DecodeError.
        dump_dated: the same as `dump` for a value with dates, which is framed.
        load_kept: the same as `load`, and a value that is stale is read, too.
    """

    dump: Callable[[Any], tuple[int, bytes]]
    load: Callable[[int, bytes], Any]
    dump_dated: Callable[[Any, Dates], tuple[int, bytes]]
    load_kept: Callable[[int, bytes], Kept]


def form_of(kind: str, entries: Entries) -> Form:
    """The form for nodes of a kind. Those without flags have them 0."""
    dump, load, is_framed = _of_redis(entries) if kind == "redis" else _of_others(entries)

    def dump_dated(value: Any, dates: Dates) -> tuple[int, bytes]:
        return FRAME_FLAGS, entries.stamped(entries.prepared(value), dates=dates)

    def load_kept(flags: int, data: bytes) -> Kept:
        if not is_framed(flags, data):
            return Kept(load(flags, data))
        kept, _ = entries.unframe_kept(data)
        if isinstance(kept.value, Marker):
            raise DecodeError("a value that is being computed")
        return kept

    return Form(dump, load, dump_dated, load_kept)


def _of_redis(entries: Entries) -> tuple[Any, Any, Any]:
    to_redis, from_redis = entries.to_redis, entries.from_redis
    return (
        lambda value: (0, to_redis(value)),
        lambda _flags, data: from_redis(data),
        lambda _flags, data: is_marked(data),
    )


def _of_others(entries: Entries) -> tuple[Any, Any, Any]:
    return (
        entries.to_memcached,
        entries.from_memcached,
        lambda flags, _data: flags == FRAME_FLAGS,
    )
