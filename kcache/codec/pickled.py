"""Pickles, for those who ask for them: any value, and any code."""

from __future__ import annotations

import pickle
from typing import Any

from kcache.errors import DecodeError, EncodeError
from kcache.interruption import is_of_handler

__all__ = ["PickleCodec"]

# Every Python that kcache runs on reads it.
_PROTOCOL = 5


class PickleCodec:
    """Values of nearly all types, by pickle.

    To read a pickle is to run what is in it. So a cache takes this codec only with a secret: then
    nothing is unpickled but what somebody signed who knows the secret.

    Args:
        unsigned: whether it may be used without a secret, where everybody who can write to the
            nodes may run code in every process that reads from them.

    Example:
        >>> codec = PickleCodec()
        >>> codec.decode(codec.encode(complex(1, 2)))
        (1+2j)
    """

    own_tag = 4

    def __init__(self, *, unsigned: bool = False) -> None:
        self.unsigned = unsigned

    @property
    def needs_secret(self) -> bool:
        """Whether a cache without a secret refuses it."""
        return not self.unsigned

    def __repr__(self) -> str:
        return f"PickleCodec({'unsigned=True' if self.unsigned else ''})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PickleCodec):
            return NotImplemented
        return self.unsigned == other.unsigned

    def __hash__(self) -> int:
        return hash((PickleCodec, self.unsigned))

    def encode(self, value: Any) -> bytes:
        """Give the pickle.

        Raises:
            EncodeError: the value cannot be pickled.
        """
        try:
            return pickle.dumps(value, _PROTOCOL)
        # The methods of values run here, and raise what they like.
        except Exception as error:
            if is_of_handler(error):
                raise
            raise EncodeError(f"cannot pickle this {type(value).__name__}: {error}") from error

    def decode(self, data: bytes) -> Any:
        """Give the value, and run what its pickle says.

        Raises:
            DecodeError: whatever that raises.
        """
        try:
            return pickle.loads(data)  # noqa: S301 - the frame's signature was checked before
        except Exception as error:
            if is_of_handler(error):
                raise
            raise DecodeError(f"not a pickle that can be read here: {error}") from error
