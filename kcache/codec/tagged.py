"""Values that MessagePack cannot hold, taken apart into what it can, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from itertools import chain
from typing import Any, NoReturn

from ormsgpack import Ext

from kcache.codec import tags
from kcache.codec.leaves import LOWER, RAISE, lower_int, lower_str
from kcache.codec.registered import Registry, name_of
from kcache.errors import DecodeError, EncodeError

__all__ = ["MAX_DEPTH", "Extension", "Tagged"]

MAX_DEPTH = 255
"""Containers within each other; ormsgpack takes no more."""

Extension = slice
"""What extensions are read as: `start` is the tag and `stop` the data. It is a type that is made
in C of just these, that holds them, and that nothing else is read as."""

_SCALARS: frozenset[type] = frozenset({float, bool, type(None), bytes})
_ONLY_STR = frozenset({str})
_INT_LEAST, _INT_MOST = -(1 << 63), (1 << 64) - 1
_MARKS: Mapping[type, Ext] = {
    tuple: Ext(tags.TUPLE, b""),
    set: Ext(tags.SET, b""),
    frozenset: Ext(tags.FROZENSET, b""),
}
_DICT_MARK = Ext(tags.DICT, b"")
_COLLECTIONS: Mapping[int, Callable[[list[Any]], Any]] = {
    tags.TUPLE: tuple,
    tags.SET: set,
    tags.FROZENSET: frozenset,
}
_PARTS = frozenset({Extension, list, dict})


class _Ways(dict[type, Callable[[Any, int], Any]]):
    """From a type to what takes its values apart."""

    def __missing__(self, kind: type) -> NoReturn:
        _refuse(kind)


class Tagged:
    """Takes values apart and puts them together.

    Args:
        registry: the user's types.
        thorough: look into every str and int for what ormsgpack refuses: lone surrogates, and
            more than 64 bits. That takes twice the time, and hardly any value has them.
    """

    def __init__(self, registry: Registry, *, thorough: bool) -> None:
        self._registry = registry
        self._scalars = _SCALARS if thorough else _SCALARS | {str, int}
        self._has_plain_keys = _has_utf8_keys if thorough else _has_str_keys
        self._raise = {**RAISE, tags.MEMBER: registry.member}
        leaves: dict[type, Callable[[Any], Ext]] = {**LOWER, **registry.members}
        self._ways = _Ways()
        self._ways.update(dict.fromkeys(_MARKS, self._collection_apart))
        self._ways.update(dict.fromkeys(registry.records, self._record_apart))
        self._ways.update({kind: _leaf_way(lower) for kind, lower in leaves.items()})
        self._ways.update({str: _str_apart, int: _int_apart})
        self._ways.update({list: self._list_apart, dict: self._dict_apart})
        self._ways.update(dict.fromkeys(self._scalars, _same))

    def apart(self, value: Any) -> Any:
        """Give what stands for `value` in MessagePack.

        Raises:
            EncodeError: a type that is not taken, or more than 255 containers within each other.
        """
        return self._ways[type(value)](value, MAX_DEPTH)

    # Each `room` says how many containers may be within each other from here on.

    def _list_apart(self, value: Any, room: int) -> list[Any]:
        scalars, ways, room = self._scalars, self._ways, _less(room)
        return [item if type(item) in scalars else ways[type(item)](item, room) for item in value]

    def _collection_apart(self, value: Any, room: int) -> list[Any]:
        mark = _MARKS[type(value)]
        if room and self._scalars.issuperset(map(type, value)):
            return [mark, *value]
        return [mark, *self._list_apart(value, room)]

    def _dict_apart(self, value: dict[Any, Any], room: int) -> Any:
        if not self._has_plain_keys(value):
            return [_DICT_MARK, *self._list_apart(chain.from_iterable(value.items()), room)]
        scalars, ways, room = self._scalars, self._ways, _less(room)
        return {
            key: item if type(item) in scalars else ways[type(item)](item, room)
            for key, item in value.items()
        }

    def _record_apart(self, value: Any, room: int) -> list[Any]:
        record = self._registry.records[type(value)]
        return [record.mark, *self._list_apart(record.take(value), room)]

    def together(self, parts: Any, room: int = MAX_DEPTH) -> Any:
        """Give the value that was taken apart. Lists and dicts in `parts` are changed.

        Raises:
            DecodeError: `parts` is nothing that `apart` gives; also other exceptions of the
                types that are put together.
        """
        kind = type(parts)
        if kind is dict:
            if not _PARTS.isdisjoint(map(type, parts.values())):
                self._each_together(parts, parts.items(), room)
        elif kind is list:
            first = parts[0] if parts else None
            is_marked = type(first) is Extension and first.start < tags.FIRST_LEAF
            if is_marked:
                del parts[0]
            if not _PARTS.isdisjoint(map(type, parts)):
                self._each_together(parts, enumerate(parts), room)
            if is_marked:
                return self._collection(first, parts)
        elif kind is Extension:
            return self._leaf(parts)
        return parts

    def _each_together(self, parts: Any, places: Iterable[tuple[Any, Any]], room: int) -> None:
        for place, item in places:
            kind = type(item)
            if kind is Extension:
                # A dict may be changed while it is read, as long as its keys are not.
                parts[place] = self._leaf(item)
            elif kind is list or kind is dict:
                if room <= 1:
                    raise DecodeError("too many containers within each other")
                parts[place] = self.together(item, room - 1)

    def _leaf(self, extension: Any) -> Any:
        make = self._raise.get(extension.start)
        if make is None:
            raise DecodeError(f"an extension of unknown type {extension.start}")
        return make(extension.stop)

    def _collection(self, mark: Any, items: list[Any]) -> Any:
        make = _COLLECTIONS.get(mark.start)
        if make is not None:
            return make(items)
        if mark.start == tags.DICT:
            return dict(zip(items[::2], items[1::2], strict=True))
        if mark.start == tags.RECORD:
            return self._registry.record(mark.stop).make(items)
        raise DecodeError(f"an extension of unknown type {mark.start}")


def _same(value: Any, _room: int) -> Any:
    return value


def _str_apart(value: str, _room: int) -> Any:
    return value if _is_utf8(value) else lower_str(value)


def _int_apart(value: int, _room: int) -> Any:
    return value if _INT_LEAST <= value <= _INT_MOST else lower_int(value)


def _leaf_way(lower: Callable[[Any], Ext]) -> Callable[[Any, int], Ext]:
    return lambda value, _room: lower(value)


def _less(room: int) -> int:
    if not room:
        raise EncodeError(f"cannot encode more than {MAX_DEPTH} containers within each other")
    return room - 1


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _has_str_keys(value: dict[Any, Any]) -> bool:
    return _ONLY_STR.issuperset(map(type, value))


def _has_utf8_keys(value: dict[Any, Any]) -> bool:
    return _has_str_keys(value) and _is_utf8("".join(value))


def _refuse(kind: type) -> NoReturn:
    """Raise the EncodeError for a type that is not taken."""
    name = name_of(kind)
    if issubclass(kind, Enum) or is_dataclass(kind):
        way_out = f"register it: SafeCodec(types=[{kind.__name__}])"
    else:
        known = (str, bytes, int, float, dict, list, tuple, set, frozenset, *LOWER)
        base = next((each for each in known if issubclass(kind, each)), None)
        way_out = (
            "convert it to a type that the codec takes, or give another codec"
            if base is None
            else f"convert it to {base.__name__}, whose subclass it is, or give another codec"
        )
    raise EncodeError(f"cannot encode a {name}: {way_out}")
