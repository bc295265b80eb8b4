"""What is stored of a call of a `cached` function: the value, and what HTTP has to know of it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

__all__ = ["ABORT", "PAGE", "VALUE", "VIEW", "Entry", "entry_in"]

VALUE: Final = 0
"""The value of a function that is no view."""
VIEW: Final = 1
"""What a view gave, of which Flask makes a response: a text, bytes, a dict, a list, a tuple."""
PAGE: Final = 2
"""A response: status, headers, body."""
ABORT: Final = 3
"""A view aborted: status and description."""

_MAGIC: Final = "kcache_flask.1"
"""Begins what is stored, with the version of its form."""


class Entry(NamedTuple):
    """A stored call.

    Attributes:
        kind: VALUE, VIEW, PAGE or ABORT.
        content: the value; of a page `[status, headers, body]`; of an abort `[status,
            description]`.
        name: of the function, where only its own calls may be answered with it; else empty.
        created: Unix time in seconds.
        lifetime: in seconds; -1 for no end.
        token: other variants of this resource are found by it.
        names: of the request's headers that select a variant, in lower case, between blanks.
        variant: of the request that it answered.
        is_public: whether it may answer a request with credentials.
        etag: of the response; empty for none.
        last_modified: of the response, as a header; empty for none.
        has_cache_control: whether the response says itself how clients are to keep it.
    """

    kind: int
    content: Any
    name: str
    created: float
    lifetime: float
    token: str = ""
    names: str = ""
    variant: str = ""
    is_public: bool = False
    etag: str = ""
    last_modified: str = ""
    has_cache_control: bool = False

    def stored(self) -> list[Any]:
        """As it is stored. A list, which codecs write and read faster than a tuple."""
        return [_MAGIC, *self]


_LENGTH: Final = len(Entry._fields) + 1


def entry_in(stored: Any) -> Entry | None:
    """The entry in what is stored; None if it is anything else."""
    if type(stored) is not list or len(stored) != _LENGTH or stored[0] != _MAGIC:
        return None
    return Entry._make(stored[1:])
