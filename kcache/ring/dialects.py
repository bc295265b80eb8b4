"""The dialects by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from kcache.errors import ConfigurationError
from kcache.ring.dialect import Dialect
from kcache.ring.kcache_murmur3 import Kcache
from kcache.ring.libketama import Libketama
from kcache.ring.libmemcached import (
    Libmemcached,
    LibmemcachedAutoweighted,
    LibmemcachedSpy,
    LibmemcachedWeighted,
)
from kcache.ring.nginx import Nginx
from kcache.ring.spymemcached import Spymemcached
from kcache.ring.twemproxy import Twemproxy

__all__ = ["DIALECTS", "open_dialect"]

DIALECTS: Mapping[str, type[Dialect]] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (
            Libketama,
            Libmemcached,
            LibmemcachedWeighted,
            LibmemcachedAutoweighted,
            LibmemcachedSpy,
            Twemproxy,
            Spymemcached,
            Nginx,
            Kcache,
        )
    }
)


def open_dialect(name: str, options: Mapping[str, Any]) -> Dialect:
    """The dialect of that name with these options; an option of None is left at its default.

    Raises:
        ConfigurationError: unknown dialect, option, or value of an option.
    """
    dialect = DIALECTS.get(name) if isinstance(name, str) else None
    if dialect is None:
        raise ConfigurationError(
            f"unknown dialect {name!r}; the dialects are {', '.join(DIALECTS)}"
        )
    known = {field.name: field for field in fields(dialect)}
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        if option not in known:
            raise ConfigurationError(
                f"dialect {name!r} has no option {option!r}; it takes {', '.join(known)}"
            )
        wanted = bool if option == "weighted" else str
        if not isinstance(value, wanted) or value == "":
            raise ConfigurationError(
                f"option {option!r} of dialect {name!r} is a {wanted.__name__}, not {value!r}"
            )
    return dialect(**given)
