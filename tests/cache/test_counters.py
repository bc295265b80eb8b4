"""Counters mean the same on every kind of node."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
import redis as redis_py

from kcache import Cache, NotACounter
from kcache.route import Key
from tests.cache.places import Place
from tests.servers import Redis

MOST = 2**63 - 1


def test_a_missing_counter_stays_missing_without_an_initial(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        assert cache.incr(key) is None
        assert cache.decr(key, 5) is None
        assert cache.incr(key, 2**70) is None
        assert key not in cache


@pytest.mark.parametrize("days", [1, 31, 3650])
def test_counts_do_not_put_off_the_end(cache: Cache, keys: list[str], days: int) -> None:
    ttl = days * 24 * 3600
    for key in keys:
        cache.incr(key, initial=1, ttl=ttl)
        for _ in range(30):
            cache.incr(key)
        left = cache.ttl(key)
        assert left is not None
        # memcached's own rounding, and that of ends beyond 30 days; it counts to 2038.
        most = ttl + 12
        assert min(ttl, 2**31 - time.time()) - 10 < left <= most


@pytest.mark.parametrize("initial", [0, 1, 41, 2**53 + 1, MOST])
def test_a_counter_begins_with_initial_unchanged(
    cache: Cache, keys: list[str], initial: int
) -> None:
    for key in keys:
        for count in (cache.incr, cache.decr):
            cache.delete(key)
            found = count(key, 5, initial=initial)
            assert (type(found), found) == (int, initial)
            found = cache.get(key)
            assert (type(found), found) == (int, initial)


@pytest.mark.parametrize("initial", [-1, -(2**63), 2**63, 10**30])
def test_an_initial_that_is_no_counter_is_refused(
    cache: Cache, keys: list[str], initial: int
) -> None:
    for key in keys:
        with pytest.raises(NotACounter, match=f"initial={initial} is not in 0"):
            cache.incr(key, initial=initial)
        assert key not in cache
        cache.set(key, 5)
        with pytest.raises(NotACounter):
            cache.decr(key, initial=initial)
        assert cache.get(key) == 5


def test_counting_up_and_down(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        assert cache.set(key, 10)
        assert cache.incr(key) == 11
        assert cache.incr(key, 9) == 20
        assert cache.incr(key, 0) == 20
        assert cache.incr(key, -5) == 15
        assert cache.decr(key) == 14
        assert cache.decr(key, -6) == 20
        assert cache.incr(key, initial=500, ttl=1) == 21
        assert cache.get(key) == 21
        assert cache.get_many([key]) == {key: 21}
        assert cache.ttl(key) == inf


def test_a_number_that_got_shorter_is_the_same_for_all_calls(cache: Cache, keys: list[str]) -> None:
    for key in keys:
        cache.set(key, 1000)
        assert cache.decr(key) == 999
        assert cache.get(key) == 999
        assert cache.decr(key, 990) == 9
        assert cache.get_many([key]) == {key: 9}
        held = cache.gets(key)
        assert held is not None
        assert held[0] == 9
        assert cache.incr(key) == 10


@pytest.mark.parametrize("start", [0, 1, 5, 2**53 + 1, 2**62, MOST])
def test_below_zero_a_counter_stops_at_zero(cache: Cache, keys: list[str], start: int) -> None:
    for key in keys:
        for delta in (start + 1, 2**53, MOST, 2**63, 2**64, 10**40):
            cache.set(key, start)
            expected = max(0, start - delta)
            assert cache.decr(key, delta) == expected
            found = cache.get(key)
            assert (type(found), found) == (int, expected)
            cache.set(key, start)
            assert cache.incr(key, -delta) == expected
            assert cache.get(key) == expected


@pytest.mark.parametrize("start", [0, 1, 2**53, 2**62, MOST - 1, MOST])
def test_up_to_the_limit_a_counter_is_exact_and_beyond_it_nothing_changes(
    cache: Cache, keys: list[str], start: int
) -> None:
    room = MOST - start
    for key in keys:
        for delta in (room + 1, MOST + 1, 2**64, 2**64 + 1, 10**40):
            cache.set(key, start)
            with pytest.raises(NotACounter, match=r"2\*\*63 - 1"):
                cache.incr(key, delta)
            assert cache.get(key) == start
        for delta in (1, room - 1, room):
            if 0 <= delta <= room:
                cache.set(key, start)
                assert cache.incr(key, delta) == start + delta
                assert cache.get(key) == start + delta


NONE_OF_THEM: list[Any] = [
    *["5", "", "x", " 5", "9223372036854775807"],
    *[b"5", b"", b"\xff", b"5 "],
    *[-1, -5, -(2**63), 2**63, 2**64, 10**30, -(10**30)],
    *[1.0, 1.5, None, True, False, [], [5], {}, {"a": 1}, (5,)],
]


@pytest.mark.parametrize("value", NONE_OF_THEM, ids=repr)
def test_what_is_no_counter_is_refused_and_stays(cache: Cache, keys: list[str], value: Any) -> None:
    for key in keys:
        cache.set(key, value, ttl=100)
        calls: list[Callable[[Key], Any]] = [
            cache.incr,
            cache.decr,
            lambda key: cache.incr(key, 0),
            lambda key: cache.incr(key, 2**70),
            lambda key: cache.decr(key, 2**70),
            lambda key: cache.incr(key, initial=1, ttl=5),
        ]
        for call in calls:
            with pytest.raises(NotACounter, match=key):
                call(key)
        found = cache.get(key)
        assert (type(found), found) == (type(value), value)
        assert 90 < (cache.ttl(key) or 0) < 103


@pytest.mark.parametrize("word", ["1", 1.0, 1.5, None, b"1", [1], True, False], ids=repr)
def test_a_delta_is_an_int(cache: Cache, word: Any) -> None:
    cache.set("n", 5)
    for count in (cache.incr, cache.decr):
        kind = type(word).__name__
        with pytest.raises(TypeError, match=f"delta is an int, not {kind}"):
            count("n", word)
        if word is not None:
            with pytest.raises(TypeError, match=f"initial is an int, not {kind}"):
                count("n", initial=word)
    assert cache.get("n") == 5


@pytest.mark.parametrize("key", ["plain", "two words", b"\xff\n", "x" * 300, b"bytes"])
def test_what_is_no_counter_is_named_as_the_user_names_it(place: Place, key: Key) -> None:
    holds = "holds no number"
    with place.open() as cache:
        album = cache.namespace("photos", "42")
        for holder, name in (
            (cache, repr(key)),
            (album, f"{key!r} in the namespace photos/42"),
        ):
            assert holder.set(key, "no number")
            for count in (holder.incr, holder.decr):
                with pytest.raises(NotACounter) as caught:
                    count(key)
                assert str(caught.value).startswith(f"{name} {holds}")
            with pytest.raises(NotACounter) as caught:
                holder.incr(key, initial=-1)
            assert str(caught.value).startswith(f"{name}: initial=-1")


@pytest.mark.parametrize("ttl", [0, -1, -0.5])
def test_a_counter_without_a_life_is_given_and_gone(
    cache: Cache, keys: list[str], ttl: float
) -> None:
    for key in keys:
        assert cache.incr(key, initial=7, ttl=ttl) == 7
        assert key not in cache
        cache.set(key, 1)
        assert cache.incr(key, initial=7, ttl=ttl) == 2
        assert cache.ttl(key) == inf


def test_a_key_of_another_type_is_no_counter(redises: tuple[Redis, ...]) -> None:
    url = redises[0].url
    with redis_py.Redis.from_url(url) as client, Cache([url], on_error="raise") as cache:
        client.rpush("list", "5")
        for call in (cache.incr, cache.decr, lambda key: cache.incr(key, initial=1)):
            with pytest.raises(NotACounter):
                call("list")
        assert client.lrange("list", 0, -1) == [b"5"]
        for text in ("05", "+5", " 5", "5 ", "9223372036854775808", "1e3"):
            client.set("text", text)
            with pytest.raises(NotACounter):
                cache.incr("text", 1)
            assert client.get("text") == text.encode()


def test_numbers_too_long_to_be_shown_are_beyond_all_counters(cache: Cache) -> None:
    huge = 10**5000
    assert cache.incr("none", huge) is None
    assert cache.incr("made", huge, initial=1) == 1
    with pytest.raises(NotACounter):
        cache.incr("made", huge)
    with pytest.raises(NotACounter):
        cache.incr("other", initial=huge)
    assert cache.decr("made", huge) == 0
