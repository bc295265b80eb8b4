"""Keys that hold numbers, each with one writer, so that a number tells how old it is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from benchmarks.faults.clients import Client
from benchmarks.faults.scenario import KCACHE

__all__ = ["Registers", "in_threads"]

_AMBIGUOUS = "HashClient"


class Registers:
    """What each key may hold, by what its changes were said to have come to.

    Numbers only grow. A change that was acknowledged leaves nothing older for anybody to read. One
    that was refused may have happened or not.

    Args:
        who: the contender.
        client: of it.
        keys: that it has, all of them without a value.
    """

    def __init__(self, who: str, client: Client, keys: Iterable[str]) -> None:
        self._who, self._client = who, client
        self._number = dict.fromkeys(keys, 0)
        self._least = dict.fromkeys(self._number, 0)
        self._refused: dict[str, set[int]] = {key: set() for key in self._number}
        self._deleted = dict.fromkeys(self._number, False)
        self.counts: Counter[str] = Counter()

    @property
    def keys(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._number)

    def least(self, key: str) -> int:
        """What a read that begins now may give at least."""
        return self._least[key]

    def set(self, key: str) -> bool:
        """Store the next number; whether that was acknowledged."""
        number = self._number[key] = self._number[key] + 1
        # What is noted later would be too late for who reads meanwhile.
        self._refused[key].add(number)
        if not _was_done(lambda: bool(self._client.set(key, number))):
            return False
        self._refused[key].discard(number)
        self._acknowledged(key, number, is_deleted=False)
        return True

    def delete(self, key: str) -> bool:
        """Delete it; whether that was acknowledged."""
        # HashClient says the same of what is not there and of what it could not ask.
        is_told = self._who != _AMBIGUOUS
        if not _was_done(lambda: self._client.delete(key) is True or is_told):
            return False
        self._acknowledged(key, self._number[key] + 1, is_deleted=True)
        return True

    def _acknowledged(self, key: str, least: int, *, is_deleted: bool) -> None:
        self._least[key], self._deleted[key] = least, is_deleted
        # Whatever is below the least is too old, refused or not.
        self._refused[key] = {number for number in self._refused[key] if number >= least}

    def faults(self, found: Mapping[str, int]) -> Counter[str]:
        """What is wrong with values that were read while nobody wrote.

        It is asked once each node has been told of what it missed, if the contender does that.
        """
        counts: Counter[str] = Counter()
        for key, number in found.items():
            if number < self._least[key]:
                counts["deleted, and read" if self._deleted[key] else "older read"] += 1
            elif self._who == KCACHE and number in self._refused[key]:
                # Nobody else promises that it is not.
                counts["refused, and read"] += 1
        return counts


def _was_done(call: Callable[[], bool]) -> bool:
    with suppress(Exception):
        return call()
    return False


def in_threads(work: Callable[[tuple[str, ...]], None], keys: tuple[str, ...], count: int) -> None:
    """Work on the keys in threads, each of which has its share of them to itself."""
    shares = [keys[number::count] for number in range(count)]
    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
