"""What is asked of a ring: each function prepares a piece of work that is then measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice

from benchmarks.harness import Work
from benchmarks.ring_contenders import Built, Find, RingContender, addresses

__all__ = ["build", "cold", "fresh_keys", "group", "look_up", "seen"]

_WARM_UP = 1000
# Keys of one length, whatever their number.
_numbers = count(1_000_000_000)


def fresh_keys(number: int) -> list[str]:
    """Keys that no ring has seen, as objects that never were hashed."""
    return [f"user:{i}" for i in islice(_numbers, number)]


def look_up(find: Find, keys: Sequence[str]) -> Work:
    """Look every key up, in one call each."""

    def work() -> None:
        for key in keys:
            find(key)

    return work


def cold(find: Find, number: int) -> Work:
    """Look up so many keys that were never seen, in a ring that is in use."""
    keys = fresh_keys(number)
    # The contender before has left its own ring in the CPU's caches.
    look_up(find, fresh_keys(_WARM_UP))()
    return look_up(find, keys)


def seen(find: Find, keys: list[str], times: int, *, same: bool) -> Work:
    """Look up keys so many times each that were looked up before.

    They are the same objects, with their hashes, or else equal ones that never were hashed,
    as a program has them that formats its keys.
    """
    asked = keys * times
    if not same:
        asked = [key.encode().decode() for key in asked]
    look_up(find, keys)()
    return look_up(find, asked)


def group(built: Built, number: int) -> Work:
    """Sort so many keys by the node that owns them."""
    keys = fresh_keys(number)
    return lambda: built.group(keys)


def build(contender: RingContender, number: int) -> Work:
    """Build a ring of so many nodes."""
    nodes = contender.nodes(addresses(number))
    return lambda: contender.build(nodes)
