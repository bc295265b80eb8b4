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
import re
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
_MAX_WHOLE = 2**63
_SECRETS = ("username", "password")
_TEXTS = ("host", "path", "name", "ip", *_SECRETS)
_TLS_OPTIONS = ("ca", "cert", "key", "server_name")
# C0, DEL and C1: what terminals act on, and protocols split at.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


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
            raise ConfigurationError(f"a node is given by a URL, not by {type(url).__name__}")
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
        where = repr(mask(url)) if url is not None else "Node"
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

    def label(self, dialect: str, *, format: str = "SPYMEMCACHED") -> str:  # noqa: A002 - spymemcached's word
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
        raise ConfigurationError(f"{where}: kind must be one of {', '.join(_KINDS)}")
    texts = {key: _text(key, parts.get(key), where) for key in _TEXTS}
    host, path = _place(texts["host"], texts["path"], where)
    port = _port(parts.get("port"), where)
    if port is not None and (path is not None or kind == "memory"):
        raise ConfigurationError(f"{where}: only a host has a port")
    tls = parts.get("tls", False)
    if not isinstance(tls, bool):
        raise ConfigurationError(f"{where}: tls must be True or False")
    return {
        "kind": kind,
        "host": host,
        "port": port,
        "path": path,
        "weight": _whole("weight", parts.get("weight", 1), where),
        "alias": texts["name"],
        "ip": _ip(texts["ip"], where),
        "tls": tls,
        "username": texts["username"],
        "password": texts["password"],
        "database": _database(parts.get("database"), kind, where),
        "options": _options(parts.get("options") or {}, kind, tls=tls, where=where),
    }


def _text(what: str, value: Any, where: str) -> str | None:
    """Text that can be hashed, sent and shown; None where there is none."""
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        if what == "host" and value == "":
            raise ConfigurationError(f"{where}: the host is missing")
        raise ConfigurationError(f"{where}: {what} must be text that is not empty")
    if what not in _SECRETS and _CONTROL.search(value):
        raise ConfigurationError(f"{where}: {what} must not hold control characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{where}: {what} must be text that has a UTF-8") from None
    return str(value)


def _place(host: str | None, path: str | None, where: str) -> tuple[str | None, str | None]:
    if host is not None and host.removeprefix("unix:").startswith("/") and path is None:
        return None, host.removeprefix("unix:")
    if path is not None:
        if host is not None or not path.startswith("/"):
            raise ConfigurationError(f"{where}: a node has either a host or an absolute path")
        return None, path
    if host is None:
        raise ConfigurationError(f"{where}: the host is missing")
    if "@" in host or any(character.isspace() for character in host):
        raise ConfigurationError(f"{where}: blanks and '@' have no place in a host")
    return _host(host, where), None


def _host(host: str, where: str) -> str:
    """A host without brackets; one with colons must be an IPv6 address."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in bare or bare != host:
        try:
            ipaddress.IPv6Address(bare)
        except ValueError:
            raise ConfigurationError(
                f"{where}: the host is no IPv6 address; a port is given as port="
            ) from None
    return bare


def _port(port: Any, where: str) -> int | None:
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= _MAX_PORT:
        raise ConfigurationError(f"{where}: a port is 1 to {_MAX_PORT}")
    # 0 is how libmemcached's interface says that no port was given.
    return port or None


def _whole(what: str, value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MAX_WHOLE:
        raise ConfigurationError(f"{where}: {what} must be a whole number >= 0 (below 2**63)")
    return int(value)


def _ip(ip: str | None, where: str) -> str | None:
    if ip is None:
        return None
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        raise ConfigurationError(f"{where}: ip must be an IP address") from None
    return ip


def _database(database: Any, kind: str, where: str) -> int | None:
    if database is None:
        return None
    if kind != "redis":
        raise ConfigurationError(f"{where}: only Redis nodes have databases")
    return _whole("database", database, where)


def _options(
    options: Mapping[str, str], kind: str, *, tls: bool, where: str
) -> tuple[tuple[str, str], ...]:
    bounds = ("max_entries", "max_bytes") if kind == "memory" else ()
    known = (*bounds, *(_TLS_OPTIONS if tls else ()))
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"{where}: options must be a mapping")
    for option, value in options.items():
        if option not in known:
            every = ("weight", "name", "ip", *known)
            raise ConfigurationError(
                f"{where}: unknown option {option!r}; this node takes {', '.join(every)}"
            )
        _text(option, value, where)
        if option in bounds and not re.fullmatch("[1-9][0-9]{0,18}", value):
            raise ConfigurationError(f"{where}: {option} must be a whole number above 0")
    return tuple(sorted(options.items()))
