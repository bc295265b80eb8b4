"""The commands, done by an in-process store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kcache.command import (
    TOO_LARGE,
    Command,
    Count,
    Delete,
    Flush,
    Get,
    Gets,
    Held,
    Hit,
    Identify,
    NotANumber,
    Ping,
    Refused,
    Reply,
    Set,
    SetIf,
    Swap,
    Touch,
    Ttl,
)
from kcache.errors import NotACounter
from kcache.memory import MemoryStore

__all__ = ["execute"]


def execute(store: MemoryStore, commands: Sequence[Command]) -> list[Reply]:
    """Do commands in turn; the reply to each."""
    return [_WAYS[type(command)](store, command) for command in commands]


def _get(store: MemoryStore, command: Get) -> list[Hit]:
    found = zip(command.keys, store.get_many(command.keys), strict=True)
    return [(key, entry[1], entry[0]) for key, entry in found if entry is not None]


def _gets(store: MemoryStore, command: Gets) -> Held | None:
    entry = store.get(command.key)
    if entry is None:
        return None
    data, flags, token, _ = entry
    return Held(flags, data, token)


def _set(store: MemoryStore, command: Set) -> list[tuple[bytes, Refused]]:
    ttl = command.ttl
    return [
        (key, Refused(TOO_LARGE))
        for key, data, flags in command.items
        if not store.store(key, data, flags, ttl)
    ]


def _set_if(store: MemoryStore, command: SetIf) -> bool:
    (key, data, flags), (present, token) = command.item, command.condition
    if token is not None and not isinstance(token, int):
        # It is of a node of another kind, and so of another entry.
        return False
    return store.store_if(key, data, flags, command.ttl, present=present, token=token)


def _swap(store: MemoryStore, command: Swap) -> bool:
    (key, data, flags), held = command
    return store.swap(key, data, flags, int(held.token))


def _delete(store: MemoryStore, command: Delete) -> int:
    return sum(map(store.delete, command.keys))


def _touch(store: MemoryStore, command: Touch) -> bool:
    return store.touch(command.key, command.ttl)


def _ttl(store: MemoryStore, command: Ttl) -> float | None:
    return store.ttl(command.key)


def _count(store: MemoryStore, command: Count) -> int | NotANumber | None:
    key, delta, initial, ttl, flags = command
    try:
        return store.count(key, delta, initial, flags, ttl)
    except NotACounter:
        return NotANumber()


def _flush(store: MemoryStore, _command: Flush) -> bool:
    store.flush()
    return True


def _ping(_store: MemoryStore, _command: Ping) -> bool:
    return True


def _identify(_store: MemoryStore, _command: Identify) -> bytes:
    return b""


_WAYS: Mapping[type[Command], Callable[[MemoryStore, Any], Reply]] = MappingProxyType(
    {
        Get: _get,
        Gets: _gets,
        Set: _set,
        SetIf: _set_if,
        Swap: _swap,
        Delete: _delete,
        Touch: _touch,
        Ttl: _ttl,
        Count: _count,
        Flush: _flush,
        Ping: _ping,
        Identify: _identify,
    }
)
