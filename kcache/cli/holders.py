"""Which nodes hold a key, and what they hold there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import isinf
from typing import Any

from kcache.cli.nodes import Asker, asking
from kcache.codec import SafeCodec
from kcache.command import Command, Get, Hit, Reply, Ttl
from kcache.compress import Compression
from kcache.entry import Entries
from kcache.errors import DecodeError, NodeError
from kcache.form import Form, form_of
from kcache.node import Node
from kcache.ring import Ring

__all__ = ["find_holders"]

_AT_ONCE = 100


def find_holders(ring: Ring, wires: Sequence[bytes], timeout: float) -> list[list[dict[str, Any]]]:
    """Ask every node for every key.

    Args:
        ring: its nodes.
        wires: the keys as they go out.
        timeout: of the questions about some keys, in seconds.

    Returns:
        For each key what each node says, as plain data.

    Raises:
        ConfigurationError: the library for a kind of node is not installed.
    """
    with asking(ring.nodes, timeout) as asker:
        parts = (wires[at : at + _AT_ONCE] for at in range(0, len(wires), _AT_ONCE))
        return list(chain.from_iterable(_ask(asker, ring, part) for part in parts))


def _ask(asker: Asker, ring: Ring, wires: Sequence[bytes]) -> list[list[dict[str, Any]]]:
    commands: list[Command] = [command for wire in wires for command in (Get((wire,)), Ttl(wire))]
    answers = asker.ask({index: commands for index, _ in enumerate(ring.nodes)})
    entries = Entries(SafeCodec(), Compression())
    forms = [form_of(node.kind, entries) for node in ring.nodes]
    return [
        [
            _holder(
                node,
                is_owner=ring.index_for(wire) == index,
                answer=_part(answers[index], at),
                form=forms[index],
            )
            for index, node in enumerate(ring.nodes)
        ]
        for at, wire in enumerate(wires)
    ]


def _part(answer: list[Reply] | NodeError, at: int) -> tuple[list[Hit], float | None] | NodeError:
    """The replies about one key."""
    if isinstance(answer, NodeError):
        return answer
    return answer[2 * at], answer[2 * at + 1]


def _holder(
    node: Node, *, is_owner: bool, answer: tuple[list[Hit], float | None] | NodeError, form: Form
) -> dict[str, Any]:
    said: dict[str, Any] = {"name": node.name, "owner": is_owner}
    nothing = {"held": False, "type": None, "bytes": None, "ttl": None, "error": None}
    if isinstance(answer, NodeError):
        return said | nothing | {"held": None, "error": answer.reason}
    hits, left = answer
    if left is None:
        return said | nothing
    # No end is null, since JSON has no infinity.
    held = nothing | {"held": True, "ttl": None if isinf(left) else left}
    if not hits:
        # Redis has lists, hashes and so on, which are nothing of a cache.
        return said | held | {"type": "not a string"}
    return said | held | {"type": _type(form, hits[0]), "bytes": len(hits[0][2])}


def _type(form: Form, hit: Hit) -> str:
    wire, flags, data = hit
    try:
        return type(form.load(flags, data, wire)).__name__
    except DecodeError as error:
        return f"unreadable: {error}"
