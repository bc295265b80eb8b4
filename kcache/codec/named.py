"""Codecs by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from kcache.codec.pickled import PickleCodec
from kcache.codec.safe import SafeCodec
from kcache.errors import ConfigurationError
from kcache.protocols import Codec

__all__ = ["CodecName", "codec_of"]

CodecName: TypeAlias = Literal["safe", "pickle"]

_NAMED: Mapping[str, Callable[[], Codec]] = MappingProxyType(
    {"safe": SafeCodec, "pickle": PickleCodec}
)


def codec_of(given: Codec | CodecName) -> Codec:
    """The codec itself, or that of a name.

    Raises:
        ConfigurationError: no codec has this name.
    """
    if not isinstance(given, str):
        return given
    if given not in _NAMED:
        raise ConfigurationError(
            f"codec is one of {', '.join(map(repr, _NAMED))}, or an object "
            f"with the methods encode and decode, not {given!r}"
        )
    return _NAMED[given]()
