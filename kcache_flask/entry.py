"""What is stored of a call of a `cached` function: the value, and what HTTP has to know of it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from markupsafe import Markup

__all__ = [
    "ABORT",
    "JSON",
    "NOTHING",
    "PAGE",
    "TEXT",
    "VALUE",
    "VIEW",
    "Entry",
    "entry_in",
    "fragment_in",
    "fragment_of",
    "packed",
    "shown",
    "unpacked",
]

VALUE: Final = 0
"""The value of a function that is no view."""
VIEW: Final = 1
"""What a view gave, of which Flask makes a response: bytes, a tuple."""
TEXT: Final = 2
"""A text that a view gave, in UTF-8, as it is sent."""
JSON: Final = 3
"""A dict or a list that a view gave, and what Flask made of it: `[value, body, content type]`."""
PAGE: Final = 4
"""A response: `[status, headers, body]`."""
ABORT: Final = 5
"""A view aborted: `[status, description]`."""

_MAGIC: Final = "kcache_flask.1"
"""Begins what is stored, with the version of its form."""


class Entry(NamedTuple):
    """A stored call.

    Attributes:
        kind: VALUE, VIEW, TEXT, JSON, PAGE or ABORT.
        content: the value, or what the kind says.
        created: Unix time in seconds.
        lifetime: in seconds; -1 for no end.
        token: other variants of this resource are found by it.
        names: of the request's headers that select a variant, in lower case, between blanks.
        variant: of the request that it answered; of a function's value, its name, where only its
            own calls may be answered with it.
        is_public: whether it may answer a request with credentials.
        etag: of the response; empty for none.
        last_modified: of the response, as a header; empty for none.
        has_cache_control: whether the response says itself how clients are to keep it.
    """

    kind: int
    content: Any
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


class _Nothing:
    """The type of `NOTHING`."""


NOTHING: Final = _Nothing()
"""Stands for a value that is not there, where None is one."""
_MARKUP: Final = "kcache_flask.markup"
_FRAGMENT: Final = "kcache_flask.fragment"


def packed(value: Any) -> Any:
    """A value as codecs take it: markup is a text, and marked as what it is."""
    return [_MARKUP, str(value)] if type(value) is Markup else value


def unpacked(stored: Any) -> Any:
    """The value of what was packed."""
    if type(stored) is list and len(stored) == 2 and stored[0] == _MARKUP:  # noqa: PLR2004 - a pair
        return Markup(stored[1])  # noqa: S704 - it was, when it was stored
    return stored


def fragment_of(text: str, mark: str) -> Any:
    """A fragment of a template as it is stored.

    Args:
        text: that was rendered.
        mark: of what it was rendered from; empty where its name says all.
    """
    return [_FRAGMENT, text, mark] if mark else text


def fragment_in(stored: Any, mark: str) -> str | None:
    """The text of a fragment; None if it is of another mark, or none."""
    if not mark:
        return stored if isinstance(stored, str) else None
    is_right = type(stored) is list and stored[:1] == [_FRAGMENT] and stored[2:] == [mark]
    return stored[1] if is_right else None


def shown(stored: Any) -> Any:
    """A value as users stored it."""
    if type(stored) is list and stored[:1] == [_FRAGMENT] and len(stored) == 3:  # noqa: PLR2004
        return stored[1]
    return unpacked(stored)
