"""Signatures of stored values: a MAC, by keyed BLAKE2b."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from hmac import compare_digest
from typing import Any

from kcache.frame import MAC_SIZE
from kcache.secret import checked_secrets, key_from

__all__ = ["Signer", "signer_of"]


@dataclass(frozen=True)
class Signer:
    """Signs with the first of some secrets, and accepts what any of them has signed.

    Args:
        secrets: each of at least 16 bytes; see `kcache.secret`. No `repr` shows them.
    """

    secrets: tuple[bytes, ...] = field(repr=False)
    _keyed: tuple[blake2b, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keyed = tuple(
            # To copy one that knows its key takes half the time of making it.
            blake2b(
                key=key_from(secret, b"kcache secret"),
                digest_size=MAC_SIZE,
                person=b"kcache value",
            )
            for secret in self.secrets
        )
        object.__setattr__(self, "_keyed", keyed)

    def __reduce__(self) -> tuple[Any, ...]:
        return Signer, (self.secrets,)

    def sign(self, data: bytes) -> bytes:
        """The MAC of some bytes, by the first secret."""
        return _mac(self._keyed[0], data)

    def check(self, data: bytes, mac: bytes) -> bool:
        """Whether one of the secrets gives this MAC."""
        # In a time that does not tell where they differ.
        return any(compare_digest(_mac(keyed, data), mac) for keyed in self._keyed)


def _mac(keyed: blake2b, data: bytes) -> bytes:
    hashed = keyed.copy()
    hashed.update(data)
    return hashed.digest()


def signer_of(secret: object) -> Signer | None:
    """The signer for the option `secret` of a cache; None where that is None.

    Raises:
        ConfigurationError: it is no secret, or too short.
    """
    return None if secret is None else Signer(checked_secrets("secret", secret))
