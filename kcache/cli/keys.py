"""Keys to try a ring with: real ones from a file, or generated ones."""

from __future__ import annotations

import sys

from kcache.errors import ConfigurationError

__all__ = ["load_keys"]

_SHAPES = ("user:%d", "session:%d:data", "/albums/%d/photos", "%d")


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
        return _lines(sys.stdin.buffer.read())
    with open(file, "rb") as opened:  # noqa: PTH123 - a name from the command line
        return _lines(opened.read())


def _lines(content: bytes) -> list[bytes]:
    return [key for line in content.split(b"\n") if (key := line.rstrip(b"\r"))]
