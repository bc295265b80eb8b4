"""CACHE_TYPE, and the keys that go with a type -> nodes. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from secrets import token_hex
from types import MappingProxyType
from typing import Any

from kcache import ConfigurationError, Node
from kcache_flask.values import checked, is_said, plain_text, whole

__all__ = ["PLACE_KEYS", "is_null", "nodes_of_type"]

PLACE_KEYS = frozenset(
    {
        *("CACHE_REDIS_URL", "CACHE_REDIS_HOST", "CACHE_REDIS_PORT", "CACHE_REDIS_PASSWORD"),
        *("CACHE_REDIS_DB", "CACHE_MEMCACHED_SERVERS", "CACHE_THRESHOLD"),
    }
)
"""The keys that say where or how large a cache of some type is."""

_SERVERS = "use RedisCache, MemcachedCache, or KCACHE_NODES with the URLs of servers"
_SASL = (
    "kcache does not speak SASL: memcached://HOST?username=...&password=... in KCACHE_NODES logs "
    "in by memcached's text protocol"
)
_INSTEAD: Mapping[str, str] = MappingProxyType(
    {
        "filesystem": f"kcache keeps no files: {_SERVERS}",
        "redissentinel": "kcache asks no sentinels: name the primary in KCACHE_NODES",
        "rediscluster": "kcache has a ring of its own: list single Redis servers in KCACHE_NODES",
        "saslmemcached": _SASL,
        "spreadsaslmemcached": _SASL,
        "uwsgi": f"kcache does not use uWSGI: {_SERVERS}",
        "googlecloudstorage": f"kcache does not use cloud storage: {_SERVERS}",
    }
)
# Entries of CACHE_OPTIONS. Without them it would be another database, or not be encrypted.
_CONNECTING = re.compile(
    "ssl.*|connection_.*|username|password|credential_provider|host|port|db|unix_socket_path"
)
_SERVERS_KEY = "CACHE_MEMCACHED_SERVERS"

Config = Mapping[str, Any]
Nodes = tuple[Node, ...] | None


def is_null(given: Config) -> bool:
    """Whether CACHE_TYPE is the one that caches nothing."""
    return _name(given.get("CACHE_TYPE")) in ("NullCache", "null")


def nodes_of_type(given: Config) -> Nodes:
    """The nodes of a CACHE_TYPE that caches; None for a private in-process node.

    Raises:
        ConfigurationError: there is no such type, and what to use instead; or a key that goes with
            the type cannot be used.
    """
    kind = given["CACHE_TYPE"]
    if not isinstance(kind, str):
        raise ConfigurationError(
            f"CACHE_TYPE is a name, not {type(kind).__name__}: 'NullCache' caches nothing; leave "
            "it out for a private in-process node"
        )
    name = _name(kind)
    if name not in _TYPES:
        advice = _INSTEAD.get(name.removesuffix("Cache").lower(), f"no type of kcache: {_SERVERS}")
        raise ConfigurationError(f"CACHE_TYPE {kind!r}: {advice}")
    return _TYPES[name](given)


def _name(kind: Any) -> str:
    """A type's name without the path that Flask-Caching has it under."""
    name = kind if isinstance(kind, str) else ""
    return name.rpartition(".")[2] if name.startswith("flask_caching.") else name


def _simple(given: Config) -> Nodes:
    if not is_said(given, "CACHE_THRESHOLD"):
        return None
    most = checked("CACHE_THRESHOLD", whole, given["CACHE_THRESHOLD"])
    # Nodes in the process are shared by name, and nobody else has this one.
    name, options = f"simple-{token_hex(8)}", {"max_entries": f"{most}"}
    return (_node("CACHE_THRESHOLD", kind="memory", host=name, options=options),)


def _redis(given: Config) -> Nodes:
    _refuse_connecting(given.get("CACHE_OPTIONS"))
    key = "CACHE_REDIS_DB"
    database = checked(key, whole, given[key]) if is_said(given, key) else None
    url = given.get("CACHE_REDIS_URL")
    return (_redis_at_url(url, database) if url else _redis_on_host(given, database),)


def _refuse_connecting(options: Any) -> None:
    given = map(str, options) if isinstance(options, dict) else ()
    names = sorted(filter(_CONNECTING.fullmatch, given))
    if names:
        raise ConfigurationError(
            f"CACHE_OPTIONS says how to connect ({', '.join(names)}): say it in CACHE_REDIS_URL or "
            "KCACHE_NODES, as in rediss://USER:PASSWORD@HOST:PORT/DB?ca=FILE"
        )


def _redis_at_url(url: Any, database: int | None) -> Node:
    key = "CACHE_REDIS_URL"
    if not isinstance(url, str):
        raise ConfigurationError(f"{key} is a URL, not {type(url).__name__}")
    url = re.sub("^unix://", "redis+unix://", url, flags=re.IGNORECASE)
    node = _node(key, url)
    if node.kind != "redis":
        raise ConfigurationError(f"{key} is the URL of a Redis server, not of {node.kind}")
    if node.database is None and database is not None:
        return _node(key, url, database=database)
    return node


def _redis_on_host(given: Config, database: int | None) -> Node:
    key = "CACHE_REDIS_HOST"
    host = given.get(key, "localhost")
    if not isinstance(host, str):
        raise ConfigurationError(
            f"{key} is a host name, not {type(host).__name__}: kcache has connections of its own; "
            "say in CACHE_REDIS_URL or KCACHE_NODES where the server is"
        )
    port, password = (given.get(f"CACHE_REDIS_{part}") for part in ("PORT", "PASSWORD"))
    return _node(
        key,
        kind="redis",
        host=host,
        port=None if port is None else checked("CACHE_REDIS_PORT", whole, port),
        password=checked("CACHE_REDIS_PASSWORD", plain_text, password) if password else None,
        database=database,
    )


def _memcached(given: Config) -> Nodes:
    servers = given.get(_SERVERS_KEY)
    if servers is None:
        servers = ["127.0.0.1:11211"]
    if isinstance(servers, str):
        servers = re.split(r"[,\s]+", servers.strip(", \t\r\n"))
    if not isinstance(servers, (list, tuple)):
        raise ConfigurationError(
            f"{_SERVERS_KEY} is a list such as ['10.0.0.1:11211'], not {type(servers).__name__}: "
            "kcache has connections of its own"
        )
    if not servers:
        raise ConfigurationError(f"{_SERVERS_KEY} is empty; leave it out for 127.0.0.1:11211")
    return tuple(map(_memcached_node, servers))


def _memcached_node(server: Any) -> Node:
    """The node of `"host:port"`, `"host"`, a socket's path, (host, port), or one and its weight."""
    address, *more = server if isinstance(server, (list, tuple)) and server else (server,)
    if not isinstance(address, str) or len(more) > 1:
        raise ConfigurationError(f"{_SERVERS_KEY}: an address is 'HOST:PORT' or (HOST, PORT)")
    number = checked(_SERVERS_KEY, whole, more[0]) if more else None
    if "://" in address:
        node = _node(_SERVERS_KEY, address, weight=number)
        if node.kind != "memcached":
            raise ConfigurationError(f"{_SERVERS_KEY}: {node.kind} is not memcached")
        return node
    path = address.removeprefix("unix:")
    if path.startswith("/"):
        return _node(_SERVERS_KEY, kind="memcached", path=path, weight=number)
    address = re.sub("^inet6?:", "", address)
    written = re.fullmatch(r"(\[[^]]*\]|[^:]*):([0-9]{1,5})", address)
    if written is None:
        return _node(_SERVERS_KEY, kind="memcached", host=address, port=number)
    host, port = written[1], int(written[2])
    return _node(_SERVERS_KEY, kind="memcached", host=host, port=port, weight=number)


def _node(key: str, url: str | None = None, **parts: Any) -> Node:
    return checked(key, lambda given: Node(url, **given), parts)


_TYPES: Mapping[str, Callable[[Config], Nodes]] = MappingProxyType(
    {
        **dict.fromkeys(("SimpleCache", "simple"), _simple),
        **dict.fromkeys(("RedisCache", "redis"), _redis),
        **dict.fromkeys(("MemcachedCache", "memcached"), _memcached),
    }
)
