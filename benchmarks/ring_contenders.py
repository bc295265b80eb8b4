"""Ways to find the node that owns a key, all of them ketama's.

Every one makes 160 points a node with MD5, and puts a key where its MD5 says; only kcache's own
dialect differs, with 512 points a node and murmur3. All are given the same addresses.
"""

from __future__ import annotations

import _md5
import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

import pylibmc
from uhashring import HashRing

from kcache import Node, Ring

__all__ = [
    "CONTENDERS",
    "FROM_URLS",
    "Built",
    "Find",
    "RingContender",
    "addresses",
]

Find = Callable[[str], Any]
Group = Callable[[list[str]], Mapping[Any, list[str]]]

_GROUPS = 40
_first_word = Struct("<I12x").unpack
_words = Struct("<4I").unpack


@dataclass(frozen=True)
class Built:
    """A ring that is ready to use: its lookup of one key, and of many."""

    find: Find
    group: Group


@dataclass(frozen=True)
class RingContender:
    """One implementation.

    Attributes:
        name: as shown.
        build: makes a ring of nodes.
        nodes: makes from addresses what `build` takes; never measured.
        address: which address `find` meant, from what it returned and all addresses.
    """

    name: str
    build: Callable[[Any], Built]
    nodes: Callable[[list[str]], Any] = list
    address: Callable[[Any, Sequence[str]], str] = lambda found, _: str(found)

    def of(self, number: int) -> Built:
        """A ring of so many nodes."""
        return self.build(self.nodes(addresses(number)))


def addresses(number: int) -> list[str]:
    """So many different addresses; nobody connects to them."""
    return [f"10.0.{i // 250}.{i % 250 + 1}:11211" for i in range(number)]


def _one_by_one(find: Find) -> Group:
    """Grouping for those who have none."""

    def group(keys: list[str]) -> Mapping[Any, list[str]]:
        grouped: defaultdict[Any, list[str]] = defaultdict(list)
        for key in keys:
            grouped[find(key)].append(key)
        return grouped

    return group


def _floor(md5: Callable[[bytes], Any]) -> Callable[[list[str]], Built]:
    """The plainest ring in Python: a hash, and a search in a sorted list."""

    def points(address: str) -> Iterator[int]:
        for i in range(_GROUPS):
            yield from _words(md5(f"{address}-{i}".encode()).digest())

    def build(nodes: list[str]) -> Built:
        circle = sorted((point, node) for node in nodes for point in points(node))
        places = [point for point, _ in circle]
        owners = [node for _, node in circle]
        owners.append(owners[0])

        def find(key: str) -> str:
            (place,) = _first_word(md5(key.encode()).digest())
            return owners[bisect_left(places, place)]

        return Built(find, _one_by_one(find))

    return build


def _uhashring(nodes: list[str]) -> Built:
    ring = HashRing(nodes=nodes, hash_fn="ketama")
    return Built(ring.get_node, _one_by_one(ring.get_node))


def _pylibmc(nodes: list[str]) -> Built:
    client = pylibmc.Client(nodes)
    # Not to the constructor: with these set, it would make the ring anew for every server.
    client.set_behaviors({"ketama_weighted": True})
    # Named `hash`, but what it returns is the index of the server; it talks to none.
    return Built(client.hash, _one_by_one(client.hash))


def _kcache(dialect: str) -> Callable[[list[Node | str]], Built]:
    def build(nodes: list[Node | str]) -> Built:
        ring = Ring(nodes, dialect)
        # Keys are str here, where the ring takes bytes as well.
        return Built(ring.node_for, ring.group)  # type: ignore[arg-type]

    return build


def _urls(listed: list[str]) -> list[str]:
    return [f"memcached://{address}" for address in listed]


def _nodes(listed: list[str]) -> list[Node]:
    return [Node(url) for url in _urls(listed)]


def _name(node: Node, _: Sequence[str]) -> str:
    return node.name


CONTENDERS = (
    RingContender("floor: _md5 + bisect", _floor(_md5.md5)),
    RingContender("floor: hashlib + bisect", _floor(hashlib.md5)),
    RingContender("uhashring", _uhashring),
    RingContender("pylibmc (C)", _pylibmc, address=lambda index, listed: listed[index]),
    RingContender("kcache, libketama", _kcache("libketama"), _nodes, _name),
    RingContender("kcache, libmemcached-weighted", _kcache("libmemcached-weighted"), _nodes, _name),
    RingContender("kcache, own dialect", _kcache("kcache"), _nodes, _name),
)
"""Floors, peers, and kcache with `Node` objects made before."""

FROM_URLS = RingContender("kcache, libketama from URLs", _kcache("libketama"), _urls, _name)
"""kcache given URLs: building the ring parses them and makes the `Node` objects, too."""
