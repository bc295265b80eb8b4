"""What a parser raises."""

from __future__ import annotations

__all__ = ["WireError"]

_SHOWN = 64


class WireError(Exception):
    """Bytes that the protocol does not allow; the connection they came from is of no more use.

    Attributes:
        reason: what is wrong with them.
        evidence: the offending bytes, or the first of them.
    """

    def __init__(self, reason: str, evidence: bytes) -> None:
        self.reason = reason
        self.evidence = evidence[:_SHOWN]
        super().__init__(reason, self.evidence)

    def __str__(self) -> str:
        return f"{self.reason}: {self.evidence!r}"
