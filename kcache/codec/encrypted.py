"""Encryption of values, around any codec, by AES-GCM of the package `cryptography`."""

from __future__ import annotations

from importlib import import_module
from secrets import token_bytes
from typing import Any

from kcache.codec.safe import SafeCodec
from kcache.codec.seam import encoded_by, guarded, needs_secret, tag_of
from kcache.compress import Compression
from kcache.errors import ConfigurationError, DecodeError
from kcache.protocols import Codec
from kcache.secret import Secret, checked_secrets, key_from

__all__ = ["EncryptedCodec"]

_NONCE_SIZE = 12
_PERSON = b"kcache encrypt"


class EncryptedCodec:
    """Another codec's bytes, compressed and then encrypted with AES-256-GCM.

    What was encrypted cannot be compressed any more: so it is done here, before. Who reads the
    nodes still sees wire keys and namespaces' sizes, when and how often, and how long values are
    after compression. A value can still be moved to another key, unless the cache has a secret.

    Args:
        codec: from values to bytes, and back; `SafeCodec()` where it is None.
        keys: a secret of at least 16 bytes, `str` or `bytes`, or a list of them, the newest first:
            it encrypts, and all of them decrypt. Change it before 2**32 values were stored with it.
        compression: of what the codec gives.

    Raises:
        ConfigurationError: keys that are none or too short; `cryptography` is not installed.

    Example:
        >>> codec = EncryptedCodec(keys="correct horse battery staple")
        >>> codec.decode(codec.encode({"name": "Ada"}))
        {'name': 'Ada'}
        >>> codec
        EncryptedCodec(SafeCodec(types=[]))
    """

    own_tag = 5

    def __init__(
        self,
        codec: Codec | None = None,
        *,
        keys: Secret,
        compression: Compression | None = None,
    ) -> None:
        self.codec: Codec = SafeCodec() if codec is None else codec
        self.compression = compression or Compression()
        self._secrets = checked_secrets("keys", keys)
        self._tag = tag_of(self.codec)
        self._decode = guarded(self.codec)
        aead, self._refusal = _imported()
        self._ciphers = [aead(key_from(secret, _PERSON)) for secret in self._secrets]

    @property
    def needs_secret(self) -> bool:
        """Whether a cache without a secret refuses it, as it refuses the codec within."""
        return needs_secret(self.codec)

    def __repr__(self) -> str:
        return f"EncryptedCodec({self.codec!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.codec, list(self._secrets), self.compression)

    def encode(self, value: Any) -> bytes:
        """Give a nonce and the ciphertext.

        Raises:
            EncodeError: the codec within does not take `value`.
        """
        number, payload = self.compression.compress(encoded_by(self.codec, value))
        nonce = token_bytes(_NONCE_SIZE)
        clear = bytes((self._tag, number)) + payload
        sealed: bytes = self._ciphers[0].encrypt(nonce, clear, None)
        return nonce + sealed

    def decode(self, data: bytes) -> Any:
        """Give the value.

        Raises:
            DecodeError: it was not encrypted with one of the keys, or not by this codec within.
        """
        tag, number, *_ = clear = self._opened(data)
        if tag != self._tag:
            raise DecodeError(f"an encrypted value of another codec, of tag {tag}")
        return self._decode(self.compression.expand(number, clear[2:]))

    def _opened(self, data: bytes) -> bytes:
        nonce, sealed = data[:_NONCE_SIZE], data[_NONCE_SIZE:]
        for cipher in self._ciphers:
            try:
                clear: bytes = cipher.decrypt(nonce, sealed, None)
            # A nonce that is cut off is a ValueError.
            except (self._refusal, ValueError):
                continue
            return clear
        raise DecodeError("not encrypted with one of the keys")


def _imported() -> tuple[Any, type[Exception]]:
    """AESGCM, and what it raises on what is not its own."""
    try:
        aead = import_module("cryptography.hazmat.primitives.ciphers.aead")
        exceptions = import_module("cryptography.exceptions")
    except ImportError as error:
        raise ConfigurationError(
            "EncryptedCodec needs a library that is not installed: install this distribution's "
            "`crypto` extra: pip install 'kcache-client[crypto]'"
        ) from error
    return aead.AESGCM, exceptions.InvalidTag


def _rebuilt(codec: Codec, keys: list[str | bytes], compression: Compression) -> EncryptedCodec:
    return EncryptedCodec(codec, keys=keys, compression=compression)
