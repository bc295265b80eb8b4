"""Node URLs: text -> the parts of a `Node`. The forms are listed in `kcache.node`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kcache.errors import ConfigurationError

__all__ = ["mask", "parse_url"]


@dataclass(frozen=True)
class _Scheme:
    kind: str
    tls: bool = False
    unix: bool = False


_SCHEMES: Mapping[str, _Scheme] = {
    "memory": _Scheme("memory"),
    "redis": _Scheme("redis"),
    "rediss": _Scheme("redis", tls=True),
    "redis+unix": _Scheme("redis", unix=True),
    "valkey": _Scheme("redis"),
    "valkeys": _Scheme("redis", tls=True),
    "valkey+unix": _Scheme("redis", unix=True),
    "memcached": _Scheme("memcached"),
    "memcacheds": _Scheme("memcached", tls=True),
    "memcached+unix": _Scheme("memcached", unix=True),
}
# As much as can be a password: one with a bare / or @ in it must not show either.
_PASSWORD = re.compile(r"(?<=://)([^:@/?#]*):.*@")
_PASSWORD_OPTION = re.compile(r"(?<=[?&])(password=)[^&]*")


def mask(url: str) -> str:
    """The URL with its password, if any, replaced by `***`."""
    return _PASSWORD_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))


def parse_url(url: str) -> dict[str, Any]:
    """Take a node's URL apart.

    Returns:
        The keyword arguments of `Node` that the URL gives.

    Raises:
        ConfigurationError: the URL is not of a known form; the message carries it, with its
            password masked.
    """
    scheme, separator, _ = url.partition("://")
    form = _SCHEMES.get(scheme.lower()) if separator else None
    if form is None:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise ConfigurationError(f"{mask(url)!r} is not a node URL; it must start with {known}")
    split, port = _split(url)
    if split.fragment:
        raise ConfigurationError(f"{mask(url)!r}: '#' in a URL is written %23")
    parts: dict[str, Any] = {"kind": form.kind, "tls": form.tls}
    parts |= _place(split, form, port, url)
    parts |= _credentials(split)
    parts |= _query(split, url)
    return parts


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"{mask(url)!r}: {error}") from None
    try:
        return split, split.port
    except ValueError:
        # The reason that urllib gives quotes what may be the start of a password.
        raise ConfigurationError(
            f"{mask(url)!r}: the port must be 0 to 65535 (in a user name or password, write "
            "%3A for ':', %2F for '/' and %40 for '@')"
        ) from None


def _place(split: SplitResult, form: _Scheme, port: int | None, url: str) -> dict[str, Any]:
    host = unquote(split.hostname or "")
    path = unquote(split.path)
    if form.unix or (form.kind == "memcached" and not host and path not in {"", "/"}):
        if host:
            raise ConfigurationError(
                f"{mask(url)!r}: a socket path takes three slashes, {split.scheme}:///path"
            )
        return {"path": path}
    if form.kind == "memory":
        # urlsplit lower-cases host names; the name of an in-process node is kept as written.
        return {"host": unquote(split.netloc) + path.rstrip("/")}
    place: dict[str, Any] = {"host": host, "port": port}
    trail = path.strip("/")
    if trail and form.kind == "redis":
        place["database"] = _integer("database", trail, url)
    elif trail:
        raise ConfigurationError(f"{mask(url)!r}: a memcached URL has no path after the port")
    return place


def _credentials(split: SplitResult) -> dict[str, Any]:
    if "@" not in split.netloc:
        return {}
    username, password = split.username, split.password
    return {
        "username": unquote(username) if username else None,
        "password": unquote(password) if password else None,
    }


def _query(split: SplitResult, url: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    options: dict[str, str] = {}
    for key, value in parse_qsl(split.query, keep_blank_values=True):
        if key in parts or key in options:
            raise ConfigurationError(f"{mask(url)!r}: option {key!r} is given twice")
        if key == "weight":
            parts[key] = _integer(key, value, url)
        elif key in {"db", "database"}:
            parts["database"] = _integer(key, value, url)
        elif key in {"name", "ip", "username", "password"}:
            parts[key] = value
        else:
            options[key] = value
    return {**parts, "options": options}


def _integer(what: str, text: str, url: str) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise ConfigurationError(f"{mask(url)!r}: {what} must be a whole number, not {text!r}")
    return int(text)
