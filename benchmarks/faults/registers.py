"""Keys that hold numbers, each with one writer, so that a number tells how old it is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.faults.clients import Client
from benchmarks.faults.scenario import KCACHE

__all__ = ["Expected", "Registers", "in_threads"]

_AMBIGUOUS = "HashClient"
_MOST = 64
REFUSED = "refused, and read"


@dataclass(frozen=True)
class Expected:
    """What a read may give.

    Attributes:
        least: the lowest number.
        is_deleted: whether the last change that was acknowledged was a deletion.
        refused: numbers whose change was refused after that.
    """

    least: int
    is_deleted: bool
    refused: frozenset[int]

    def fault(self, number: int) -> str:
        """What is wrong with a number that was read; nothing if it is right."""
        if number < self.least:
            return "deleted, and read" if self.is_deleted else "older read"
        return REFUSED if number in self.refused else ""


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
        self._returned = dict.fromkeys(self._number, 0)
        self._refused: dict[str, frozenset[int]] = dict.fromkeys(self._number, frozenset())
        self._deleted = dict.fromkeys(self._number, False)

    @property
    def keys(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._number)

    def expected(self, key: str) -> Expected:
        """Of a read that begins now."""
        return Expected(self._least[key], self._deleted[key], self._refused[key])

    def written(self) -> dict[str, int]:
        """The numbers that all calls which have returned by now have stored, or may have."""
        return dict(self._returned)

    def set(self, key: str) -> bool:
        """Store the next number; whether that was acknowledged."""
        number = self._number[key] = self._number[key] + 1
        is_done = _was_done(lambda: bool(self._client.set(key, number)))
        if is_done:
            self._acknowledged(key, number, is_deleted=False)
        else:
            self._refused[key] = frozenset(sorted({*self._refused[key], number})[-_MOST:])
        self._returned[key] = number
        return is_done

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
        self._refused[key] = frozenset()

    def faults(self, found: Mapping[str, int]) -> Counter[str]:
        """What is wrong with values that were read while nobody wrote.

        It is asked once each node has been told of what it missed, if the contender does that.
        """
        faults = (self.expected(key).fault(number) for key, number in found.items())
        counts = Counter(fault for fault in faults if fault)
        if self._who != KCACHE:
            # Nobody else promises that it is not.
            del counts[REFUSED]
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
