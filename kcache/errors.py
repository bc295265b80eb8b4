"""Every exception that kcache raises on purpose.

    CacheError
    ├── ConfigurationError     nodes, URLs, dialects, options, files
    ├── InvalidKey             a key that is empty or neither str nor bytes
    ├── EncodeError            a value that the codec does not take
    └── NotACounter            incr and decr of what is no number

Each message says what is wrong, where, and what to do about it.

`DecodeError` is no part of the tree: codecs raise it, and for the cache it is a miss.
"""

from __future__ import annotations

__all__ = [
    "CacheError",
    "ConfigurationError",
    "DecodeError",
    "EncodeError",
    "InvalidKey",
    "NotACounter",
    "ServerListWarning",
]


class CacheError(Exception):
    """The root of kcache's exceptions: `except CacheError` catches them all."""


class ConfigurationError(CacheError, ValueError):
    """A node, URL, dialect, option or file that cannot be used as given.

    Passwords never appear in the message.
    """


class InvalidKey(CacheError, ValueError):  # noqa: N818 - reads better without "Error"
    """A key that no node can hold: it is empty, or neither `str` nor `bytes`."""


class EncodeError(CacheError, TypeError):
    """A value that the codec does not take. The message names its type and the way out."""


class NotACounter(CacheError, ValueError):  # noqa: N818 - reads better without "Error"
    """An entry that is no number of 0 .. 2**63 - 1, or a sum that would not be. Nothing changed."""


class DecodeError(Exception):
    """Stored bytes that mean no value: damaged, foreign, or of a version not read here.

    It never leaves the cache, where such an entry is a miss.
    """


class ServerListWarning(UserWarning):
    """A server list means something else to the C library than to a human reader.

    kcache reads such a file as the C library does, so that keys land in the same place,
    and says so with this warning.
    """
