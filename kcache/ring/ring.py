"""The ring: which node owns a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict, Unpack, final, overload

from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring.continuum import MAX_NODES, Continuum
from kcache.ring.dialect import Dialect
from kcache.ring.dialects import open_dialect
from kcache.ring.files import read_fleet
from kcache.ring.lookup import REMEMBERED_KEYS, Key, encode, finder, locator
from kcache.ring.plan import Plan, moves_between, shares
from kcache.ring.spymemcached import Spymemcached

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Ring", "RingOptions"]

_NAMES_SHOWN = 5


class RingOptions(TypedDict, total=False):
    """The options that dialects take; which one takes which is said at `Ring`."""

    hash: str | None
    hash_tag: str | None
    format: str | None
    weighted: bool | None


@final
class Ring:
    """An immutable consistent-hash ring, bit-exact with the implementation it is named after.

    A key belongs to the first point that is >= the key's hash, wrapping round. Rings are
    hashable, picklable and safe to share between threads.

    Args:
        nodes: `Node`s or node URLs; at least one, no two of one name.
        dialect: whose layout: `"libketama"`, `"libmemcached"`, `"libmemcached-weighted"`,
            `"libmemcached-autoweighted"`, `"libmemcached-spy"`, `"twemproxy"`,
            `"spymemcached"`, `"nginx"` or `"kcache"`.
        **options: of the dialect. `hash`: name of the key hash (all dialects; most know one
            only). `hash_tag`: two characters (twemproxy). `format`: `"SPYMEMCACHED"` or
            `"LIBMEMCACHED"`, and `weighted`: bool (spymemcached).

    Raises:
        ConfigurationError: no nodes, two nodes of one name, an unknown dialect or option, or a
            weight or address that the dialect refuses.

    Example:
        >>> ring = Ring(["memcached://10.0.0.1", "memcached://10.0.0.2?weight=3"])
        >>> ring.node_for("user:42").name
        '10.0.0.1:11211'
        >>> {node.name: round(float(share), 3) for node, share in ring.share().items()}
        {'10.0.0.1:11211': 0.269, '10.0.0.2:11211': 0.731}
    """

    _nodes: tuple[Node, ...]
    _dialect: Dialect
    _continuum: Continuum
    _locate: Callable[[Key], int]

    def __init__(
        self,
        nodes: Iterable[Node | str],
        dialect: str = "libketama",
        **options: Unpack[RingOptions],
    ) -> None:
        opened = open_dialect(dialect, options)
        listed = _listed(nodes)
        _check_labels(listed, opened)
        continuum = Continuum.of(opened.circle(listed))
        vars(self).update(
            _nodes=listed,
            _dialect=opened,
            _continuum=continuum,
            _locate=locator(continuum, opened.key_hash),
            # Stands before the method of this name: a lookup is too short for a call more.
            node_for=finder(continuum, opened.key_hash, listed),
        )

    @classmethod
    def from_file(cls, path: str | PathLike[str], *, pool: str | None = None) -> Ring:
        """Open the ring that a fleet's own configuration file describes.

        Args:
            path: a libketama server list (`HOST:PORT WEIGHT` lines), or a `nutcracker.yml`
                (needs the extra `cli`). Which one it is, is known from the file.
            pool: which pool of a nutcracker.yml, where it has several.

        Raises:
            ConfigurationError: the file cannot be read, or is malformed; the message says in
                which line.

        Warns:
            ServerListWarning: libketama reads a weight differently from how it looks.
        """
        fleet = read_fleet(path, pool)
        return cls(fleet.nodes, fleet.dialect, **fleet.options)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes, in the order given."""
        return self._nodes

    @property
    def dialect(self) -> str:
        """The name of the dialect."""
        return self._dialect.name

    @property
    def options(self) -> Mapping[str, Any]:
        """The dialect's options, defaults included."""
        return MappingProxyType(vars(self._dialect))

    @property
    def points(self) -> Sequence[tuple[int, Node]]:
        """Every point with its node, in ring order."""
        return _Points(self._continuum, self._nodes)

    def node_for(self, key: Key) -> Node:
        """The node that owns a key. A str stands for its UTF-8.

        The ring remembers the keys seen last, so that hot ones cost no hashing.

        Raises:
            InvalidKey: the key is empty, neither str nor bytes, or a str that has no UTF-8.
        """
        return self._nodes[self._locate(key)]

    def index_for(self, key: Key) -> int:
        """Which of `nodes` owns a key, by its index there. Remembers nothing.

        Raises:
            InvalidKey: as for `node_for`.
        """
        return self._locate(key)

    @property
    def key_space(self) -> int:
        """Key hashes are 0 .. key_space - 1: 2**32, or 2**15 for the hash called crc."""
        return self._dialect.key_space

    def hash_of(self, key: Key) -> int:
        """Where on the ring a key lies, 0 .. key_space - 1.

        Raises:
            InvalidKey: as for `node_for`.
        """
        return self._dialect.key_hash(encode(key))

    def group(self, keys: Iterable[Key]) -> dict[Node, list[Key]]:
        """Sort keys by the node that owns them; each list keeps their order.

        Raises:
            InvalidKey: as for `node_for`.

        Example:
            >>> ring = Ring(["memcached://10.0.0.1", "memcached://10.0.0.2"])
            >>> {node.host: keys for node, keys in ring.group(["a", "b", "c", "d"]).items()}
            {'10.0.0.1': ['a', 'b', 'c'], '10.0.0.2': ['d']}
        """
        listed = list(keys)
        if len(listed) > REMEMBERED_KEYS:
            return self._group_many(listed)
        # By identity: the nodes that a ring gives are its own, and hashing one costs more.
        grouped: dict[int, list[Key]] = {id(node): [] for node in self._nodes}
        find = self.node_for
        for key in listed:
            grouped[id(find(key))].append(key)
        return {node: own for node in self._nodes if (own := grouped[id(node)])}

    def _group_many(self, keys: list[Key]) -> dict[Node, list[Key]]:
        """Group without remembering: so many keys would only drive each other out."""
        grouped: list[list[Key]] = [[] for _ in self._nodes]
        locate = self._locate
        for key in keys:
            grouped[locate(key)].append(key)
        return {node: own for node, own in zip(self._nodes, grouped, strict=True) if own}

    def owners(self, key: Key, n: int) -> tuple[Node, ...]:
        """The first `n` different nodes from a key clockwise, its owner first.

        Fewer where fewer nodes have points.

        Raises:
            InvalidKey: as for `node_for`.
        """
        different: dict[int, None] = {}
        for index in self._continuum.walk(self.hash_of(key)):
            if len(different) >= n:
                break
            different[index] = None
        return tuple(self._nodes[index] for index in different)

    def failover(self, key: Key, tries: int = 7) -> tuple[Node, ...]:
        """The nodes that spymemcached tries for a key, one after the other, repeats included.

        Raises:
            ConfigurationError: another dialect; those go on to the next of `owners`, or rebuild
                the ring without the failed node.
            InvalidKey: as for `node_for`.
        """
        if not isinstance(self._dialect, Spymemcached):
            raise ConfigurationError(
                f"dialect {self.dialect!r} has no failover sequence of its own; see Ring.owners"
            )
        places = islice(self._dialect.tries(encode(key)), tries)
        return tuple(self._nodes[self._continuum.owner(place)] for place in places)

    def share(self) -> dict[Node, Fraction]:
        """The exact share of all key hashes that each node owns; they add up to 1."""
        owned = shares(self._continuum, self._dialect.key_space, len(self._nodes))
        return dict(zip(self._nodes, owned, strict=True))

    def with_node(self, node: Node | str) -> Ring:
        """The ring with one node more, listed last.

        Raises:
            ConfigurationError: as for `Ring`.
        """
        return self._with_nodes([*self._nodes, node])

    def without(self, name: str) -> Ring:
        """The ring without the node of that name.

        Raises:
            ConfigurationError: there is no such node, or it is the last one.
        """
        left = [node for node in self._nodes if node.name != name]
        if len(left) == len(self._nodes):
            raise ConfigurationError(f"no node {name!r} in the ring of {_names(self._nodes)}")
        return self._with_nodes(left)

    def _with_nodes(self, nodes: Iterable[Node | str]) -> Ring:
        return Ring(nodes, self.dialect, **vars(self._dialect))

    def plan(self, other: Ring) -> Plan:
        """What changes hands when this ring is replaced by another, exactly.

        Nodes are the same if their names are.

        Raises:
            ConfigurationError: the rings hash keys differently, so that an arc of one is
                scattered all over the other.

        Example:
            >>> ring = Ring(["memcached://10.0.0.1", "memcached://10.0.0.2"], dialect="kcache")
            >>> plan = ring.plan(ring.with_node("memcached://10.0.0.3"))
            >>> for (old, new), share in plan.moves.items():
            ...     print(old, new, round(float(share), 3))
            10.0.0.1:11211 10.0.0.3:11211 0.177
            10.0.0.2:11211 10.0.0.3:11211 0.158
        """
        if not self.hashes_like(other):
            raise ConfigurationError(
                "these rings hash keys differently: no plan by arcs, only a sample of keys, "
                "tells what moves"
            )
        return moves_between(
            self._continuum,
            [node.name for node in self._nodes],
            other._continuum,
            [node.name for node in other._nodes],
            self._dialect.key_space,
        )

    def hashes_like(self, other: Ring) -> bool:
        """Whether both rings give every key the same hash."""
        mine, others = self._dialect, other._dialect
        return (mine.hashes[mine.hash], getattr(mine, "hash_tag", None)) == (
            others.hashes[others.hash],
            getattr(others, "hash_tag", None),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ring):
            return NotImplemented
        return (self._dialect, self._nodes) == (other._dialect, other._nodes)

    def __hash__(self) -> int:
        return hash((self._dialect, self._nodes))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._nodes, self.dialect, dict(vars(self._dialect)))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Ring is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Ring is immutable: {name} cannot be deleted")

    def __repr__(self) -> str:
        options = "".join(f", {key}={value!r}" for key, value in self.options.items())
        return f"<Ring of {_names(self._nodes)}, dialect={self.dialect!r}{options}>"


class _Points(Sequence[tuple[int, Node]]):
    """The points of a ring, paired with their nodes as they are asked for."""

    def __init__(self, continuum: Continuum, nodes: tuple[Node, ...]) -> None:
        self._continuum = continuum
        self._nodes = nodes

    def __len__(self) -> int:
        return len(self._continuum.points)

    @overload
    def __getitem__(self, index: int) -> tuple[int, Node]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[int, Node]]: ...
    def __getitem__(self, index: int | slice) -> tuple[int, Node] | Sequence[tuple[int, Node]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._continuum.points[place], self._nodes[self._continuum.owners[place]]


def _rebuild(nodes: tuple[Node, ...], dialect: str, options: RingOptions) -> Ring:
    return Ring(nodes, dialect, **options)


def _listed(nodes: Iterable[Node | str]) -> tuple[Node, ...]:
    if isinstance(nodes, str | bytes | Node) or not isinstance(nodes, Iterable):
        raise ConfigurationError(f"a ring takes a list of nodes, not a {type(nodes).__name__}")
    listed = tuple(node if isinstance(node, Node) else Node(node) for node in nodes)
    if not listed:
        raise ConfigurationError("a ring needs at least one node")
    if len(listed) > MAX_NODES:
        raise ConfigurationError(f"a ring has room for {MAX_NODES} nodes, not {len(listed)}")
    names: set[str] = set()
    for node in listed:
        if node.name in names:
            raise ConfigurationError(f"two nodes are named {node.name!r}; give one another name=")
        names.add(node.name)
    return listed


def _check_labels(nodes: Sequence[Node], dialect: Dialect) -> None:
    """Refuse two nodes that are hashed as one: the first would own the keys of both."""
    labels: dict[str, Node] = {}
    for node in nodes:
        other = labels.setdefault(dialect.label(node), node)
        if other is not node:
            raise ConfigurationError(
                f"dialect {dialect.name!r} hashes nodes {other.name!r} and {node.name!r} alike, "
                f"as {dialect.label(node)!r}; give one another name="
            )


def _names(nodes: Sequence[Node]) -> str:
    shown = ", ".join(node.name for node in nodes[:_NAMES_SHOWN])
    return shown if len(nodes) <= _NAMES_SHOWN else f"{shown}, ... ({len(nodes)} nodes)"
