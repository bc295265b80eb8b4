"""RESP2, the protocol of Redis: commands as arrays of bulk strings, and the replies to them.

Two ways to read: `parse_bulk` and `parse_bulks` take what one receive brought, if that is one
whole reply of the commonest kind, and make no parser; `RespParser` takes everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Final, TypeAlias, cast

from kcache.interruption import is_of_handler
from kcache.wire.errors import WireError
from kcache.wire.incremental import CRLF, DEFAULT_LIMITS, Incremental, natural, number, remember
from kcache.wire.reply import INCOMPLETE, ErrorReply, Incomplete, Limits, Status

__all__ = [
    "OK",
    "OK_BYTES",
    "Reply",
    "RespParser",
    "encode",
    "encode_get",
    "encode_mget",
    "encode_set",
    "parse_bulk",
    "parse_bulks",
]

Reply: TypeAlias = "bytes | int | Status | ErrorReply | list[Reply] | None"

OK: Final = Status(b"OK")
OK_BYTES: Final = b"+OK\r\n"
_NULL = b"$-1\r\n"
_NULL_HEAD = b"$-1"
_PREPARED = 1024
# By the length of a body: the head before it.
_HEADS = [b"$%d" % size for size in range(4 * _PREPARED)]
_STATUSES = {status.text: status for status in (OK, Status(b"QUEUED"), Status(b"PONG"))}
# The last one is for no bytes at all.
_KINDS = frozenset([b"$", b"*", b":", b"+", b"-", b""])

# The size in the header of a bulk. In a run of replies the end of each is looked up together with
# the header after it, and so is checked in passing; there, -1 says that the header is all.
_SIZES: dict[bytes, int] = {}
_NEXT_SIZES: dict[bytes, int] = {}
_NEXT_NULLS: dict[bytes, Reply] = {CRLF + _NULL: None}
_NEXT_WHOLE: dict[bytes, Reply] = {
    **_NEXT_NULLS,
    CRLF + OK_BYTES: OK,
    b"\r\n:0\r\n": 0,
    b"\r\n:1\r\n": 1,
}
_NEXT_SIZES.update(dict.fromkeys(_NEXT_WHOLE, -1))
for _size in range(_PREPARED):
    _SIZES[b"$%d\r\n" % _size] = _NEXT_SIZES[b"\r\n$%d\r\n" % _size] = _size
# By the length of the key: what stands before it in a command.
_KEY_HEADS = tuple(b"\r\n$%d\r\n" % size for size in range(256))


def encode(*parts: bytes | int) -> bytes:
    """A command."""
    out = [b"*%d\r\n" % len(parts)]
    for part in parts:
        text = part if isinstance(part, bytes) else b"%d" % part
        out.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(out)


def encode_get(key: bytes) -> bytes:
    """GET; costs less than by `encode`, as the others do."""
    return b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key)


def encode_mget(keys: Sequence[bytes]) -> bytes:
    """MGET."""
    lengths = list(map(len, keys))
    if max(lengths, default=0) >= len(_KEY_HEADS):
        return encode(b"MGET", *keys)
    parts = [b""] * (2 * len(lengths))
    parts[::2] = map(_KEY_HEADS.__getitem__, lengths)
    parts[1::2] = keys
    return b"*%d\r\n$4\r\nMGET%b\r\n" % (len(lengths) + 1, b"".join(parts))


def encode_set(key: bytes, value: bytes, px: int | None = None, mode: bytes = b"") -> bytes:
    """SET, for `px` milliseconds or for ever; `mode` may be `NX` or `XX`."""
    if not isinstance(value, bytes):
        raise TypeError(f"a value is bytes, not {type(value).__name__}")
    if mode:
        ttl = () if px is None else (b"PX", px)
        return encode(b"SET", key, value, *ttl, mode)
    if px is None:
        template = b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
        return template % (len(key), key, len(value), value)
    template = b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$2\r\nPX\r\n%b"
    return template % (len(key), key, len(value), value, _bulk_of(px))


@lru_cache(256)
def _bulk_of(value: int) -> bytes:
    digits = b"%d" % value
    return b"$%d\r\n%b\r\n" % (len(digits), digits)


def parse_bulk(data: bytes) -> bytes | Incomplete | None:
    """The bulk, or the null, that `data` is; `INCOMPLETE` if it is anything else, or more."""
    if data == _NULL:
        return None
    start = data.find(b"\n") + 1
    try:
        end = start + _SIZES[data[:start]]
    except KeyError:
        return INCOMPLETE
    return data[start:end] if data[end:] == CRLF else INCOMPLETE


def parse_bulks(data: bytes) -> list[bytes | None] | Incomplete:
    """The array of bulks and nulls that `data` is; `INCOMPLETE` if it is anything else, or more."""
    found = _split_bulks(data)
    if found is not INCOMPLETE:
        return found
    start = data.find(b"\n") + 1
    count = natural(data[1 : start - 2], len(data))
    if data[:1] != b"*" or count < 0:
        return INCOMPLETE
    walked: list[Reply] = []
    end = _run(data, start, walked, count, _NEXT_NULLS)
    if len(walked) == count and data[end:] == CRLF:
        return cast("list[bytes | None]", walked)
    return INCOMPLETE


def _split_bulks(data: bytes) -> list[bytes | None] | Incomplete:
    """The same for bulks that hold no CRLF, in a quarter of the time.

    Split at each CRLF, heads and bodies take turns. Where every head names the length of the body
    after it, they are what they seem: read from the first to the last, none could be cut otherwise.
    """
    if _NULL in data:
        # A null gets a body, which is empty and none that its head could name.
        data = data.replace(_NULL, _NULL + CRLF)
    parts = data.split(CRLF)
    heads, bodies = parts[1:-1:2], parts[2:-1:2]
    if len(heads) != len(bodies) or parts[-1] or parts[0] != b"*%d" % len(heads):
        return INCOMPLETE
    try:
        expected = list(map(_HEADS.__getitem__, map(len, bodies)))
    except IndexError as error:
        if is_of_handler(error):
            raise
        return INCOMPLETE
    if heads == expected:
        return cast("list[bytes | None]", bodies)
    found: list[bytes | None] = []
    for head, body, named in zip(heads, bodies, expected, strict=True):
        if head != named and (body or head != _NULL_HEAD):
            return INCOMPLETE
        found.append(body if head == named else None)
    return found


def _run(data: bytes, at: int, found: list[Reply], count: int, whole: Mapping[bytes, Reply]) -> int:
    """Add up to `count` replies from `at` on, as long as they are simple and complete.

    Args:
        data: to read from; a line ends before `at`.
        at: where the first reply begins.
        found: is added to.
        count: how many replies there are to find.
        whole: replies other than bulks, each with the CRLF before it.

    Returns:
        Where the CRLF must be that ends the last reply found; the caller checks it.
    """
    add, index, sizes = found.append, data.index, _NEXT_SIZES
    end, last = at - 2, len(data) - 2
    try:
        for _ in range(count):
            start = index(b"\n", end + 3) + 1
            size = sizes[data[end:start]]
            if size < 0:
                add(whole[data[end:start]])
                end = start - 2
            elif start + size <= last:
                end = start + size
                add(data[start:end])
            else:
                break
    except (KeyError, ValueError) as error:
        # The next reply is not simple, or its first line not complete.
        if is_of_handler(error):
            raise
    return end


class _Array:
    """An array whose elements are not all there."""

    __slots__ = ("count", "items")

    def __init__(self, count: int) -> None:
        self.count = count
        self.items: list[Reply] = []


class RespParser(Incremental[Reply]):
    """Replies from the bytes of a connection, as they come.

    Args:
        limits: what it takes.
    """

    __slots__ = ("_batch", "_stack")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(limits)
        self._stack: list[_Array] = []
        self._batch: list[Reply] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left over: neither bytes nor a reply that has begun."""
        return not self._stack and not self._batch and super().is_idle

    def next_replies(self, count: int) -> list[Reply] | Incomplete:
        """The next `count` replies together, at less cost than one by one.

        Raises:
            WireError: as in `next_reply`.
        """
        return self._attempt(partial(self._parse_batch, count))

    def _parse_batch(self, count: int) -> list[Reply] | Incomplete:
        batch = self._batch
        if not batch and self._data.startswith(OK_BYTES * count, self._at) and self._between:
            self._at += len(OK_BYTES) * count
            return [OK] * count
        while len(batch) < count:
            if self._between:
                self._parse_run(batch, count)
                if len(batch) == count:
                    break
            reply = self._parse()
            if reply is INCOMPLETE:
                return INCOMPLETE
            batch.append(reply)
        self._batch = []
        return batch

    @property
    def _between(self) -> bool:
        """Whether no reply has begun."""
        return not self._stack and not self._collecting

    def _parse(self) -> Reply | Incomplete:
        stack = self._stack
        while True:
            item = self._item()
            if item is INCOMPLETE:
                return INCOMPLETE
            if isinstance(item, _Array):
                stack.append(item)
            elif stack:
                stack[-1].items.append(item)
            else:
                return item
            while stack:
                top = stack[-1]
                self._parse_run(top.items, top.count)
                if len(top.items) < top.count:
                    break
                stack.pop()
                if not stack:
                    return top.items
                stack[-1].items.append(top.items)

    def _parse_run(self, found: list[Reply], count: int) -> None:
        """Add the simple replies that are complete, up to a length of `count`."""
        data, at = self._data, self._at
        # A run looks again at the CRLF before it, which may not be in this buffer any more; and
        # it does not check the length of bulks.
        if at >= len(CRLF) and len(data) <= self._limits.body:
            self._after_body(_run(data, at, found, count - len(found), _NEXT_WHOLE))

    def _item(self) -> Reply | Incomplete | _Array:
        """A reply that is no array, or an array that has begun."""
        if self._collecting:
            return self._rest_of_body()
        kind = self._data[self._at : self._at + 1]
        if kind not in _KINDS:
            raise WireError("not a reply", self._data[self._at : self._at + 80])
        line = self._line()
        if line is INCOMPLETE:
            return INCOMPLETE
        return self._reply(kind, line[1:])

    def _reply(self, kind: bytes, text: bytes) -> Reply | Incomplete | _Array:
        if kind == b"$":
            return None if text == b"-1" else self._bulk(text)
        if kind == b"*":
            return None if text == b"-1" else self._array(number(text, self._limits.array))
        if kind == b":":
            return _integer(text)
        return _STATUSES.get(text) or Status(text) if kind == b"+" else ErrorReply(text)

    def _bulk(self, digits: bytes) -> bytes | Incomplete:
        size = number(digits, self._limits.body)
        remember(_SIZES, b"$%b\r\n" % digits, size)
        remember(_NEXT_SIZES, b"\r\n$%b\r\n" % digits, size)
        return self._body(size)

    def _array(self, count: int) -> Reply | _Array:
        if len(self._stack) >= self._limits.depth:
            raise WireError("arrays nested beyond the limit", b"*%d" % count)
        return _Array(count) if count else []


def _integer(text: bytes) -> int:
    """A signed number of 64 bits."""
    if text.startswith(b"-") and text != b"-0":
        return -number(text[1:], 1 << 63)
    return number(text, (1 << 63) - 1)
