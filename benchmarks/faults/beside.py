"""Another process that reads what this one has written."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from benchmarks.faults.clients import Client

__all__ = ["numbers", "reader_beside"]

Read = Callable[[Iterable[str]], Mapping[str, int]]
_context: Any = multiprocessing.get_context("spawn")
_PATIENCE = 60.0


def numbers(client: Client, keys: Iterable[str]) -> Mapping[str, int]:
    """What is there, of keys that hold numbers; a call that fails gives nothing."""
    found: dict[str, int] = {}
    for key in keys:
        value = None
        with suppress(Exception):
            value = client.get(key)
        if value is not None:
            found[key] = int(value)
    return found


@contextmanager
def reader_beside(opening: Callable[[], Client]) -> Iterator[Read]:
    """A process that has a client of its own, and reads when it is asked to."""
    near, far = _context.Pipe()
    process = _context.Process(target=_serve, args=(opening, far), daemon=True)
    process.start()
    far.close()

    def read(keys: Iterable[str]) -> Mapping[str, int]:
        near.send(list(keys))
        if not near.poll(_PATIENCE):
            raise TimeoutError("the process that reads does not answer")
        found: Mapping[str, int] = near.recv()
        return found

    try:
        yield read
    finally:
        near.close()
        process.join(_PATIENCE)
        process.kill()


def _serve(opening: Callable[[], Client], pipe: Any) -> None:
    logging.getLogger("kcache").setLevel(logging.CRITICAL)
    client = opening()
    with suppress(EOFError):
        while True:
            pipe.send(numbers(client, pipe.recv()))
    client.close()
