"""The options that say which ring: nodes from URLs, a file or the environment; a dialect."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from kcache.errors import ConfigurationError
from kcache.node import Node
from kcache.ring import Ring
from kcache.ring.dialects import DIALECTS
from kcache.ring.files import read_fleet
from kcache.ring.fleet import Fleet

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

    @property
    def title(self) -> str:
        """What to call these nodes beside others: their file, and the pool in it."""
        name = self.file or "nodes"
        return name if self.pool is None else f"{name}:{self.pool}"

    def ring(self) -> Ring:
        """The ring chosen.

        Raises:
            ConfigurationError: no nodes anywhere, or any of `Ring`.
        """
        fleet = self._fleet()
        if self.dialect in {None, fleet.dialect}:
            return Ring(fleet.nodes, fleet.dialect, **{**fleet.options, **self.options})
        return self.ring_in(f"{self.dialect}", self.options)

    def ring_in(self, dialect: str, options: Mapping[str, Any]) -> Ring:
        """The same nodes in another dialect, with its own options.

        Raises:
            ConfigurationError: as for `ring`.
        """
        return Ring(self._fleet().nodes, dialect, **options)

    def is_empty(self) -> bool:
        """Whether nobody said which nodes."""
        return not (self.nodes or self.file or _from_environment())

    def _fleet(self) -> Fleet:
        if self.file is None:
            if self.pool is not None:
                raise ConfigurationError("--pool chooses a pool of --file, and there is none")
            return Fleet(tuple(self._listed()), "libketama")
        if self.nodes:
            raise ConfigurationError("give nodes with --node or with --file, not with both")
        return read_fleet(self.file, self.pool)

    def _listed(self) -> list[Node]:
        urls = self.nodes or _from_environment()
        if not urls:
            raise ConfigurationError(
                "no nodes: give --node URL (repeatable) or --file FILE, or set KCACHE_NODES"
            )
        return [Node(url) for url in urls]


def _from_environment() -> tuple[str, ...]:
    """The URLs in KCACHE_NODES; a comma separates them only where another URL follows."""
    text = os.environ.get("KCACHE_NODES", "")
    urls = re.split(r"\s+|,(?=[a-z+]+://)", text.strip(" ,\t\r\n"))
    return tuple(url.strip(",") for url in urls if url.strip(","))


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
