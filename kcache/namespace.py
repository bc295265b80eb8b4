"""Namespaces on the wire: the keys of entries and of version records.

Both begin with the cache's prefix and the byte 0xFF. No plain key does: those that go out as they
are hold no such byte, and those that are hashed begin with it and are shorter.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import NamedTuple

from kcache.errors import ConfigurationError, InvalidKey

__all__ = [
    "DIGEST_SIZE",
    "Path",
    "Place",
    "checked_prefix",
    "debts_key",
    "epoch_key",
    "is_entry",
    "paid_key",
]

DIGEST_SIZE = 24
"""Bytes; two keys of one digest would take 2**96 tries to find."""
MAX_PREFIX = 64
"""Bytes."""
MAX_DEPTH = 16
"""Names in a path. Each one is a record that is read with every entry."""

_MARK = b"\xff"
_ENTRY, _RECORD = b"kcache entry", b"kcache record"
_DEBTS, _EPOCH = b"kcache debts", b"kcache epoch"
_UTF8, _SURROGATES = b"\x00", b"\x01"
_LENGTH_SIZE = 4


class Place(NamedTuple):
    """Where an entry is, and what says that it is this one.

    Attributes:
        key: the wire key.
        digest: of prefix, path and key; it stands in the entry's frame.
    """

    key: bytes
    digest: bytes


class Path:
    """The path of a namespace.

    Args:
        prefix: of the cache; two applications with different ones can share nodes.
        names: from the outermost namespace to the innermost; str or bytes, none of them empty.

    Attributes:
        records: the wire keys of the version records that an entry depends on, from level 0,
            which is the node's own, to the innermost namespace.

    Raises:
        InvalidKey: a name that is empty, or neither str nor bytes; or more than 16 of them.

    Example:
        >>> album = Path(b"kc", ("photos", "42"))
        >>> len(album.records), album.records[:2] == Path(b"kc", ("photos",)).records
        (3, True)
        >>> album.place("cover") == Path(b"kc", ("photos",)).place("cover")
        False
    """

    __slots__ = ("_base", "_names", "names", "prefix", "records")

    def __init__(self, prefix: bytes, names: tuple[str | bytes, ...]) -> None:
        if len(names) > MAX_DEPTH:
            raise InvalidKey(f"a namespace has at most {MAX_DEPTH} names, not {len(names)}")
        self.prefix = prefix
        self.names = names
        self._names = tuple(_canonical(name, "a namespace's name") for name in names)
        self.records = tuple(
            _wire_key(prefix, b"v", _hash_of(_RECORD, prefix, self._names[:level]).digest())
            for level in range(len(names) + 1)
        )
        self._base = _hash_of(_ENTRY, prefix, self._names)

    def place(self, key: str | bytes) -> Place:
        """Where the entry of a key is.

        Raises:
            InvalidKey: the key is empty, or neither str nor bytes.
        """
        hashed = self._base.copy()
        hashed.update(_canonical(key, "a key"))
        digest = hashed.digest()
        return Place(_wire_key(self.prefix, b"e", digest), digest)

    def shown(self, key: str | bytes) -> str:
        """The key and the namespace, for a message."""
        return f"{key!r} in the namespace {self}"

    def __str__(self) -> str:
        return "/".join(
            name if isinstance(name, str) else name.decode(errors="backslashreplace")
            for name in self.names
        )

    def lease_key(self, place: Place) -> bytes:
        """The wire key of a lease beside an entry."""
        return _wire_key(self.prefix, b"l", place.digest)

    def below(self, names: tuple[str | bytes, ...]) -> Path:
        """The path of a namespace within this one.

        Raises:
            InvalidKey: as for `Path`.
        """
        return Path(self.prefix, self.names + names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Path):
            return NotImplemented
        return (self.prefix, self._names) == (other.prefix, other._names)

    def __hash__(self) -> int:
        return hash((self.prefix, self._names))

    def __repr__(self) -> str:
        return f"Path({self.prefix!r}, {self.names!r})"


def debts_key(prefix: bytes, node: str) -> bytes:
    """The wire key of what a node has missed, as it lies on the others.

    Args:
        prefix: of the cache.
        node: its name.
    """
    return _wire_key(prefix, b"d", _hash_of(_DEBTS, prefix, (node.encode(),)).digest())


def paid_key(prefix: bytes) -> bytes:
    """The wire key of what a node has missed and was told later, as it lies on the node."""
    return _wire_key(prefix, b"p", _hash_of(_DEBTS, prefix, ()).digest())


def epoch_key(prefix: bytes) -> bytes:
    """The wire key of the epoch of the ring that a node belongs to."""
    return _wire_key(prefix, b"r", _hash_of(_EPOCH, prefix, ()).digest())


def checked_prefix(prefix: str) -> bytes:
    """The bytes of a cache's prefix.

    Raises:
        ConfigurationError: it is no str of visible characters, or longer than 64 bytes.
    """
    if not isinstance(prefix, str) or not prefix.isprintable() or " " in prefix:
        raise ConfigurationError(f"prefix is a str of visible characters, not {prefix!r}")
    encoded = prefix.encode()
    if len(encoded) > MAX_PREFIX:
        raise ConfigurationError(f"prefix has at most {MAX_PREFIX} bytes, not {len(encoded)}")
    return encoded


def is_entry(prefix: bytes, wire: bytes) -> bool:
    """Whether a wire key is that of an entry in a namespace."""
    return wire.startswith(prefix + _MARK + b"e")


def _wire_key(prefix: bytes, kind: bytes, digest: bytes) -> bytes:
    return prefix + _MARK + kind + urlsafe_b64encode(digest)


def _hash_of(what: bytes, prefix: bytes, names: tuple[bytes, ...]) -> blake2b:
    """The hash of a path. The lengths in it make sure that no other path is hashed alike."""
    hashed = blake2b(digest_size=DIGEST_SIZE, person=what)
    hashed.update(_sized(prefix) + len(names).to_bytes(_LENGTH_SIZE, "big"))
    for name in names:
        hashed.update(_sized(name))
    return hashed


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH_SIZE, "big") + data


def _canonical(name: str | bytes, what: str) -> bytes:
    """The bytes of a name or key. Lone surrogates look like some bytes, and are told apart."""
    if isinstance(name, str):
        try:
            data = _UTF8 + name.encode()
        except UnicodeEncodeError:
            data = _SURROGATES + name.encode(errors="surrogatepass")
    elif isinstance(name, bytes):
        data = _UTF8 + name
    else:
        raise InvalidKey(f"{what} is str or bytes, not {type(name).__name__}")
    if not name:
        raise InvalidKey(f"{what} cannot be empty: {name!r}")
    return data
