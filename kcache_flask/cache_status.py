"""What a cache did with a request, as a header tells it: RFC 9211, in the syntax of RFC 8941."""

from __future__ import annotations

import re
from functools import lru_cache
from math import floor
from typing import Final, Literal, TypeAlias

__all__ = ["Forward", "forward_status", "hit_status"]

Forward: TypeAlias = Literal[
    "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"
]
"""Why a cache did not answer by itself."""

_NAME: Final = "kcache"
_LARGEST: Final = 999_999_999_999_999
"""No integer of a structured field is larger."""
_TOKEN: Final = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~:/0-9A-Za-z-]*")
_SPECIAL: Final = re.compile(r'(["\\])')
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


def hit_status(ttl: float, name: str = _NAME) -> str:
    """The header of an answer that was stored.

    Args:
        ttl: for how many seconds it is still fresh; below 0 if it is stale; infinite for no end.
        name: of the cache.
    """
    if -_LARGEST <= ttl <= _LARGEST:
        # Down, so that what is stale never looks fresh.
        return f"{_item(name)}; hit; ttl={floor(ttl)}"
    return f"{_item(name)}; hit"


def forward_status(
    reason: Forward,
    stored: bool,  # noqa: FBT001 - the words of the header
    detail: str | None,
    collapsed: bool = False,  # noqa: FBT001, FBT002 - the same
    name: str = _NAME,
) -> str:
    """The header of an answer that was computed.

    Args:
        reason: why it was.
        stored: whether it is stored now.
        detail: what else there is to say.
        collapsed: whether it was computed for another request at the same time.
        name: of the cache.
    """
    status = f"{_item(name)}; fwd={reason}"
    if collapsed:
        status += "; collapsed"
    if stored:
        status += "; stored"
    if detail is not None:
        status += f"; detail={_string(detail)}"
    return status


@lru_cache(64)
def _item(name: str) -> str:
    """A name as the item that it can be: a token, or else a string."""
    return name if _TOKEN.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    printable = _UNPRINTABLE.sub("?", text)
    return '"' + _SPECIAL.sub(r"\\\1", printable) + '"'
