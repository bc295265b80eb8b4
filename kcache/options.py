"""The options of a cache, checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

from kcache.compress import Compression
from kcache.errors import ConfigurationError
from kcache.health import HealthPolicy
from kcache.node import Node
from kcache.ring import Ring, RingOptions

__all__ = ["check_health", "check_parts", "checked_epoch", "checked_seconds", "listed", "ring_of"]

_PRIVATE = "private"
# What the system can be asked to wait for.
_LONGEST_TIMEOUT = 10**6
MAX_EPOCH = 2**63 - 1


def listed(nodes: Iterable[Node | str]) -> tuple[Node | str, ...]:
    """The nodes as they were given, in a list.

    Raises:
        ConfigurationError: one URL by itself.
    """
    if isinstance(nodes, (str, bytes)) or not isinstance(nodes, Iterable):
        raise ConfigurationError("nodes are given as a list of URLs, even if there is only one")
    return tuple(nodes)


def ring_of(
    nodes: tuple[Node | str, ...] | Ring | None, dialect: str, **options: Unpack[RingOptions]
) -> Ring:
    """The ring of a cache: of nodes, one that is there, or that of a private in-process node.

    Raises:
        ConfigurationError: nodes, a dialect or options that cannot be used.
    """
    if isinstance(nodes, Ring):
        if options or dialect != "libketama":
            raise ConfigurationError("a Ring has its dialect and options already")
        return nodes
    if nodes is None:
        nodes = (Node(kind="memory", host=_PRIVATE),)
    return Ring(nodes, dialect, **options)


def checked_seconds(name: str, number: float) -> float:
    """A timeout or an interval in seconds.

    Raises:
        ConfigurationError: it is none.
    """
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    if not is_number or not 0 < number <= _LONGEST_TIMEOUT:
        raise ConfigurationError(
            f"{name} is a number of seconds above 0, up to a million, not {number!r}"
        )
    return number


def checked_epoch(epoch: int) -> int:
    """The epoch of a ring.

    Raises:
        ConfigurationError: it is none.
    """
    is_number = isinstance(epoch, int) and not isinstance(epoch, bool)
    if not is_number or not 0 <= epoch <= MAX_EPOCH:
        raise ConfigurationError(f"epoch is an int of 0 .. 2**63 - 1, not {epoch!r}")
    return epoch


def check_health(health: Any, trust_restart: Any) -> None:
    """Refuse what is no policy, and no yes or no; None stands for none given.

    Raises:
        ConfigurationError: one is.
    """
    if health is not None and not isinstance(health, HealthPolicy):
        raise ConfigurationError(f"health is a HealthPolicy, not {health!r}")
    if not isinstance(trust_restart, bool):
        raise ConfigurationError(f"trust_restart is True or False, not {trust_restart!r}")


def check_parts(codec: Any, compression: Any, clock: Any) -> None:
    """Refuse what is no codec, no compression or no clock; None stands for none given.

    Raises:
        ConfigurationError: one is.
    """
    # A class in the place of a codec has these methods, too, and none of them works.
    is_codec = not isinstance(codec, type) and all(
        callable(getattr(codec, name, None)) for name in ("encode", "decode")
    )
    if codec is not None and not is_codec:
        raise ConfigurationError(f"a codec has the methods encode and decode, unlike {codec!r}")
    if compression is not None and not isinstance(compression, Compression):
        raise ConfigurationError(f"compression is a Compression, not {compression!r}")
    if clock is not None and not callable(clock):
        raise ConfigurationError(f"clock is a function that gives seconds, not {clock!r}")
