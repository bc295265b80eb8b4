"""The options that say which ring: nodes from URLs, a file or the environment; a dialect."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring import Ring
from kcache.ring.dialects import DIALECTS
from kcache.ring.files import read_fleet

__all__ = ["Choice", "fleet_options"]

_OPTIONS = ("hash", "hash_tag", "format", "weighted")


@dataclass(frozen=True)
class Choice:
    """What the command line says about the ring."""

    nodes: tuple[str, ...]
    file: str | None
    pool: str | None
    dialect: str | None
    options: dict[str, Any]

    def ring(self, dialect: str | None = None) -> Ring:
        """The ring chosen, in another dialect if one is given.

        Raises:
            ConfigurationError: no nodes anywhere, or any of `Ring`.
        """
        wanted = dialect or self.dialect
        if self.file is None:
            return Ring(self._listed(), wanted or "libketama", **self._options_for(dialect))
        if self.nodes:
            raise ConfigurationError("give nodes with --node or with --file, not with both")
        fleet = read_fleet(self.file, self.pool)
        kept = fleet.options if wanted in {None, fleet.dialect} else {}
        options = {**kept, **self._options_for(dialect)}
        return Ring(fleet.nodes, wanted or fleet.dialect, **options)

    def _options_for(self, dialect: str | None) -> dict[str, Any]:
        # Where dialects are compared, each takes those of the options that it knows.
        if dialect is None or dialect not in DIALECTS:
            return self.options
        known = DIALECTS[dialect].__dataclass_fields__
        return {key: value for key, value in self.options.items() if key in known}

    def _listed(self) -> list[Node]:
        urls = self.nodes or tuple(re.findall(r"[^\s,]+", os.environ.get("KCACHE_NODES", "")))
        if not urls:
            raise ConfigurationError(
                "no nodes: give --node URL (repeatable) or --file FILE, or set KCACHE_NODES"
            )
        return [Node(url) for url in urls]


def fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose a ring; it receives a `Choice` as `choice`."""

    @click.option("--node", "-n", multiple=True, metavar="URL", help="A node; repeatable.")
    @click.option("--file", "-f", metavar="FILE", help="libketama server list or nutcracker.yml.")
    @click.option("--pool", metavar="NAME", help="Pool of a nutcracker.yml that has several.")
    @click.option("--dialect", "-d", metavar="NAME", help=f"One of {', '.join(DIALECTS)}.")
    @click.option("--hash", metavar="NAME", help="Key hash, where the dialect has a choice.")
    @click.option("--hash-tag", metavar="AB", help="twemproxy's two tag characters.")
    @click.option("--format", metavar="NAME", help="spymemcached's label format.")
    @click.option("--weighted", is_flag=True, default=None, help="spymemcached with weights.")
    @wraps(command)
    def chosen(
        *,
        node: tuple[str, ...],
        file: str | None,
        pool: str | None,
        dialect: str | None,
        **rest: Any,
    ) -> Any:
        options = {key: value for key in _OPTIONS if (value := rest.pop(key)) is not None}
        return command(Choice(node, file, pool, dialect, options), **rest)

    return chosen
