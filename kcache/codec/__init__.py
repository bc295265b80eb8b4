"""Values to bytes and back, with their types, and nothing that bytes can make run."""

from kcache.codec.safe import SAFE_TAG, SafeCodec

__all__ = ["SAFE_TAG", "SafeCodec"]
