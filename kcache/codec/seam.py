"""Any codec, kcache's own or from elsewhere: what it says of itself, and what it may raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcache.codec.safe import SAFE_TAG, SafeCodec
from kcache.errors import ConfigurationError, DecodeError, EncodeError
from kcache.interruption import is_of_handler
from kcache.protocols import Codec

__all__ = ["OTHER_CODEC", "check_secret", "encoded_by", "guarded", "needs_secret", "tag_of"]

_FIRST_FREE_TAG = 16
OTHER_CODEC = 255
"""The tag of a codec that has no attribute `tag`."""


def tag_of(codec: Codec) -> int:
    """The number that names a codec in frames.

    Raises:
        ConfigurationError: it says one that it cannot have.
    """
    tag = getattr(codec, "tag", OTHER_CODEC)
    kind = type(codec)
    # One that encodes in its own way, to encrypt perhaps, is another codec.
    if (
        isinstance(codec, SafeCodec)
        and kind.encode is SafeCodec.encode
        and kind.decode is SafeCodec.decode
    ):
        return SAFE_TAG
    # For the same reason it counts only where the class itself has it.
    own = vars(kind).get("own_tag")
    if isinstance(own, int):
        return own
    if not isinstance(tag, int) or not _FIRST_FREE_TAG <= tag <= OTHER_CODEC:
        raise ConfigurationError(
            f"codec {codec!r}: its tag is a number from {_FIRST_FREE_TAG} to {OTHER_CODEC}, "
            f"not {tag!r}"
        )
    return tag


def needs_secret(codec: Codec) -> bool:
    """Whether a codec is not used without a secret."""
    return bool(getattr(codec, "needs_secret", False))


def check_secret(codec: Codec) -> None:
    """Refuse a codec that is not used without a secret.

    Raises:
        ConfigurationError: it is one.
    """
    if needs_secret(codec):
        raise ConfigurationError(
            f"codec {codec!r} needs a secret: to read a pickle is to run what is in it, so that "
            "whoever can write to a node could run anything here; pass Cache(secret=...), made "
            "with secrets.token_hex(32), or ask for it without: codec=PickleCodec(unsigned=True)"
        )


def encoded_by(codec: Codec, value: Any) -> bytes:
    """What a codec makes of a value.

    Raises:
        EncodeError: whatever the codec raises.
    """
    try:
        # Codecs from elsewhere are not type-checked.
        data: Any = codec.encode(value)
    except EncodeError:
        raise
    except Exception as error:
        if is_of_handler(error):
            raise
        kind = type(value).__name__
        raise EncodeError(f"codec {codec!r} cannot encode a {kind}: {error}") from error
    if not isinstance(data, bytes):
        raise EncodeError(f"codec {codec!r} gives {type(data).__name__}, and bytes are needed")
    return data


def guarded(codec: Codec) -> Callable[[bytes], Any]:
    """The codec's `decode`, which raises nothing but DecodeError."""

    def decode(data: bytes) -> Any:
        try:
            return codec.decode(data)
        except DecodeError:
            raise
        # Nobody knows what a codec from elsewhere raises, and bytes must never be an error.
        except Exception as error:
            if is_of_handler(error):
                raise
            raise DecodeError(f"codec {codec!r}: {error}") from error

    return decode
