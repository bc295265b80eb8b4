"""What the user has configured -> what the extension is built of. Pure: nothing is opened here.

Two vocabularies are understood. KCACHE_TTL, KCACHE_NODES and so on are the arguments of
`kcache.Cache`, and three switches of the extension's own. CACHE_TYPE, CACHE_REDIS_URL and so on are
the keys of Flask-Caching, with the meaning that they have there.

A later layer wins over an earlier one, key by key. Where keys of both vocabularies say one thing,
such as KCACHE_TTL and CACHE_DEFAULT_TIMEOUT, the one in the later layer counts; in one layer they
must agree. KCACHE_ENABLED wins over a CACHE_TYPE of NullCache, which says nothing of nodes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple

from kcache import Cache, Compression, ConfigurationError, Node, Ring
from kcache_flask.cache_type import PLACE_KEYS, is_null, nodes_of_type
from kcache_flask.timeouts import seconds_of
from kcache_flask.values import as_it_is, checked, is_said, plain_text, switch, text

__all__ = ["ARGUMENTS", "DEFAULT_TTL", "ConfigurationWarning", "Settings", "settings_of"]

DEFAULT_TTL = 300.0
"""Seconds that entries live where nothing is said; Flask-Caching's default."""

_RING = ("dialect", "hash", "hash_tag", "format", "weighted")
ARGUMENTS: Mapping[str, str] = MappingProxyType(
    {
        f"KCACHE_{name.upper()}": name
        for name in (
            *("nodes", *_RING, "namespace", "prefix", "ttl", "timeout", "on_error"),
            *("secret", "codec", "compression", "clock"),
            *("health", "debt_interval", "trust_restart", "invalidate_nodes", "epoch"),
        )
    }
)
"""From keys to the arguments of `kcache.Cache`."""
# Arguments that mean something only beside another one.
_BESIDE: Mapping[str, str] = MappingProxyType(
    {"codec": "secret", **dict.fromkeys(_RING[1:], "dialect")}
)
_KNOWN = (*ARGUMENTS, "KCACHE_ENABLED", "KCACHE_SIGNALS", "KCACHE_SOURCE_CHECK")
_TWINS: Mapping[str, str] = MappingProxyType(
    {
        "KCACHE_NODES": "CACHE_TYPE",
        "KCACHE_NAMESPACE": "CACHE_KEY_PREFIX",
        "KCACHE_TTL": "CACHE_DEFAULT_TIMEOUT",
        "KCACHE_SIGNALS": "CACHE_ENABLE_SIGNALS",
        "KCACHE_SOURCE_CHECK": "CACHE_SOURCE_CHECK",
    }
)
_UNDERSTOOD = frozenset(
    {*_TWINS.values(), "CACHE_HASH_METHOD", "CACHE_NO_NULL_WARNING", "CACHE_IGNORE_ERRORS"}
)
# Of Flask-Caching, where they are neither None nor empty.
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "CACHE_FILE_HASH_METHOD": sha256,
        "CACHE_REDIS_SENTINELS": [("127.0.0.1", 26379)],
        "CACHE_REDIS_SENTINEL_MASTER": "mymaster",
        "CACHE_REDIS_HOST": "localhost",
        "CACHE_REDIS_PORT": 6379,
        "CACHE_REDIS_DB": 0,
        "CACHE_THRESHOLD": 500,
    }
)
# A comma may be part of a password; it ends a URL where another one begins behind it.
_BETWEEN = re.compile(r"[,\s]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")

Config = Mapping[str, Any]
Nodes = tuple[Node, ...] | Ring | None


class ConfigurationWarning(UserWarning):
    """Keys of Flask-Caching are set that have no meaning here."""


@dataclass(frozen=True)
class Settings:
    """What one app has configured.

    Attributes:
        is_enabled: whether anything is cached. Else every function runs, and every look is a miss.
        options: arguments of `kcache.Cache`, checked. They may hold secrets.
        has_signals: whether hits and misses are sent as signals.
        source_check: whether the source text of a function is part of its keys, where its
            decorator does not say.
        hash_method: of what is hashed for keys, where a decorator does not say.
    """

    is_enabled: bool
    options: Config = field(repr=False)
    has_signals: bool
    source_check: bool
    hash_method: Callable[..., Any]


def settings_of(app_name: str, *layers: Config | None) -> Settings:
    """The settings that some layers of configuration make.

    Args:
        app_name: names the namespace of the app's entries, where nothing else is said.
        *layers: of which later ones win: app.config, the constructor's, init_app's. What is there
            besides keys that begin with KCACHE_ or CACHE_ is not looked at.

    Raises:
        ConfigurationError: an unknown KCACHE_ key, a value that cannot be used, a cache type that
            is not to be had, or two keys that contradict each other. No message shows a password.

    Warns:
        ConfigurationWarning: names all CACHE_ keys that are set and have no meaning here.

    Example:
        >>> settings = settings_of("shop", {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": "r1"})
        >>> settings.options["nodes"], settings.options["namespace"], settings.options["ttl"]
        ((Node(kind='redis', host='r1', weight=1),), 'shop', 300.0)
    """
    given = _merged(layers)
    settings = Settings(
        is_enabled=_is_enabled(given),
        options=MappingProxyType(_options(given, app_name)),
        has_signals=_is_on(given, "KCACHE_SIGNALS"),
        source_check=_is_on(given, "KCACHE_SOURCE_CHECK"),
        hash_method=_hash_method(given),
    )
    if unused := _unused(given):
        hint = "" if PLACE_KEYS.isdisjoint(unused) else "; there is no CACHE_TYPE that they go with"
        warnings.warn(
            f"these settings have no meaning in kcache_flask: {', '.join(unused)}{hint}",
            ConfigurationWarning,
            stacklevel=3,
        )
    return settings


def _merged(layers: Iterable[Config | None]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in layers:
        own = _own(layer)
        for ours, theirs in _TWINS.items():
            if ours in own:
                merged.pop(theirs, None)
            elif is_said(own, theirs) and not (theirs == "CACHE_TYPE" and is_null(own)):
                merged.pop(ours, None)
        merged.update(own)
    for key in merged:
        if key.startswith("KCACHE_") and key not in _KNOWN:
            nearest = get_close_matches(key, _KNOWN, n=1, cutoff=0)[0]
            raise ConfigurationError(f"there is no setting {key}; the nearest one is {nearest}")
    return merged


def _own(layer: Config | None) -> Config:
    if layer is None:
        return {}
    if not isinstance(layer, Mapping):
        raise ConfigurationError(f"config is a dict or None, not {type(layer).__name__}")
    starts = ("KCACHE_", "CACHE_")
    return {k: v for k, v in layer.items() if isinstance(k, str) and k.startswith(starts)}


def _unused(given: Config) -> list[str]:
    has_place = "CACHE_TYPE" in given or "KCACHE_NODES" in given
    used = _UNDERSTOOD | PLACE_KEYS if has_place else _UNDERSTOOD
    return sorted(
        key
        for key, value in given.items()
        if key.startswith("CACHE_") and key not in used and not _is_default(key, value)
    )


def _is_default(key: str, value: Any) -> bool:
    is_empty = isinstance(value, (str, list, tuple, dict)) and not value
    return value is None or is_empty or (key in _DEFAULTS and bool(value == _DEFAULTS[key]))


class _Said(NamedTuple):
    """A value, and the key that messages about it name."""

    key: str
    value: Any


def _either(
    given: Config, ours: str, read: Callable[[Any], Any], read_theirs: Callable[[Any], Any]
) -> _Said | None:
    """What a key or its twin says; None where neither says anything."""
    theirs = _TWINS[ours]
    said = [_Said(ours, checked(ours, read, given[ours]))] if ours in given else []
    if is_said(given, theirs):
        said.append(_Said(theirs, checked(theirs, read_theirs, given[theirs])))
    if len(said) > 1 and said[0].value != said[1].value:
        raise _contradiction(ours)
    return said[0] if said else None


def _contradiction(ours: str) -> ConfigurationError:
    return ConfigurationError(f"{ours} and {_TWINS[ours]} contradict each other; keep one of them")


def _is_enabled(given: Config) -> bool:
    key = "KCACHE_ENABLED"
    return checked(key, switch, given[key]) if key in given else not is_null(given)


def _is_on(given: Config, key: str) -> bool:
    said = _either(given, key, switch, switch)
    return said is not None and said.value


def _hash_method(given: Config) -> Callable[..., Any]:
    method: Callable[..., Any] = given.get("CACHE_HASH_METHOD", sha256)
    if not callable(method):
        raise ConfigurationError(
            f"CACHE_HASH_METHOD is a function such as hashlib.sha256, not {method!r}"
        )
    return method


def _options(given: Config, app_name: str) -> dict[str, Any]:
    """The arguments of the cache."""
    said = {
        name: _Said(key, checked(key, _READ.get(key, as_it_is), given[key]))
        for key, name in ARGUMENTS.items()
        if key in given and key not in _TWINS
    }
    namespace = _either(given, "KCACHE_NAMESPACE", text, plain_text)
    said["namespace"] = namespace or _Said("the app's name", app_name)
    ttl = _either(given, "KCACHE_TTL", _life, _seconds)
    said["ttl"] = ttl or _Said("KCACHE_TTL", DEFAULT_TTL)
    for name, (key, _) in said.items():
        together = _values(said, (_BESIDE.get(name, name), name))
        checked(key, _try_dialect if name in _RING else _try, together)
    nodes = _nodes(given)
    checked(nodes.key, _try_ring, (nodes.value, _values(said, _RING)))
    return {"nodes": nodes.value, **_values(said, said)}


def _values(said: Mapping[str, _Said], names: Iterable[str]) -> dict[str, Any]:
    return {name: said[name].value for name in names if name in said}


def _try(options: dict[str, Any]) -> None:
    """Have kcache check some arguments, by a cache with a private node that nobody uses."""
    Cache(**options)


def _try_dialect(options: dict[str, Any]) -> None:
    """Have kcache check a dialect and its options, with a node that every dialect takes."""
    Ring([Node("memcached://localhost", ip="127.0.0.1")], **options)


def _try_ring(place: tuple[Nodes, dict[str, Any]]) -> None:
    """Have kcache check the nodes for their dialect."""
    nodes, options = place
    if isinstance(nodes, Ring):
        if options not in ({}, {"dialect": "libketama"}):
            raise ConfigurationError("a Ring has its dialect and options already")
    elif nodes is not None:
        Ring(nodes, **options)


def _life(value: Any) -> Any:
    life = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(life, (int, float)) and not isinstance(life, bool) and life <= 0:
        raise ConfigurationError(f"seconds above 0, or None for no end, not {value!r}")
    return life


def _seconds(value: Any) -> float | None:
    return seconds_of(value, DEFAULT_TTL)


def _compression(value: Any) -> Any:
    return Compression(value) if isinstance(value, str) else value


def _weighted(value: Any) -> bool | None:
    return None if value is None else switch(value)


_READ: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        **dict.fromkeys(("KCACHE_PREFIX", "KCACHE_SECRET"), text),
        "KCACHE_COMPRESSION": _compression,
        "KCACHE_WEIGHTED": _weighted,
    }
)


def _nodes(given: Config) -> _Said:
    key = "KCACHE_NODES"
    has_type = "CACHE_TYPE" in given and not is_null(given)
    theirs = nodes_of_type(given) if has_type else None
    if given.get(key) is None:
        return _Said("CACHE_TYPE", theirs)
    ours = checked(key, _listed, given[key])
    if has_type and _meant(ours) != _meant(theirs):
        raise _contradiction(key)
    return _Said(key, ours)


def _meant(nodes: Nodes) -> frozenset[tuple[Any, ...]]:
    """The servers and databases, however they are written; nothing for a private node."""
    listed = nodes.nodes if isinstance(nodes, Ring) else nodes or ()
    return frozenset(
        (each.kind, each.address, each.tls, each.username, each.password, each.database or 0)
        for each in listed
    )


def _listed(given: Any) -> Nodes:
    if isinstance(given, Ring):
        return given
    if isinstance(given, Node):
        return (given,)
    urls = _split(given) if isinstance(given, str) else given
    if isinstance(urls, (bytes, Mapping)) or not isinstance(urls, Iterable):
        raise ConfigurationError(f"it is a list of URLs, not {type(given).__name__}")
    nodes = tuple(each if isinstance(each, Node) else Node(each) for each in urls)
    if not nodes:
        raise ConfigurationError("it is empty; leave it out for a private in-process node")
    return nodes


def _split(urls: str) -> list[str]:
    listed = [url for url in _BETWEEN.split(urls.strip(", \t\r\n")) if url]
    if any("," in url.rpartition("@")[2].partition("?")[0] for url in listed):
        raise ConfigurationError("each URL begins with a scheme: redis://10.0.0.1,redis://10.0.0.2")
    return listed
