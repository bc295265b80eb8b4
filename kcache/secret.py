"""Secrets: what users give to sign or to encrypt, and the keys that are made of it.

No text here, nor anywhere else, has a secret in it: errors say what is wrong by types and lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeAlias

from kcache.errors import ConfigurationError

__all__ = ["Secret", "checked_secrets", "key_from"]

Secret: TypeAlias = str | bytes | Sequence[str | bytes]
"""One, or a list of them: the newest first, which is the one that is used for what is new."""
_LEAST = 16
_KEY_SIZE = 32
_HINT = "make one with secrets.token_hex(32)"


def checked_secrets(what: str, given: object) -> tuple[bytes, ...]:
    """The bytes of secrets; a str is its UTF-8.

    Args:
        what: the name of the option.
        given: a secret, or a list of them.

    Raises:
        ConfigurationError: it is none, or one is shorter than 16 bytes.
    """
    listed = given if isinstance(given, (list, tuple)) else (given,)
    if not listed:
        raise ConfigurationError(f"{what} is an empty list; {_HINT}")
    return tuple(_checked(what, each) for each in listed)


def _checked(what: str, secret: object) -> bytes:
    if isinstance(secret, str):
        # No encoding error here: its text would have the secret in it.
        secret = secret.encode(errors="surrogatepass")
    if not isinstance(secret, bytes):
        kind = type(secret).__name__
        raise ConfigurationError(
            f"{what} is a str or bytes, or a list of them, not {kind}; {_HINT}"
        )
    if len(secret) < _LEAST:
        raise ConfigurationError(
            f"{what} has at least {_LEAST} bytes, and one of {len(secret)} was given; {_HINT}"
        )
    return secret


def key_from(secret: bytes, person: bytes) -> bytes:
    """A key of 32 bytes.

    Args:
        secret: of any length.
        person: what the key is for; at most 16 bytes. Keys for other things tell nothing of it.
    """
    return blake2b(secret, digest_size=_KEY_SIZE, person=person).digest()
