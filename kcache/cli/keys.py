"""Keys to try a ring with: real ones from a file, or generated ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from kcache.errors import ConfigurationError

__all__ = ["key_options", "load_keys", "read_keys"]

_SHAPES = ("user:%d", "session:%d:data", "/albums/%d/photos", "%d")
_MOST = 10_000_000


def key_options(count: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options that choose keys, `count` generated ones by default.

    It receives them as `keys`, a list of bytes.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--keys", metavar="FILE", help="Real keys, one a line; - is standard input.")
        @click.option(
            "--count",
            metavar="N",
            default=count,
            show_default=True,
            type=click.IntRange(min=1, max=_MOST),
            help="How many keys to generate where no file is given.",
        )
        @wraps(command)
        def with_keys(*arguments: Any, keys: str | None, count: int, **rest: Any) -> Any:
            return command(*arguments, keys=load_keys(keys, count), **rest)

        return with_keys

    return decorate


def load_keys(file: str | None, count: int) -> list[bytes]:
    """Keys from a file (`-`: standard input), one a line; else `count` generated ones.

    Raises:
        ConfigurationError: the file cannot be read or holds no keys.
    """
    if file is None:
        return [(_SHAPES[i % len(_SHAPES)] % i).encode() for i in range(count)]
    try:
        keys = _read(file)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from None
    if not keys:
        raise ConfigurationError(f"{file}: no keys")
    return keys


def _read(file: str) -> list[bytes]:
    if file == "-":
        return read_keys(sys.stdin.buffer.read())
    with open(file, "rb") as opened:  # noqa: PTH123 - a name from the command line
        return read_keys(opened.read())


def read_keys(content: bytes) -> list[bytes]:
    """Keys, one a line; blank lines are none."""
    return [key for line in content.split(b"\n") if (key := line.rstrip(b"\r"))]
