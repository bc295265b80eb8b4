"""Nodes as pure functions: what each atomic command makes of what a node holds.

Two models. "redis": a command is atomic, a pipeline is not. "memcached": a command on several
keys is not atomic either; other clients come between its keys, in the order given. There is no
clock: an entry that ends is one that is evicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from kcache.command import Command, Delete, Get, Gets, Held, Reply, Set, SetIf, Swap, Touch, Ttl

__all__ = ["EMPTY", "KINDS", "Contents", "Stored", "act", "join", "split", "without"]

KINDS = ("redis", "memcached")


class Stored(NamedTuple):
    """What is under a key.

    Attributes:
        data: None if nothing is.
        number: of the stores of this key on memcached since the node began. It is what `cas`
            compares, so that two stores after a restart can be taken for each other.
    """

    data: bytes | None
    number: int


Contents: TypeAlias = Mapping[bytes, Stored]
EMPTY: Contents = MappingProxyType({})
_NOTHING = Stored(None, 0)


def split(kind: str, command: Command) -> list[Command]:
    """The atomic commands that a command is done as."""
    match command:
        case Set(items, ttl, once):
            return [Set((item,), ttl, once) for item in items]
        case Get(keys) if kind == "memcached":
            return [Get((key,)) for key in keys]
        case Delete(keys) if kind == "memcached":
            return [Delete((key,)) for key in keys]
    return [command]


def join(command: Command, replies: tuple[Reply, ...]) -> Reply:
    """The reply to a command, of those to its atomic commands."""
    if isinstance(command, (Set, Get)):
        return tuple(hit for reply in replies for hit in reply)
    return sum(replies) if isinstance(command, Delete) else replies[0]


def act(kind: str, contents: Contents, command: Command) -> tuple[Contents, Reply]:
    """Do an atomic command; what the node holds then, and the reply."""
    return _WAYS[type(command)](kind, contents, command)


def without(kind: str, contents: Contents, key: bytes) -> Contents:
    """The contents without an entry."""
    if kind == "redis":
        return {at: stored for at, stored in contents.items() if at != key}
    return {**contents, key: contents[key]._replace(data=None)}


def _with(kind: str, contents: Contents, key: bytes, data: bytes) -> Contents:
    number = 0 if kind == "redis" else contents.get(key, _NOTHING).number + 1
    return {**contents, key: Stored(data, number)}


def _ended(
    kind: str, contents: Contents, key: bytes, data: bytes, ttl: float | None
) -> tuple[Contents, bool]:
    stored = _with(kind, contents, key, data)
    return (stored if ttl is None or ttl > 0 else without(kind, stored, key)), True


def _data(contents: Contents, key: bytes) -> bytes | None:
    return contents.get(key, _NOTHING).data


def _get(_kind: str, contents: Contents, command: Get) -> tuple[Contents, Reply]:
    found = ((key, _data(contents, key)) for key in command.keys)
    return contents, tuple((key, 0, data) for key, data in found if data is not None)


def _gets(kind: str, contents: Contents, command: Gets) -> tuple[Contents, Reply]:
    data, number = contents.get(command.key, _NOTHING)
    if data is None:
        return contents, None
    return contents, Held(0, data, data if kind == "redis" else number)


def _set(kind: str, contents: Contents, command: Set) -> tuple[Contents, Reply]:
    ((key, data, _),) = command.items
    return _ended(kind, contents, key, data, command.ttl)[0], ()


def _is_held(kind: str, contents: Contents, key: bytes, token: object) -> bool:
    data, number = contents.get(key, _NOTHING)
    return data is not None and token == (data if kind == "redis" else number)


def _set_if(kind: str, contents: Contents, command: SetIf) -> tuple[Contents, Reply]:
    (key, data, _), (present, token) = command.item, command.condition
    if present is not None and present != (_data(contents, key) is not None):
        return contents, False
    if token is not None and not _is_held(kind, contents, key, token):
        return contents, False
    return _ended(kind, contents, key, data, command.ttl)


def _swap(kind: str, contents: Contents, command: Swap) -> tuple[Contents, Reply]:
    (key, data, _), held = command
    if not _is_held(kind, contents, key, held.token):
        return contents, False
    return _with(kind, contents, key, data), True


def _delete(kind: str, contents: Contents, command: Delete) -> tuple[Contents, Reply]:
    deleted = 0
    for key in command.keys:
        if _data(contents, key) is not None:
            deleted += 1
            contents = without(kind, contents, key)
    return contents, deleted


def _touch(kind: str, contents: Contents, command: Touch) -> tuple[Contents, Reply]:
    if _data(contents, command.key) is None:
        return contents, False
    if command.ttl is not None and command.ttl <= 0:
        contents = without(kind, contents, command.key)
    return contents, True


def _ttl(_kind: str, contents: Contents, command: Ttl) -> tuple[Contents, Reply]:
    return contents, None if _data(contents, command.key) is None else inf


_WAYS: Mapping[type[Command], Callable[[str, Contents, Any], tuple[Contents, Reply]]] = (
    MappingProxyType(
        {
            Get: _get,
            Gets: _gets,
            Set: _set,
            SetIf: _set_if,
            Swap: _swap,
            Delete: _delete,
            Touch: _touch,
            Ttl: _ttl,
        }
    )
)
