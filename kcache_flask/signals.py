"""Signals, sent where `CACHE_ENABLE_SIGNALS` or `KCACHE_SIGNALS` is set, with the app as sender.

Receivers are given `cache` (the extension), `cache_key`, `args` and `kwargs`; those of memoized
functions `f`, too, the function itself.
"""

from __future__ import annotations

from blinker import Namespace

__all__ = ["cache_memoize_hit", "cache_memoize_miss", "cache_view_hit", "cache_view_miss"]

_signals = Namespace()

cache_view_hit = _signals.signal("cache-view-hit")
"""A view, or a function, that is decorated with `cached` was answered from the cache."""
cache_view_miss = _signals.signal("cache-view-miss")
"""It had to be called."""
cache_memoize_hit = _signals.signal("cache-memoize-hit")
"""The result of a memoized function was found."""
cache_memoize_miss = _signals.signal("cache-memoize-miss")
"""It had to be called."""
