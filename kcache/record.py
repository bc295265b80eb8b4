"""Version records: what each node holds for each namespace in use.

A record is a random token, and a new one whenever it is written. An entry is alive while its
frame has the tokens that its records have now. So a record that is gone is safe, too: the token
of the next one is in no frame. Level 0 is the node's own record; beside the token it says which
server it was made on.
"""

from __future__ import annotations

from functools import lru_cache

from kcache import frame
from kcache.errors import DecodeError

__all__ = ["TOKEN", "TOKEN_SIZE", "pack_record", "token_of"]

TOKEN_SIZE = 16
"""Bytes, of `os.urandom`; never a counter, never a clock."""

TOKEN = slice(6, 6 + TOKEN_SIZE)
"""Where the token is in a record, for whoever only compares it; `token_of` looks at all of it."""

_TAG = 15


def pack_record(token: bytes, identity: bytes = b"") -> bytes:
    """A record with a token that was never sent before.

    Args:
        token: 16 random bytes.
        identity: of the server, at level 0.
    """
    return frame.pack(token + identity, _TAG)


@lru_cache(4096)
def token_of(record: bytes | None) -> bytes | None:
    """The token in a record; None if it is absent, and no bytes if it is corrupt."""
    if record is None:
        return None
    try:
        payload, tag, *_ = frame.unpack(record)
    except DecodeError:
        return b""
    return payload[:TOKEN_SIZE] if tag == _TAG and len(payload) >= TOKEN_SIZE else b""
