"""What a node has missed, and is told before it is used again."""

from __future__ import annotations

__all__ = ["MOST_ARREARS", "Arrears"]

MOST_ARREARS = 64
"""Records; where more are to be renewed, all of the node's entries are dropped at once instead."""


class Arrears:
    """The version records of one node that must be renewed before the node is used.

    Any thread adds, and one at a time pays. There is no lock: each step is atomic, and they are in
    an order in which nothing is forgotten.

    Args:
        everything: the record that all entries of the node depend on.
    """

    def __init__(self, everything: bytes = b"") -> None:
        self.everything = everything
        self._added: dict[bytes, None] = {}
        self._taken: list[dict[bytes, None]] = []

    def __bool__(self) -> bool:
        return bool(self._added or self._taken)

    def add(self, record: bytes) -> None:
        """Note that a record must be renewed."""
        while True:
            added = self._added
            added[record if len(added) < MOST_ARREARS else self.everything] = None
            # Otherwise whoever pays has taken them meanwhile, and may not have seen this one.
            if added is self._added:
                return

    def take(self) -> tuple[bytes, ...]:
        """What is to be renewed. It stays in arrears until it is `settled`."""
        added = self._added
        self._taken.append(added)
        self._added = {}
        wanted = {record: None for taken in self._taken for record in list(taken)}
        self._taken = [wanted]
        is_all = self.everything in wanted or len(wanted) > MOST_ARREARS
        return (self.everything,) if is_all else tuple(wanted)

    def settled(self) -> None:
        """Say that what was taken has been renewed."""
        self._taken = []
