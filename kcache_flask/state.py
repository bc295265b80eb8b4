"""What one app has of one extension object, in `app.extensions["kcache"]`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from time import time
from typing import TYPE_CHECKING, Any

from kcache import Cache, EncodeError
from kcache.codec import codec_of
from kcache_flask.fetch import Unkept
from kcache_flask.keys import split
from kcache_flask.nothing import Nothing
from kcache_flask.ready import Ready
from kcache_flask.recent import Recent
from kcache_flask.signals import (
    cache_memoize_hit,
    cache_memoize_miss,
    cache_view_hit,
    cache_view_miss,
)

if TYPE_CHECKING:
    from flask import Flask

    from kcache_flask.config import Settings

__all__ = ["EXTENSION", "CacheWarning", "State"]

EXTENSION = "kcache"
"""The key in `app.extensions`."""

_VIEW = (cache_view_miss, cache_view_hit)
_MEMOIZE = (cache_memoize_miss, cache_memoize_hit)
_PASS_SECONDS = 30.0


class CacheWarning(UserWarning):
    """Something is not cached, or not as it looks."""


class State:
    """The cache of an app.

    Args:
        app: whose it is.
        extension: the object that was given the app.
        settings: checked.

    Attributes:
        cache: of `kcache`; or Nothing, if caching is switched off.
        default_ttl: of entries, in seconds; None for no end.
        now: Unix time in seconds.
        ready: makes the most frequent responses.
        passes: keys whose last response could not be stored. Nobody waits for such a one, since
            everybody has to compute it.
        learnt: the header names that responses of a resource vary on.
    """

    def __init__(self, app: Flask, extension: Any, settings: Settings) -> None:
        self.app = app
        self.extension = extension
        self.settings = settings
        self.is_enabled = settings.is_enabled
        self.cache: Any = Cache(**settings.options) if settings.is_enabled else Nothing()
        self.has_signals = settings.has_signals
        self.default_ttl: float | None = settings.options.get("ttl")
        self.ready = Ready(app.response_class)
        self.now: Callable[[], float] = settings.options.get("clock") or time
        self._codec = codec_of(settings.options.get("codec") or "safe")
        self._warned: set[str] = set()
        self.passes: Recent[bool] = Recent(_PASS_SECONDS)
        self.learnt: Recent[frozenset[str]] = Recent()

    def space(self, names: tuple[str, ...]) -> Any:
        """The calls on the entries of a namespace within the app's own."""
        return self.cache.namespace(*names) if names else self.cache

    def place(self, key: str) -> tuple[Any, str]:
        """Where the entry of a key is, and its key there; see `kcache_flask.keys`."""
        if type(key) is str and key[:1] != "\x1f":
            return self.cache, key
        names, rest = split(key) if isinstance(key, str) else ((), key)
        return self.space(names), rest

    def check(self, value: Any, function: Callable[..., Any]) -> None:
        """Check that a value can be stored; warn, once for each function, if not.

        Raises:
            Unkept: it cannot.
        """
        if type(value) in (str, bytes) or not self.is_enabled:
            return
        try:
            self._codec.encode(value)
        except EncodeError as error:
            self.warn(function, f"is not cached: {error}")
            raise Unkept("it cannot be encoded") from None

    def warn(self, function: Callable[..., Any], what: str) -> None:
        """Warn of what a function does, once in this app."""
        name = f"{function.__module__}.{function.__qualname__}"
        if name not in self._warned:
            self._warned.add(name)
            warnings.warn(f"{name} {what}", CacheWarning, stacklevel=2)

    def tell_of_view(self, *, is_hit: bool, **said: Any) -> None:
        """Send the signal of a hit or a miss of a view."""
        if self.has_signals:
            _VIEW[is_hit].send(self.app, cache=self.extension, **said)

    def tell_of_function(self, *, is_hit: bool, **said: Any) -> None:
        """Send the signal of a hit or a miss of a memoized function."""
        if self.has_signals:
            _MEMOIZE[is_hit].send(self.app, cache=self.extension, **said)
