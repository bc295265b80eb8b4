"""libketama's server list: lines of an address, blanks, and a weight (megabytes, by custom).

The file is read as libketama reads it (commit 18cf9a7), oddities included, because the fleet
does: only `#` in the first column starts a comment, the last character of the weight is dropped
in the belief that it is the newline, and of what is left the leading digits count. Where that
changes a weight, a `ServerListWarning` says so.
"""

from __future__ import annotations

import re
import warnings

from kcache.errors import ConfigurationError, ServerListWarning
from kcache.node import Node
from kcache.ring.fleet import Fleet

__all__ = ["parse_server_list"]

# What fits libketama's buffers.
_LONGEST_LINE = 126
_LONGEST_ADDRESS = 21
_MOST_DIGITS = 19


def parse_server_list(text: str, where: str) -> Fleet:
    """Parse a server list; `where` names the file in messages.

    Raises:
        ConfigurationError: a line that libketama refuses, or cannot hold; no servers at all.
    """
    nodes: list[Node] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), start=1):
        if len(line.encode()) > _LONGEST_LINE:
            raise ConfigurationError(
                f"{where}, line {number}: libketama reads {_LONGEST_LINE} bytes of a line, "
                "and takes the rest for the next one"
            )
        if len(line) > 1 and not line.startswith("#"):
            node = _server(line, f"{where}, line {number}")
            if node.name in lines:
                raise ConfigurationError(
                    f"{where}, line {number}: {node.name} stands in line {lines[node.name]} already"
                )
            lines[node.name] = number
            nodes.append(node)
    if not nodes:
        raise ConfigurationError(f"{where}: no servers")
    return Fleet(tuple(nodes), "libketama")


def _server(line: str, where: str) -> Node:
    address, *rest = [token for token in re.split("[\t ]+", line) if token]
    if not rest:
        raise ConfigurationError(f"{where}: expected an address, blanks and a weight")
    if len(address.encode()) > _LONGEST_ADDRESS:
        raise ConfigurationError(
            f"{where}: libketama has room for addresses of {_LONGEST_ADDRESS} bytes"
        )
    return _node(address, _weight(rest[0], where), where)


def _weight(token: str, where: str) -> int:
    digits = re.match(r"\s*\+?([0-9]+)", token[:-1])
    # strtol() gives up beyond 2**63 - 1, which has 19 digits.
    weight = int(digits[1]) if digits and len(digits[1].lstrip("0")) <= _MOST_DIGITS else 0
    if not 0 < weight < 2**63:
        raise ConfigurationError(f"{where}: libketama reads no weight above 0 in {token.strip()!r}")
    if token.strip() != str(weight):
        cause = "" if token.endswith("\n") else ": it takes the last character for the newline"
        warnings.warn(
            f"{where}: libketama reads the weight {token.strip()!r} as {weight}{cause}",
            ServerListWarning,
            stacklevel=7,
        )
    return weight


def _node(address: str, weight: int, where: str) -> Node:
    host, _, port = address.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,9}", port):
        host, port = address, "0"
    try:
        node = Node(kind="memcached", host=host, port=int(port), weight=weight)
        if node.label("libketama") == address:
            return node
        return Node(kind="memcached", host=host, port=int(port), weight=weight, name=address)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
