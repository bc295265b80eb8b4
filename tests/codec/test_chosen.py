"""Codecs that are a choice: pickle, and encryption around another one."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from kcache import Cache, Compression, ConfigurationError, EncryptedCodec, PickleCodec, SafeCodec
from kcache.codec.seam import OTHER_CODEC, tag_of
from kcache.entry import FRAME_FLAGS, Entries
from kcache.errors import DecodeError, EncodeError
from kcache.signed import entries_of
from kcache.signer import signer_of
from tests.codec.corruption import SECRET, corrupted
from tests.codec.values import CODEC, form, values

KEY, NEXT = "a key of this test", b"and the next one"
ENCRYPTED = EncryptedCodec(CODEC, keys=KEY)
Read = Callable[[bytes], Any]


class Unwilling:
    def __reduce__(self) -> str:
        raise OSError("no")


@given(values)
def test_what_is_encrypted_comes_back(value: Any) -> None:
    assert form(ENCRYPTED.decode(ENCRYPTED.encode(value))) == form(value)


def test_nothing_can_be_seen_of_what_is_encrypted() -> None:
    for value in ("Ada" * 2000, {"name": "Ada"}):
        once, again = ENCRYPTED.encode(value), ENCRYPTED.encode(value)
        assert once != again
        assert b"Ada" not in once
    assert len(ENCRYPTED.encode("Ada" * 20_000)) < 1000


def test_keys_change() -> None:
    old = ENCRYPTED.encode("x")
    both = EncryptedCodec(CODEC, keys=[NEXT, KEY])
    assert both.decode(old) == "x"
    with pytest.raises(DecodeError):
        ENCRYPTED.decode(both.encode("x"))
    assert EncryptedCodec(CODEC, keys=NEXT).decode(both.encode("x")) == "x"


def test_what_was_not_encrypted_with_the_key_is_refused() -> None:
    choice = random.Random(5)  # noqa: S311 - the same each time
    data = ENCRYPTED.encode({"a": [1, 2]})
    for each in (b"", b"x", data[:12], data[:20], *(corrupted(data, choice) for _ in range(500))):
        with pytest.raises(DecodeError):
            ENCRYPTED.decode(each)


def test_the_codec_within_is_part_of_what_is_encrypted() -> None:
    pickled = EncryptedCodec(PickleCodec(), keys=KEY)
    with pytest.raises(DecodeError, match="another codec"):
        pickled.decode(ENCRYPTED.encode(1))
    with pytest.raises(DecodeError, match="another codec"):
        ENCRYPTED.decode(pickled.encode(1))


def test_an_encrypted_cache() -> None:
    cache = Cache(codec=EncryptedCodec(keys=KEY), secret=SECRET)
    for opened in (cache, cache.namespace("n")):
        for value in ("x", 5, b"y", {"a": (1, 2)}, "x" * 100_000):
            assert opened.set("k", value)
            assert opened.get("k") == value
        assert opened.incr("n", initial=1) == 1
        assert opened.incr("n") == 2


@pytest.mark.parametrize("keys", ["short", b"short", [], [KEY, "short"], 5, None])
def test_keys_that_cannot_be_used_are_refused(keys: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^keys .*secrets\.token_hex\(32\)") as caught:
        EncryptedCodec(keys=keys)
    assert KEY not in str(caught.value)
    assert "short" not in str(caught.value)


def test_a_limit_of_size_holds_for_what_is_compressed_within() -> None:
    large = EncryptedCodec(CODEC, keys=KEY, compression=Compression("zlib")).encode("x" * 100_000)
    small = EncryptedCodec(CODEC, keys=KEY, compression=Compression(max_size=1000))
    with pytest.raises(DecodeError, match="the limit is 1000"):
        small.decode(large)


def test_codecs_pickle_with_what_they_need() -> None:
    again = pickle.loads(pickle.dumps(ENCRYPTED))  # noqa: S301
    assert again.decode(ENCRYPTED.encode(1)) == 1
    for codec in (PickleCodec(), PickleCodec(unsigned=True)):
        assert pickle.loads(pickle.dumps(codec)) == codec  # noqa: S301
    assert PickleCodec() != PickleCodec(unsigned=True)
    assert len({PickleCodec(), PickleCodec(), PickleCodec(unsigned=True)}) == 2
    assert repr(PickleCodec(unsigned=True)) == "PickleCodec(unsigned=True)"


def test_pickles_of_nearly_everything() -> None:
    codec = PickleCodec()
    for value in (1j, range(5), Exception("x").args, {"a": [bytearray(b"x")]}):
        assert codec.decode(codec.encode(value)) == value
    for bad in (lambda: 0, Unwilling()):
        with pytest.raises(EncodeError, match="cannot pickle this"):
            codec.encode(bad)
    for data in (b"", b"x", b"\x80\x05cos\nnothing\n."):
        with pytest.raises(DecodeError):
            codec.decode(data)


def test_a_codec_derived_from_one_of_these_is_another_one() -> None:
    class Mine(PickleCodec):
        pass

    assert tag_of(PickleCodec()) == 4
    assert tag_of(ENCRYPTED) == 5
    assert tag_of(Mine()) == OTHER_CODEC
    with pytest.raises(ConfigurationError, match="needs a secret"):
        Entries(Mine())


def test_no_codec_is_given_the_bytes_of_another() -> None:
    signer = signer_of(SECRET)
    safe, pickled = (entries_of(each, Compression(), signer) for each in (CODEC, PickleCodec()))
    for writer, reader in ((safe, pickled), (pickled, safe)):
        for value in (b"\x80\x05K\x01.", "text", {"a": 1}):
            flags, data = writer.to_memcached(value, b"k")
            assert flags == FRAME_FLAGS
            with pytest.raises(DecodeError, match="another codec"):
                reader.from_memcached(flags, data, b"k")


def test_names_are_short_for_codecs() -> None:
    assert Cache(codec="safe").set("k", (1, 2))
    with pytest.raises(EncodeError):
        Cache(codec="safe").set("k", 1j)
    assert Cache(codec="pickle", secret=SECRET).set("k", 1j)
    assert isinstance(Cache().namespace("n", codec="safe")._entries.codec, SafeCodec)  # noqa: SLF001


WITHOUT = """
import sys
sys.modules["cryptography"] = None
from kcache import Cache, ConfigurationError, EncryptedCodec
assert Cache(secret="x" * 16).set("k", 1)
try:
    EncryptedCodec(keys="k" * 16)
except ConfigurationError as error:
    print(error)
"""


def test_without_the_library_there_is_no_encryption_and_the_reason_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], check=True, capture_output=True, text=True
    )
    assert "pip install 'kcache-client[crypto]'" in done.stdout
