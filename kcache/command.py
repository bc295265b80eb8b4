"""Commands and replies as data: what a node can be asked for in one round trip.

Every kind of node takes every command, and gives the same reply to it, with two exceptions: on
memcached, which cannot compare and count at once, `Count` is not there, and `CountIf` is only
there. Keys are wire keys. A ttl is in seconds; None is for no end, and zero or less for an entry
that is gone at once.

Named tuples, since several are made for every call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from kcache.errors import NodeError

__all__ = [
    "ABSENT",
    "HARMLESS",
    "PRESENT",
    "TOO_LARGE",
    "Answers",
    "Batch",
    "Command",
    "Condition",
    "Count",
    "CountIf",
    "Delete",
    "Flush",
    "Get",
    "Gets",
    "Held",
    "Hit",
    "Identify",
    "Item",
    "NotANumber",
    "Ping",
    "Refused",
    "Reply",
    "Set",
    "SetIf",
    "Swap",
    "Token",
    "Touch",
    "Ttl",
]

Hit: TypeAlias = tuple[bytes, int, bytes]
"""Key, flags and data of an entry that was found. Redis has no flags: they are 0."""
Item: TypeAlias = tuple[bytes, bytes, int]
"""Key, data and flags of an entry to store."""
Token: TypeAlias = int | bytes
"""What an entry was when it was read: a number that no other store gives, or all its bytes."""


TOO_LARGE: Final = "too large"
"""What memcached says of a value beyond its limit, among other words."""
_TOO_LARGE_FOR_REDIS = "invalid bulk length"
_FAREWELLS = ("ERR max number of clients", "ERROR Too many open connections")


class Condition(NamedTuple):
    """When a `SetIf` stores."""

    present: bool | None
    token: Token | None = None


ABSENT: Final = Condition(present=False)
PRESENT: Final = Condition(present=True)


class Get(NamedTuple):
    """Read entries; the reply is a list of `Hit`."""

    keys: Sequence[bytes]


class Gets(NamedTuple):
    """Read one entry with its token; the reply is `Held`, or None."""

    key: bytes


class Set(NamedTuple):
    """Store entries; the reply is a list of those refused, as pairs of key and `Refused`.

    Under such a key there may still be what was there before.
    """

    items: Sequence[Item]
    ttl: float | None
    once: bool = False
    """Whether it must not be sent again after it may have been done."""


class SetIf(NamedTuple):
    """Store one entry on a condition; the reply is whether it was stored."""

    item: Item
    ttl: float | None
    condition: Condition


class Swap(NamedTuple):
    """Store other data if the entry is still what was held; the reply is whether it was stored.

    The entry ends when it would have ended; on memcached, up to a second later, and where more than
    30 days are left, once, up to 3 seconds earlier or 7 later.
    """

    item: Item
    held: Held


class Delete(NamedTuple):
    """Delete entries; the reply is how many were there."""

    keys: Sequence[bytes]


class Touch(NamedTuple):
    """Give an entry another ttl; the reply is whether it is there."""

    key: bytes
    ttl: float | None


class Ttl(NamedTuple):
    """Ask for the seconds an entry has left; the reply is a float, `inf` or None."""

    key: bytes


class Count(NamedTuple):
    """Add to a counter of 0 .. 2**63 - 1, atomically; below 0 it stops at 0.

    The reply is the new number, None where there is no entry and no `initial`, or `NotANumber`.
    A counter that is made has `initial` without `delta`, and the ttl.
    """

    key: bytes
    delta: int
    initial: int | None
    ttl: float | None
    flags: int


class CountIf(NamedTuple):
    """Add to a number if it still has this token; the reply is the new one, or None.

    Without a token, to whatever number is there.
    """

    key: bytes
    delta: int
    token: int | None


class Flush(NamedTuple):
    """Delete everything that the node has; the reply is True."""


class Ping(NamedTuple):
    """Ask whether the node is there; the reply is True."""


class Identify(NamedTuple):
    """Ask which server it is; the reply is bytes, and none where that makes no difference.

    Redis has them: another process has others, and so has one that was a replica meanwhile, since
    what it holds may come from a snapshot, or from a replica that was behind. memcached begins
    empty each time.
    """


class Held(NamedTuple):
    """An entry with its token.

    Attributes:
        flags: beside the data.
        data: of the entry.
        token: what it was when it was read.
        left: on memcached, the seconds until it ends; None for no end, and on other nodes.
    """

    flags: int
    data: bytes
    token: Token
    left: int | None = None


class NotANumber(NamedTuple):
    """The reply to `Count` where the entry is no counter, or the sum too large."""


class Refused(NamedTuple):
    """The reply to a command that the node did not do, in the node's words."""

    text: str

    @property
    def is_too_large(self) -> bool:
        """Whether the value is the matter, and not the node."""
        return TOO_LARGE in self.text or _TOO_LARGE_FOR_REDIS in self.text

    @property
    def is_farewell(self) -> bool:
        """Whether the node has too many connections, and ends this one: it has read nothing."""
        return self.text.startswith(_FAREWELLS)


Command: TypeAlias = (
    Get
    | Gets
    | Set
    | SetIf
    | Swap
    | Delete
    | Touch
    | Ttl
    | Count
    | CountIf
    | Flush
    | Ping
    | Identify
)
HARMLESS: Final[frozenset[type[Command]]] = frozenset(
    [Get, Gets, Set, Delete, Touch, Ttl, Flush, Ping, Identify]
)
"""What may be sent twice: the second time changes nothing more."""

Reply: TypeAlias = Any
"""What the command's docstring says, or `Refused`."""
Batch: TypeAlias = Mapping[int, Sequence[Command]]
"""The commands of one round trip, by the number of the node."""
Answers: TypeAlias = Mapping[int, "list[Reply] | NodeError"]
"""The replies, in the order of the commands; or why the node gave none."""
