"""From a key to its node: the hot path of the ring.

A lookup takes about half a microsecond, of which a Python call is a tenth; so these are
closures over local names, MD5 is written out where most rings use it, and keys seen lately are
remembered.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from struct import Struct
from typing import NoReturn

from kcache.errors import InvalidKey
from kcache.node import Node
from kcache.ring.continuum import SEVERAL, Continuum
from kcache.ring.hashes import KeyHash, md5, md5_word

__all__ = ["REMEMBERED_KEYS", "Key", "encode", "finder", "locator"]

Key = str | bytes

REMEMBERED_KEYS = 4096
"""How many keys a ring remembers, each of at most `_REMEMBERED_LENGTH` bytes or characters."""
_REMEMBERED_LENGTH = 250

_first_word = Struct("<I12x").unpack


def locator(continuum: Continuum, key_hash: KeyHash) -> Callable[[Key], int]:
    """A function from a key to the index of its node. It raises InvalidKey."""
    points, owners = continuum.points, continuum.owners
    table, shift = continuum.table, continuum.shift

    def locate_md5(key: Key) -> int:
        (place,) = _first_word(md5(encode(key)).digest())
        index = table[place >> shift]
        return index if index != SEVERAL else owners[bisect_left(points, place)]

    def locate(key: Key) -> int:
        place = key_hash(encode(key))
        index = table[place >> shift]
        return index if index != SEVERAL else owners[bisect_left(points, place)]

    return locate_md5 if key_hash is md5_word else locate


def finder(continuum: Continuum, key_hash: KeyHash, nodes: Sequence[Node]) -> Callable[[Key], Node]:
    """A function from a key to its node that remembers keys. It raises InvalidKey.

    Only what is a str and nothing else is remembered: equal objects of other classes need not
    have equal bytes.
    """
    locate = locator(continuum, key_hash)
    if key_hash is md5_word:
        return _md5_finder(continuum, nodes, locate)
    seen: dict[str, Node] = {}
    recall = seen.get

    def find(key: Key) -> Node:
        if key.__class__ is not str:
            return nodes[locate(key)]
        node = recall(key)
        if node is None:
            node = nodes[locate(key)]
            if len(key) <= _REMEMBERED_LENGTH:
                if len(seen) >= REMEMBERED_KEYS:
                    seen.clear()
                seen[key] = node
        return node

    return find


def _md5_finder(
    continuum: Continuum, nodes: Sequence[Node], locate: Callable[[Key], int]
) -> Callable[[Key], Node]:
    """The same with everything written out: one Python call a lookup instead of four."""
    points, owners = continuum.points, continuum.owners
    table, shift = continuum.table, continuum.shift
    # Threads share the memory: each operation on it is atomic, and any mix of them is harmless.
    seen: dict[str, Node] = {}
    recall = seen.get

    def find(key: Key) -> Node:
        if key.__class__ is not str:
            return nodes[locate(key)]
        node = recall(key)
        if node is None:
            try:
                data = key.encode()
            except UnicodeEncodeError:
                refuse(key)
            (place,) = _first_word(md5(data or encode(data)).digest())
            index = table[place >> shift]
            node = nodes[index if index != SEVERAL else owners[bisect_left(points, place)]]
            if len(data) <= _REMEMBERED_LENGTH:
                if len(seen) >= REMEMBERED_KEYS:
                    seen.clear()
                seen[key] = node
        return node

    return find


def encode(key: Key) -> bytes:
    """The bytes that are hashed: a str stands for its UTF-8. It raises InvalidKey."""
    if isinstance(key, str):
        try:
            key = key.encode()
        except UnicodeEncodeError:
            refuse(key)
    if not key or not isinstance(key, bytes):
        refuse(key)
    return key


def refuse(key: object) -> NoReturn:
    """Say what is wrong with a key."""
    if not isinstance(key, str | bytes):
        raise InvalidKey(f"a key is str or bytes, not {type(key).__name__}")
    if not key:
        raise InvalidKey("a key must not be empty")
    raise InvalidKey(f"the key {key[:80]!r} has no UTF-8: it holds a lone surrogate")
