"""Labels: the exact text that each dialect hashes for a node.

The same server is `10.0.0.1:11211` to libketama, `10.0.0.1` to libmemcached and
`/10.0.0.1:11211` to libmemcached's spy mode. A ring built from the wrong text shares only
one key in n with the fleet, so each rule is kept here, next to the others. Sources: the
implementations themselves, as described in `docs/dialects.md`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from kcache.errors import ConfigurationError

__all__ = ["LABELS", "SPY_FORMATS", "Labelled", "check_spy_format", "label"]

SPY_FORMATS = ("SPYMEMCACHED", "LIBMEMCACHED")
_MEMCACHED_PORT = 11211


class Labelled(Protocol):
    """The parts of a node that labels are made of."""

    @property
    def host(self) -> str | None: ...  # noqa: D102 - said at the seam
    @property
    def port(self) -> int | None: ...  # noqa: D102 - said at the seam
    @property
    def path(self) -> str | None: ...  # noqa: D102 - said at the seam
    @property
    def alias(self) -> str | None: ...  # noqa: D102 - said at the seam
    @property
    def ip(self) -> str | None: ...  # noqa: D102 - said at the seam
    @property
    def effective_port(self) -> int: ...  # noqa: D102 - said at the seam


def label(node: Labelled, dialect: str, spy_format: str = "SPYMEMCACHED") -> str:
    """The text that `dialect` hashes for `node`, without the replica suffix."""
    if not isinstance(dialect, str) or dialect not in LABELS:
        raise ConfigurationError(
            f"unknown dialect {dialect!r}; the dialects are {', '.join(LABELS)}"
        )
    check_spy_format(spy_format)
    if node.alias is not None:
        return _nginx_text(node.alias) if dialect == "nginx" else node.alias
    if dialect == "spymemcached" and spy_format == "LIBMEMCACHED":
        return _spy_libmemcached(node)
    return LABELS[dialect](node)


def check_spy_format(spy_format: str) -> None:
    """Refuse a label format that spymemcached does not have."""
    if spy_format not in SPY_FORMATS:
        raise ConfigurationError(
            f"format must be one of {', '.join(SPY_FORMATS)}, not {spy_format!r}"
        )


def _host_and_port(node: Labelled) -> str:
    if node.path is not None:
        return node.path
    # An in-process node has a name and no port.
    return f"{node.host}:{node.effective_port}" if node.effective_port else f"{node.host}"


def _libmemcached(node: Labelled) -> str:
    if node.path is not None:
        return f"{node.path}:0"
    return _unless_default_port(node)


def _libmemcached_spy(node: Labelled) -> str:
    return f"/{node.path}:0" if node.path is not None else f"/{_host_and_port(node)}"


def _twemproxy(node: Labelled) -> str:
    # The colon of a socket without a name is left over by twemproxy's parser.
    return f"{node.path}:" if node.path is not None else _unless_default_port(node)


def _unless_default_port(node: Labelled) -> str:
    if node.effective_port == _MEMCACHED_PORT:
        return f"{node.host}"
    return _host_and_port(node)


def _nginx(node: Labelled) -> str:
    """Host, one NUL byte, port text; the port is empty unless it was written."""
    if node.path is not None:
        return f"{node.path}\0"
    host = f"[{node.host}]" if ":" in (node.host or "") else f"{node.host}"
    return f"{host}\0{node.port or ''}"


def _nginx_text(text: str) -> str:
    """Read a server's text as nginx reads it in its configuration."""
    if text.startswith("unix:"):
        return text.removeprefix("unix:") + "\0"
    host, port = re.fullmatch(r"(.*?)(?::([0-9]+))?", text, re.DOTALL).groups("")  # type: ignore[union-attr] # matches any text
    return f"{host}\0{port}"


def _java_ip(text: str) -> str | None:
    """An IP literal as Java prints it: IPv6 spelled out, without leading zeros; else None."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ConfigurationError(
                f"how Java prints {text!r} depends on the machine: give the node name="
            )
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return ":".join(f"{int(group, 16):x}" for group in address.exploded.split(":"))
    return text


def _spy(node: Labelled) -> str:
    """Java's `InetSocketAddress.toString()` with the leading slash removed."""
    host = _java_host(node)
    literal = _java_ip(host)
    if literal is None and node.ip is None:
        raise ConfigurationError(
            f"spymemcached hashes host name and address of {host!r}: "
            "give the node ip=ADDRESS, or name= with the whole label"
        )
    address = literal if literal is not None else _java_ip(f"{node.ip}")
    bracketed = f"[{address}]" if ":" in f"{address}" else f"{address}"
    prefix = "" if literal is not None else f"{host}/"
    return f"{prefix}{bracketed}:{node.effective_port}"


def _spy_libmemcached(node: Labelled) -> str:
    host = _java_host(node)
    # Java looks a literal up in reverse DNS; this is its text where that finds nothing.
    host = _java_ip(host) or host
    return host if node.effective_port == _MEMCACHED_PORT else f"{host}:{node.effective_port}"


def _java_host(node: Labelled) -> str:
    if node.path is not None or not node.effective_port:
        raise ConfigurationError(
            f"spymemcached knows hosts and ports only; give {node.path or node.host!r} "
            "a label with name="
        )
    return f"{node.host}"


LABELS: Mapping[str, Callable[[Labelled], str]] = MappingProxyType(
    {
        "libketama": _host_and_port,
        "libmemcached": _libmemcached,
        "libmemcached-weighted": _libmemcached,
        "libmemcached-autoweighted": _libmemcached,
        "libmemcached-spy": _libmemcached_spy,
        "twemproxy": _twemproxy,
        "spymemcached": _spy,
        "nginx": _nginx,
        "kcache": _host_and_port,
    }
)
