"""Single values of a configuration, as they come from Python and from the environment. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from kcache import CacheError, ConfigurationError

__all__ = ["as_it_is", "checked", "is_said", "plain_text", "switch", "text", "whole"]

T = TypeVar("T")

_WORDS: Mapping[str, bool] = MappingProxyType(
    {
        **dict.fromkeys(("true", "yes", "on", "1"), True),
        **dict.fromkeys(("false", "no", "off", "0"), False),
    }
)


def checked(key: str, read: Callable[[Any], T], value: Any) -> T:
    """What is read of a value.

    Args:
        key: where the value is.
        read: raises what is against the value.
        value: what to read.

    Raises:
        ConfigurationError: the same, with the key before it.
    """
    try:
        return read(value)
    except CacheError as error:
        raise ConfigurationError(f"{key}: {error}") from None


def is_said(given: Mapping[str, Any], key: str) -> bool:
    """Whether a key of Flask-Caching is there, and says something."""
    value = given.get(key)
    return not (value is None or (isinstance(value, str) and not value))


def as_it_is(value: Any) -> Any:
    """The value."""
    return value


def switch(value: Any) -> bool:
    """True or False. As variables of the environment they are no JSON, and arrive as text."""
    word = str(value).strip().lower() if isinstance(value, (int, str)) else ""
    if word not in _WORDS:
        raise ConfigurationError(f"it is True or False, not {value!r}")
    return _WORDS[word]


def text(value: Any) -> Any:
    """The value; text of digits, which is a number if it came from the environment, as text."""
    return str(value) if type(value) is int else value


def plain_text(value: Any) -> str:
    """Text. No message shows it: it may be a password."""
    read = text(value)
    if not isinstance(read, str):
        raise ConfigurationError(f"it is text, not {type(value).__name__}")
    return read


def whole(value: Any) -> int:
    """A whole number, or its digits."""
    read = text(value)
    if not isinstance(read, str) or not re.fullmatch("[0-9]{1,18}", read):
        raise ConfigurationError(f"it is a whole number, not {value!r}")
    return int(read)
