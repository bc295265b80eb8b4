"""The cache: one set of calls, whatever kinds of nodes are behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from operator import index as as_int
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, Unpack

from kcache.codec import SafeCodec
from kcache.command import Token
from kcache.compress import Compression
from kcache.entry import Entries
from kcache.errors import ConfigurationError, DecodeError, NodeError
from kcache.executor import run
from kcache.form import form_of
from kcache.hit import MISS, Hit, Miss
from kcache.memory import MemoryStore, open_store
from kcache.net.direct import UNDONE, direct_to
from kcache.net.transport import Transport
from kcache.node import Node
from kcache.plain import MISSING, Flow, Plain
from kcache.protocols import Codec
from kcache.ring import Ring, RingOptions
from kcache.route import Key, Router
from kcache.ttl import Ttl, seconds

__all__ = ["DEFAULT_TIMEOUT", "Cache"]

DEFAULT_TIMEOUT = 0.5
"""Seconds that a call may take in all."""
_PRIVATE = "private"

T = TypeVar("T")
K = TypeVar("K", bound=Key)
OnError = Literal["miss", "raise"]


class _Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "the cache's default"

    def __repr__(self) -> str:
        return f"<{self.value}>"


UNSET: Final = _Unset.UNSET


class Cache:
    """A cache over a ring of nodes.

    Keys are `str` or `bytes`. Values keep their type: see `kcache.codec.SafeCodec` for what is
    taken. A call that finds nothing gives its miss value; so does one whose node is down, unless
    `on_error="raise"`. A node that failed costs one timeout; then calls for its keys return at
    once, until it answers again.

    A cache is shared by threads and survives a fork. It pickles as its configuration.

    Args:
        nodes: node URLs, `Node`s, or a `Ring`. None: one private in-process node.
        dialect: of the ring, as for `Ring`.
        ttl: how long entries live where a call does not say: seconds, a timedelta, or None for
            no end.
        timeout: seconds that a call may take in all, to open connections included. Looking up
            the address of a host name is up to the system, and not bounded by it.
        on_error: `"miss"` or `"raise"`: what a call does whose node fails.
        codec: from values to bytes, and back; `SafeCodec()` where it is None.
        compression: of values that are large.
        clock: of in-process nodes, in seconds, never going back; for tests.
        **options: of the dialect, as for `Ring`.

    Raises:
        ConfigurationError: nodes, a dialect, or an option that cannot be used; a library that is
            not installed.

    Example:
        >>> cache = Cache()
        >>> cache.set("user:42", {"name": "Ada"}, ttl=60)
        True
        >>> cache.get("user:42")
        {'name': 'Ada'}
        >>> cache.get("user:43", "nobody")
        'nobody'
    """

    def __init__(
        self,
        nodes: Iterable[Node | str] | Ring | None = None,
        dialect: str = "libketama",
        *,
        ttl: Ttl = None,
        timeout: float = DEFAULT_TIMEOUT,
        on_error: OnError = "miss",
        codec: Codec | None = None,
        compression: Compression | None = None,
        clock: Callable[[], float] | None = None,
        **options: Unpack[RingOptions],
    ) -> None:
        self._configuration: dict[str, Any] = {
            "nodes": nodes if nodes is None or isinstance(nodes, Ring) else _listed(nodes),
            "dialect": dialect,
            "ttl": ttl,
            "timeout": _checked_timeout(timeout),
            "on_error": on_error,
            "codec": codec,
            "compression": compression,
            "clock": clock,
            **options,
        }
        if on_error not in ("miss", "raise"):
            raise ConfigurationError(f"on_error is 'miss' or 'raise', not {on_error!r}")
        self._ttl = seconds(ttl)
        self._raises = on_error == "raise"
        self._ring = _ring_of(self._configuration["nodes"], dialect, options)
        entries = Entries(codec or SafeCodec(), compression or Compression())
        self._transport = Transport(self._ring.nodes, timeout, self._store_opener())
        self._router = Router(self._ring)
        self._routes = self._router.seen
        forms = [form_of(node.kind, entries) for node in self._ring.nodes]
        self._flows = Plain(self._ring.nodes, self._router, forms, strict=self._raises)
        self._directs = [direct_to(end, entries) for end in self._transport.ends]

    def __repr__(self) -> str:
        names = ", ".join(node.name for node in self._ring.nodes)
        return f"<Cache on {names}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self._configuration)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def ring(self) -> Ring:
        """The ring of the nodes. It hashes the keys that go out."""
        return self._ring

    def get(self, key: Key, default: Any = None) -> Any:
        """The value of an entry, or `default` if there is none.

        A stored None is a value; `lookup` tells it from a miss.

        Raises:
            InvalidKey: the key is empty, or neither str nor bytes.
            NodeError: the node failed, under `on_error="raise"`.
        """
        route = self._routes.get(key) if key.__class__ is str else None
        try:
            index, wire = route or self._router.route(key)
            value = self._directs[index].get(wire)
            if value is UNDONE:
                value = run(self._flows.get(key), self._transport)
        except NodeError:
            if self._raises:
                raise
            return default
        except DecodeError:
            return default
        return default if value is MISSING else value

    def lookup(self, key: Key) -> Hit | Miss:
        """A `Hit` with the value, which is true, or a `Miss`, which is false.

        Raises:
            InvalidKey, NodeError: as for `get`.

        Example:
            >>> cache = Cache()
            >>> cache.set("nothing", None)
            True
            >>> cache.lookup("nothing"), cache.lookup("something")
            (Hit(value=None, stale=False), Miss())
        """
        value = self.get(key, MISSING)
        return MISS if value is MISSING else Hit(value)

    def get_many(self, keys: Iterable[K]) -> dict[K, Any]:
        """The values of the entries that are there, by key.

        All nodes are asked at once; one that fails costs its own keys only.

        Raises:
            InvalidKey: as for `get`.
            NodeError: a node failed, under `on_error="raise"`.
        """
        return run(self._flows.get_many(_several(keys)), self._transport)

    def set(self, key: Key, value: Any, ttl: Ttl | _Unset = UNSET) -> bool:
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
        route = self._routes.get(key) if key.__class__ is str else None
        try:
            index, wire = route or self._router.route(key)
            done = self._directs[index].set(wire, value, life)
            if done is UNDONE:
                return run(self._flows.set(key, value, life), self._transport)
        except NodeError:
            if self._raises:
                raise
            return False
        return done is True

    def set_many(self, values: Mapping[K, Any], ttl: Ttl | _Unset = UNSET) -> list[K]:
        """Store values; the keys of those that were not stored.

        Raises:
            InvalidKey, EncodeError: as for `set`; nothing is stored, then.
            NodeError: a node failed, under `on_error="raise"`.
        """
        return run(self._flows.set_many(values, self._life(ttl)), self._transport)

    def add(self, key: Key, value: Any, ttl: Ttl | _Unset = UNSET) -> bool:
        """Store a value where there is none, atomically; whether it was stored.

        Raises:
            InvalidKey, EncodeError, NodeError: as for `set`.
        """
        return self._run(self._flows.add(key, value, self._life(ttl)), otherwise=False)

    def replace(self, key: Key, value: Any, ttl: Ttl | _Unset = UNSET) -> bool:
        """Store a value where there is one, atomically; whether it was stored.

        Raises:
            InvalidKey, EncodeError, NodeError: as for `set`.
        """
        return self._run(self._flows.replace(key, value, self._life(ttl)), otherwise=False)

    def delete(self, key: Key) -> bool:
        """Delete an entry; whether it was there.

        Raises:
            InvalidKey, NodeError: as for `get`.
        """
        return self._run(self._flows.delete(key), otherwise=False)

    def delete_many(self, keys: Iterable[Key]) -> int:
        """Delete entries; how many were there.

        Raises:
            InvalidKey, NodeError: as for `get_many`.
        """
        return run(self._flows.delete_many(_several(keys)), self._transport)

    def touch(self, key: Key, ttl: Ttl | _Unset = UNSET) -> bool:
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
        return bool(self.lookup(key))

    def incr(
        self, key: Key, delta: int = 1, *, initial: int | None = None, ttl: Ttl | _Unset = UNSET
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
            InvalidKey, NodeError: as for `get`.

        Example:
            >>> cache = Cache()
            >>> cache.incr("visits", initial=1), cache.incr("visits"), cache.decr("visits", 5)
            (1, 2, 0)
        """
        first = None if initial is None else as_int(initial)
        flow = self._flows.count(key, as_int(delta), first, self._life(ttl))
        return self._run(flow, otherwise=None)

    def decr(
        self, key: Key, delta: int = 1, *, initial: int | None = None, ttl: Ttl | _Unset = UNSET
    ) -> int | None:
        """Subtract from a counter: `incr` with the other sign."""
        return self.incr(key, -as_int(delta), initial=initial, ttl=ttl)

    def gets(self, key: Key) -> tuple[Any, Token] | None:
        """The value and a token for `cas`; None if there is no entry.

        Raises:
            InvalidKey, NodeError: as for `get`.
        """
        return self._run(self._flows.gets(key), otherwise=None)

    def cas(self, key: Key, value: Any, token: Token, ttl: Ttl | _Unset = UNSET) -> bool:
        """Store a value if the entry has not changed since `gets`; whether it was stored.

        On Redis the stored bytes are compared, so that an entry which has changed and changed
        back has not changed; elsewhere every store is a change.

        Raises:
            InvalidKey, EncodeError, NodeError: as for `set`.

        Example:
            >>> cache = Cache()
            >>> cache.set("n", 1)
            True
            >>> value, token = cache.gets("n")
            >>> cache.cas("n", value + 1, token), cache.cas("n", value + 2, token)
            (True, False)
        """
        return self._run(self._flows.cas(key, value, token, self._life(ttl)), otherwise=False)

    def node_for(self, key: Key) -> Node:
        """The node that owns a key.

        Raises:
            InvalidKey: as for `get`.
        """
        return self._ring.nodes[self._router.route(key)[0]]

    def flush_nodes(self) -> bool:
        """Delete everything that the nodes hold, other programs' entries included.

        On Redis that is the database of the node's URL. This is the one call that empties
        servers.

        Returns:
            Whether all nodes did.

        Raises:
            NodeError: a node failed, under `on_error="raise"`.
        """
        return run(self._flows.flush(), self._transport)

    def close(self) -> None:
        """Close the idle connections. A call after that opens new ones."""
        self._transport.close()

    def _life(self, ttl: Ttl | _Unset) -> float | None:
        return self._ttl if ttl is UNSET else seconds(ttl)

    def _run(self, flow: Flow[T], *, otherwise: T) -> T:
        try:
            return run(flow, self._transport)
        except NodeError:
            if self._raises:
                raise
            return otherwise

    def _store_opener(self) -> Callable[[Node], MemoryStore]:
        clock = self._configuration["clock"]
        if self._configuration["nodes"] is None:
            private = MemoryStore() if clock is None else MemoryStore(clock=clock)
            return lambda _node: private
        return lambda node: open_store(node, clock)


def _rebuilt(kind: type[Cache], configuration: dict[str, Any]) -> Cache:
    return kind(**configuration)


def _listed(nodes: Iterable[Node | str]) -> tuple[Node | str, ...]:
    if isinstance(nodes, (str, bytes)):
        raise ConfigurationError("nodes are given as a list of URLs, even if there is only one")
    return tuple(nodes)


def _ring_of(
    nodes: tuple[Node | str, ...] | Ring | None, dialect: str, options: RingOptions
) -> Ring:
    if isinstance(nodes, Ring):
        if options or dialect != "libketama":
            raise ConfigurationError("a Ring has its dialect and options already")
        return nodes
    if nodes is None:
        nodes = (Node(kind="memory", host=_PRIVATE),)
    return Ring(nodes, dialect, **options)


def _checked_timeout(timeout: float) -> float:
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not is_number or not 0 < timeout < float("inf"):
        raise ConfigurationError(f"timeout is a number of seconds above 0, not {timeout!r}")
    return timeout


def _several(keys: Iterable[K]) -> Iterable[K]:
    if isinstance(keys, (str, bytes)):
        raise TypeError(f"keys are given as a list; this is one key: {keys[:80]!r}")
    return keys
