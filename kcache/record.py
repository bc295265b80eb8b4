"""Version records: what each node holds for each namespace in use, and for each other node.

A record is a random token, and a new one whenever it is written. An entry is alive while its
frame has the tokens that its records have now. So a record that is gone is safe, too: the token
of the next one is in no frame. Level 0 is the node's own record; beside the token it says which
server it was made on.

Debts are ids of invalidations that another node has missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

from kcache import frame
from kcache.errors import DecodeError

__all__ = [
    "TOKEN_SIZE",
    "epoch_of",
    "ids_of",
    "pack_epoch",
    "pack_ids",
    "pack_record",
    "parts_of",
    "token_of",
    "tokens_of",
]

TOKEN_SIZE = 16
"""Bytes, of `os.urandom`; never a counter, never a clock."""

_TAG = 15
_IDS_TAG, _EPOCH_TAG = 13, 12
_EPOCH_SIZE = 8


def pack_record(token: bytes, identity: bytes = b"") -> bytes:
    """A record with a token that was never sent before.

    Args:
        token: 16 random bytes.
        identity: of the server, at level 0.
    """
    return frame.pack(token + identity, _TAG)


def token_of(record: bytes | None) -> bytes | None:
    """The token in a record; None if it is absent, and no bytes if it is corrupt."""
    return None if record is None else parts_of(record)[0]


def tokens_of(records: Sequence[bytes | None], identity: bytes | None) -> tuple[bytes | None, ...]:
    """The tokens in records, of which the first is of level 0.

    One that was made on another server is as good as a corrupt one: what lies here may come from a
    snapshot, or from a replica that was behind.

    Args:
        records: as they were read.
        identity: of the server; None where it does not count.
    """
    tokens = tuple(map(token_of, records))
    first = records[0] if records else None
    if identity is None or first is None or parts_of(first)[1] == identity:
        return tokens
    return b"", *tokens[1:]


def pack_epoch(epoch: int) -> bytes:
    """What lies on a node of the ring that it belongs to.

    Args:
        epoch: of the ring, 0 .. 2**63 - 1.
    """
    return frame.pack(epoch.to_bytes(_EPOCH_SIZE, "big"), _EPOCH_TAG)


def epoch_of(record: bytes | None) -> int:
    """The epoch in it; 0 if there is none, or none that can be read."""
    if record is None:
        return 0
    try:
        payload, tag, *_ = frame.unpack(record)
    except DecodeError:
        return 0
    return int.from_bytes(payload, "big") if tag == _EPOCH_TAG else 0


def pack_ids(ids: Iterable[bytes]) -> bytes:
    """What lies on a node of debts, or of those that are paid.

    Args:
        ids: 16 random bytes each.
    """
    return frame.pack(b"".join(ids), _IDS_TAG)


def ids_of(record: bytes | None) -> frozenset[bytes]:
    """The ids in it. One that is corrupt stands for something that nobody can have paid before."""
    if record is None:
        return frozenset()
    try:
        payload, tag, *_ = frame.unpack(record)
    except DecodeError:
        tag = -1
    if tag != _IDS_TAG or len(payload) % TOKEN_SIZE:
        return frozenset((blake2b(record, digest_size=TOKEN_SIZE).digest(),))
    return frozenset(payload[at : at + TOKEN_SIZE] for at in range(0, len(payload), TOKEN_SIZE))


@lru_cache(4096)
def parts_of(record: bytes) -> tuple[bytes, bytes]:
    """The token in a record and the identity beside it; no bytes where it is corrupt."""
    try:
        payload, tag, *_ = frame.unpack(record)
    except DecodeError:
        return b"", b""
    is_sound = tag == _TAG and len(payload) >= TOKEN_SIZE
    return (payload[:TOKEN_SIZE], payload[TOKEN_SIZE:]) if is_sound else (b"", b"")
