"""Replies of memcached, in its text and its meta protocol, from bytes.

Two ways to read: `parse_value` and `parse_metas` take what one receive brought, if that is the
whole reply in the commonest form, and make no parser; `MemcachedParser` takes everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from kcache.interruption import is_of_handler
from kcache.wire.errors import WireError
from kcache.wire.incremental import CRLF, DEFAULT_LIMITS, Incremental, number, remember
from kcache.wire.reply import INCOMPLETE, ErrorReply, Incomplete, Limits, Status

__all__ = [
    "END",
    "End",
    "Hit",
    "MemcachedParser",
    "Meta",
    "Reply",
    "Value",
    "parse_metas",
    "parse_value",
    "parse_values",
]


class Value(NamedTuple):
    """A hit of a text `get` or `gets`."""

    key: bytes
    flags: int
    data: bytes
    cas: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The end of the hits of a `get`."""


END: Final = End()


class Meta(NamedTuple):
    """A reply to a meta command.

    Attributes:
        code: its two letters, such as `HD`.
        flags: what was asked for, each with its letter first, in the order of the command.
        data: the value, after `VA`.
    """

    code: bytes
    flags: tuple[bytes, ...] = ()
    data: bytes | None = None

    def flag(self, letter: bytes) -> bytes | None:
        """What follows the letter; None where the reply does not have it."""
        return next((flag[1:] for flag in self.flags if flag[:1] == letter), None)


Reply: TypeAlias = "Value | End | Meta | Status | ErrorReply"
Hit: TypeAlias = tuple[bytes, int, bytes]
"""Key, flags and data, where there are many of them."""

# Makes a tuple of a given type without the call into Python that its constructor is.
_new = tuple.__new__

_MOST_FLAGS, _MOST_CAS = (1 << 32) - 1, (1 << 64) - 1
_LONGEST_KEY = 250
_GET_FIELDS, _GETS_FIELDS = 3, 4

# Flags, and sizes in the middle and at the end of a line.
_PREPARED = 1024
_FLAGS = {b"%d" % flags: flags for flags in range(_PREPARED)}
_SIZES = dict(_FLAGS)
_LAST_SIZES = {digits + b"\r": size for digits, size in _SIZES.items()}

_DIGITS = [b"%d\r" % size for size in range(4 * _PREPARED)]
_LAST_PARTS = [b"END", b""]

_END = b"END\r\n"
_ONE_HIT_END = b"\r\nEND\r\n"
_CODES = frozenset([b"HD", b"EN", b"NF", b"NS", b"EX", b"MN"])
_BARE = {code + CRLF: Meta(code) for code in _CODES}
_WORDS = (b"OK", b"STORED", b"NOT_STORED", b"EXISTS", b"NOT_FOUND", b"DELETED", b"TOUCHED")
_KNOWN: dict[bytes, Reply] = {
    b"END": END,
    **{word: Status(word) for word in _WORDS},
    **{code: Meta(code) for code in _CODES},
}
_ERRORS = frozenset([b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR"])


def parse_value(data: bytes) -> Value | End | Incomplete:
    """The reply to a text `get` of one key that `data` is; `END` for a miss.

    `INCOMPLETE` if it is anything else, or more.
    """
    if data == _END:
        return END
    start = data.find(b"\n") + 1
    try:
        word, key, bits, digits = data[: start - 1].split(b" ")
        end = start + _LAST_SIZES[digits]
        if word == b"VALUE" and 0 < len(key) <= _LONGEST_KEY and data[end:] == _ONE_HIT_END:
            return _new(Value, (key, _FLAGS[bits], data[start:end], None))
    except (KeyError, ValueError) as error:
        # It is another reply, or not complete.
        if is_of_handler(error):
            raise
    return INCOMPLETE


def parse_values(data: bytes) -> list[Hit] | Incomplete:
    """The hits of a text `get` of many keys that `data` is, if no value holds a CRLF.

    `INCOMPLETE` if it is anything else, or more. The keys may be of any length. Split at each
    CRLF, lines and values take turns; where every line names the length of the value after it,
    they are what they seem.
    """
    parts = data.split(CRLF)
    if parts[-2:] != _LAST_PARTS or len(parts) % 2:
        return INCOMPLETE
    values = parts[1:-2:2]
    # Each line ends with a CR again, which shows that its words are those of one line.
    words = (b"\r ".join(parts[:-2:2]) + b"\r").split(b" ") if values else []
    try:
        sizes = list(map(_DIGITS.__getitem__, map(len, values)))
        flags = list(map(_FLAGS.__getitem__, words[2::4]))
    except (IndexError, KeyError) as error:
        if is_of_handler(error):
            raise
        return INCOMPLETE
    if (
        words[3::4] != sizes
        or words[::4] != [b"VALUE"] * len(sizes)
        or len(words) != 4 * len(sizes)
    ):
        return INCOMPLETE
    return list(zip(words[1::4], flags, values, strict=True))


def parse_metas(data: bytes, count: int = 1) -> list[Meta] | Incomplete:
    """The `count` replies to meta commands that `data` is.

    `INCOMPLETE` if it is anything else, or more.
    """
    found: list[Meta] = []
    at = 0
    try:
        while len(found) < count:
            start = data.index(b"\n", at) + 1
            head = data[at:start]
            meta = _BARE.get(head)
            if meta is None:
                if head[-2:] != CRLF:
                    return INCOMPLETE
                code, *flags = head[:-2].split(b" ")
                if code == b"VA":
                    end = start + _SIZES[flags.pop(0)]
                    if data[end : end + 2] != CRLF:
                        return INCOMPLETE
                    meta = _new(Meta, (code, tuple(flags), data[start:end]))
                    start = end + 2
                elif code in _CODES:
                    meta = _new(Meta, (code, tuple(flags), None))
                if meta is None or not all(flags):
                    return INCOMPLETE
            found.append(meta)
            at = start
    except (IndexError, KeyError, ValueError) as error:
        # One is another reply, or not complete.
        if is_of_handler(error):
            raise
        return INCOMPLETE
    return found if at == len(data) else INCOMPLETE


class MemcachedParser(Incremental[Reply]):
    """Replies from the bytes of a connection, as they come.

    Args:
        limits: what it takes.
    """

    __slots__ = ("_finish", "_hits")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        # What is made of the body that is being collected.
        self._finish: Callable[[bytes], Reply]
        self._hits: list[Hit] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left over: neither bytes nor a reply that has begun."""
        return not self._hits and super().is_idle

    def next_values(self) -> list[Hit] | ErrorReply | Incomplete:
        """The whole reply to a text `get` of many keys, without cas tokens.

        Raises:
            WireError: as in `next_reply`; also for a reply to another command.
        """
        return self._attempt(self._parse_values)

    def _parse_values(self) -> list[Hit] | ErrorReply | Incomplete:
        while True:
            if not self._collecting:
                self._parse_run()
            reply = self._parse()
            if reply is INCOMPLETE:
                return INCOMPLETE
            if isinstance(reply, Value):
                self._hits.append(reply[:3])
                continue
            hits, self._hits = self._hits, []
            if reply is END:
                return hits
            if isinstance(reply, ErrorReply):
                return reply
            raise WireError("not a reply to get", type(reply).__name__.encode())

    def _parse_run(self) -> None:
        """Take the hits that are complete."""
        data, end = self._data, self._at
        last, longest = len(data) - 2, _LONGEST_KEY
        # A run does not check the length of values.
        if len(data) > self._limits.body or data.startswith(_END, end):
            return
        add, index, sizes, flags_of = self._hits.append, data.index, _LAST_SIZES, _FLAGS
        # From the second one on, the end of the one before is checked in passing.
        expected = b"VALUE"
        try:
            while True:
                start = index(b"\n", end + 2) + 1
                word, key, bits, digits = data[end : start - 1].split(b" ")
                stop = start + sizes[digits]
                if word != expected or stop > last or not key or len(key) > longest:
                    break
                add((key, flags_of[bits], data[start:stop]))
                end = stop
                expected = b"\r\nVALUE"
        except (KeyError, ValueError) as error:
            # The next line is not complete, or it is none of a hit.
            if is_of_handler(error):
                raise
        if end != self._at:
            self._after_body(end)

    def _parse(self) -> Reply | Incomplete:
        if self._collecting:
            body = self._rest_of_body()
            return INCOMPLETE if body is INCOMPLETE else self._finish(body)
        line = self._line()
        return INCOMPLETE if line is INCOMPLETE else self._reply(line)

    def _reply(self, line: bytes) -> Reply | Incomplete:
        known = _KNOWN.get(line)
        if known is not None:
            return known
        word, *fields = line.split(b" ")
        if word in _ERRORS:
            return ErrorReply(line)
        if word == b"VERSION":
            return Status(line)
        if not all(fields) or not fields:
            raise WireError("not a reply", line)
        if word == b"VALUE":
            return self._value(fields, line)
        if word == b"VA":
            return self._meta_value(fields)
        if word in _CODES:
            return Meta(word, tuple(fields))
        raise WireError("not a reply", line)

    def _value(self, fields: list[bytes], line: bytes) -> Reply | Incomplete:
        cas = None
        if len(fields) == _GETS_FIELDS:
            cas = number(fields.pop(), _MOST_CAS)
        if len(fields) != _GET_FIELDS or len(fields[0]) > _LONGEST_KEY:
            raise WireError("not a reply", line)
        key, flags = fields[0], number(fields[1], _MOST_FLAGS)
        remember(_FLAGS, fields[1], flags)
        self._finish = lambda data: Value(key, flags, data, cas)
        return self._with_body(fields[2])

    def _meta_value(self, fields: list[bytes]) -> Reply | Incomplete:
        size, *flags = fields
        self._finish = lambda data: Meta(b"VA", tuple(flags), data)
        return self._with_body(size)

    def _with_body(self, digits: bytes) -> Reply | Incomplete:
        size = number(digits, self._limits.body)
        remember(_SIZES, digits, size)
        remember(_LAST_SIZES, digits + b"\r", size)
        body = self._body(size)
        return INCOMPLETE if body is INCOMPLETE else self._finish(body)
