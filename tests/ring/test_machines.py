"""A ring is the same on every machine, and whatever its Python was built with."""

from __future__ import annotations

import hashlib
import runpy
import sys

import pytest

from kcache.ring import hashes
from kcache.ring.dialect import little_endian_words

DIGEST = bytes(range(16))
WORDS = [0x03020100, 0x07060504, 0x0B0A0908, 0x0F0E0D0C]


def test_words_have_their_low_byte_first() -> None:
    assert list(little_endian_words([DIGEST, DIGEST])) == WORDS * 2


def test_a_machine_of_the_other_byte_order_swaps_the_bytes_of_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swapped = [int.from_bytes(word.to_bytes(4, "little"), "big") for word in WORDS]
    monkeypatch.setattr(sys, "byteorder", "big" if sys.byteorder == "little" else "little")
    assert list(little_endian_words([DIGEST])) == swapped


def test_md5_is_that_of_hashlib_where_python_has_no_module_for_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "_md5", None)
    names = runpy.run_path(hashes.__file__)
    assert names["md5"] is hashlib.md5
    assert names["md5_word"](b"key") == hashes.md5_word(b"key")
