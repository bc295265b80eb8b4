"""The direct path: `get` and `set` of one key, where nothing stands in the way.

A flow, a batch and a leg cost more than all the rest of such a call. So where an idle connection
is there, the request is small and the whole reply comes at once, the call is made here, in one
piece. Everything else - no connection, a node that is down, a refusal - is left to the flow, which
says it once more from the beginning: reading and storing twice does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import write
from time import monotonic, time
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from kcache.command import Command, Get, Item, Refused, Set
from kcache.entry import Entries
from kcache.errors import NodeError, TimedOut
from kcache.flow import MISSING
from kcache.interruption import is_of_handler
from kcache.memory import MemoryStore
from kcache.net.connection import Connection
from kcache.net.exchange import carry
from kcache.net.leg import CHUNK, Leg
from kcache.net.pool import Pool
from kcache.net.talks import talk_for
from kcache.wire import memcached as mc
from kcache.wire import resp
from kcache.wire.memcached_parser import END, Value, parse_value, parse_values
from kcache.wire.memcached_talk import exptime_of
from kcache.wire.redis_talk import px_of
from kcache.wire.reply import INCOMPLETE

__all__ = ["UNDONE", "Direct", "Repeated", "direct_to"]

UNDONE: Final = object()
"""The call was not made, or came to no end, and is left to the flow."""
_SMALL = 16 << 10
"""Bytes that a socket without replies under way takes without waiting."""
_HD = b"HD\r\n"


Wires: TypeAlias = tuple[bytes, ...]
Found: TypeAlias = "list[bytes | None]"
"""The data under each of some keys, in their order."""


class Repeated(list[bytes | None]):
    """`Found` where the item was stored once more, and may have been stored before that."""


class Direct(Protocol):
    """The calls on one node."""

    def get(self, wire: bytes) -> Any:
        """The value; MISSING; or UNDONE. It raises NodeError and DecodeError."""

    def set(self, wire: bytes, value: Any, ttl: float | None) -> object:
        """True if it was stored; or UNDONE. It raises NodeError and EncodeError."""

    def read(self, wires: Wires) -> Any:
        """What is `Found`; or UNDONE. It raises NodeError."""

    def read_and_store(self, wires: Wires, item: Item, ttl: float | None) -> Any:
        """Read keys, and then store an item: `Found`, or `Repeated`; or UNDONE.

        It raises NodeError.
        """


def direct_to(end: MemoryStore | Pool, entries: Entries) -> Direct:
    """The direct path to what is at the other end."""
    if isinstance(end, MemoryStore):
        return _MemoryDirect(end, entries)
    return (_RedisDirect if end.node.kind == "redis" else _MemcachedDirect)(end, entries)


class _MemoryDirect:
    def __init__(self, store: MemoryStore, entries: Entries) -> None:
        self._get, self._put = store.get, store.store
        self._load, self._dump = entries.from_memcached, entries.to_memcached

    def get(self, wire: bytes) -> Any:
        entry = self._get(wire)
        return MISSING if entry is None else self._load(entry[1], entry[0])

    def set(self, wire: bytes, value: Any, ttl: float | None) -> object:
        flags, data = self._dump(value)
        return self._put(wire, data, flags, ttl)

    def read(self, wires: Wires) -> Any:
        get = self._get
        return [None if (entry := get(wire)) is None else entry[0] for wire in wires]

    def read_and_store(self, wires: Wires, item: Item, ttl: float | None) -> Any:
        wire, data, flags = item
        found = self.read(wires)
        return found if self._put(wire, data, flags, ttl) else UNDONE


class _Begun(NamedTuple):
    """A call that is not over: the reply has begun, and is not of the commonest form.

    Without a connection, which was lost, it is to be made once more in what is left of its time.
    """

    connection: Connection | None
    data: bytes
    deadline: float


class _NodeDirect:
    """What both protocols share: one request over an idle connection."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._quick = pool.quick

    def _ask(self, request: bytes, asked: Any, parse: Callable[[bytes, Any], Any]) -> Any:
        """Send a small request, and wait for the reply.

        Returns:
            What `parse` makes of the reply and of what was asked for; `_Begun` where that is
            INCOMPLETE; or UNDONE.

        Raises:
            TimedOut: there was none in time.
        """
        try:
            connection = self._quick.pop()
        except IndexError:
            return UNDONE
        begun = monotonic()
        try:
            # So little goes at once, or the node has stopped reading: nothing is to be said to it.
            sent = write(connection.fd, request) == len(request)
            data = connection.recv(CHUNK) if sent else b""
            reply = parse(data, asked)
        except OSError as error:
            self._lose(connection, error)
            return _Begun(None, b"", begun + self._pool.timeout)
        except BaseException:
            connection.close()
            raise
        if reply is INCOMPLETE:
            return _Begun(connection, data, begun + self._pool.timeout)
        # The last step: whatever happens before it, the connection is lost.
        self._quick.append(connection)
        return reply

    def _rest(self, begun: _Begun, *commands: Command) -> Any:
        """The reply to the first command of a call that is not over; UNDONE after a refusal."""
        return self._ended(self._leg(begun, commands), begun.deadline)

    def _found(self, begun: _Begun, wires: Wires, *commands: Command) -> Any:
        """`Found` of a call that is not over, whose first command reads; or UNDONE."""
        leg = self._leg(begun, commands)
        hits = self._ended(leg, begun.deadline)
        if hits is UNDONE:
            return UNDONE
        held = {key: data for key, _, data in hits}
        found = [held.get(wire) for wire in wires]
        return Repeated(found) if begun.connection is None or leg.may_repeat else found

    def _leg(self, begun: _Begun, commands: Sequence[Command]) -> Leg:
        leg = Leg(self._pool, talk_for(self._pool.node, commands), begun.connection)
        if begun.connection is not None:
            leg.sent()
            leg.take(begun.data)
        return leg

    def _ended(self, leg: Leg, deadline: float) -> Any:
        outcome = carry({0: leg}, deadline)[0]
        if isinstance(outcome, NodeError):
            raise outcome
        reply, *stored = outcome
        # A store has nothing to tell, unless it was refused.
        return UNDONE if isinstance(reply, Refused) or any(stored) else reply

    def _lose(self, connection: Connection, error: OSError) -> None:
        """Close a connection that failed; the others may be as old. It raises TimedOut."""
        connection.close()
        if is_of_handler(error):
            raise error
        if isinstance(error, TimeoutError):
            failure = TimedOut(self._pool.node, f"no answer within {self._pool.timeout:.3g} s")
            self._pool.fail(failure)
            raise failure
        self._pool.drop()


class _RedisDirect(_NodeDirect):
    def __init__(self, pool: Pool, entries: Entries) -> None:
        super().__init__(pool)
        self._load, self._dump = entries.from_redis, entries.to_redis

    def get(self, wire: bytes) -> Any:
        data = self._ask(resp.encode_get(wire), wire, _bulk)
        if data.__class__ is _Begun:
            hits = self._rest(data, Get((wire,)))
            data = hits if hits is UNDONE else hits[0][2] if hits else None
        if data.__class__ is bytes:
            return self._load(data)
        return MISSING if data is None else data

    def set(self, wire: bytes, value: Any, ttl: float | None) -> object:
        data = self._dump(value)
        if len(data) > _SMALL or (ttl is not None and ttl <= 0):
            return UNDONE
        request = resp.encode_set(wire, data, None if ttl is None else px_of(ttl))
        done = self._ask(request, wire, _ok)
        if done.__class__ is _Begun:
            done = self._rest(done, Set(((wire, data, 0),), ttl))
        return done is True or done == [] or UNDONE

    def read(self, wires: Wires) -> Any:
        found = self._ask(resp.encode_mget(wires), wires, _bulks)
        return self._found(found, wires, Get(wires)) if found.__class__ is _Begun else found

    def read_and_store(self, wires: Wires, item: Item, ttl: float | None) -> Any:
        wire, data, _ = item
        if len(data) > _SMALL or (ttl is not None and ttl <= 0):
            return UNDONE
        store = resp.encode_set(wire, data, None if ttl is None else px_of(ttl))
        found = self._ask(resp.encode_mget(wires) + store, wires, _bulks_and_ok)
        if found.__class__ is _Begun:
            return self._found(found, wires, Get(wires), Set((item,), ttl))
        return found


class _MemcachedDirect(_NodeDirect):
    def __init__(self, pool: Pool, entries: Entries) -> None:
        super().__init__(pool)
        self._load, self._dump = entries.from_memcached, entries.to_memcached

    def get(self, wire: bytes) -> Any:
        found = self._ask(mc.encode_get(wire), wire, _value)
        if found.__class__ is Value:
            return self._load(found[1], found[2])
        if found.__class__ is _Begun:
            hits = self._rest(found, Get((wire,)))
            if hits and hits is not UNDONE:
                return self._load(hits[0][1], hits[0][2])
            found = hits or END
        return MISSING if found is END else found

    def set(self, wire: bytes, value: Any, ttl: float | None) -> object:
        flags, data = self._dump(value)
        if len(data) > _SMALL:
            return UNDONE
        exptime = 0 if ttl is None else exptime_of(ttl, time())
        done = self._ask(mc.encode_ms(wire, data, flags, exptime), wire, _stored)
        if done.__class__ is _Begun:
            done = self._rest(done, Set(((wire, data, flags),), ttl))
        return done is True or done == [] or UNDONE

    def read(self, wires: Wires) -> Any:
        found = self._ask(mc.encode_get_many(wires), wires, _values)
        return self._found(found, wires, Get(wires)) if found.__class__ is _Begun else found

    def read_and_store(self, wires: Wires, item: Item, ttl: float | None) -> Any:
        wire, data, flags = item
        if len(data) > _SMALL:
            return UNDONE
        exptime = 0 if ttl is None else exptime_of(ttl, time())
        store = mc.encode_ms(wire, data, flags, exptime)
        found = self._ask(mc.encode_get_many(wires) + store, wires, _values_and_stored)
        if found.__class__ is _Begun:
            return self._found(found, wires, Get(wires), Set((item,), ttl))
        return found


def _bulk(data: bytes, _wire: bytes) -> Any:
    return resp.parse_bulk(data)


def _bulks(data: bytes, wires: Wires) -> Any:
    found = resp.parse_bulks(data)
    return found if found is not INCOMPLETE and len(found) == len(wires) else INCOMPLETE


def _bulks_and_ok(data: bytes, wires: Wires) -> Any:
    is_stored = data.endswith(resp.OK_BYTES)
    return _bulks(data[: -len(resp.OK_BYTES)], wires) if is_stored else INCOMPLETE


def _values(data: bytes, wires: Wires) -> Any:
    hits = parse_values(data)
    if hits is INCOMPLETE:
        return INCOMPLETE
    held = {key: value for key, _, value in hits}
    # With other keys the reply belongs to another call; to read it in full is to find that out.
    return [held.get(wire) for wire in wires] if held.keys() <= set(wires) else INCOMPLETE


def _values_and_stored(data: bytes, wires: Wires) -> Any:
    return _values(data[: -len(_HD)], wires) if data.endswith(_HD) else INCOMPLETE


def _value(data: bytes, wire: bytes) -> Any:
    value = parse_value(data)
    # A reply with another key belongs to another call; to read it in full is to find that out.
    return value if value.__class__ is not Value or value[0] == wire else INCOMPLETE


def _ok(data: bytes, _wire: bytes) -> Any:
    return True if data == resp.OK_BYTES else INCOMPLETE


def _stored(data: bytes, _wire: bytes) -> Any:
    return True if data == _HD else INCOMPLETE
