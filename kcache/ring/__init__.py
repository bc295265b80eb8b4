"""Consistent hashing: the ring, its dialects, and the arithmetic of what moves."""

from kcache.ring.plan import Plan
from kcache.ring.ring import Ring, RingOptions

__all__ = ["Plan", "Ring", "RingOptions"]
