"""Commands of memcached, in its text and its meta protocol, as bytes.

Keys are wire keys already: 1 to 250 bytes, none of them <= 0x20 or 0x7f. Anything else is refused
here again, since whatever ends a line early would be run as a command. For the same reason numbers
that the server can't read are refused: it would not know how long the value is that follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

__all__ = [
    "FLUSH_ALL",
    "MAX_EXPTIME",
    "MN",
    "VERSION",
    "encode_auth",
    "encode_get",
    "encode_get_many",
    "encode_gets",
    "encode_ma",
    "encode_md",
    "encode_mg",
    "encode_ms",
    "encode_set_many",
]

MN: Final = b"mn\r\n"
"""Asks for the reply `MN`, which tells that everything quiet before it has been done."""
FLUSH_ALL: Final = b"flush_all\r\n"
VERSION: Final = b"version\r\n"
MAX_EXPTIME: Final = (1 << 31) - 1
"""What is beyond it the server takes for a time in the past."""

_LONGEST_KEY = 250
# With more, the server takes the body for commands.
_LONGEST_VALUE = (1 << 31) - 3
_NOT_IN_KEYS = bytes(range(0x21)) + b"\x7f"
_is_key = re.compile(rb"[^\x00-\x20\x7f]{1,250}").fullmatch
_ANSWERS = frozenset(b"cfhklstv")
_MODES = frozenset([b"S", b"E", b"R", b"A", b"P"])


def encode_get(key: bytes) -> bytes:
    """Text `get` of one key."""
    if not _is_key(key):
        raise _bad_key(key)
    return b"get %b\r\n" % key


def encode_get_many(keys: Sequence[bytes]) -> bytes:
    """Text `get`."""
    return b"get %b\r\n" % _joined(keys)


def encode_gets(keys: Sequence[bytes]) -> bytes:
    """Text `gets`, which answers with cas tokens."""
    return b"gets %b\r\n" % _joined(keys)


def encode_mg(
    key: bytes,
    want: bytes = b"fv",
    *,
    exptime: int | None = None,
    vivify: int | None = None,
    opaque: int | None = None,
    quiet: bool = False,
) -> bytes:
    """Meta get.

    Args:
        key: of the entry.
        want: letters of what to answer with, in that order.
        exptime: a new one for the entry.
        vivify: make an empty entry with this exptime where there is none.
        opaque: comes back with the reply.
        quiet: no reply for a miss.
    """
    if not _is_key(key):
        raise _bad_key(key)
    if exptime is None and vivify is None and opaque is None and not quiet:
        return b"mg %b%b\r\n" % (key, _wanted(want))
    tokens = b""
    if exptime is not None:
        tokens += b" T%d" % _exptime(exptime)
    if vivify is not None:
        tokens += b" N%d" % _exptime(vivify)
    # The server works through the tokens in turn: asked first, it would tell the old exptime.
    return b"mg %b%b%b%b\r\n" % (key, tokens, _wanted(want), _marks(opaque, quiet=quiet))


def encode_ms(
    key: bytes,
    value: bytes,
    flags: int = 0,
    exptime: int = 0,
    *,
    mode: bytes = b"",
    cas: int | None = None,
    want: bytes = b"",
    opaque: int | None = None,
    quiet: bool = False,
) -> bytes:
    """Meta set.

    Args:
        key: of the entry.
        value: of the entry.
        flags: 32 bits that are kept with the value.
        exptime: seconds up to 30 days, or a Unix time; 0 for ever, negative for gone at once.
        mode: `E` to add, `R` to replace, `A` and `P` to append and prepend.
        cas: store only if the entry still has this token.
        want: letters of what to answer with, in that order.
        opaque: comes back with the reply, unless that is an error.
        quiet: no reply if it was stored.
    """
    if (
        not _is_key(key)
        or type(value) is not bytes
        or len(value) > _LONGEST_VALUE
        or flags >> 32
        or exptime > MAX_EXPTIME
    ):
        _check_set(key, value, flags, exptime)
    tokens = b""
    if mode or cas is not None or want or opaque is not None or quiet:
        if mode:
            tokens += b" M" + _mode(mode)
        if cas is not None:
            tokens += b" C%d" % _unsigned(cas)
        tokens += _wanted(want) + _marks(opaque, quiet=quiet)
    return b"ms %b %d F%d T%d%b\r\n%b\r\n" % (key, len(value), flags, exptime, tokens, value)


def encode_set_many(items: Iterable[tuple[bytes, bytes, int, int]]) -> bytes:
    """Meta sets of (key, value, flags, exptime), each with a reply.

    Quiet ones would not be quicker, and which of them an error is about could not be told.
    """
    listed = list(items)
    if not listed:
        return b""
    keys, values, flags, exptimes = zip(*listed, strict=True)
    _joined(keys)
    if (
        set(map(type, values)) != {bytes}
        or max(map(len, values)) > _LONGEST_VALUE
        or any(bits >> 32 for bits in set(flags))
        or max(exptimes) > MAX_EXPTIME
    ):
        for item in listed:
            _check_set(*item)
    return b"".join(
        b"ms %b %d F%d T%d\r\n%b\r\n" % (key, len(value), flags, exptime, value)
        for key, value, flags, exptime in listed
    )


def encode_md(
    key: bytes, *, cas: int | None = None, opaque: int | None = None, quiet: bool = False
) -> bytes:
    """Meta delete; quiet, it replies only if the entry was not deleted."""
    if not _is_key(key):
        raise _bad_key(key)
    token = b"" if cas is None else b" C%d" % _unsigned(cas)
    return b"md %b%b%b\r\n" % (key, token, _marks(opaque, quiet=quiet))


def encode_ma(
    key: bytes,
    delta: int = 1,
    *,
    decrement: bool = False,
    initial: int | None = None,
    vivify: int = 0,
    cas: int | None = None,
    want: bytes = b"v",
    opaque: int | None = None,
) -> bytes:
    """Meta arithmetic, modulo 2**64 upwards and down to 0.

    Args:
        key: of the entry.
        delta: to add, or to subtract.
        decrement: whether to subtract.
        initial: make an entry with this value, and without the delta, where there is none.
        vivify: the exptime of an entry that is made.
        cas: count only if the entry still has this token.
        want: letters of what to answer with, in that order.
        opaque: comes back with the reply, unless that is an error.
    """
    if not _is_key(key):
        raise _bad_key(key)
    tokens = b" D%d" % _unsigned(delta)
    if decrement:
        tokens += b" MD"
    if initial is not None:
        tokens += b" J%d N%d" % (_unsigned(initial), _exptime(vivify))
    if cas is not None:
        tokens += b" C%d" % _unsigned(cas)
    return b"ma %b%b%b%b\r\n" % (key, tokens, _wanted(want), _marks(opaque, quiet=False))


def encode_auth(user: bytes, password: bytes) -> bytes:
    """The first command of a connection to a server that asks for a password."""
    if (
        not user
        or not password
        or (user + password).translate(None, _NOT_IN_KEYS) != user + password
    ):
        raise ValueError(
            "user and password must have no spaces or control characters, and not be empty"
        )
    return b"set auth 0 0 %d\r\n%b %b\r\n" % (len(user) + 1 + len(password), user, password)


def _joined(keys: Sequence[bytes]) -> bytes:
    """Keys with spaces between them, checked all at once."""
    joined = b" ".join(keys)
    visible = len(joined.translate(None, _NOT_IN_KEYS))
    if visible != len(joined) - len(keys) + 1 or not all(keys):
        raise _bad_key(next((key for key in keys if not _is_key(key)), b""))
    if max(map(len, keys)) > _LONGEST_KEY:
        raise _bad_key(max(keys, key=len))
    return joined


def _check_set(key: bytes, value: bytes, flags: int, exptime: int) -> None:
    """Refuse what the server could not read as one set."""
    if not _is_key(key):
        raise _bad_key(key)
    if type(value) is not bytes:
        raise TypeError(f"a value is bytes, not {type(value).__name__}")
    if len(value) > _LONGEST_VALUE:
        raise ValueError(f"memcached cannot be told of a value of {len(value)} bytes")
    if flags >> 32:
        raise ValueError(f"flags have 32 bits and no sign, unlike {flags}")
    _exptime(exptime)


@lru_cache(64)
def _wanted(letters: bytes) -> bytes:
    if len(set(letters)) != len(letters) or not _ANSWERS.issuperset(letters):
        raise ValueError(f"{letters!r} are not letters of what a meta command answers with")
    return b"".join(b" %c" % letter for letter in letters)


def _marks(opaque: int | None, *, quiet: bool) -> bytes:
    token = b"" if opaque is None else b" O%d" % _unsigned(opaque)
    return token + b" q" if quiet else token


def _mode(mode: bytes) -> bytes:
    if mode not in _MODES:
        raise ValueError(f"{mode!r} is not a mode of meta set")
    return mode


def _unsigned(value: int) -> int:
    if value >> 64:
        raise ValueError(f"{value} is not a number of 64 bits without a sign")
    return value


def _exptime(value: int) -> int:
    if value > MAX_EXPTIME:
        raise ValueError(f"an exptime is at most {MAX_EXPTIME}, not {value}")
    return value


def _bad_key(key: bytes) -> ValueError:
    return ValueError(f"not a key that memcached takes: {key!r}")
