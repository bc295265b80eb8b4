"""The canonical text of a value: two values have one text only if nothing tells them apart.

It looks like Python, is ASCII, and is the same in every process and on every platform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from types import MappingProxyType
from typing import Any
from uuid import UUID

from ormsgpack import packb

from kcache.codec.leaves import LOWER
from kcache.codec.registered import name_of
from kcache.errors import EncodeError

__all__ = ["SIMPLE", "SURE_LENGTH", "canonical", "tuple_of"]

SIMPLE: frozenset[type] = frozenset({int, str, bytes, float, bool, type(None)})
"""Of values of exactly these types, and of tuples of them, `ascii` gives the canonical text."""

# Longer ints are hexadecimal: how many digits Python writes is a setting of each process.
_INT_BITS = 2048
SURE_LENGTH = 600
"""But for ints of more than 2048 bits. No text of at most so many characters has one."""


def canonical(value: Any) -> str:
    """The text of a value.

    It takes, exactly and nested, what `SafeCodec` takes; all Enums, dataclasses and classes, by
    their qualified names; and objects whose class has a `__cache_key__`.

    Raises:
        EncodeError: any other value. The message says which, and not yet what to do.

    Example:
        >>> canonical((1, 1.0, True, "1", b"1", None))
        "(1, 1.0, True, '1', b'1', None)"
        >>> canonical({"b": {2, 1}, "a": []})
        "{'a': [], 'b': set(1, 2)}"
    """
    kind = type(value)
    way = _WAYS.get(kind)
    return _of_class(kind, value) if way is None else way(value)


def tuple_of(texts: list[str]) -> str:
    """The text of a tuple, from those of its items."""
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _int(value: int) -> str:
    return ascii(value) if value.bit_length() <= _INT_BITS else hex(value)


def _tuple(value: tuple[Any, ...]) -> str:
    return tuple_of([canonical(item) for item in value])


def _list(value: list[Any]) -> str:
    return f"[{', '.join([canonical(item) for item in value])}]"


def _dict(value: dict[Any, Any]) -> str:
    # What was put in first makes no difference to equality.
    items = sorted((canonical(key), canonical(item)) for key, item in value.items())
    return f"{{{', '.join(f'{key}: {item}' for key, item in items)}}}"


def _set(value: Iterable[Any]) -> str:
    return f"set({', '.join(sorted(map(canonical, value)))})"


def _frozenset(value: frozenset[Any]) -> str:
    return f"frozen{_set(value)}"


def _decimal(value: Decimal) -> str:
    # Whether its E is a capital depends on the context.
    return f"Decimal('{str(value).upper()}')"


def _leaf(value: Any) -> str:
    kind = type(value)
    return f"{kind.__name__}({packb(LOWER[kind](value))!a})"


def _of_class(kind: type, value: Any) -> str:
    if issubclass(kind, type):
        return f"class({name_of(value)!a})"
    if _has_key(kind, value):
        key = value.__cache_key__
        return _identified(kind, key() if callable(key) else key)
    if issubclass(kind, Enum):
        # As in the codec: a combination of flags has no name.
        part = value._value_ if issubclass(kind, Flag) else value._name_
        return f"enum({name_of(kind)!a}, {part!a})"
    if _is_of_fields(kind):
        parts = [f"{field.name}={_field(value, field.name)}" for field in fields(value)]
        return f"dataclass({', '.join([ascii(name_of(kind)), *parts])})"
    raise EncodeError(f"a {name_of(kind)}")


def _identified(kind: type, identity: Any) -> str:
    if identity is None:
        # New objects have none yet, and are not one.
        raise EncodeError(f"a {name_of(kind)} whose __cache_key__ is None")
    return f"object({name_of(kind)!a}, {canonical(identity)})"


def _has_key(kind: type, value: Any) -> bool:
    # Not by `getattr` of the value: some answer to every name, by a call to somewhere.
    own = getattr(value, "__dict__", ())
    return getattr(kind, "__cache_key__", None) is not None or "__cache_key__" in own


def _is_of_fields(kind: type) -> bool:
    """Whether a class is a dataclass itself, and of nothing else, such as a list's items."""
    own: Any = kind.__new__
    return "__dataclass_fields__" in vars(kind) and own is object.__new__


def _field(value: Any, name: str) -> str:
    try:
        return canonical(getattr(value, name))
    except AttributeError as error:
        raise EncodeError(f"a {name_of(type(value))} without its {name}") from error


_WAYS: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        **dict.fromkeys(SIMPLE, ascii),
        int: _int,
        tuple: _tuple,
        list: _list,
        dict: _dict,
        set: _set,
        frozenset: _frozenset,
        Decimal: _decimal,
        **dict.fromkeys((date, time, datetime, timedelta, UUID), _leaf),
    }
)
