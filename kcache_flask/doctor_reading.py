"""What a view reads of the request that its key does not say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from flask import Flask

from kcache_flask.findings import ERROR, WARNING, Finding, listed
from kcache_flask.source import ANYTHING, Source
from kcache_flask.templates import template_names
from kcache_flask.view_key import IgnoreQuery

if TYPE_CHECKING:
    from kcache_flask.cached_view import Cached

__all__ = ["of_user", "reading_findings"]

_USERS: Final = re.compile(r"user|identity|jwt|claims", re.IGNORECASE)
_PERSONAL_G: Final = re.compile(
    r"user|account|identity|tenant|customer|member|role|permission|locale|lang|token", re.IGNORECASE
)
_PERSONAL_CALLS: Final = frozenset({"get_jwt_identity", "get_jwt", "get_current_user"})
_USERS_IN_TEMPLATES: Final = frozenset({"current_user"})
_SESSION_CALLS: Final = frozenset(
    {"flash", "get_flashed_messages", "generate_csrf", "csrf_token", "hidden_tag"}
    | {"login_user", "logout_user", "validate_on_submit"}
)
_QUERIES: Final = ("args", "values", "query_string", "full_path", "url")
_HEADERS: Final = {
    "accept_languages": "Accept-Language",
    "accept_mimetypes": "Accept",
    "accept_charsets": "Accept-Charset",
    "user_agent": "User-Agent",
    "referrer": "Referer",
    "origin": "Origin",
}
_ADDRESSES: Final = ("remote_addr", "access_route", "remote_user")
_HARMLESS_HEADERS: Final = frozenset({"host", "authorization", "x-forwarded-proto"})


def of_user(source: Source) -> list[str]:
    """What a function uses of whoever asks, by the names of things."""
    used = [f"g.{name}" for name in sorted(source.g) if _PERSONAL_G.search(name)]
    used += [name for name in sorted(source.names) if _USERS.search(name)]
    return used + [f"{name}()" for name in sorted(source.calls & _PERSONAL_CALLS)]


def reading_findings(app: Flask, cached: Cached, source: Source) -> Iterator[Finding]:
    """What is wrong with what a view reads, and its templates.

    Args:
        app: that has the templates.
        cached: the view.
        source: of the view, or of a method of it.
    """
    yield from _query(cached, source)
    yield from _headers(cached, source)
    templates = template_names(app, source.templates)
    yield from _persons(cached, source, templates)
    yield from _sessions(cached, source, templates)


def _query(cached: Cached, source: Source) -> Iterator[Finding]:
    if _has_own_key(cached) or callable(cached.key.key_prefix):
        return
    chosen = cached.key.query_string
    read = {name: source.request[name] for name in _QUERIES if name in source.request}
    if chosen is True or not read:
        return
    wanted = read.get("args", set()) | read.get("values", set())
    shown = ", ".join(_shown(f"request.{name}", asked) for name, asked in read.items())
    if chosen is False:
        is_sure = bool(wanted)
        known = sorted(wanted - {ANYTHING})
        advice = (
            f"query_string={known!r}"
            if known and ANYTHING not in wanted
            else ("query_string=True, or a list of the names that count")
        )
        yield Finding(
            ERROR if is_sure else WARNING,
            "query",
            f"it reads {shown}, and the query is not part of the key: all queries get "
            "the page that was made for the first",
            f"give {advice}",
        )
    elif not isinstance(chosen, (bool, IgnoreQuery)):
        counted = frozenset(chosen)
        missing = sorted(wanted - counted - {ANYTHING})
        if missing:
            yield Finding(
                ERROR,
                "query",
                f"it reads {listed(missing)} of the query, and query_string= counts "
                f"{listed(counted) or 'nothing'} only",
                f"give query_string={sorted({*counted, *missing})!r}",
            )


def _headers(cached: Cached, source: Source) -> Iterator[Finding]:
    if _has_own_key(cached):
        return
    covers = cached.rules.covers
    if source.says_vary or ANYTHING in covers:
        return
    names = {header for name, header in _HEADERS.items() if name in source.request}
    names |= source.request.get("headers", set()) - {ANYTHING}
    if "cookies" in source.request:
        names.add("Cookie")
    missing = sorted(name for name in names if name.lower() not in covers | _HARMLESS_HEADERS)
    if missing:
        yield Finding(
            ERROR,
            "headers",
            f"it reads {listed(missing)} of the request, which the page is not said to vary on: "
            "others get a page that was made for other values",
            f"give vary={[*missing]!r}, or set the response's Vary",
        )
    if addresses := [name for name in _ADDRESSES if name in source.request]:
        yield Finding(
            ERROR,
            "address",
            f"it reads {_shown('request', {ANYTHING})}.{addresses[0]}, which is not part of the "
            "key: others get the page that was made for one address",
            "do not cache it, or give make_cache_key= that takes the address into account",
        )


def _persons(cached: Cached, source: Source, templates: Mapping[str, str]) -> Iterator[Finding]:
    if _has_own_key(cached) or not cached.options.conditions.always_apply:
        return
    used = of_user(source) + _in_templates(templates, _USERS_IN_TEMPLATES)
    if used and "cookie" not in cached.rules.covers:
        yield Finding(
            WARNING,
            "user",
            f"it uses {listed(used)}, which is not part of the key: if that comes from the "
            "session, nothing is ever kept; if not, one user gets the page of another",
            "give make_cache_key= with the user in it, unless= for those who are logged in, or "
            "cache what is the same for all",
        )


def _sessions(cached: Cached, source: Source, templates: Mapping[str, str]) -> Iterator[Finding]:
    covers = cached.rules.covers
    is_ours = cached.options.conditions.always_apply
    used = ["session"] if source.uses_session else []
    used += [f"{name}()" for name in sorted(source.calls & _SESSION_CALLS)]
    used += _in_templates(templates, _SESSION_CALLS | {"session"})
    if used and is_ours and "cookie" not in covers:
        yield Finding(
            WARNING,
            "session",
            f"it uses {listed(used)}, so that its page is one visitor's own: it is never kept",
            "take the decorator away and cache what is the same for all, or give vary=['Cookie']",
        )
    if "set_cookie" in source.calls:
        yield Finding(
            WARNING,
            "set-cookie",
            "it sets a cookie: a response that does so is never kept",
            "set the cookie in another view, or in after_request",
        )


def _in_templates(templates: Mapping[str, str], wanted: frozenset[str]) -> list[str]:
    return [f"{name} (in {templates[name]})" for name in sorted(wanted & templates.keys())]


def _has_own_key(cached: Cached) -> bool:
    return cached.key.make_cache_key is not None


def _shown(what: str, asked: Iterable[str]) -> str:
    names = sorted(set(asked) - {ANYTHING})
    return f"{what} ({listed(names)})" if names else what
