"""`flask kcache why`: is a request answered from the cache, and why not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import request
from werkzeug.datastructures import Headers

from kcache import CacheError
from kcache_flask.cached_view import Cached
from kcache_flask.entry import entry_in
from kcache_flask.role import endpoints_of
from kcache_flask.source import name_of
from kcache_flask.terminal import Failure, say
from kcache_flask.view_key import of_method
from kcache_flask.why_words import in_words, verdict_of

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from kcache_flask.state import State

__all__ = ["explain", "print_report"]

_MISUSE = 2
_SAFE = ("GET", "HEAD")
_SCHEMES = ("http", "https")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")


def explain(
    state: State, *, path: str, method: str, headers: Sequence[str], host: str | None
) -> dict[str, Any]:
    """Make a request twice, and say what came of it.

    Raises:
        Failure: a header that is none, or a view that fails.
    """
    path, given = _request(path, method, headers, host)
    first = _asked(state, path, given)
    second = _asked(state, path, given)
    answers = [first["answer"], second["answer"]]
    report = {**second, "path": path, "method": given["method"], "answers": answers}
    del report["answer"]
    report["is_kept"] = answers[1]["is_hit"]
    report["verdict"] = verdict_of(report)
    return report


def _request(
    path: str, method: str, headers: Sequence[str], host: str | None
) -> tuple[str, dict[str, Any]]:
    """A path, and the other arguments of the test client."""
    if _TOKEN.fullmatch(method) is None:
        raise Failure(f"{method!r} is no method, such as GET", _MISUSE)
    given: dict[str, Any] = {"method": method.upper(), "headers": _headers(headers)}
    try:
        parts = urlsplit(path)
    except ValueError as error:
        raise Failure(f"{path!r} is no URL: {error}", _MISUSE) from None
    if not (path.startswith("/") or (parts.scheme in _SCHEMES and parts.netloc)):
        raise Failure(f"{path!r} is no path: it begins with /, or is a whole URL", _MISUSE)
    if host is None:
        return path, given
    if _HOST.fullmatch(host) is None:
        raise Failure(f"{host!r} is no host, such as shop.example:8000", _MISUSE)
    given["base_url"] = f"{parts.scheme or _SCHEMES[0]}://{host}"
    return parts._replace(scheme="", netloc="").geturl(), given


def _headers(written: Sequence[str]) -> Headers:
    headers = Headers()
    for line in written:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name.strip()) or not value.isprintable():
            raise Failure(f"{line!r} is no header: give 'Name: value'", _MISUSE)
        headers.add(name.strip(), value.strip())
    return headers


def _asked(state: State, path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """One request: the answer, and what the cache has of it then."""
    # What a first answer sets, the second request does not send: both are the same.
    with state.app.test_client(use_cookies=False) as client:
        try:
            response = client.open(path, **given)
        except Exception as error:
            raise Failure(
                f"the view of {path} raised {type(error).__name__}: {error}".rstrip(": ")
            ) from error
        cached = _cached_of(state)
        about: dict[str, Any] = {
            "endpoint": request.endpoint,
            "is_decorated": cached is not None,
            "is_passed_by": cached is None and _is_passed_by(state),
            "answer": _answer(response),
        }
        if cached is not None:
            about.update(_kept(state, cached))
        return about


def _cached_of(state: State) -> Cached | None:
    """The decorated function that the request's view is, or leads to."""
    view = state.app.view_functions.get(request.endpoint or "")
    found = [
        each
        for each in state.extension.decorated
        if isinstance(each, Cached) and request.endpoint in endpoints_of(state.app, each.wrapper)
    ]
    # Of a class, each method may be decorated by itself.
    method = "get" if request.method == "HEAD" else request.method.lower()
    own = [each for each in found if name_of(each.function).endswith(f".{method}")]
    is_class = getattr(view, "view_class", None) is not None and len(found) > 1
    chosen = own if is_class else found
    return chosen[0] if chosen else None


def _is_passed_by(state: State) -> bool:
    """Whether the view is what is under a decorated function."""
    return any(
        isinstance(each, Cached) and request.endpoint in endpoints_of(state.app, each.function)
        for each in state.extension.decorated
    )


def _answer(response: TestResponse) -> dict[str, Any]:
    told = response.headers.getlist("Cache-Status")
    status = next((each for each in reversed(told) if each.startswith("kcache")), None)
    location = response.headers.get("Location")
    response.close()
    text = status or ""
    return {
        "status": response.status_code,
        "cache_status": status,
        "is_hit": "; hit" in text,
        "is_stored": "; stored" in text,
        "forward": _matched(r"; fwd=([a-z-]+)", text),
        "detail": _unquoted(_matched(r'; detail="((?:\\.|[^"\\])*)"', text)),
        "ttl": _whole(_matched(r"; ttl=(-?[0-9]+)", text)),
        "location": location,
    }


def _matched(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None


def _unquoted(text: str | None) -> str | None:
    return None if text is None else re.sub(r"\\(.)", r"\1", text)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _kept(state: State, cached: Cached) -> dict[str, Any]:
    """Where the answer is kept, and what of it is there. The request is still at hand."""
    names = [f"{state.settings.options['namespace']}", *cached.options.names]
    about: dict[str, Any] = {
        "function": name_of(cached.function),
        "namespace": names,
    }
    try:
        key = cached.key.of_call(state, (), request.view_args or {})
    except Exception as error:  # noqa: BLE001 - of a function of the user's
        return {**about, "key": None, "key_error": f"{type(error).__name__}: {error}"}
    if request.method in cached.rules.methods and request.method not in _SAFE:
        key = of_method(key, request.method)
    space = state.space(cached.options.names)
    entry = None
    # A node that is down may raise.
    with suppress(CacheError):
        entry = entry_in(space.get(key))
    vary = tuple(entry.names.split()) if entry is not None else cached.options.vary
    variant: dict[str, str | None] = {"scheme": request.scheme, "host": request.host}
    variant.update({name: request.headers.get(name) for name in sorted(vary)})
    about |= {"key": key, "node": space.node_for(key).name, "vary": sorted(vary)}
    about["variant"] = variant
    about["is_in_process"] = all(node.kind == "memory" for node in state.cache.ring.nodes)
    return about


def print_report(report: Mapping[str, Any]) -> None:
    """Print what `explain` gives."""
    say(report["verdict"])
    rows: list[tuple[str, str]] = []
    for number, answer in zip(("first", "second"), report["answers"], strict=True):
        rows.append((f"{number} answer", f"{answer['status']}; {in_words(answer)}"))
        if answer["cache_status"] is not None:
            rows.append(("", answer["cache_status"]))
    if report["endpoint"] is not None:
        function = f", {report['function']}" if report["is_decorated"] else ""
        rows.append(("view", f"{report['endpoint']}{function}"))
    if report["is_decorated"]:
        rows += _place(report)
    width = max(len(name) for name, _ in rows)
    say()
    for name, text in rows:
        say(f"{name.ljust(width)}  {text}")


def _place(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("namespace", " / ".join(report["namespace"]))]
    if report["key"] is None:
        return [*rows, ("key", f"none: {report['key_error']}")]
    values = report["variant"]
    variant = ", ".join(
        [values["scheme"], values["host"], *(_shown(name, values[name]) for name in report["vary"])]
    )
    rows += [
        ("key", report["key"]),
        ("node", report["node"]),
        ("varies on", ", ".join(["scheme", "host", *report["vary"]])),
        ("variant", variant),
    ]
    if report["is_kept"]:
        ttl = report["answers"][1]["ttl"]
        rows.append(("ttl", "no end" if ttl is None else f"{ttl} s left"))
    if report["is_in_process"]:
        rows.append(("note", "the nodes are in this process: what workers keep is not seen here"))
    return rows


def _shown(name: str, value: str | None) -> str:
    return f"no {name}" if value is None else f"{name} {value!r}"
