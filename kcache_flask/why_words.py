"""What a Cache-Status says, in plain words, with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["in_words", "verdict_of"]

_REDIRECTS = range(300, 400)
_FORWARDS: Mapping[str, str] = MappingProxyType(
    {
        "uri-miss": "nothing was kept for it",
        "vary-miss": "only other variants of it were kept",
        "miss": "nothing was kept that may answer it",
        "stale": "what was kept is too old, says is_stale",
        "request": "the request asks not to be answered from a cache",
        "bypass": "forced_update says so, or the request has an Authorization",
        "method": "answers to this method are not kept",
    }
)
_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "session": "the session was read or written, so the page is one visitor's own: do without "
        "it in this view, or give vary=['Cookie'] or make_cache_key",
        "Set-Cookie": "the response sets a cookie, which others must not get: set it elsewhere",
        "Authorization": "the request has an Authorization, so the page is one user's own: send "
        "Cache-Control: public if it is for all, or give vary=['Authorization']",
        "Vary: Cookie": "the page depends on cookies: give vary=['Cookie'], for an entry for each",
        "Vary: Authorization": "the page depends on who asks: give vary=['Authorization']",
        "Vary: *": "the response says that no two requests get the same",
        "response_filter": "the decorator's response_filter says so",
        "the view failed": "the view failed: the log says how",
        "None": "the function gave None: cache_none=True keeps that, too",
        "a stream": "the body is too long a stream, or a file that is sent as it is",
        "it cannot be encoded": "the codec does not take what the view gives",
    }
)
_METHOD = "give methods= to the decorator if answers to this method may be kept"


def verdict_of(report: Mapping[str, Any]) -> str:
    """Whether the second of two requests was answered from the cache, and why not.

    Args:
        report: of `kcache_flask.why.explain`.
    """
    first, second = report["answers"]
    if not second["is_hit"]:
        return f"no: {_reason(report, second)}"
    ttl = "" if second["ttl"] is None else f", for {second['ttl']} s more"
    if first["is_hit"]:
        return f"yes: it was kept already, and answers{ttl}"
    return f"yes: the first answer was kept, and answered the second request{ttl}"


def _reason(report: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    detail = answer["detail"]
    if answer["cache_status"] is None:
        return _uncached(report, answer)
    if detail is not None:
        return _ADVICE.get(detail) or _other(detail, report["method"])
    if answer["is_stored"]:
        return f"it is stored, but not found again: {_or_down(report)}"
    if answer["forward"] in ("uri-miss", "vary-miss"):
        return f"no node took it: {_or_down(report)}"
    return _unstored(report["method"], answer["forward"])


def _unstored(method: str, forward: str | None) -> str:
    if forward == "method":
        return f"answers to {method} are not kept: {_METHOD}"
    if method == "HEAD" and forward == "miss":
        return "HEAD is answered from what a GET left, and none has: ask why for the GET"
    return _FORWARDS.get(forward or "", "it is not stored")


def _or_down(report: Mapping[str, Any]) -> str:
    if report["answers"][1]["forward"] == "uri-miss":
        return f"is the node {report.get('node')} down? See flask kcache stats"
    return _FORWARDS.get(report["answers"][1]["forward"], "its entry does not last")


def _other(detail: str, method: str) -> str:
    if detail.startswith("status "):
        return f"responses with {detail} are not kept: give statuses= if they may be"
    if detail == method:
        return f"answers to {method} are not kept: {_METHOD}"
    return f"it is not stored, because of this: {detail}"


def _uncached(report: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    if report["endpoint"] is None:
        where = f" to {answer['location']}" if answer["status"] in _REDIRECTS else ""
        return f"no view answers this path: status {answer['status']}{where}"
    if report["is_passed_by"]:
        return (
            f"@cached is above the route of {report['endpoint']}, which has registered the "
            "function below it: put @cached below the route"
        )
    if not report["is_decorated"]:
        return f"the view {report['endpoint']} is not cached: no @cache.cached belongs to it"
    return (
        "the cache was not asked: unless= says so, or something answered before the decorated "
        "function was called"
    )


def in_words(answer: Mapping[str, Any]) -> str:
    """Where an answer came from."""
    if answer["cache_status"] is None:
        return "the cache says nothing"
    if answer["is_hit"]:
        return "from the cache"
    why = _FORWARDS.get(answer["forward"] or "", answer["forward"] or "the view was called")
    return f"from the view, since {why}; {'stored' if answer['is_stored'] else 'not stored'}"
