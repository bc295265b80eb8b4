"""What the registers are told of what happens: each is of one key in one namespace, a spot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from kcache.command import Command, Set
from tests.versions.client import Call, System

__all__ = ["Events", "Spots"]

Events: TypeAlias = list[tuple[int, tuple[Any, ...]]]
"""With the number of the spot that each is for."""


class Spots:
    """The spots of a world.

    Args:
        system: the world.
        spots: number of the namespace and key of each.
    """

    def __init__(self, system: System, spots: Iterable[tuple[int, str]]) -> None:
        self.all = sorted(spots)
        self._paths = system.paths
        self._owner = system.owner
        self._numbers = {spot: number for number, spot in enumerate(self.all)}
        self._at = {
            self._paths[path].place(key).key: number
            for (path, key), number in self._numbers.items()
        }

    def before(self, client: int, call: Call, command: Command, *, is_first: bool) -> Events:
        """Before a client's command is done, the first of its call or another one."""
        events: Events = []
        if is_first:
            events += [(spot, ("call", client, *told)) for spot, told in self._told(call)]
        if isinstance(command, Set) and call.name in ("set", "set_many"):
            spot = self._at.get(command.items[0][0])
            if spot is not None:
                events.append((spot, ("stored", client)))
        return events

    def after(self, client: int, call: Call, result: Mapping[str, Any] | None) -> Events:
        """After it; there is a result if that was the end of the call."""
        if result is None:
            return []
        return [
            (spot, ("return", client, result.get(self.all[spot][1], True)))
            for spot, _ in self._told(call)
        ]

    def lost(self, node: int, key: bytes | None, why: str = "renew") -> Events:
        """A node has lost what is under a key; without one, everything."""
        events: Events = []
        for spot, (path, name) in enumerate(self.all):
            if self._owner(name) != node:
                continue
            if key is None:
                events.append((spot, ("restart",)))
            elif self._at.get(key) == spot:
                events.append((spot, ("lose",)))
            elif key in self._paths[path].records:
                events.append((spot, (why,)))
        return events

    def _told(self, call: Call) -> Iterator[tuple[int, tuple[str, Any]]]:
        if call.name == "invalidate":
            names = self._paths[call.path].names
            for spot, (path, _) in enumerate(self.all):
                if self._paths[path].names[: len(names)] == names:
                    yield spot, ("invalidate", None)
        for key, value in call.items:
            yield self._numbers[call.path, key], (call.name.removesuffix("_many"), value)
