"""The cache, and its namespaces: one set of calls, whatever kinds of nodes are behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from kcache.calls import UNSET, Unset, invalidated
from kcache.codec import CodecName, SafeCodec, codec_of
from kcache.compress import Compression
from kcache.core import Core, opened
from kcache.entry import Entries
from kcache.errors import ConfigurationError, InvalidKey
from kcache.events import Counts, Listener
from kcache.executor import run
from kcache.fill_calls import FillCalls
from kcache.health import HealthPolicy
from kcache.invalidation import Invalidation
from kcache.memoize import Memoizes
from kcache.namespace import Path
from kcache.namespaced import Namespaced
from kcache.node import Node
from kcache.options import check_health, check_parts, checked_epoch, checked_seconds, listed
from kcache.protocols import Codec
from kcache.ring import Ring, RingOptions
from kcache.secret import Secret
from kcache.signed import entries_of
from kcache.signer import signer_of
from kcache.ttl import Ttl, seconds

__all__ = ["DEFAULT_DEBT_INTERVAL", "DEFAULT_TIMEOUT", "Cache", "Namespace"]

DEFAULT_TIMEOUT = 0.5
"""Seconds that a call may take in all."""
DEFAULT_DEBT_INTERVAL = 1.0
"""Seconds after which a process that uses namespaces asks what nodes have missed."""
_MOST_NAMESPACES = 256
"""That are kept, each with what it has learnt: some thousand bytes."""

OnError = Literal["miss", "raise"]


class Cache(FillCalls, Memoizes):
    """A cache over a ring of nodes.

    Keys are `str` or `bytes`. Values keep their type: see `kcache.codec.SafeCodec` for what is
    taken. A call that finds nothing gives its miss value; so does one whose node is down, unless
    `on_error="raise"`. A node that failed costs one timeout; then calls for its keys return at
    once, until it answers again.

    A cache is shared by threads and survives a fork. It pickles as its configuration: a secret is
    in the pickle, too.

    Args:
        nodes: node URLs, `Node`s, or a `Ring`. None: one private in-process node.
        dialect: of the ring, as for `Ring`.
        namespace: the name of one that every call of this cache lives in. Without it, keys are
            plain, and shared with other clients.
        prefix: starts every key that kcache keeps for itself, so that two applications can share
            nodes: what is in namespaces, and their version records.
        ttl: how long entries live where a call does not say: seconds, a timedelta, or None for
            no end.
        timeout: seconds that a call may take in all, to open connections included. Looking up
            the address of a host name is up to the system, and not bounded by it.
        on_error: `"miss"` or `"raise"`: what a call does whose node fails.
        codec: from values to bytes, and back; `SafeCodec()` where it is None or `"safe"`,
            `PickleCodec()` where it is `"pickle"`, which needs a secret.
        compression: of values that are large; None for `Compression()`, or none at all where all
            nodes are in-process, and nothing is sent anywhere.
        secret: signs every value, with its key and namespace; what is not signed is a miss. At
            least 16 bytes, such as `secrets.token_hex(32)`, `str` or `bytes`, or a list of them:
            the first one signs, and what any of them has signed is read. No message and no `repr`
            shows it. Other clients cannot read what is signed.
        health: when a node is down, and how often it is asked then; None for `HealthPolicy()`.
        debt_interval: seconds after which a process that uses namespaces asks all nodes what
            others have missed: so long another process may read what was invalidated while a node
            could not be reached. It costs one request to each node.
        trust_restart: whether what a Redis server holds in namespaces counts after it was started
            again, or promoted. It may be older than what was invalidated since: without this,
            such a node begins empty. For planned restarts of servers that save everything.
        invalidate_nodes: while processes with another ring work beside this one: the nodes of that
            ring, in its order and with its weights, or a `Ring`. They are told of invalidations,
            too, and what is stored or deleted here is dropped at its owner there.
        epoch: of the ring, a number that rises with each change of it. Nodes that own more than in
            the ring of `invalidate_nodes`, or all without it, begin anew when they join it; and an
            invalidation by a process that knows an older one only is incomplete.
        clock: of in-process nodes, and of the age of values, in seconds, never going back; for
            tests.
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
        namespace: str | bytes | None = None,
        prefix: str = "kc",
        ttl: Ttl = None,
        timeout: float = DEFAULT_TIMEOUT,
        on_error: OnError = "miss",
        codec: Codec | CodecName | None = None,
        compression: Compression | None = None,
        secret: Secret | None = None,
        health: HealthPolicy | None = None,
        debt_interval: float = DEFAULT_DEBT_INTERVAL,
        trust_restart: bool = False,
        invalidate_nodes: Iterable[Node | str] | Ring | None = None,
        epoch: int = 0,
        clock: Callable[[], float] | None = None,
        **options: Unpack[RingOptions],
    ) -> None:
        configuration: dict[str, Any] = {
            "nodes": nodes if nodes is None or isinstance(nodes, Ring) else listed(nodes),
            "dialect": dialect,
            "namespace": namespace,
            "prefix": prefix,
            "ttl": ttl,
            "timeout": checked_seconds("timeout", timeout),
            "on_error": on_error,
            "codec": codec,
            "compression": compression,
            "secret": secret,
            "health": health,
            "debt_interval": checked_seconds("debt_interval", debt_interval),
            "trust_restart": trust_restart,
            "invalidate_nodes": (
                invalidate_nodes
                if invalidate_nodes is None or isinstance(invalidate_nodes, Ring)
                else listed(invalidate_nodes)
            ),
            "epoch": checked_epoch(epoch),
            "clock": clock,
            **options,
        }
        if on_error not in ("miss", "raise"):
            raise ConfigurationError(f"on_error is 'miss' or 'raise', not {on_error!r}")
        check_parts(SafeCodec() if codec is None else codec_of(codec), compression, clock)
        check_health(health, trust_restart)
        self._attach(opened(configuration))

    def _attach(self, core: Core) -> None:
        given = core.configuration
        self._ttl = seconds(given["ttl"])
        self._entries = entries_of(
            SafeCodec() if given["codec"] is None else codec_of(given["codec"]),
            given["compression"] or _compression_for(core.ring),
            signer_of(given["secret"]),
            core.now,
        )
        self._namespaces: dict[tuple[str | bytes, ...], Namespace] = {}
        self._names = () if given["namespace"] is None else (given["namespace"],)
        self._own: Namespaced | None = None
        if self._names:
            self._own = self._use_namespace(core, Path(core.prefix, self._names), self._entries)
        else:
            self._use_plain_keys(core, self._entries)

    def __repr__(self) -> str:
        return _shown(self._core)

    def __reduce__(self) -> tuple[Any, ...]:
        # Namespaces in the same pickle have the same core.
        return _rebuilt, (type(self), self._core)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def namespace(
        self, *names: str | bytes, ttl: Ttl | Unset = UNSET, codec: Codec | CodecName | None = None
    ) -> Namespace:
        """A namespace, within the cache's own if it has one.

        Args:
            *names: from the outermost to the innermost.
            ttl: how long entries live where a call does not say; left out, as in the cache.
            codec: as for `Cache`; as in the cache where it is None.

        Raises:
            ConfigurationError: `"pickle"` in a cache without a secret.
            InvalidKey: no name, or one that is empty, or neither str nor bytes.

        Example:
            >>> photos = Cache().namespace("photos")
            >>> photos.set("cover", b"...")
            True
            >>> photos.invalidate()
            Invalidation(complete=True, pending=())
            >>> "cover" in photos
            False
        """
        # To make one takes longer than a read in it. Only texts: under `python -bb` nobody may ask
        # whether "a" is b"a".
        is_plain = ttl is UNSET and codec is None and set(map(type, names)) == {str}
        known = self._namespaces.get(names) if is_plain else None
        if known is not None:
            return known
        made = Namespace(
            self._core,
            self._names + _some(names),
            ttl=self._ttl if ttl is UNSET else seconds(ttl),
            entries=_with_codec(self._entries, codec),
        )
        if is_plain:
            if len(self._namespaces) >= _MOST_NAMESPACES:
                self._namespaces.clear()
            self._namespaces[names] = made
        return made

    def invalidate(self) -> Invalidation:
        """Drop every entry of the cache's namespace, and of those within it, for every process.

        It takes one round trip to each node, whatever the number of entries.

        Raises:
            ConfigurationError: the cache has no namespace; `flush_nodes` empties servers.
            InvalidationIncomplete: a node failed, under `on_error="raise"`.
        """
        if self._own is None:
            raise ConfigurationError(
                "this cache has no namespace: open it with namespace=, or invalidate one of "
                "cache.namespace(...); flush_nodes() empties the servers"
            )
        return invalidated(self._core, self._own, self._account)

    @property
    def ring(self) -> Ring:
        """The ring of the nodes. It hashes the keys that go out."""
        return self._core.ring

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a function for every event in this process: see `kcache.events`.

        Args:
            listener: is called in the thread in which it happened, and should be quick.

        Returns:
            What ends it.

        Example:
            >>> cache = Cache()
            >>> end = cache.listen(print)
            >>> cache.get("a")
            Missed(names=(), key='a')
            >>> end()
        """
        return self._core.journal.listen(listener)

    def stats(self) -> dict[tuple[str | bytes, ...], Counts]:
        """How often things happened in this process, by namespace; `()` is for plain keys.

        Example:
            >>> cache = Cache()
            >>> cache.get("a"), cache.set("a", 1), cache.get("a")
            (None, True, 1)
            >>> counts = cache.stats()[()]
            >>> counts.hits, counts.misses, counts.stores
            (1, 1, 1)
        """
        return self._core.journal.stats()

    def flush_nodes(self) -> bool:
        """Delete everything that the nodes hold, other programs' entries included.

        On Redis that is the database of the node's URL. This is the one call that empties
        servers.

        Returns:
            Whether all nodes did.

        Raises:
            NodeError: a node failed, under `on_error="raise"`.
        """
        return run(self._flows.flush(), self._core.transport)

    def close(self) -> None:
        """Close the idle connections. A call after that opens new ones."""
        self._core.transport.close()


class Namespace(FillCalls, Memoizes):
    """A part of a cache that can be dropped at once, by any process, for all of them.

    Made by `Cache.namespace`. It has all calls of a cache, on entries of its own: no plain key
    reaches them, nor does a key of another namespace.
    """

    def __init__(
        self, core: Core, names: tuple[str | bytes, ...], *, ttl: float | None, entries: Entries
    ) -> None:
        # Not the cache: it keeps its namespaces, and in a circle connections would be left to the
        # garbage collector.
        self._path = Path(core.prefix, names)
        self._ttl = ttl
        self._entries = entries
        self._own = self._use_namespace(core, self._path, entries)

    @property
    def names(self) -> tuple[str | bytes, ...]:
        """The path, from the outermost namespace to this one."""
        return self._path.names

    def namespace(
        self, *names: str | bytes, ttl: Ttl | Unset = UNSET, codec: Codec | CodecName | None = None
    ) -> Namespace:
        """A namespace within this one: what drops this one drops it, too.

        Args:
            *names: from the next one inwards.
            ttl: how long entries live where a call does not say; left out, as here.
            codec: as for `Cache`; as here where it is None.

        Raises:
            ConfigurationError: as for `Cache.namespace`.
            InvalidKey: as for `Cache.namespace`.
        """
        return Namespace(
            self._core,
            self._path.names + _some(names),
            ttl=self._ttl if ttl is UNSET else seconds(ttl),
            entries=_with_codec(self._entries, codec),
        )

    def invalidate(self) -> Invalidation:
        """Drop every entry of this namespace, and of those within it, for every process.

        It takes one round trip to each node, whatever the number of entries.

        Returns:
            Complete, or the nodes that could not be told.

        Raises:
            InvalidationIncomplete: there are some, under `on_error="raise"`.
        """
        return invalidated(self._core, self._own, self._account)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Namespace):
            return NotImplemented
        return self._core is other._core and self._path == other._path

    def __hash__(self) -> int:
        return hash((id(self._core), self._path))

    def __repr__(self) -> str:
        return f"<Namespace {self._path} of {_shown(self._core)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _namespace_of, (self._core, self._path.names, self._ttl, self._entries)


def _compression_for(ring: Ring) -> Compression:
    is_local = all(node.kind == "memory" for node in ring.nodes)
    return Compression("none") if is_local else Compression()


def _shown(core: Core) -> str:
    return f"<Cache on {', '.join(node.name for node in core.ring.nodes)}>"


def _namespace_of(
    core: Core, names: tuple[str | bytes, ...], ttl: float | None, entries: Entries
) -> Namespace:
    return Namespace(core, names, ttl=ttl, entries=entries)


def _with_codec(entries: Entries, codec: Codec | CodecName | None) -> Entries:
    if codec is None:
        return entries
    chosen = codec_of(codec)
    check_parts(chosen, None, None)
    return replace(entries, codec=chosen)


def _some(names: tuple[str | bytes, ...]) -> tuple[str | bytes, ...]:
    if not names:
        raise InvalidKey("a namespace has a name: cache.namespace('photos')")
    return names


def _rebuilt(kind: type[Cache], core: Core) -> Cache:
    cache = kind.__new__(kind)
    cache._attach(core)  # noqa: SLF001 - of the cache that is made here
    return cache
