"""The tokens that this process has seen, so that a `set` need not read before it writes.

They are a guess, and never a promise: whoever stores under them looks at the records in the same
round trip.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["MAX_KNOWN", "Known"]

MAX_KNOWN = 10_000
"""Tokens that are remembered for each node, about 200 bytes each."""


class Known:
    """Tokens by node and record, in bounded memory.

    Threads share it: each operation on it is atomic, and any mix of them is harmless.

    Args:
        nodes: how many there are.

    Attributes:
        identities: of the servers, by node; None where it does not count, or is not known.
    """

    def __init__(self, nodes: int) -> None:
        self._tokens: list[dict[bytes, bytes]] = [{} for _ in range(nodes)]
        self.identities: list[bytes | None] = [None] * nodes

    def tokens(self, index: int, records: Iterable[bytes]) -> tuple[bytes, ...]:
        """The tokens of records on a node; none at all if one of them is not known."""
        try:
            return tuple(map(self._tokens[index].__getitem__, records))
        except KeyError:
            return ()

    def note(self, index: int, records: Iterable[bytes], tokens: Iterable[bytes | None]) -> None:
        """Remember what a node holds; an absent token is forgotten."""
        known = self._tokens[index]
        for record, token in zip(records, tokens, strict=True):
            if not token:
                known.pop(record, None)
            elif known.get(record) != token:
                if len(known) >= MAX_KNOWN:
                    known.clear()
                known[record] = token

    def forget(self, index: int, record: bytes) -> None:
        """Forget a token."""
        self._tokens[index].pop(record, None)
