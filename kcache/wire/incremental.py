"""What the parsers of both protocols share: bytes come in pieces, lines and bodies go out.

Every byte is copied a bounded number of times, however it was cut: a line is joined from pieces
while it is shorter than a limit, and the pieces of a long body are joined once, when all are there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from kcache.wire.errors import WireError
from kcache.wire.reply import INCOMPLETE, Incomplete, Limits

__all__ = ["CRLF", "DEFAULT_LIMITS", "Incremental", "natural", "number", "remember"]

CRLF = b"\r\n"
DEFAULT_LIMITS = Limits()
_CR = 13
_ZERO = 48
_MOST_DIGITS = 20
_MOST_REMEMBERED = 4096

Reply = TypeVar("Reply")
Found = TypeVar("Found")


class Incremental(ABC, Generic[Reply]):
    """A parser that is fed bytes as they come.

    After an exception from any method, an interruption included, it is dead: every call raises.

    Args:
        limits: what it takes.
    """

    __slots__ = ("_at", "_collecting", "_data", "_dead", "_fed", "_limits", "_missing", "_pieces")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        # The bytes being parsed, from `_at` on, and those that came after them.
        self._data = b""
        self._at = 0
        self._fed: list[bytes] = []
        # Whether a body is being collected, what there is of it, and how much is missing.
        self._collecting = False
        self._pieces: list[memoryview] = []
        self._missing = 0
        self._dead: tuple[str, bytes] | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream.

        Raises:
            WireError: an earlier call raised.
        """
        if self._dead is not None:
            raise WireError(*self._dead)
        try:
            if self._missing:
                taken = min(self._missing, len(data))
                # A view costs nothing, where a piece of long bytes would be a copy of them.
                self._pieces.append(memoryview(data)[:taken])
                self._missing -= taken
                data = data[taken:]
            if self._at == len(self._data) and not self._fed:
                self._data, self._at = data, 0
            elif data:
                self._fed.append(data)
        except BaseException as error:
            self._die(error)
            raise

    def next_reply(self) -> Reply | Incomplete:
        """The next reply, or `INCOMPLETE`.

        Raises:
            WireError: the bytes are none that a server sends, or beyond the limits.
        """
        return self._attempt(self._parse)

    @property
    def missing(self) -> int:
        """So many bytes at least must come before the next reply, after `INCOMPLETE`.

        More than 1 within a body, whose length is known: as much can be received at once.
        """
        return self._missing + len(CRLF) if self._missing else 1

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left over: neither bytes nor a reply that has begun."""
        return (
            self._dead is None
            and not self._collecting
            and not self._fed
            and self._at == len(self._data)
        )

    @abstractmethod
    def _parse(self) -> Reply | Incomplete:
        """Take a reply out of `_data`; what has been taken is not looked at again."""

    def _attempt(self, parse: Callable[[], Found | Incomplete]) -> Found | Incomplete:
        if self._dead is not None:
            raise WireError(*self._dead)
        try:
            found = parse()
            while found is INCOMPLETE and self._fed:
                self._refill()
                found = parse()
            if self._at == len(self._data):
                # An idle connection must not keep its last reply in memory.
                self._data, self._at = b"", 0
        except BaseException as error:
            self._die(error)
            raise
        return found

    def _die(self, error: BaseException) -> None:
        # Not the exception itself, whose traceback would keep the buffers.
        reason, evidence = "interrupted", b""
        if isinstance(error, WireError):
            reason, evidence = error.reason, error.evidence
        self._dead = reason, evidence
        self._data, self._at, self._missing = b"", 0, 0
        self._fed.clear()
        self._pieces.clear()

    def _refill(self) -> None:
        """Go on with what was fed. What is left of `_data` is less than a line by now."""
        rest = self._data[self._at :]
        if rest or len(self._fed) > 1:
            self._data = b"".join((rest, *self._fed))
        else:
            self._data = self._fed[0]
        self._at = 0
        self._fed.clear()

    def _line(self) -> bytes | Incomplete:
        """The line that begins here, without its CRLF."""
        data, at = self._data, self._at
        end = data.find(b"\n", at)
        if (end if end >= 0 else len(data)) - 1 - at > self._limits.line:
            raise WireError("a line beyond the limit", data[at : at + 80])
        if end < 0:
            return INCOMPLETE
        line = data[at : end - 1]
        if end == at or data[end - 1] != _CR:
            raise WireError("a line that does not end with CRLF", data[at : end + 1])
        self._at = end + 1
        return line

    def _body(self, size: int) -> bytes | Incomplete:
        """The body that begins here, and that CRLF must follow."""
        start, end = self._at, self._at + size
        data = self._data
        if end + 2 <= len(data):
            self._after_body(end)
            return data[start:end]
        piece = memoryview(data)[start:end]
        self._collecting, self._pieces, self._missing = True, [piece], size - len(piece)
        self._data, self._at = data[end:], 0
        fed, self._fed = self._fed, []
        for more in fed:
            self.feed(more)
        return self._rest_of_body()

    def _after_body(self, end: int) -> None:
        """Go on after the CRLF that must be at `end`."""
        ending = self._data[end : end + 2]
        if ending != CRLF:
            raise WireError("a body that CRLF does not follow", ending)
        self._at = end + 2

    def _rest_of_body(self) -> bytes | Incomplete:
        """The body that is being collected, once it is all there."""
        if self._missing:
            return INCOMPLETE
        if self._fed:
            self._refill()
        ending = self._data[self._at : self._at + 2]
        if ending != CRLF[: len(ending)]:
            raise WireError("a body that CRLF does not follow", ending)
        if len(ending) < len(CRLF):
            return INCOMPLETE
        self._at += 2
        body = b"".join(self._pieces)
        self._collecting, self._pieces = False, []
        return body


def natural(digits: bytes, most: int) -> int:
    """A decimal number without sign or leading zeros; -1 if it is none, or above `most`."""
    if (
        not digits.isdigit()
        or len(digits) > _MOST_DIGITS
        or (digits[0] == _ZERO and len(digits) > 1)
    ):
        return -1
    value = int(digits)
    return value if value <= most else -1


def number(digits: bytes, most: int) -> int:
    """The same.

    Raises:
        WireError: it is anything else, or above `most`.
    """
    value = natural(digits, most)
    if value < 0:
        raise WireError(f"not a number of at most {most}", digits)
    return value


def remember(known: dict[bytes, int], text: bytes, value: int) -> None:
    """Note what a piece of a header means, so that a look-up both checks and reads it next time.

    A few thousand are kept; bodies have few different sizes where there are many of them.
    """
    if len(known) < _MOST_REMEMBERED:
        known[text] = value
