"""nutcracker.yml, the configuration of twemproxy 0.5.0.

Parsed by PyYAML into nodes with their line numbers, so that errors can say where.
"""

from __future__ import annotations

import re
from typing import Any

from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring.dialects import open_dialect
from kcache.ring.fleet import Fleet

__all__ = ["looks_like_nutcracker", "parse_nutcracker"]

_SERVER = re.compile(r"(?P<place>\S+):(?P<weight>[0-9]+)(?: +(?P<name>\S+))?")
_TRUE = {"true", "yes", "on", "1"}
_PLACE = re.compile(r"(?P<host>[^/].*):(?P<port>[0-9]+)")


def looks_like_nutcracker(where: str, text: str) -> bool:
    """Whether a file is a nutcracker.yml: by its name, else by a list of servers in it."""
    return where.endswith((".yml", ".yaml")) or re.search(r"(?m)^\s+servers:\s*$", text) is not None


def parse_nutcracker(text: str, where: str, pool: str | None) -> Fleet:
    """Parse one pool; `where` names the file in messages.

    Raises:
        ConfigurationError: the file is malformed, has several pools and none is chosen, or
            distributes keys in a way that is not ketama.
    """
    name, settings = _choose(_pools(text, where), where, pool)
    distribution = _text(settings, "distribution", where) or "ketama"
    if distribution != "ketama":
        raise ConfigurationError(
            f"{_at(where, settings['distribution'])}: pool {name!r} uses distribution "
            f"{distribution!r}; only ketama makes a ring"
        )
    kind = "redis" if _text(settings, "redis", where).lower() in _TRUE else "memcached"
    servers = settings.get("servers")
    if servers is None or not isinstance(servers.value, list) or not servers.value:
        raise ConfigurationError(f"{where}: pool {name!r} has no servers")
    nodes = _servers(servers.value, kind, where)
    return Fleet(nodes, "twemproxy", _options(settings, where))


def _text(settings: dict[str, Any], setting: str, where: str) -> str:
    """A setting's text; empty where it is not given."""
    node = settings.get(setting)
    if node is None:
        return ""
    if not isinstance(node.value, str):
        raise ConfigurationError(f"{_at(where, node)}: {setting} must be a single value")
    return node.value


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
        node = _server(item, kind, _at(where, item))
        if node.name in lines:
            raise ConfigurationError(
                f"{_at(where, item)}: {node.name} stands in line {lines[node.name]} already"
            )
        lines[node.name] = item.start_mark.line + 1
        nodes.append(node)
    return tuple(nodes)


def _pools(text: str, where: str) -> dict[str, dict[str, Any]]:
    try:
        import yaml  # noqa: PLC0415 - of the extra `cli`
    except ImportError:
        raise ConfigurationError(
            f"{where}: reading a nutcracker.yml needs PyYAML: install the extra `cli` of the "
            "distribution kcache-client"
        ) from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigurationError(f"{where}{line}: {problem}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigurationError(f"{where}: expected pools by name")
    pools = {}
    for key, value in root.value:
        if not isinstance(key.value, str):
            raise ConfigurationError(f"{_at(where, key)}: a pool's name must be a single value")
        if not isinstance(value, yaml.MappingNode):
            raise ConfigurationError(f"{_at(where, key)}: pool {key.value!r} has no settings")
        pools[key.value] = {str(setting.value): node for setting, node in value.value}
    return pools


def _choose(
    pools: dict[str, dict[str, Any]], where: str, pool: str | None
) -> tuple[str, dict[str, Any]]:
    names = ", ".join(pools) or "none"
    if pool is None and len(pools) != 1:
        raise ConfigurationError(f"{where}: choose a pool; there are {names}")
    name = pool if pool is not None else next(iter(pools))
    if name not in pools:
        raise ConfigurationError(f"{where}: no pool {name!r}; there are {names}")
    return name, pools[name]


def _at(where: str, node: Any) -> str:
    return f"{where}, line {node.start_mark.line + 1}"


def _server(item: Any, kind: str, at: str) -> Node:
    match = _SERVER.fullmatch(item.value) if isinstance(item.value, str) else None
    place = _PLACE.fullmatch(match["place"]) if match else None
    if match is None or (place is None and not match["place"].startswith("/")):
        raise ConfigurationError(
            f"{at}: expected HOST:PORT:WEIGHT [NAME] or /PATH:WEIGHT [NAME], not {item.value!r}"
        )
    weight = int(match["weight"])
    if weight == 0:
        raise ConfigurationError(f"{at}: twemproxy refuses weight 0")
    try:
        if place is None:
            return Node(kind=kind, path=match["place"], weight=weight, name=match["name"])
        return Node(
            kind=kind,
            host=place["host"],
            port=int(place["port"]),
            weight=weight,
            name=match["name"],
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"{at}: {error}") from None
