"""Node URLs: text -> the parts of a `Node`. The forms are listed in `kcache.node`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit
from urllib.parse import unquote as unquote_leniently

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


_HARMLESS = frozenset(
    ["weight", "name", "ip", "db", "database", "max_entries", "max_bytes", "server_name"]
)


def mask(url: str) -> str:
    """The URL without what may be a password.

    That is all between the first :// and the last @, a port that is none, and options that are not
    known.
    """
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    _, at, rest = rest.rpartition("@")
    head, question, query = rest.partition("?")
    if at:
        head = f"***@{head}"
    elif not re.fullmatch(r"(\[.*?\]|[^:/]*)(:[0-9]*)?(/.*)?", head, re.DOTALL):
        head = head.partition(":")[0] + ":***"
    return scheme + separator + head + question + "&".join(map(_mask_option, query.split("&")))


def _mask_option(option: str) -> str:
    name, equals, _ = option.partition("=")
    return option if name in _HARMLESS else f"{name}{equals}***" if equals else ""


def unquote(text: str, url: str) -> str:
    """Text with its percent escapes resolved; they must make UTF-8."""
    try:
        return unquote_leniently(text, errors="strict")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{mask(url)!r}: its escapes are not UTF-8") from None


def parse_url(url: str) -> dict[str, Any]:
    """Take a node's URL apart.

    Returns:
        The keyword arguments of `Node` that the URL gives.

    Raises:
        ConfigurationError: the URL is not of a known form; the message carries it, with what may
            be a password masked.
    """
    scheme, separator, _ = url.partition("://")
    form = _SCHEMES.get(scheme.lower()) if separator else None
    if form is None:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise ConfigurationError(f"{mask(url)!r} is not a node URL; it must start with {known}")
    split = _split(url)
    if split.fragment:
        raise ConfigurationError(f"{mask(url)!r}: '#' in a URL is written %23")
    parts: dict[str, Any] = {"kind": form.kind, "tls": form.tls}
    parts |= _place(split, form, url)
    # Where two parts say the same, redis-py takes db= before the path, user info before options.
    return parts | _query(split, url) | _credentials(split, url)


def _split(url: str) -> SplitResult:
    if any(character <= " " or character == "\x7f" for character in url):
        raise ConfigurationError(
            f"{mask(url)!r}: blanks and control characters in a URL are written %20 and so on"
        )
    if url.count("://") > 1:
        raise ConfigurationError(
            f"{mask(url)!r}: a node has one URL; give several nodes as a list of URLs"
        )
    try:
        split = urlsplit(url)
    except ValueError:
        # What urllib says may quote a password.
        raise ConfigurationError(f"{mask(url)!r}: not a URL; look at its host") from None
    if "@" in split.path + split.query + split.fragment:
        # It may be the end of a password that holds a bare / or ?.
        raise ConfigurationError(
            f"{mask(url)!r}: in a user name, password, path or option, write %40 for '@', "
            "%2F for '/', %3A for ':' and %3F for '?'"
        )
    return split


def _place(split: SplitResult, form: _Scheme, url: str) -> dict[str, Any]:
    host, port = _host_and_port(split, url)
    path = unquote(split.path, url)
    if form.unix or (form.kind == "memcached" and not host and path not in {"", "/"}):
        if host:
            raise ConfigurationError(
                f"{mask(url)!r}: a socket path takes three slashes, {split.scheme}:///path"
            )
        return {"path": path}
    if form.kind == "memory":
        if "@" in split.netloc or port is not None:
            raise ConfigurationError(f"{mask(url)!r}: an in-process node has a name and no more")
        return {"host": host + path.rstrip("/")}
    place: dict[str, Any] = {"host": host, "port": port}
    trail = path.strip("/")
    if trail and form.kind == "redis":
        place["database"] = _integer("database", trail, url)
    elif trail:
        raise ConfigurationError(f"{mask(url)!r}: a memcached URL has no path after the port")
    return place


def _host_and_port(split: SplitResult, url: str) -> tuple[str, int | None]:
    """The host as it is written, since dialects hash it so; urllib gives it in lower case."""
    authority = split.netloc.rpartition("@")[2]
    host, bracket, rest = authority.partition("]")
    if not bracket:
        host, _, rest = authority.partition(":")
    port = rest.removeprefix(":")
    if port and not re.fullmatch("[0-9]{1,5}", port):
        raise ConfigurationError(f"{mask(url)!r}: the port must be 1 to 65535")
    return unquote(host + bracket, url), int(port) if port else None


def _credentials(split: SplitResult, url: str) -> dict[str, Any]:
    username, password = split.username, split.password
    given = {"username": username, "password": password}
    return {key: unquote(value, url) for key, value in given.items() if value}


def _query(split: SplitResult, url: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    options: dict[str, str] = {}
    unquote(split.query, url)
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
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise ConfigurationError(f"{mask(url)!r}: {what} must be a whole number")
    return int(text)
