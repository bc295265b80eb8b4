"""Values to bytes and back, with their types, and nothing that bytes can make run unasked."""

from kcache.codec.encrypted import EncryptedCodec
from kcache.codec.named import CodecName, codec_of
from kcache.codec.pickled import PickleCodec
from kcache.codec.safe import SAFE_TAG, SafeCodec

__all__ = ["SAFE_TAG", "CodecName", "EncryptedCodec", "PickleCodec", "SafeCodec", "codec_of"]
