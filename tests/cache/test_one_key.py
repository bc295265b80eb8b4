"""A str and its UTF-8 are one key."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kcache import Cache
from kcache.route import Key
from tests.cache.places import Place

# A key that goes out as it is, one that does not, and one beyond ASCII.
TEXTS = ["plain", "two words", "∀"]
each_text = pytest.mark.parametrize("text", TEXTS)


@each_text
def test_a_str_and_its_utf8_are_one_key(cache: Cache, text: str) -> None:
    data = text.encode()
    assert cache.set(text, 1)
    assert cache.get(data) == 1
    assert cache.node_for(text) == cache.node_for(data)
    assert cache.set(data, 2)
    assert cache.get(text) == 2
    assert cache.incr(data) == 3
    assert data in cache
    assert cache.add(data, 4) is False
    assert cache.delete(data)
    assert text not in cache


@each_text
def test_get_many_gives_both_under_the_names_they_were_asked_for(cache: Cache, text: str) -> None:
    data = text.encode()
    cache.set_many({text: 1, "other": 2})
    every: list[Key] = [text, "other", data]
    assert cache.get_many(every) == {text: 1, "other": 2, data: 1}
    assert cache.get_many(every[::-2]) == {data: 1, text: 1}
    assert cache.get_many([data]) == {data: 1}


@each_text
def test_set_many_stores_the_last_of_both(cache: Cache, text: str) -> None:
    data = text.encode()
    both: list[dict[Key, str]] = [
        {text: "first", "other": "x", data: "last"},
        {data: "first", "other": "x", text: "last"},
    ]
    for values in both:
        assert cache.set_many(values) == []
        assert cache.get(text) == cache.get(data) == "last"
        assert cache.get("other") == "x"


@each_text
def test_delete_many_counts_both_once(cache: Cache, text: str) -> None:
    cache.set(text, 1)
    assert cache.delete_many([text, text.encode()]) == 1


def test_a_lone_surrogate_is_no_bytes_key(cache: Cache) -> None:
    text = "\ud800"
    data = text.encode(errors="surrogatepass")
    cache.set(text, "text")
    assert cache.get(data) is None
    cache.set(data, "data")
    assert cache.get(text) == "text"


UNDER_BB = """
import sys
from kcache import Cache

cache = Cache(sys.argv[1:] or None, timeout=20, on_error="raise")
for text in ("plain", "two words", "é"):
    data = text.encode()
    assert cache.set(text, 1) and cache.get(data) == 1 and cache.set(data, 2)
    assert cache.get(text) == 2 and data in cache and text in cache
    assert cache.get_many([text, "x"]) == {text: 2} and cache.get_many([data]) == {data: 2}
    assert cache.set_many({text: 3, "y": 0}) == [] and cache.set_many({data: 4}) == []
    assert cache.incr(text) == cache.get(data) == 5
    assert cache.delete_many([data, "y", text]) == 2
    held = cache.set(data, 1) and cache.gets(text)
    assert cache.cas(data, 2, held[1]) and cache.ttl(data) == cache.ttl(text)
    assert cache.node_for(text) == cache.node_for(data)
    # A dict that has both cannot be made here, if their hashes are equal.
    assert set(cache.get_many([text, data]).values()) == {2}
"""


def test_both_may_be_used_where_python_forbids_to_compare_them(place: Place) -> None:
    arguments = [sys.executable, "-bb", "-c", UNDER_BB, *place.urls]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
