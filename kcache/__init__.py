"""kcache: a cache over Redis and memcached nodes on a ketama-compatible consistent-hash ring."""

from kcache.arguments import Arguments
from kcache.cache import Cache, Namespace
from kcache.codec import EncryptedCodec, PickleCodec, SafeCodec
from kcache.compress import Compression
from kcache.errors import (
    CacheError,
    ConfigurationError,
    ConnectFailed,
    EncodeError,
    InvalidationIncomplete,
    InvalidKey,
    NewerEpoch,
    NodeError,
    NodeRefused,
    NodeUnavailable,
    NotACounter,
    ProtocolError,
    SameNameWarning,
    ServerListWarning,
    TimedOut,
)
from kcache.health import HealthPolicy
from kcache.hit import Hit, Miss
from kcache.invalidation import Invalidation
from kcache.node import Node
from kcache.protocols import Codec
from kcache.ring import Plan, Ring

__version__ = "0.1.0"

__all__ = [
    "Arguments",
    "Cache",
    "CacheError",
    "Codec",
    "Compression",
    "ConfigurationError",
    "ConnectFailed",
    "EncodeError",
    "EncryptedCodec",
    "HealthPolicy",
    "Hit",
    "InvalidKey",
    "Invalidation",
    "InvalidationIncomplete",
    "Miss",
    "Namespace",
    "NewerEpoch",
    "Node",
    "NodeError",
    "NodeRefused",
    "NodeUnavailable",
    "NotACounter",
    "PickleCodec",
    "Plan",
    "ProtocolError",
    "Ring",
    "SafeCodec",
    "SameNameWarning",
    "ServerListWarning",
    "TimedOut",
    "__version__",
]
