"""Steps in words, for counter-examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcache.command import Command, Delete, Get, Gets, Held, Set, SetIf, Swap, Touch, Ttl
from kcache.entry import Marker
from kcache.errors import DecodeError
from kcache.flow import MISSING
from kcache.namespace import DIGEST_SIZE, Path, epoch_key
from kcache.record import TOKEN_SIZE, token_of
from tests.versions.client import ENTRIES, Call

__all__ = ["Names"]


class Names:
    """Words for keys and data.

    Args:
        paths: of the namespaces.
        spots: number of the path and key of each entry.
    """

    def __init__(self, paths: Sequence[Path], spots: Sequence[tuple[int, str]]) -> None:
        self._keys = {
            record: f"v{level}" for path in paths for level, record in enumerate(path.records)
        }
        self._keys |= {epoch_key(path.prefix): "epoch" for path in paths}
        for path, key in spots:
            name = "/".join((*map(str, paths[path].names), key))
            place = paths[path].place(key)
            self._keys[place.key] = name
            self._keys[paths[path].lease_key(place)] = f"lease {name}"

    def key(self, key: bytes) -> str:
        """A wire key: vN is the record of level N."""
        return self._keys[key]

    def data(self, data: bytes) -> str:
        """A record's token, or the value or marker of an entry, and its tokens."""
        token = token_of(data)
        if token:
            return _token(token)
        try:
            kept, stamp = ENTRIES.unframe_kept(data)
        except DecodeError:
            return repr(data)
        tokens = stamp[DIGEST_SIZE:]
        parts = (tokens[i : i + TOKEN_SIZE] for i in range(0, len(tokens), TOKEN_SIZE))
        marker = kept.value
        value = f"marker {marker.mark.hex()}" if isinstance(marker, Marker) else repr(marker)
        return f"{value}@{'.'.join(map(_token, parts))}"

    def step(self, client: int, call: Call, command: Command, *, reply: Any, result: Any) -> str:
        """What a client does."""
        name, path, items = call
        shown = ", ".join(key if value is None else f"{key}={value!r}" for key, value in items)
        answer = "" if result is None else f"; it returns {_result(result)}"
        return (
            f"{'ABC'[client]} {name}[{path}]({shown}): {self._command(command)}"
            f" -> {self._reply(reply)}{answer}"
        )

    def _command(self, command: Command) -> str:
        name = type(command).__name__
        match command:
            case Get(keys) | Delete(keys):
                return f"{name} {' '.join(map(self.key, keys))}"
            case Set(items):
                ((key, data, _),) = items
                return f"{name} {self.key(key)} = {self.data(data)}"
            case SetIf((key, data, _), _, (present, token)):
                condition = {True: "present", False: "absent", None: f"{self._reply(token)}"}
                return f"{name} {self.key(key)} = {self.data(data)} if {condition[present]}"
            case Swap((key, data, _), held):
                return f"{name} {self.key(key)} = {self.data(data)} if {self._reply(held)}"
        return f"{name} {self.key(command[0])}" if isinstance(command, (Gets, Touch, Ttl)) else name

    def _reply(self, reply: Any) -> str:
        if isinstance(reply, Held):
            return f"{self.data(reply.data)} ({self._reply(reply.token)})"
        if isinstance(reply, bytes):
            return self.data(reply)
        if isinstance(reply, tuple):
            return "[" + ", ".join(f"{self.key(k)}={self.data(d)}" for k, _, d in reply) + "]"
        return repr(reply)


def _token(token: bytes) -> str:
    return f"{'ABC'[token[0]]}{int.from_bytes(token[1:], 'big')}"


def _result(result: Any) -> str:
    shown = ["miss" if value is MISSING else repr(value) for value in result.values()]
    return ", ".join(shown) or "complete"
