"""Which library opens the connections to a node."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib import import_module
from typing import TypeAlias

from kcache.errors import ConfigurationError
from kcache.node import Node

__all__ = ["Opener", "opener_of"]

Opener: TypeAlias = Callable[[Node, float], socket.socket]
"""From a node and a timeout in seconds to a socket that is connected and authenticated."""


def opener_of(node: Node) -> Opener:
    """The function that opens connections to a node.

    Raises:
        ConfigurationError: the library for this kind of node is not installed.
    """
    module = f"kcache.net.{node.kind}_opening"
    try:
        opener: Opener = import_module(module).open_node
    except ImportError as error:
        raise ConfigurationError(
            f"node {node.name}: {error}; for {node.kind} nodes install this distribution's "
            f"`{node.kind}` extra: pip install 'kcache-client[{node.kind}]'"
        ) from error
    return opener
