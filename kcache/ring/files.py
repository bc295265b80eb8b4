"""Reading the configuration file of an existing fleet."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import TYPE_CHECKING

from kcache.errors import ConfigurationError
from kcache.ring.fleet import Fleet
from kcache.ring.nutcracker import looks_like_nutcracker, parse_nutcracker
from kcache.ring.server_list import parse_server_list

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["read_fleet"]


def read_fleet(path: str | PathLike[str], pool: str | None = None) -> Fleet:
    """Read a libketama server list or a nutcracker.yml.

    Raises:
        ConfigurationError: the file cannot be read, or is malformed.
    """
    where = str(path)
    text = _read(path)
    if looks_like_nutcracker(where, text):
        return parse_nutcracker(text, where, pool)
    if pool is not None:
        raise ConfigurationError(f"{where}: a libketama server list has no pools")
    return parse_server_list(text, where)


def _read(path: str | PathLike[str]) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - any path-like object will do
            content = file.read()
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{path!s}: {reason}") from None
    if content.startswith(BOM_UTF8):
        raise ConfigurationError(f"{path}, line 1: begins with a byte order mark; remove it")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8") from None
