"""kcache for Flask: memoized functions and cached views that are right by default."""

try:
    import flask as _flask  # noqa: F401 - only to see whether it is there
except ImportError as error:
    raise ImportError(
        "kcache_flask needs Flask: install the extra `flask` of the distribution kcache-client"
    ) from error

from kcache_flask.cached_response import CachedResponse
from kcache_flask.config import ConfigurationWarning
from kcache_flask.extension import Cache
from kcache_flask.identity import IdentityWarning
from kcache_flask.keys import make_template_fragment_key
from kcache_flask.signals import (
    cache_memoize_hit,
    cache_memoize_miss,
    cache_view_hit,
    cache_view_miss,
)
from kcache_flask.state import CacheWarning
from kcache_flask.view_key import ignore_query

__all__ = [
    "Cache",
    "CacheWarning",
    "CachedResponse",
    "ConfigurationWarning",
    "IdentityWarning",
    "cache_memoize_hit",
    "cache_memoize_miss",
    "cache_view_hit",
    "cache_view_miss",
    "ignore_query",
    "make_template_fragment_key",
]
