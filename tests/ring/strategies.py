"""Hypothesis strategies for fleets."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kcache import Node

DIALECTS = (
    "libketama",
    "libmemcached",
    "libmemcached-weighted",
    "libmemcached-autoweighted",
    "libmemcached-spy",
    "twemproxy",
    "spymemcached",
    "nginx",
    "kcache",
)
ORDER_INDEPENDENT = ("twemproxy", "kcache")

dialects = st.sampled_from(DIALECTS)
keys = st.text(min_size=1, max_size=40).filter(lambda key: key.isprintable())


def fleets(*, least: int = 1, most: int = 8, max_weight: int = 9) -> st.SearchStrategy[list[Node]]:
    """Lists of nodes with IP addresses, all different, usable in every dialect."""
    parts = st.tuples(st.integers(0, 255), st.integers(11210, 11213), st.integers(1, max_weight))
    return st.lists(
        parts.map(_node), min_size=least, max_size=most, unique_by=lambda node: node.name
    )


def _node(parts: tuple[int, int, int]) -> Node:
    host, port, weight = parts
    return Node(kind="memcached", host=f"10.0.0.{host}", port=port, weight=weight)


def options_of(dialect: str) -> st.SearchStrategy[dict[str, Any]]:
    if dialect == "spymemcached":
        return st.fixed_dictionaries(
            {
                "weighted": st.booleans(),
                "format": st.sampled_from(["SPYMEMCACHED", "LIBMEMCACHED"]),
                "hash": st.sampled_from(["KETAMA_HASH", "CRC_HASH", "FNV1A_32_HASH"]),
            }
        )
    if dialect.startswith(("libmemcached", "twemproxy")):
        return st.fixed_dictionaries({"hash": st.sampled_from(["md5", "crc32", "fnv1a_64"])})
    return st.just({})
