"""From the user's key to the bytes that go out.

A key that every client can send goes out as it is, so that other clients find it. All others
are hashed, into a form that begins with a byte which UTF-8 never contains.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import NoReturn

from kcache.errors import InvalidKey

__all__ = ["MAX_LENGTH", "wire_key"]

MAX_LENGTH = 250
"""Bytes; memcached's limit."""

_ESCAPE = b"\xff"
_UNSAFE = bytes(range(0x21)) + b"\x7f"
# Lone surrogates have an encoding that some bytes key could be, too. What is hashed for one is
# never hashed for the other.
_BYTES = b"kcache key"
_SURROGATES = b"kcache str key"


def wire_key(key: str | bytes, prefix: bytes = b"") -> bytes:
    r"""The bytes that stand for `key` on every node.

    A key, its prefix included, that is UTF-8 of at most 250 bytes, none of them <= 0x20 or 0x7f,
    is sent unchanged. Any other one becomes 0xFF and the BLAKE2b-256 of prefix and key in
    base64: 44 bytes.

    Args:
        key: a `str` is its UTF-8, so "a" and b"a" are one key.
        prefix: stands before the key.

    Raises:
        InvalidKey: `key` is empty, or neither `str` nor `bytes`.

    Example:
        >>> wire_key("user:42"), wire_key("42", b"user:")
        (b'user:42', b'user:42')
        >>> wire_key("two words")
        b'\xffJXZV7KoOUVs-v3azCNyOMhKFg9qsJIvQiEBiUa93yP4'
    """
    if type(key) is str and not prefix:
        # Nearly all keys end here.
        if key.isascii() and key.isprintable() and " " not in key and 0 < len(key) <= MAX_LENGTH:
            return key.encode()
    elif not isinstance(key, (str, bytes)):
        _refuse(key)
    if not key:
        _refuse(key)
    return _general(key, prefix)


def _general(key: str | bytes, prefix: bytes) -> bytes:
    if isinstance(key, str):
        try:
            data = prefix + key.encode()
        except UnicodeEncodeError:
            return _hashed(prefix + key.encode(errors="surrogatepass"), _SURROGATES)
    else:
        data = prefix + key
    return data if _is_plain(data) else _hashed(data, _BYTES)


def _is_plain(data: bytes) -> bool:
    if len(data) > MAX_LENGTH or len(data.translate(None, _UNSAFE)) != len(data):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _hashed(data: bytes, person: bytes) -> bytes:
    digest = blake2b(data, digest_size=32, person=person).digest()
    return _ESCAPE + urlsafe_b64encode(digest).rstrip(b"=")


def _refuse(key: object) -> NoReturn:
    if isinstance(key, (str, bytes)):
        raise InvalidKey(f"a key cannot be empty: {key!r}")
    kind = type(key).__name__
    raise InvalidKey(f"a key is str or bytes, not {kind}: convert it, for example with str(key)")
