"""Replies that both protocols have, and what they must not exceed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["INCOMPLETE", "ErrorReply", "Incomplete", "Limits", "Status"]


class Incomplete(Enum):
    """The type of `INCOMPLETE`."""

    INCOMPLETE = "INCOMPLETE"


INCOMPLETE: Final = Incomplete.INCOMPLETE
"""More bytes are needed."""


@dataclass(frozen=True, slots=True)
class Status:
    """A line that says how it went: `+OK` of Redis, `STORED` of memcached."""

    text: bytes


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """A refusal by the server. The connection is in step, but for what memcached did not read."""

    text: bytes

    @property
    def code(self) -> bytes:
        """The first word, such as `WRONGTYPE` or `SERVER_ERROR`."""
        return self.text.partition(b" ")[0]

    def __str__(self) -> str:
        return self.text.decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a parser takes; a header that announces more is refused at once.

    Attributes:
        body: bytes of a bulk or value.
        line: bytes of a line without its CRLF.
        array: elements of an array.
        depth: arrays within arrays.
    """

    body: int = 64 << 20
    line: int = 16 << 10
    array: int = 1 << 20
    depth: int = 8
