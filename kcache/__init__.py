"""kcache: a cache over Redis and memcached nodes on a ketama-compatible consistent-hash ring."""

from kcache.errors import CacheError, ConfigurationError, InvalidKey, ServerListWarning
from kcache.node import Node
from kcache.ring import Plan, Ring

__version__ = "0.1.0"

__all__ = [
    "CacheError",
    "ConfigurationError",
    "InvalidKey",
    "Node",
    "Plan",
    "Ring",
    "ServerListWarning",
    "__version__",
]
