"""The tokens that this process has seen, so that a `set` need not read before it writes.

They are a guess, and never a promise: whoever stores under them looks at the records in the same
round trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kcache.record import token_of, tokens_of

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
        unsure: nodes that are to be looked at before they are used. Among them those whose level 0
            was made on another server than the one that is known: a server's identity changes while
            it runs, as when a first replica comes, and others may know that already.
    """

    def __init__(self, nodes: int) -> None:
        self._tokens: list[dict[bytes, bytes]] = [{} for _ in range(nodes)]
        self.identities: list[bytes | None] = [None] * nodes
        self.unsure: set[int] = set()

    def tokens(self, index: int, records: Iterable[bytes]) -> tuple[bytes, ...]:
        """The tokens of records on a node; none at all if one of them is not known."""
        try:
            return tuple(map(self._tokens[index].__getitem__, records))
        except KeyError:
            return ()

    def seen(
        self, index: int, records: Sequence[bytes], found: Sequence[bytes | None]
    ) -> tuple[bytes | None, ...]:
        """The tokens in what was read under the keys of records, which are remembered.

        Args:
            index: of the node.
            records: level 0 first.
            found: what was read, in the same order.
        """
        tokens = tokens_of(found, self.identities[index])
        if tokens[:1] == (b"",) and token_of(found[0]):
            self.unsure.add(index)
        self.note(index, records, tokens)
        return tokens

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
