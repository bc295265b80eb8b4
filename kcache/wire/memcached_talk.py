"""What memcached is told for each command, and what its replies mean."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from math import ceil, inf
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, TypeAlias

from kcache.command import (
    Command,
    CountIf,
    Delete,
    Flush,
    Get,
    Gets,
    Held,
    Identify,
    Ping,
    Refused,
    Reply,
    Set,
    SetIf,
    Swap,
    Touch,
    Ttl,
)
from kcache.wire import memcached as mc
from kcache.wire.errors import WireError
from kcache.wire.memcached_parser import Hit, MemcachedParser, Meta, parse_values
from kcache.wire.reply import INCOMPLETE, ErrorReply, Status
from kcache.wire.talk import Talk

__all__ = ["NO_CAS", "MemcachedTalk", "encode_get_each", "exptime_of"]

_MONTH = 30 * 24 * 3600
_BEHIND, _GRID = 3, 8
"""Seconds that the server's clock may be behind, and those between two ends beyond a month."""
NO_CAS = "no cas tokens"
"""What is said of a memcached that was started with -C: what it holds cannot be compared."""
_NEVER = 0
_GONE = -1
_TOKENS = range(1, 1 << 64)
_DONE_BYTES = b"HD\r\n"
_KEY_FLAGS_DATA = b"kfv"
# Keys. Beyond, a command for each costs more than another piece to wait for.
_FEW = 20

Raw: TypeAlias = Any
_Reading: TypeAlias = Generator[None, Raw, Reply]
_key_of = itemgetter(0)


class _Plan(NamedTuple):
    """How a command goes out, and what takes the raw replies to it, one by one.

    `at_once` makes the reply of the bytes, where they are all of it and of the commonest form;
    INCOMPLETE otherwise.
    """

    request: bytes
    reading: _Reading
    is_get: bool = False
    at_once: Callable[[bytes], Reply] | None = None


class MemcachedTalk(Talk):
    """A pipeline.

    Args:
        commands: of the batch.
        now: Unix time in seconds. memcached takes a ttl of more than 30 days for a Unix time, and
            so must be given one.
    """

    __slots__ = ("_now", "_parser", "_plans", "_started")

    def __init__(self, commands: Sequence[Command], now: float) -> None:
        plans = [_plan(command, now, alone=len(commands) == 1) for command in commands]
        self._now = now
        self._plans = plans[::-1]
        self._parser: MemcachedParser | None = None
        self._started = False
        super().__init__(commands, b"".join([plan.request for plan in plans]))

    def receive(self, data: bytes) -> bool:
        """Take bytes that came; whether all replies are there, now."""
        parser = self._parser
        if parser is None:
            if self.is_done_at_once(self._plans, data):
                return True
            self._parser = parser = MemcachedParser()
        parser.feed(data)
        while self._plans:
            plan = self._plans[-1]
            if not self._started:
                next(plan.reading)
                self._started = True
            raw = parser.next_values() if plan.is_get else parser.next_reply()
            if raw is INCOMPLETE:
                return False
            try:
                plan.reading.send(raw)
            except StopIteration as end:
                self.replies.append(end.value)
                self._plans.pop()
                self._started = False
        if not parser.is_idle:
            raise WireError("more replies than commands", b"")
        return True

    def again(self) -> MemcachedTalk:
        """The same commands, to be said once more from the beginning."""
        return MemcachedTalk(self.commands, self._now)

    @property
    def missing(self) -> int:
        """So many bytes at least are still to come."""
        return 1 if self._parser is None else self._parser.missing


def exptime_of(ttl: float | None, now: float) -> int:
    """A ttl as memcached has it: whole seconds, or a Unix time.

    Its clock ticks once a second, so that a second may be over at once; one is added. What lies
    beyond the year 2038 is clamped: it cannot count further.

    Args:
        ttl: seconds; None for no end, zero or less for gone at once.
        now: Unix time in seconds.
    """
    if ttl is None:
        return _NEVER
    if ttl <= 0:
        return _GONE
    if ttl <= _MONTH - 1:
        return ceil(ttl) + 1
    return ceil(min(now + ttl + 1, mc.MAX_EXPTIME))


def _plan(command: Command, now: float, *, alone: bool) -> _Plan:
    # The replies to a text `get` go out at once, and what follows them comes as another piece.
    if isinstance(command, Get) and not alone and len(command.keys) <= _FEW:
        return _Plan(encode_get_each(command.keys), _read_each(command.keys))
    return _PLANS[type(command)](command, now)


def encode_get_each(keys: Sequence[bytes]) -> bytes:
    """How a few keys are read among other commands."""
    return b"".join([mc.encode_mg(key, _KEY_FLAGS_DATA) for key in keys])


def _read_each(keys: Sequence[bytes]) -> _Reading:
    hits: list[Hit] = []
    refused = None
    for key in keys:
        raw = yield
        if isinstance(raw, Meta) and raw.data is not None and raw.flag(b"k") == key:
            hits.append((key, _number(raw, b"f"), raw.data))
        elif not isinstance(raw, Meta) or raw.code != b"EN":
            refused = _refused(raw) or _fail(raw)
    return hits if refused is None else refused


def _get(command: Get, _now: float) -> _Plan:
    keys = command.keys
    request = mc.encode_get(keys[0]) if len(keys) == 1 else mc.encode_get_many(keys)

    def at_once(data: bytes) -> Reply:
        hits = parse_values(data)
        return hits if hits is INCOMPLETE else _asked(keys, hits)

    return _Plan(request, _read_hits(keys), is_get=True, at_once=at_once)


def _read_hits(keys: Sequence[bytes]) -> _Reading:
    raw = yield
    return _refused(raw) or _asked(keys, raw)


def _asked(keys: Sequence[bytes], hits: list[Hit]) -> list[Hit]:
    """The hits, if somebody asked for them: the reply to another call has other keys."""
    if not set(keys).issuperset(map(_key_of, hits)):
        raise WireError("keys that nobody asked for", repr(hits[0][0]).encode())
    return hits


def _gets(command: Gets, _now: float) -> _Plan:
    return _Plan(mc.encode_mg(command.key, b"kfctv"), _read_held(command.key))


def _read_held(key: bytes) -> _Reading:
    raw = yield
    if not isinstance(raw, Meta):
        return _refused(raw) or _fail(raw)
    # Some versions of memcached give the key with a miss, too.
    if raw.code == b"EN":
        return None
    if raw.data is None or raw.flag(b"k") != key:
        _fail(raw)
    left = None if raw.flag(b"t") == b"-1" else _number(raw, b"t")
    token = _number(raw, b"c")
    if not token:
        return Refused(NO_CAS)
    return Held(_number(raw, b"f"), raw.data, token, left)


def _set(command: Set, now: float) -> _Plan:
    exptime = exptime_of(command.ttl, now)
    request = mc.encode_set_many((key, data, flags, exptime) for key, data, flags in command.items)
    all_done = _DONE_BYTES * len(command.items)
    return _Plan(
        request,
        _read_set(command),
        at_once=lambda data: [] if data == all_done else INCOMPLETE,
    )


def _read_set(command: Set) -> _Reading:
    refused = []
    for key, _, _ in command.items:
        raw = yield
        if raw != _DONE:
            refused.append((key, _refused(raw) or _fail(raw)))
    return refused


def _set_if(command: SetIf, now: float) -> _Plan:
    (key, data, flags), condition = command.item, command.condition
    exptime = exptime_of(command.ttl, now)
    if condition.token is None:
        mode = b"R" if condition.present else b"E"
        request = mc.encode_ms(key, data, flags, exptime, mode=mode)
    elif isinstance(condition.token, int) and condition.token in _TOKENS:
        request = mc.encode_ms(key, data, flags, exptime, cas=condition.token)
    else:
        # No memcached has given this token, and so it is of another entry.
        return _Plan(mc.MN, _read_word({_PONG: False}))
    return _Plan(request, _read_word({_DONE: True, **dict.fromkeys(_NOT_STORED, False)}))


def _swap(command: Swap, now: float) -> _Plan:
    (key, data, flags), held = command
    exptime = _NEVER if held.left is None else max(held.left, 1)
    if exptime > _MONTH:
        exptime = _end_of(exptime, now)
    request = mc.encode_ms(key, data, flags, exptime, cas=int(held.token))
    return _Plan(request, _read_word({_DONE: True, **dict.fromkeys(_NOT_STORED, False)}))


def _end_of(left: int, now: float) -> int:
    """The Unix time at which an entry ends that has so many seconds left, always the same one.

    The server's clock is behind this one, by how much is not known. Where a counter is stored anew
    with each count, what is added each time would keep it alive for ever; so there is a grid, on
    which the end of the time before is found again.
    """
    return min(ceil((now + left - _BEHIND) / _GRID) * _GRID, mc.MAX_EXPTIME)


def _delete(command: Delete, _now: float) -> _Plan:
    return _Plan(b"".join(map(mc.encode_md, command.keys)), _read_deletes(len(command.keys)))


def _read_deletes(count: int) -> _Reading:
    deleted, refused = 0, None
    for _ in range(count):
        raw = yield
        if raw == _DONE:
            deleted += 1
        elif raw != _NOT_FOUND:
            refused = _refused(raw) or _fail(raw)
    return deleted if refused is None else refused


def _touch(command: Touch, now: float) -> _Plan:
    request = mc.encode_mg(command.key, b"", exptime=exptime_of(command.ttl, now))
    return _Plan(request, _read_word({_DONE: True, _NONE: False}))


def _ttl(command: Ttl, _now: float) -> _Plan:
    return _Plan(mc.encode_mg(command.key, b"t"), _read_ttl())


def _read_ttl() -> _Reading:
    raw = yield
    if raw == _NONE:
        return None
    if not isinstance(raw, Meta) or raw.code != b"HD":
        return _refused(raw) or _fail(raw)
    return inf if raw.flag(b"t") == b"-1" else float(_number(raw, b"t"))


def _count_if(command: CountIf, _now: float) -> _Plan:
    key, delta, token = command
    request = mc.encode_ma(key, abs(delta), decrement=delta < 0, cas=token)
    return _Plan(request, _read_count())


def _read_count() -> _Reading:
    raw = yield
    if raw in _NOT_STORED:
        return None
    if isinstance(raw, Meta) and raw.data is not None and raw.data.isdigit():
        return int(raw.data)
    return _refused(raw) or _fail(raw)


def _flush(_command: Flush, _now: float) -> _Plan:
    return _Plan(mc.FLUSH_ALL, _read_word({Status(b"OK"): True}))


def _ping(_command: Ping, _now: float) -> _Plan:
    return _Plan(mc.MN, _read_word({_PONG: True}))


def _identify(_command: Identify, _now: float) -> _Plan:
    return _Plan(mc.MN, _read_word({_PONG: b""}))


_PLANS: Mapping[type[Command], Callable[[Any, float], _Plan]] = MappingProxyType(
    {
        Get: _get,
        Gets: _gets,
        Set: _set,
        SetIf: _set_if,
        Swap: _swap,
        Delete: _delete,
        Touch: _touch,
        Ttl: _ttl,
        CountIf: _count_if,
        Flush: _flush,
        Ping: _ping,
        Identify: _identify,
    }
)

_DONE, _NOT_FOUND, _NONE, _PONG = Meta(b"HD"), Meta(b"NF"), Meta(b"EN"), Meta(b"MN")
_NOT_STORED = (Meta(b"NS"), Meta(b"EX"), _NOT_FOUND)


def _read_word(meanings: Mapping[Any, bool | bytes]) -> _Reading:
    raw = yield
    if raw in meanings:
        return meanings[raw]
    return _refused(raw) or _fail(raw)


def _refused(raw: Raw) -> Refused | None:
    return Refused(str(raw)) if isinstance(raw, ErrorReply) else None


def _fail(raw: Raw) -> NoReturn:
    raise WireError("not a reply to this command", repr(raw).encode())


def _number(meta: Meta, letter: bytes) -> int:
    digits = meta.flag(letter)
    if digits is None or not digits.isdigit():
        _fail(meta)
    return int(digits)
