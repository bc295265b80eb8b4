"""What identifies an object of which no key can be made."""

from __future__ import annotations

import warnings
from itertools import count
from os import getpid, urandom
from typing import Any
from weakref import ref

from kcache import EncodeError
from kcache.canonical import canonical

__all__ = ["IdentityWarning", "identity_of", "is_known"]


class IdentityWarning(UserWarning):
    """Results are kept for an object that only this process knows."""


_PROCESS_SIZE = 8
_numbers = count(1)
# By id, with a weak reference that takes the entry away before the id can be used again.
_tokens: dict[int, tuple[ref[Any], str]] = {}
_process = (0, "")
_warned: set[type] = set()


def is_known(value: Any) -> bool:
    """Whether an object says itself what identifies it."""
    kind = type(value)
    return hasattr(kind, "__caching_id__") or hasattr(kind, "__cache_key__")


def identity_of(value: Any) -> Any:
    """What identifies an object: something of which a key can be made.

    `__caching_id__()` of its class, else `__cache_key__`; else the value itself, if a key can be
    made of it; else a token that no other object is ever given, in no process. Results under such
    a token are gone for other processes, and when this object is gone; a warning says so, once for
    each class.

    Raises:
        EncodeError: there can be no such token: nobody can tell when the object is gone, or it is
            told from others by what is in it.

    Warns:
        IdentityWarning: it is identified by a token.
    """
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    own = getattr(kind, "__caching_id__", None)
    if own is not None and not isinstance(value, type):
        # What Flask-Caching does with it: its text counts.
        return name, str(value.__caching_id__())
    try:
        return canonical(value)
    except (EncodeError, RecursionError):
        return name, _token_of(value)


def _token_of(value: Any) -> str:
    global _process  # noqa: PLW0603 - which process this is may change by a fork
    known = _tokens.get(id(value))
    if known is not None and known[0]() is value:
        return known[1]
    if _process[0] != getpid():
        _process = (getpid(), urandom(_PROCESS_SIZE).hex())
    number = id(value)
    if type(value).__hash__ is None:
        # It is equal to others by what is in it, which may change.
        raise _no_key(value)
    try:
        reference = ref(value, lambda _: _tokens.pop(number, None))
    except TypeError:
        raise _no_key(value) from None
    _warn(type(value))
    token = f"{_process[1]}-{next(_numbers)}"
    _tokens[id(value)] = (reference, token)
    return token


def _no_key(value: Any) -> EncodeError:
    return EncodeError(
        f"no key can be made of a {type(value).__qualname__}: give its class a __caching_id__ or "
        "__cache_key__, or name the parameter in args_to_ignore"
    )


def _warn(kind: type) -> None:
    if kind not in _warned:
        _warned.add(kind)
        warnings.warn(
            f"{kind.__module__}.{kind.__qualname__} has no __caching_id__ and no __cache_key__: "
            "results for its objects are kept for this process and this very object only",
            IdentityWarning,
            stacklevel=2,
        )
