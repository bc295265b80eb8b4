"""Every exception that kcache raises on purpose.

    CacheError
    ├── ConfigurationError     nodes, URLs, dialects, options, files
    ├── InvalidKey             a key that is empty or neither str nor bytes
    ├── EncodeError            a value that the codec does not take
    ├── NotACounter            incr and decr of what is no number
    ├── NodeError              a node that did not do what it was asked for
    │   ├── NodeUnavailable        it cannot be reached, or is known to be down
    │   │   ├── ConnectFailed          no connection: refused, reset, no such host, TLS
    │   │   └── TimedOut               no answer in time
    │   ├── ProtocolError          it answers with what its kind of server never says
    │   └── NodeRefused            it says no: a wrong password, no memory, a role or a right
    │       └── NewerEpoch             it belongs to a newer ring than this process knows
    └── InvalidationIncomplete  nodes that could not be told of an invalidation

`NodeError` and those under it leave the cache only under `on_error="raise"`; by default such a
call is a miss. Each message says what is wrong, where, and what to do about it.

`DecodeError` is no part of the tree: codecs raise it, and for the cache it is a miss.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcache.node import Node

__all__ = [
    "CacheError",
    "ConfigurationError",
    "ConnectFailed",
    "DeadEntryError",
    "DecodeError",
    "EncodeError",
    "InvalidKey",
    "InvalidationIncomplete",
    "NewerEpoch",
    "NodeError",
    "NodeRefused",
    "NodeUnavailable",
    "NotACounter",
    "ProtocolError",
    "SameNameWarning",
    "ServerListWarning",
    "TimedOut",
]


_CHECK = "check user and password in the URL of the node"
_GIVE = "give user and password in the URL of the node"
# From a part of what Redis or memcached says.
_WAYS_OUT = MappingProxyType(
    {
        "NOAUTH": _GIVE,
        "unauthenticated": _GIVE,
        "AUTH <password> called": "leave the password out of the URL of the node",
        "username-password": _CHECK,
        "authentication failure": _CHECK,
        "DB index": "check the database in the URL of the node",
        "'info' command": "without that right a start from a snapshot is not noticed",
        "NOPERM": "its user needs the right to do this",
        "no cas tokens": "start this memcached without -C",
        "READONLY": "give the address of the primary",
        "OOM ": "let it evict: see maxmemory-policy",
    }
)


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


class NodeError(CacheError):
    """A node did not do what it was asked for.

    Attributes:
        node: which one.
        reason: what happened there, without the node's name.
    """

    def __init__(self, node: Node, reason: str) -> None:
        self.node = node
        self.reason = reason
        super().__init__(node, reason)

    def __str__(self) -> str:
        return f"node {self.node.name}: {self.reason}"


class NodeUnavailable(NodeError):  # noqa: N818 - reads better without "Error"
    """The node cannot be reached now, or is known to be down and not tried again yet."""


class ConnectFailed(NodeUnavailable):
    """No connection to the node could be opened, or the one there was broke."""


class TimedOut(NodeUnavailable):
    """The node did not answer within the timeout of the call."""


class ProtocolError(NodeError):
    """The node sent what its kind of server never sends. Is it of another kind?"""


class NodeRefused(NodeError):  # noqa: N818 - reads better without "Error"
    """The node said no, in its own words: a wrong password, no memory, a read-only replica.

    What to do about it follows in parentheses, where that is known.
    """

    def __init__(self, node: Node, reason: str) -> None:
        super().__init__(node, reason)
        words = reason.rstrip(".")
        hint = next((hint for part, hint in _WAYS_OUT.items() if part in words), None)
        self.reason = words if hint is None else f"{words} ({hint})"


class NewerEpoch(NodeRefused):
    """The node belongs to a ring of a newer epoch than this process knows."""

    def __init__(self, node: Node, newer: int, own: int) -> None:
        super().__init__(
            node, f"it belongs to a ring of epoch {newer}, and this process knows that of {own}"
        )


class InvalidationIncomplete(CacheError):  # noqa: N818 - reads better without "Error"
    """Not every node could be told that a namespace was invalidated.

    Attributes:
        pending: the nodes that were not.
    """

    def __init__(self, pending: tuple[Node, ...], reason: str) -> None:
        self.pending = pending
        self.reason = reason
        super().__init__(pending, reason)

    def __str__(self) -> str:
        names = ", ".join(node.name for node in self.pending)
        return f"not invalidated on {names}: {self.reason}"


class DecodeError(Exception):
    """Stored bytes that mean no value: damaged, foreign, or of a version not read here.

    It never leaves the cache, where such an entry is a miss.
    """


class DeadEntryError(DecodeError):
    """A sound entry that is no value any more: of other versions, stale, or being computed."""


class ServerListWarning(UserWarning):
    """A server list means something else to the C library than to a human reader.

    kcache reads such a file as the C library does, so that keys land in the same place,
    and says so with this warning.
    """


class SameNameWarning(UserWarning):
    """Two different functions are memoized under one name, and share their entries."""
