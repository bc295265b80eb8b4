"""That the contenders find the same node for a key, without which no comparison is honest."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.ring_contenders import CONTENDERS, RingContender, addresses
from benchmarks.ring_work import fresh_keys

__all__ = ["check_agreement"]

_KEYS = 1000
_GROUPED_KEYS = 10_000
_NEARLY_ALL = 0.99
_PAIRS = (
    # Both stand for libmemcached: not one key may differ.
    ("kcache, libmemcached-weighted", "pylibmc (C)", 1.0),
    # A key that falls on a point exactly is uhashring's next node's; libketama rounds shares.
    ("kcache, libketama", "uhashring", _NEARLY_ALL),
    ("kcache, libketama", "floor: _md5 + bisect", _NEARLY_ALL),
    ("kcache, libketama", "floor: hashlib + bisect", _NEARLY_ALL),
)


def check_agreement(sizes: Iterable[int]) -> tuple[str, ...]:
    """Compare owners on rings of these sizes; returns a sentence for each pair.

    Raises:
        RuntimeError: two contenders that must agree do not.
    """
    listed = sorted(set(sizes))
    for contender in CONTENDERS:
        _check_group(contender)
    return tuple(_compare(*pair, listed) for pair in _PAIRS)


def _compare(one: str, other: str, least: float, sizes: list[int]) -> str:
    shares = []
    for size in sizes:
        keys = fresh_keys(_KEYS)
        ours, theirs = _owners(one, size, keys), _owners(other, size, keys)
        shares.append(sum(a == b for a, b in zip(ours, theirs, strict=True)) / _KEYS)
    if min(shares) < least:
        raise RuntimeError(f"{one} and {other} agree on {min(shares):.1%} of keys only")
    return (
        f"`{one}` and `{other}` find the same node for at least {min(shares):.1%} of {_KEYS:,} "
        f"keys, on rings of {', '.join(map(str, sizes))} nodes."
    )


def _owners(name: str, size: int, keys: list[str]) -> list[str]:
    contender = next(c for c in CONTENDERS if c.name == name)
    find, listed = contender.of(size).find, addresses(size)
    return [contender.address(find(key), listed) for key in keys]


def _check_group(contender: RingContender) -> None:
    keys = fresh_keys(_GROUPED_KEYS)
    built = contender.of(16)
    grouped = built.group(keys)
    if sum(map(len, grouped.values())) != len(keys) or any(
        built.find(key) != node for node, own in grouped.items() for key in own
    ):
        raise RuntimeError(f"{contender.name} groups keys otherwise than it finds their nodes")
