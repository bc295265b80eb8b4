"""Every exception that kcache raises on purpose.

    CacheError
    ├── ConfigurationError     nodes, URLs, dialects, options, files
    └── InvalidKey             a key that is empty or neither str nor bytes

Each message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

__all__ = ["CacheError", "ConfigurationError", "InvalidKey", "ServerListWarning"]


class CacheError(Exception):
    """The root of kcache's exceptions: `except CacheError` catches them all."""


class ConfigurationError(CacheError, ValueError):
    """A node, URL, dialect, option or file that cannot be used as given.

    Passwords never appear in the message.
    """


class InvalidKey(CacheError, ValueError):  # noqa: N818 - reads better without "Error"
    """A key that no node can hold: it is empty, or neither `str` nor `bytes`."""


class ServerListWarning(UserWarning):
    """A server list means something else to the C library than to a human reader.

    kcache reads such a file as the C library does, so that keys land in the same place,
    and says so with this warning.
    """
