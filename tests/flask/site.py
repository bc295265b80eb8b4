"""An app with a cache, for tests, and what they ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Thread
from time import monotonic, sleep
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from kcache_flask import Cache

__all__ = ["Counter", "Named", "Site", "at_once", "soon"]

_PATIENCE = 10.0


class Counter:
    """Counts calls, and says how many there were."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        return self.calls


class Named:
    """Two of one name are one."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return "<one of them>"

    def __caching_id__(self) -> str:
        return self.name


class Site:
    """An app, its cache, and a clock that stands still.

    Args:
        config: of the app.
    """

    def __init__(self, name: str = "site", /, **config: Any) -> None:
        self.time = 1_000_000.0
        self.app = Flask(name)
        self.app.config.update({"SECRET_KEY": "of this test", **config})
        self.cache = Cache(self.app)
        self.count = Counter()

    def route(self, path: str, view: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Cache a view, and give it a path; the decorated view."""
        methods = options.pop("on", ["GET"])
        decorated = self.cache.cached(**options)(view)
        endpoint = f"page{len(self.app.view_functions)}"
        self.app.add_url_rule(path, endpoint, decorated, methods=methods)
        return decorated

    def get(
        self,
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        **options: Any,
    ) -> TestResponse:
        """What a new visitor, without cookies, is answered."""
        client = self.app.test_client()
        return client.open(path, method=method, headers=headers, **options)

    def texts(self, *paths: str) -> list[str]:
        """The bodies of pages, asked for one after another."""
        return [self.get(path).text for path in paths]

    def close(self) -> None:
        """Close the connections."""
        with self.app.app_context():
            self.cache.cache.close()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What calls give that are made in threads of their own; an exception in its place."""
    given: list[Any] = [None] * len(calls)

    def one(number: int) -> None:
        try:
            given[number] = calls[number]()
        except Exception as error:  # noqa: BLE001 - it is looked at by the test
            given[number] = error

    threads = [Thread(target=one, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
    return given


def soon(is_true: Callable[[], Any]) -> bool:
    """Whether something becomes true within some seconds."""
    end = monotonic() + _PATIENCE
    while not is_true():
        if monotonic() > end:
            return False
        sleep(0.005)
    return True
