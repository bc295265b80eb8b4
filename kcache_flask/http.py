"""May an answer be stored, and for which requests is it: RFC 9111, for a shared cache.

Whoever asks brings what the headers say; nothing here knows a web framework, or what time it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

__all__ = [
    "CACHEABLE",
    "Answered",
    "Asked",
    "Rules",
    "Wish",
    "directives",
    "may_serve_authorized",
    "refusal",
    "shared_lifetime",
    "variant_of",
    "vary_names",
    "wish_of",
]

CACHEABLE: Final = frozenset({200, 203, 204, 300, 301, 404, 405, 410, 414, 501})
"""The statuses that are stored unless told otherwise; what they ask of a cache is understood."""
Wish: TypeAlias = Literal["no-store", "no-cache"]
"""What a request asks of a cache: to keep nothing; to give nothing it has kept."""

_NEVER: Final = frozenset({206, 304})
"""Parts of an answer: they need another one to be whole."""
_EVERYTHING: Final = "*"
_LONGEST: Final = 2**31
"""Seconds. Whatever is longer is no different: RFC 9111, 1.2.2."""
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a word of RFC 9110, no password
_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
_DIRECTIVE: Final = re.compile(
    rf'{_QUOTED}|({_TOKEN})(?:[ \t]*=[ \t]*({_QUOTED}|[^",;\s]*))?', re.DOTALL
)
_CLOSED: Final = re.compile(rf'(?:[^"]|{_QUOTED})*+', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_WITHOUT_PREFIX: Final = frozenset({"content-type", "content-length"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be stored.

    Attributes:
        methods: of requests whose answers are stored.
        statuses: of answers that are stored.
        covers: the request headers that the key takes into account, in lower case; "*" if whoever
            makes the key answers for all of them.
    """

    methods: frozenset[str] = frozenset({"GET", "HEAD"})
    statuses: frozenset[int] = CACHEABLE
    covers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """What counts of a request; headers that it does not have are None."""

    method: str
    has_authorization: bool
    cache_control: str | None
    pragma: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What counts of an answer; headers that it does not have are None."""

    status: int
    cache_control: str | None
    vary: str | None
    sets_cookie: bool
    uses_session: bool


def directives(text: str | None) -> dict[str, str | None]:
    """The directives of a Cache-Control header, by name in lower case, and what follows their "=".

    What is no directive is skipped. Of two with the same name the stricter one counts: the shorter
    time, or the one without argument; else the first. A quote that is never closed hides nothing.
    """
    found: dict[str, str | None] = {}
    for name, written in _DIRECTIVE.findall(_closed(text or "")):
        if not name:
            continue
        key = name.lower()
        value = _unquoted(written)
        if key not in found or _is_stricter(value, found[key]):
            found[key] = value
    return found


def _closed(text: str) -> str:
    """A text in which every quote is closed, so that it is read once, whoever wrote it."""
    found = _CLOSED.match(text) if '"' in text else None
    if found is None:
        return text
    end = found.end()
    return text[:end] + text[end:].replace('"', " ")


def _unquoted(written: str) -> str | None:
    if written.startswith('"'):
        return _ESCAPED.sub(r"\1", written[1:-1])
    return written or None


def _is_stricter(value: str | None, other: str | None) -> bool:
    seconds = _seconds(value)
    known = _seconds(other)
    if seconds is None:
        return value is None and known is None
    return known is None or seconds < known


def _seconds(value: str | None) -> float | None:
    """A number of seconds as directives have it; None if it is none."""
    if not value or not (value.isascii() and value.isdigit()):
        return None
    # More digits than that are never less than the longest.
    return float(min(int(value.lstrip("0")[:11] or "0"), _LONGEST))


def refusal(rules: Rules, asked: Asked, answered: Answered) -> str | None:
    """Why an answer is not stored; None if it may be.

    A `no-cache` of the answer does not stand in the way: it is for those that cannot be told when
    the answer is no longer good.
    """
    says = directives(answered.cache_control)
    return (
        _refused_outright(rules, asked, answered)
        or _refused_by_directives(says, answered.status)
        or _refused_as_personal(rules, asked, answered, says)
    )


def _refused_outright(rules: Rules, asked: Asked, answered: Answered) -> str | None:
    if asked.method not in rules.methods:
        return asked.method
    status = answered.status
    if status not in rules.statuses or status in _NEVER or status < 200:  # noqa: PLR2004
        return f"status {status}"
    return "Set-Cookie" if answered.sets_cookie else None


def _refused_by_directives(says: Mapping[str, str | None], status: int) -> str | None:
    if "private" in says:
        return "Cache-Control: private"
    if "must-understand" in says:
        # It takes the place of no-store: RFC 9111, 5.2.2.3.
        if status not in CACHEABLE:
            return "Cache-Control: must-understand"
    elif "no-store" in says:
        return "Cache-Control: no-store"
    return "s-maxage=0" if _seconds(says.get("s-maxage")) == 0 else None


def _refused_as_personal(
    rules: Rules, asked: Asked, answered: Answered, says: Mapping[str, str | None]
) -> str | None:
    varies = _names(answered.vary)
    if _EVERYTHING in varies:
        return "Vary: *"
    if _EVERYTHING in rules.covers:
        return None
    is_owned = asked.has_authorization and not _allows_authorized(says)
    refusals = (
        (is_owned, "authorization", "Authorization"),
        ("authorization" in varies, "authorization", "Vary: Authorization"),
        (answered.uses_session, "cookie", "session"),
        ("cookie" in varies, "cookie", "Vary: Cookie"),
    )
    return next((why for holds, by, why in refusals if holds and by not in rules.covers), None)


def may_serve_authorized(cache_control: str | None) -> bool:
    """Whether a stored answer may be given to a request with Authorization: RFC 9111, 3.5.

    Args:
        cache_control: of the answer.
    """
    return _allows_authorized(directives(cache_control))


def _allows_authorized(says: Mapping[str, str | None]) -> bool:
    return (
        "public" in says or "must-revalidate" in says or _seconds(says.get("s-maxage")) is not None
    )


def vary_names(vary: str | None, rules: Rules) -> tuple[str, ...]:
    """The request headers that select a variant, in lower case and in order.

    They are those that the answer varies by and those that the rules name.
    """
    return tuple(sorted((_names(vary) | rules.covers) - {_EVERYTHING}))


def _names(listed: str | None) -> frozenset[str]:
    """The members of a header that is a list of names."""
    if not listed:
        return frozenset()
    return frozenset(filter(None, (name.strip().lower() for name in listed.split(","))))


def variant_of(scheme: str, host: str, names: tuple[str, ...], environ: Mapping[str, Any]) -> str:
    """A text for the variant that a request wants, another one for each.

    Args:
        scheme: of the request.
        host: of the request, with its port.
        names: as `vary_names` gives them.
        environ: of the request, as WSGI has it.
    """
    if not names:
        return ascii((scheme, host))
    # There are as many values as names, so that none can pass for one of the other.
    return ascii((scheme, host, *names, *map(environ.get, _environ_keys(names))))


@lru_cache(1024)
def _environ_keys(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        ("" if name in _WITHOUT_PREFIX else "HTTP_") + name.upper().replace("-", "_")
        for name in names
    )


def shared_lifetime(cache_control: str | None) -> float | None:
    """For how many seconds an answer says that a shared cache may keep it: its s-maxage."""
    return _seconds(directives(cache_control).get("s-maxage"))


def wish_of(asked: Asked) -> Wish | None:
    """What a request asks of a cache; None if nothing."""
    if asked.cache_control is None:
        return "no-cache" if "no-cache" in directives(asked.pragma) else None
    says = directives(asked.cache_control)
    if "no-store" in says:
        return "no-store"
    is_old_unwanted = "no-cache" in says or _seconds(says.get("max-age")) == 0
    return "no-cache" if is_old_unwanted else None
