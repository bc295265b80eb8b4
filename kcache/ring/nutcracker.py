"""nutcracker.yml, the configuration of twemproxy 0.5.0.

Parsed by PyYAML into nodes with their line numbers, so that errors can say where. What twemproxy
refuses is refused: a wrong setting that is passed over would put every key elsewhere.
"""

from __future__ import annotations

import re
from typing import Any

from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring.dialects import open_dialect
from kcache.ring.fleet import Fleet

__all__ = ["looks_like_nutcracker", "parse_nutcracker"]

_SETTINGS = frozenset(
    {
        "auto_eject_hosts",
        "backlog",
        "client_connections",
        "distribution",
        "hash",
        "hash_tag",
        "listen",
        "preconnect",
        "redis",
        "redis_auth",
        "redis_db",
        "reuseport",
        "server_connections",
        "server_failure_limit",
        "server_retry_timeout",
        "servers",
        "tcpkeepalive",
        "timeout",
    }
)
_SERVER = re.compile(r"(?P<place>\S+):(?P<weight>[0-9]{1,19})(?: +(?P<name>\S+))?")
_PLACE = re.compile(r"(?P<host>[^/].*):(?P<port>[0-9]{1,5})")
_TRUE = {"true", "yes", "on", "1"}
_MAX_WEIGHT = 2**31 - 1


def looks_like_nutcracker(where: str, text: str) -> bool:
    """Whether a file is a nutcracker.yml: by its name, else by a list of servers in it."""
    by_name = where.endswith((".yml", ".yaml"))
    return by_name or re.search(r"""(?m)^[^#\n]*\bservers["']?\s*:(?:[\s\[]|$)""", text) is not None


def parse_nutcracker(text: str, where: str, pool: str | None) -> Fleet:
    """Parse one pool; `where` names the file in messages.

    Raises:
        ConfigurationError: the file is malformed, has several pools and none is chosen, or
            distributes keys in a way that is not ketama.
    """
    pools = _by_name(_root(text, where), where, "pool")
    key, body = _choose(pools, where, pool)
    settings = {name: value for name, (_, value) in _by_name(body, where, "setting").items()}
    for name, value in settings.items():
        if name not in _SETTINGS:
            raise ConfigurationError(f"{_at(where, value)}: twemproxy knows no setting {name!r}")
    distribution = _text(settings, "distribution", where) or "ketama"
    if distribution != "ketama":
        raise ConfigurationError(
            f"{_at(where, settings['distribution'])}: pool {key.value!r} uses distribution "
            f"{distribution!r}; only ketama makes a ring"
        )
    kind = "redis" if _text(settings, "redis", where).lower() in _TRUE else "memcached"
    servers = settings.get("servers")
    if servers is None or servers.id != "sequence" or not servers.value:
        raise ConfigurationError(f"{_at(where, servers or key)}: pool {key.value!r} has no servers")
    nodes = _servers(servers.value, kind, where)
    return Fleet(nodes, "twemproxy", _options(settings, where))


def _root(text: str, where: str) -> Any:
    try:
        import yaml  # noqa: PLC0415 - of the extra `cli`
    except ImportError:
        raise ConfigurationError(
            f"{where}: reading a nutcracker.yml needs PyYAML: install the extra `cli` of the "
            "distribution kcache-client"
        ) from None
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigurationError(f"{_at(where, event)}: twemproxy knows no aliases")
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise ConfigurationError(f"{where}, line {number}: {error.reason}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigurationError(f"{where}{line}: {problem}") from None
    except RecursionError:
        raise ConfigurationError(f"{where}: nested too deeply") from None


def _by_name(node: Any, where: str, what: str) -> dict[str, tuple[Any, Any]]:
    """The entries of a mapping, (key, value) by name; each is there once."""
    if node is None or node.id != "mapping":
        at = where if node is None else _at(where, node)
        raise ConfigurationError(f"{at}: expected a mapping of {what}s by name")
    entries: dict[str, tuple[Any, Any]] = {}
    for key, value in node.value:
        if key.id != "scalar":
            raise ConfigurationError(f"{_at(where, key)}: the name of a {what} is a single value")
        if key.value in entries:
            raise ConfigurationError(f"{_at(where, key)}: {what} {key.value!r} is there twice")
        entries[key.value] = key, value
    return entries


def _choose(pools: dict[str, tuple[Any, Any]], where: str, pool: str | None) -> tuple[Any, Any]:
    names = ", ".join(pools) or "none"
    if pool is None and len(pools) != 1:
        raise ConfigurationError(f"{where}: choose a pool; there are {names}")
    name = pool if pool is not None else next(iter(pools))
    if name not in pools:
        raise ConfigurationError(f"{where}: no pool {name!r}; there are {names}")
    return pools[name]


def _at(where: str, node: Any) -> str:
    return f"{where}, line {node.start_mark.line + 1}"


def _text(settings: dict[str, Any], setting: str, where: str) -> str:
    """A setting's text; empty only where it is not given."""
    node = settings.get(setting)
    if node is None:
        return ""
    if node.id != "scalar" or not node.value:
        raise ConfigurationError(f"{_at(where, node)}: {setting} must be a single value")
    return str(node.value)


def _options(settings: dict[str, Any], where: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for option in ("hash", "hash_tag"):
        if option in settings:
            options[option] = _text(settings, option, where)
            try:
                open_dialect("twemproxy", options)
            except ConfigurationError as error:
                raise ConfigurationError(f"{_at(where, settings[option])}: {error}") from None
    return options


def _servers(items: list[Any], kind: str, where: str) -> tuple[Node, ...]:
    nodes: list[Node] = []
    lines: dict[str, int] = {}
    for item in items:
        try:
            node = _server(item, kind)
        except ConfigurationError as error:
            raise ConfigurationError(f"{_at(where, item)}: {error}") from None
        if node.name in lines:
            raise ConfigurationError(
                f"{_at(where, item)}: {node.name} stands in line {lines[node.name]} already"
            )
        lines[node.name] = item.start_mark.line + 1
        nodes.append(node)
    return tuple(nodes)


def _server(item: Any, kind: str) -> Node:
    match = _SERVER.fullmatch(item.value) if item.id == "scalar" else None
    place = _PLACE.fullmatch(match["place"]) if match else None
    if match is None or (place is None and not match["place"].startswith("/")):
        shown = f", not {item.value!r}" if item.id == "scalar" else ""
        raise ConfigurationError(f"expected HOST:PORT:WEIGHT [NAME] or /PATH:WEIGHT [NAME]{shown}")
    weight = int(match["weight"])
    if not 0 < weight <= _MAX_WEIGHT:
        raise ConfigurationError(f"twemproxy takes weights 1 to {_MAX_WEIGHT}")
    if place is None:
        return Node(kind=kind, path=match["place"], weight=weight, name=match["name"])
    return Node(
        kind=kind,
        host=place["host"],
        port=int(place["port"]),
        weight=weight,
        name=match["name"],
    )
