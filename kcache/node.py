"""A node: one server process, its address and its place in a ring.

URL forms, one per kind of node:

    memory://NAME                                in-process, shared by name within the process
    redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]   also valkey://; rediss:// and valkeys:// for TLS
    redis+unix:///PATH[?db=N]                    also valkey+unix://
    memcached://HOST[:PORT]                      memcacheds:// for TLS
    memcached+unix:///PATH                       also memcached:///PATH

Options follow as a query string: `weight`, `name` and `ip` on every kind; `max_entries` and
`max_bytes` on `memory://`; `ca`, `cert`, `key` and `server_name` on TLS nodes; `db`, `username`
and `password` on Redis; `username` and `password` on memcached.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kcache.errors import ConfigurationError
from kcache.label import label as label_of
from kcache.url import mask, parse_url

__all__ = ["DEFAULT_PORTS", "Node"]

DEFAULT_PORTS: Mapping[str, int] = MappingProxyType({"redis": 6379, "memcached": 11211})
_KINDS = ("memory", *DEFAULT_PORTS)
_MAX_PORT = 65535


@dataclass(frozen=True, init=False, repr=False)
class Node:
    """One server process: how to reach it, and how the ring knows it.

    Give a URL, or the parts as keywords; a keyword overrides the same part of the URL.
    Nodes are immutable, hashable and picklable.

    Args:
        url: one of the forms in this module's docstring.
        kind: `"memory"`, `"redis"` (Valkey included) or `"memcached"`.
        host: host name or IP address (IPv6 with or without brackets); for `memory` its name.
            A host that starts with `/` or `unix:/` is the path of a unix socket.
        port: 1 .. 65535. None (or 0) means that none was written, which is not the same as
            the default port to every dialect: nginx hashes the two differently.
        path: path of a unix socket, instead of `host` and `port`.
        weight: share of the ring relative to the other nodes; an integer >= 0. Most dialects
            refuse 0.
        name: names the node, and replaces the text that every dialect hashes for it.
        ip: the resolved address of `host`, for the one dialect that hashes both (spymemcached).
        tls: whether to encrypt the connection.
        username: for servers that ask for one.
        password: for servers that ask for one; never shown in `repr` or in messages.
        database: Redis database number.
        options: the other options of the kind of node, by name.

    Raises:
        ConfigurationError: the URL or a part of it cannot be used.

    Example:
        >>> node = Node("redis://10.0.0.2:6380?weight=2&name=r2")
        >>> node.name, node.weight, node.address
        ('r2', 2, '10.0.0.2:6380')
        >>> node == Node(kind="redis", host="10.0.0.2", port=6380, weight=2, name="r2")
        True
    """

    kind: str
    host: str | None
    port: int | None
    path: str | None
    weight: int
    alias: str | None
    """The name given with `name=`, if one was."""
    ip: str | None
    tls: bool
    username: str | None
    password: str | None
    database: int | None
    options: tuple[tuple[str, str], ...]
    _hash: int = field(compare=False)

    def __init__(
        self,
        url: str | None = None,
        *,
        kind: str | None = None,
        host: str | None = None,
        port: int | None = None,
        path: str | None = None,
        weight: int | None = None,
        name: str | None = None,
        ip: str | None = None,
        tls: bool | None = None,
        username: str | None = None,
        password: str | None = None,
        database: int | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        if url is not None and not isinstance(url, str):
            raise ConfigurationError(f"a node is given by a URL, not by {url!r}")
        given = {
            "kind": kind,
            "host": host,
            "port": port,
            "path": path,
            "weight": weight,
            "name": name,
            "ip": ip,
            "tls": tls,
            "username": username,
            "password": password,
            "database": database,
            "options": options,
        }
        parts = {} if url is None else parse_url(url)
        parts.update((key, value) for key, value in given.items() if value is not None)
        where = mask(url) if url is not None else f"Node(kind={kind!r}, host={host!r})"
        values = _checked(parts, where)
        # A node is a dictionary key on hot paths; hashing all fields each time would show.
        values["_hash"] = hash(tuple(values.values()))
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @property
    def address(self) -> str:
        """Where the node is: `host:port` (default port filled in), a socket path, or a name."""
        if self.path is not None:
            return self.path
        if self.kind == "memory":
            return f"{self.host}"
        host = f"[{self.host}]" if ":" in f"{self.host}" else self.host
        return f"{host}:{self.effective_port}"

    @property
    def effective_port(self) -> int:
        """The port that was written, else the default one of the node's kind; 0 where none is."""
        return self.port or DEFAULT_PORTS.get(self.kind, 0)

    @property
    def name(self) -> str:
        """The name given with `name=`, else the address. Unique within a ring."""
        return self.address if self.alias is None else self.alias

    def label(self, dialect: str, *, format: str = "SPYMEMCACHED") -> str:  # noqa: A002
        r"""The exact text that a dialect hashes for this node, without the replica suffix.

        Args:
            dialect: a dialect's name, as for `Ring`.
            format: spymemcached's label format, `"SPYMEMCACHED"` or `"LIBMEMCACHED"`.

        Raises:
            ConfigurationError: unknown dialect, or a node that the dialect cannot label.

        Example:
            >>> node = Node("memcached://10.0.0.1:11211")
            >>> node.label("libketama"), node.label("libmemcached"), node.label("nginx")
            ('10.0.0.1:11211', '10.0.0.1', '10.0.0.1\x0011211')
        """
        return label_of(self, dialect, format)

    def with_weight(self, weight: int) -> Node:
        """The same node with another weight."""
        return Node(**{**self._parts(), "weight": weight})

    def _parts(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "host": self.host,
            "port": self.port,
            "path": self.path,
            "weight": self.weight,
            "name": self.alias,
            "ip": self.ip,
            "tls": self.tls,
            "username": self.username,
            "password": self.password,
            "database": self.database,
            "options": dict(self.options),
        }

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        # Rebuilt rather than copied: the remembered hash differs between processes.
        return _rebuild, (self._parts(),)

    def __repr__(self) -> str:
        shown = {
            key: value for key, value in self._parts().items() if value not in (None, {}, False)
        }
        if "password" in shown:
            shown["password"] = "***"  # noqa: S105 - this is the mask
        return f"Node({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


def _rebuild(parts: dict[str, Any]) -> Node:
    return Node(**parts)


def _checked(parts: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields of a node, in order, each one usable and in its normal form."""
    kind = {"valkey": "redis"}.get(str(parts.get("kind")), parts.get("kind"))
    if kind not in _KINDS:
        raise ConfigurationError(f"{where}: kind must be one of {', '.join(_KINDS)}, not {kind!r}")
    host, path = _place(parts.get("host"), parts.get("path"), where)
    return {
        "kind": kind,
        "host": host,
        "port": None if path is not None else _port(parts.get("port"), where),
        "path": path,
        "weight": _whole("weight", parts.get("weight", 1), where),
        "alias": _name(parts.get("name"), where),
        "ip": _ip(parts.get("ip"), where),
        "tls": bool(parts.get("tls", False)),
        "username": parts.get("username"),
        "password": parts.get("password"),
        "database": _database(parts.get("database"), kind, where),
        "options": _options(parts.get("options") or {}, kind, tls=parts.get("tls"), where=where),
    }


def _place(host: Any, path: Any, where: str) -> tuple[str | None, str | None]:
    if isinstance(host, str) and host.removeprefix("unix:").startswith("/") and path is None:
        host, path = None, host.removeprefix("unix:")
    if path is not None:
        if host or not isinstance(path, str) or not path.startswith("/"):
            raise ConfigurationError(f"{where}: a node has either a host or an absolute path")
        return None, path
    if not isinstance(host, str) or not host:
        raise ConfigurationError(f"{where}: the host is missing")
    if any(c <= " " or c == "\x7f" for c in host):
        raise ConfigurationError(f"{where}: blanks and control characters have no place in a host")
    return host.removeprefix("[").removesuffix("]") if host.startswith("[") else host, None


def _port(port: Any, where: str) -> int | None:
    # 0 is how libmemcached's interface says that no port was given.
    if port is None or (port == 0 and port is not False):
        return None
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port <= _MAX_PORT:
        raise ConfigurationError(f"{where}: a port is 1 to {_MAX_PORT}, not {port!r}")
    return port


def _whole(what: str, value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{where}: {what} must be a whole number >= 0, not {value!r}")
    return value


def _name(name: Any, where: str) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{where}: name must be text that is not empty, not {name!r}")
    return name


def _ip(ip: Any, where: str) -> str | None:
    if ip is None:
        return None
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        raise ConfigurationError(f"{where}: ip must be an IP address, not {ip!r}") from None
    return str(ip)


def _database(database: Any, kind: str, where: str) -> int | None:
    if database is None:
        return None
    if kind != "redis":
        raise ConfigurationError(f"{where}: only Redis nodes have databases")
    return _whole("database", database, where)


def _options(
    options: Mapping[str, str], kind: str, *, tls: object, where: str
) -> tuple[tuple[str, str], ...]:
    known: tuple[str, ...] = ("max_entries", "max_bytes") if kind == "memory" else ()
    known += ("ca", "cert", "key", "server_name") if tls else ()
    for option in options:
        if option not in known:
            every = ("weight", "name", "ip", *known)
            raise ConfigurationError(
                f"{where}: unknown option {option!r}; this node takes {', '.join(every)}"
            )
    return tuple(sorted(options.items()))
