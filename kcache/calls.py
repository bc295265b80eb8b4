"""The calls, the same on a cache and on a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from operator import index as as_int
from typing import Any, Final, TypeVar

from kcache.core import Core, fresh_token
from kcache.entry import Entries
from kcache.errors import InvalidationIncomplete, NodeError
from kcache.events import Account
from kcache.executor import run
from kcache.fills_many import ManyFills
from kcache.flow import MISSING, Flow
from kcache.form import form_of
from kcache.guarded import Guarded
from kcache.hit import MISS, Hit, Miss
from kcache.invalidation import Invalidation
from kcache.key import wire_key
from kcache.namespace import Path
from kcache.namespaced import Namespaced
from kcache.net.request import UNDONE
from kcache.node import Node
from kcache.plain_filling import PlainFilling, SignedFilling
from kcache.protocols import Transport
from kcache.quick import NamespaceQuick, PlainQuick, Quick
from kcache.route import Key, Router
from kcache.signed import SignedEntries
from kcache.ttl import Ttl, seconds

__all__ = ["UNSET", "Calls", "Unset", "invalidated"]

T = TypeVar("T")
K = TypeVar("K", bound=Key)


_BEYOND = 2**2048


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "default"

    def __repr__(self) -> str:
        return f"<{self.value}>"


UNSET: Final = Unset.UNSET
"""Stands for an argument that was left out, where None is one."""


class Calls:
    """What can be done with entries. `Cache` and `Namespace` say with which.

    Keys are `str` or `bytes`; "a" and b"a" are one key.
    """

    _core: Core
    _transport: Transport
    _ttl: float | None
    _router: Router[Any]
    _flows: PlainFilling | Namespaced
    _fills: ManyFills
    _quick: Quick
    _account: Account

    def get(self, key: Key, default: Any = None) -> Any:
        """The value of an entry, or `default` if there is none.

        A stored None is a value; `lookup` tells it from a miss.

        Raises:
            InvalidKey: the key is empty, or neither str nor bytes.
            NodeError: the node failed, under `on_error="raise"`.
        """
        try:
            value = self._quick.get(key)
            if value is UNDONE:
                value = run(self._flows.get(key), self._transport)
        except NodeError:
            if self._core.raises:
                raise
            return default
        if value is MISSING:
            self._account.miss(key)
            return default
        self._account.hit(key)
        return value

    def lookup(self, key: Key) -> Hit | Miss:
        """A `Hit` with the value, which is true, or a `Miss`, which is false.

        A value that `get_or_set` keeps beyond its ttl is a stale hit here, and a miss to `get`.

        Raises:
            InvalidKey, NodeError: as for `get`.

        Example:
            >>> from kcache import Cache
            >>> cache = Cache()
            >>> cache.set("nothing", None)
            True
            >>> cache.lookup("nothing"), cache.lookup("something")
            (Hit(value=None, stale=False), Miss())
        """
        try:
            kept = self._fills.look(key)
        except NodeError:
            if self._core.raises:
                raise
            return MISS
        if kept is None or kept.is_failure:
            self._account.miss(key)
            return MISS
        is_stale = self._core.now() >= kept.fresh_until
        (self._account.stale if is_stale else self._account.hit)(key)
        return Hit(kept.value, stale=is_stale)

    def get_many(self, keys: Iterable[K]) -> dict[K, Any]:
        """The values of the entries that are there, by key.

        All nodes are asked at once; one that fails costs its own keys only.

        Raises:
            InvalidKey: as for `get`.
            NodeError: a node failed, under `on_error="raise"`.
        """
        listed = list(_several(keys))
        found = run(self._flows.get_many(listed), self._transport)
        self._account.read_many(listed, found)
        return found

    def set(self, key: Key, value: Any, ttl: Ttl | Unset = UNSET) -> bool:
        """Store a value; whether it was stored.

        Args:
            key: of the entry.
            value: of any type that the codec takes.
            ttl: seconds, a timedelta, None for no end; left out, the cache's default. At zero or
                less the entry is gone at once.

        Returns:
            False if the node is down, or the value is larger than it takes. What was there
            before a value that is too large is not given any more.

        Raises:
            InvalidKey: as for `get`.
            EncodeError: the codec does not take the value.
            NodeError: the node failed, under `on_error="raise"`.
        """
        life = self._ttl if ttl is UNSET else seconds(ttl)
        try:
            done = self._quick.set(key, value, life)
            if not isinstance(done, bool):
                done = run(done, self._transport)
        except NodeError:
            if self._core.raises:
                raise
            return False
        if done:
            self._account.stored(key)
        return done

    def set_many(self, values: Mapping[K, Any], ttl: Ttl | Unset = UNSET) -> list[K]:
        """Store values; the keys of those that were not stored.

        Raises:
            InvalidKey, EncodeError: as for `set`; nothing is stored, then.
            TypeError: `values` is no mapping.
            NodeError: a node failed, under `on_error="raise"`.
        """
        given = _mapping(values)
        lost = run(self._flows.set_many(given, self._life(ttl)), self._transport)
        self._account.stored_many(given, lost)
        return lost

    def add(self, key: Key, value: Any, ttl: Ttl | Unset = UNSET) -> bool:
        """Store a value where there is none, atomically; whether it was stored.

        Raises:
            InvalidKey, EncodeError, NodeError: as for `set`.
        """
        return self._stored(key, self._flows.add(key, value, self._life(ttl)))

    def replace(self, key: Key, value: Any, ttl: Ttl | Unset = UNSET) -> bool:
        """Store a value where there is one, atomically; whether it was stored.

        Raises:
            InvalidKey, EncodeError, NodeError: as for `set`.
        """
        return self._stored(key, self._flows.replace(key, value, self._life(ttl)))

    def delete(self, key: Key) -> bool:
        """Delete an entry; whether it was there.

        Raises:
            InvalidKey, NodeError: as for `get`.
        """
        is_deleted = self._run(self._flows.delete(key), otherwise=False)
        if is_deleted:
            self._account.deleted(key)
        return is_deleted

    def delete_many(self, keys: Iterable[Key]) -> int:
        """Delete entries; how many were there.

        Raises:
            InvalidKey, NodeError: as for `get_many`.
        """
        count = run(self._flows.delete_many(_several(keys)), self._transport)
        self._account.counts.deletes += count
        return count

    def touch(self, key: Key, ttl: Ttl | Unset = UNSET) -> bool:
        """Give an entry another ttl, counted from now; whether it is there.

        Raises:
            InvalidKey, NodeError: as for `get`.
        """
        return self._run(self._flows.touch(key, self._life(ttl)), otherwise=False)

    def ttl(self, key: Key) -> float | None:
        """The seconds that an entry has left: `inf` for no end, None for no entry.

        memcached counts whole seconds, and keeps entries up to two seconds longer than asked.

        Raises:
            InvalidKey, NodeError: as for `get`.
        """
        return self._run(self._flows.ttl(key), otherwise=None)

    def __contains__(self, key: Key) -> bool:
        return self.get(key, MISSING) is not MISSING

    def incr(
        self, key: Key, delta: int = 1, *, initial: int | None = None, ttl: Ttl | Unset = UNSET
    ) -> int | None:
        """Add to a counter, atomically, and mean the same on every kind of node.

        Counters are ints of 0 .. 2**63 - 1. Below 0 they stop at 0.

        Args:
            key: of the counter, which other clients can read and count as well.
            delta: what to add; a negative one subtracts.
            initial: what to store, unchanged, where there is no entry.
            ttl: of a counter that is made; the ttl of one that is there stays.

        Returns:
            The new number; None where there is no entry and no `initial`, and if the node is
            down.

        Raises:
            NotACounter: the entry holds anything else, or the sum would be beyond 2**63 - 1.
                Nothing has changed.
            TypeError: `delta` or `initial` is no int.
            InvalidKey, NodeError: as for `get`.

        Example:
            >>> from kcache import Cache
            >>> cache = Cache()
            >>> cache.incr("visits", initial=1), cache.incr("visits"), cache.decr("visits", 5)
            (1, 2, 0)
        """
        first = None if initial is None else _integer("initial", initial)
        flow = self._flows.count(key, _integer("delta", delta), first, self._life(ttl))
        return self._run(flow, otherwise=None)

    def decr(
        self, key: Key, delta: int = 1, *, initial: int | None = None, ttl: Ttl | Unset = UNSET
    ) -> int | None:
        """Subtract from a counter: `incr` with the other sign."""
        return self.incr(key, -_integer("delta", delta), initial=initial, ttl=ttl)

    def gets(self, key: Key) -> tuple[Any, Any] | None:
        """The value and a token for `cas`; None if there is no entry.

        Raises:
            InvalidKey, NodeError: as for `get`.
        """
        return self._run(self._flows.gets(key), otherwise=None)

    def cas(self, key: Key, value: Any, token: Any, ttl: Ttl | Unset = UNSET) -> bool:
        """Store a value if the entry has not changed since `gets`; whether it was stored.

        On Redis the stored bytes are compared, so that an entry which has changed and changed
        back has not changed; elsewhere every store is a change.

        Raises:
            InvalidKey, EncodeError, NodeError: as for `set`.

        Example:
            >>> from kcache import Cache
            >>> cache = Cache()
            >>> cache.set("n", 1)
            True
            >>> value, token = cache.gets("n")
            >>> cache.cas("n", value + 1, token), cache.cas("n", value + 2, token)
            (True, False)
        """
        return self._stored(key, self._flows.cas(key, value, token, self._life(ttl)))

    def node_for(self, key: Key) -> Node:
        """The node that owns a key.

        Raises:
            InvalidKey: as for `get`.
        """
        return self._core.ring.nodes[self._router.route(key)[0]]

    def _use_plain_keys(self, core: Core, entries: Entries) -> None:
        nodes = core.ring.nodes
        router = Router(wire_key, core.ring.index_for)
        forms = [form_of(node.kind, entries) for node in nodes]
        self._core, self._router, self._transport = core, router, core.transport
        leases = Path(core.prefix, ())
        kind = SignedFilling if isinstance(entries, SignedEntries) else PlainFilling
        self._flows = kind(
            nodes,
            router,
            forms,
            strict=core.raises,
            lease_key=lambda wire: leases.lease_key(leases.place(wire)),
        )
        self._account = Account((), core.journal)
        self._flows.unreadable = self._account.unreadable
        self._fills = ManyFills(core, self._flows, core.transport, self._account, entries.codec)
        self._quick = PlainQuick(self._flows, router, core.transport.ends, entries)

    def _use_namespace(self, core: Core, path: Path, entries: Entries) -> Namespaced:
        router = Router(path.place, lambda place: core.ring.index_for(place.key))
        flows = Namespaced(
            path,
            core.transport.nodes,
            router,
            entries,
            known=core.known,
            fresh=fresh_token,
            strict=core.raises,
            epoch=core.configuration["epoch"],
        )
        guarded = Guarded(core.guard, path.records[-1])
        self._core, self._router, self._flows, self._transport = core, router, flows, guarded
        self._account = Account(path.names, core.journal)
        flows.unreadable = self._account.unreadable
        self._fills = ManyFills(core, flows, guarded, self._account, entries.codec)
        self._quick = NamespaceQuick(
            flows, router, core.transport.ends, entries, path=path, guarded=guarded
        )
        return flows

    def _stored(self, key: Key, flow: Flow[bool]) -> bool:
        is_stored = self._run(flow, otherwise=False)
        if is_stored:
            self._account.stored(key)
        return is_stored

    def _life(self, ttl: Ttl | Unset) -> float | None:
        return self._ttl if ttl is UNSET else seconds(ttl)

    def _run(self, flow: Flow[T], *, otherwise: T) -> T:
        try:
            return run(flow, self._transport)
        except NodeError:
            if self._core.raises:
                raise
            return otherwise


def invalidated(core: Core, flows: Namespaced, account: Account) -> Invalidation:
    """Invalidate a namespace.

    Raises:
        InvalidationIncomplete: a node failed, and calls raise.
    """
    record = flows.path.records[-1]
    failures = run(flows.invalidate(), Guarded(core.guard, record))
    if failures:
        core.guard.not_invalidated(record, failures)
    pending = tuple(failure.node for failure in failures)
    account.invalidated(pending)
    if pending and core.raises:
        raise InvalidationIncomplete(pending, failures[0].reason) from failures[0]
    return Invalidation(not pending, pending)


def _several(keys: Iterable[K]) -> Iterable[K]:
    if isinstance(keys, (str, bytes)):
        raise TypeError(f"pass a list of keys, even if there is only one, not {keys[:80]!r}")
    return keys


def _mapping(values: Mapping[K, Any]) -> Mapping[K, Any]:
    # What `dict` takes for a mapping.
    if not hasattr(values, "keys"):
        raise TypeError(
            f"set_many takes a mapping of keys to values, such as a dict, not {_kind(values)}; "
            "of pairs make one: dict(pairs)"
        )
    return values


def _integer(name: str, number: int) -> int:
    # A bool is an int to Python, and a slip in a count.
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise TypeError(f"{name} is an int, not {_kind(number)}")
    whole = as_int(number)
    # Beyond the range of counters all numbers mean the same, and some are too long to be shown.
    return whole if abs(whole) < _BEYOND else _BEYOND if whole > 0 else -_BEYOND


def _kind(value: object) -> str:
    return type(value).__name__
