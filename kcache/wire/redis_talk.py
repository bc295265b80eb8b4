"""What Redis is told for each command, and what its replies mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from math import ceil, inf
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, TypeAlias

from kcache.command import (
    Command,
    Count,
    Delete,
    Flush,
    Get,
    Gets,
    Held,
    Identify,
    NotANumber,
    Ping,
    Refused,
    Reply,
    Set,
    SetIf,
    Swap,
    Touch,
    Ttl,
)
from kcache.wire import resp
from kcache.wire.errors import WireError
from kcache.wire.redis_scripts import CAS, COUNT
from kcache.wire.reply import INCOMPLETE, ErrorReply, Status
from kcache.wire.talk import Talk

__all__ = ["IDENTITY_SIZE", "MAX_COUNT", "MAX_PX", "RedisTalk", "px_of"]

MAX_PX = 10**15
"""Milliseconds, 31,700 years; what Redis can add to the time of day has its limit beyond."""
MAX_COUNT = 2**63 - 1
IDENTITY_SIZE = 12
"""Bytes."""
_MOST_KEYS = 2**16
_NO_END, _NO_ENTRY = -1, -2
_IDENTITY = ((b"run_id:",), (b"role:", b"master_replid:"))
_PONG, _NAN = Status(b"PONG"), Status(b"NAN")
_BULKS = frozenset({bytes, type(None)})

Raw: TypeAlias = Any


class _Plan(NamedTuple):
    """How a command goes out, and what becomes of the raw replies to it.

    `at_once` makes the reply of the bytes, where they are all of it and of the commonest form;
    INCOMPLETE otherwise.
    """

    request: bytes
    expected: int
    read: Callable[[list[Raw]], Reply]
    at_once: Callable[[bytes], Reply] | None = None


class RedisTalk(Talk):
    """A pipeline."""

    __slots__ = ("_parser", "_plans")

    def __init__(self, commands: Sequence[Command]) -> None:
        self._plans = [_PLANS[type(command)](command) for command in commands]
        self._parser: resp.RespParser | None = None
        super().__init__(commands, b"".join([plan.request for plan in self._plans]))

    def receive(self, data: bytes) -> bool:
        """Take bytes that came; whether all replies are there, now."""
        parser = self._parser
        if parser is None:
            if self.is_done_at_once(self._plans, data):
                return True
            self._parser = parser = resp.RespParser()
        parser.feed(data)
        raw = parser.next_replies(sum(plan.expected for plan in self._plans))
        if raw is INCOMPLETE:
            return False
        if not parser.is_idle:
            raise WireError("more replies than commands", b"")
        at = 0
        for plan in self._plans:
            self.replies.append(plan.read(raw[at : at + plan.expected]))
            at += plan.expected
        return True

    def again(self) -> RedisTalk:
        """The same commands, to be said once more from the beginning."""
        return RedisTalk(self.commands)

    @property
    def missing(self) -> int:
        """So many bytes at least are still to come."""
        return 1 if self._parser is None else self._parser.missing


def px_of(ttl: float) -> int:
    """A ttl above 0 in milliseconds: never shorter, and no longer than Redis can count."""
    return ceil(ttl * 1000) if ttl < MAX_PX / 1000 else MAX_PX


def _get(command: Get) -> _Plan:
    keys = command.keys
    if len(keys) == 1:
        return _Plan(resp.encode_get(keys[0]), 1, lambda raw: _hits(keys, raw))

    if len(keys) > _MOST_KEYS:
        # No reply is an array that long.
        parts = [keys[at : at + _MOST_KEYS] for at in range(0, len(keys), _MOST_KEYS)]
        requests = b"".join(map(resp.encode_mget, parts))
        return _Plan(requests, len(parts), lambda raw: _joined(keys, raw))

    def at_once(data: bytes) -> Reply:
        values = resp.parse_bulks(data)
        return values if values is INCOMPLETE else _hits(keys, values)

    return _Plan(resp.encode_mget(keys), 1, lambda raw: _hits(keys, raw[0]), at_once)


def _joined(keys: Sequence[bytes], arrays: list[Raw]) -> Reply:
    """The hits of several replies to parts of the keys."""
    values: list[Raw] = []
    for array in arrays:
        if not isinstance(array, list):
            return _refused(array) or _fail(array)
        values += array
    return _hits(keys, values)


def _hits(keys: Sequence[bytes], values: Raw) -> Reply:
    if isinstance(values, ErrorReply):
        return _refused(values)
    if not isinstance(values, list) or len(values) != len(keys):
        raise _unexpected(values)
    if isinstance(values[0], ErrorReply):
        # What is under the key is no string, and so nothing of a cache.
        return [] if values[0].code == b"WRONGTYPE" else _refused(values[0])
    if not _BULKS.issuperset(map(type, values)):
        raise _unexpected(values)
    return [(key, 0, value) for key, value in zip(keys, values, strict=True) if value is not None]


def _gets(command: Gets) -> _Plan:
    def read(raw: list[Raw]) -> Reply:
        found = _hits((command.key,), raw)
        if not found or isinstance(found, Refused):
            return found or None
        _, flags, data = found[0]
        # All of an entry is its token: there is no other that Redis would keep.
        return Held(flags, data, data)

    return _Plan(resp.encode_get(command.key), 1, read)


def _set(command: Set) -> _Plan:
    end = _end_of(command.ttl)
    if not end or end[0] == b"PX":
        px = int(end[1]) if end else None
        requests = [resp.encode_set(key, data, px) for key, data, _ in command.items]
    else:
        requests = [resp.encode(b"SET", key, data, *end) for key, data, _ in command.items]

    def read(raw: list[Raw]) -> Reply:
        if raw == [resp.OK] * len(raw):
            return []
        return [
            (key, _refused(reply) or _fail(reply))
            for (key, _, _), reply in zip(command.items, raw, strict=True)
            if reply != resp.OK
        ]

    all_ok = resp.OK_BYTES * len(requests)
    return _Plan(
        b"".join(requests),
        len(requests),
        read,
        lambda data: [] if data == all_ok else INCOMPLETE,
    )


def _set_if(command: SetIf) -> _Plan:
    (key, data, _), condition = command.item, command.condition
    end = _end_of(command.ttl)
    if condition.token is not None:
        token = condition.token
        if not isinstance(token, bytes):
            # It is of a node of another kind, and so of another entry; nothing needs to be asked.
            return _Plan(resp.encode(b"PING"), 1, lambda _: False)
        request = resp.encode(b"EVAL", CAS, 1, key, token, data, *end)
        return _Plan(request, 1, _is_one)
    mode = b"XX" if condition.present else b"NX"
    return _Plan(resp.encode(b"SET", key, data, *end, mode), 1, _is_stored_if)


def _swap(command: Swap) -> _Plan:
    (key, data, _), held = command
    return _Plan(resp.encode(b"EVAL", CAS, 1, key, held.data, data, b"KEEPTTL"), 1, _is_one)


def _delete(command: Delete) -> _Plan:
    return _Plan(resp.encode(b"DEL", *command.keys), 1, _as_int)


def _touch(command: Touch) -> _Plan:
    key, ttl = command
    if ttl is None:
        # PERSIST alone does not tell an entry without an end from none.
        request = resp.encode(b"EXISTS", key) + resp.encode(b"PERSIST", key)
        return _Plan(request, 2, _is_one)
    if ttl <= 0:
        return _Plan(resp.encode(b"PEXPIREAT", key, 1), 1, _is_one)
    return _Plan(resp.encode(b"PEXPIRE", key, px_of(ttl)), 1, _is_one)


def _ttl(command: Ttl) -> _Plan:
    def read(raw: list[Raw]) -> Reply:
        left = _as_int(raw)
        if isinstance(left, Refused) or left == _NO_ENTRY:
            return None if left == _NO_ENTRY else left
        return inf if left == _NO_END else left / 1000

    return _Plan(resp.encode(b"PTTL", command.key), 1, read)


def _count(command: Count) -> _Plan:
    initial = b"" if command.initial is None else b"%d" % command.initial
    # Subtracted from a counter, which is at most that much, it makes 0 as anything more does.
    delta = max(command.delta, -MAX_COUNT)
    request = resp.encode(b"EVAL", COUNT, 1, command.key, delta, initial, *_end_of(command.ttl))
    return _Plan(request, 1, _read_count)


def _read_count(raw: list[Raw]) -> Reply:
    (reply,) = raw
    if reply is None:
        return None
    if isinstance(reply, bytes) and reply.isdigit():
        return int(reply)
    if reply == _NAN:
        return NotANumber()
    return _refused(reply) or _fail(reply)


def _flush(_command: Flush) -> _Plan:
    return _Plan(resp.encode(b"FLUSHDB"), 1, _is_ok)


def _ping(_command: Ping) -> _Plan:
    return _Plan(resp.encode(b"PING"), 1, lambda raw: raw[0] == _PONG or _is_ok(raw))


def _identify(_command: Identify) -> _Plan:
    request = resp.encode(b"INFO", b"server") + resp.encode(b"INFO", b"replication")
    return _Plan(request, 2, _read_identity)


def _read_identity(raw: list[Raw]) -> Reply:
    """The run id, whether it is a replica, and of which history, which a promotion ends."""
    found = b""
    for text, names in zip(raw, _IDENTITY, strict=True):
        if not isinstance(text, bytes):
            return _refused(text) or _fail(text)
        # Servers that speak the protocol and are no Redis may have none of them.
        found += b"".join(line for line in text.split(b"\r\n") if line.startswith(names))
    is_said = found.startswith(_IDENTITY[0])
    return blake2b(found, digest_size=IDENTITY_SIZE).digest() if is_said else b""


_PLANS: Mapping[type[Command], Callable[[Any], _Plan]] = MappingProxyType(
    {
        Get: _get,
        Gets: _gets,
        Set: _set,
        SetIf: _set_if,
        Swap: _swap,
        Delete: _delete,
        Touch: _touch,
        Ttl: _ttl,
        Count: _count,
        Flush: _flush,
        Ping: _ping,
        Identify: _identify,
    }
)


def _end_of(ttl: float | None) -> tuple[bytes, ...]:
    """The options of SET that end an entry."""
    if ttl is None:
        return ()
    return (b"PXAT", b"1") if ttl <= 0 else (b"PX", b"%d" % px_of(ttl))


def _refused(reply: Raw) -> Refused | None:
    return Refused(str(reply)) if isinstance(reply, ErrorReply) else None


def _fail(reply: Raw) -> NoReturn:
    raise _unexpected(reply)


def _unexpected(reply: Raw) -> WireError:
    return WireError("not a reply to this command", repr(reply).encode())


def _is_stored(reply: Raw) -> bool:
    return True if reply == resp.OK else _fail(reply)


def _is_stored_if(raw: list[Raw]) -> Reply:
    return raw[0] is not None and _is_ok(raw)


def _is_ok(raw: list[Raw]) -> Reply:
    return _refused(raw[0]) or _is_stored(raw[0])


def _as_int(raw: list[Raw]) -> Reply:
    reply = raw[0]
    return reply if isinstance(reply, int) else _refused(reply) or _fail(reply)


def _is_one(raw: list[Raw]) -> Reply:
    number = _as_int(raw)
    return number if isinstance(number, Refused) else number == 1
