"""With a secret only what was signed with it, for this very place, is there."""

from __future__ import annotations

import logging
import pickle
import random
from collections.abc import Iterator
from contextlib import ExitStack, closing
from math import inf
from typing import Any

import pylibmc
import pytest

from kcache import Cache, ConfigurationError, EncryptedCodec, NotACounter, PickleCodec
from kcache import frame as frames
from kcache.key import wire_key
from kcache.namespace import Path
from kcache.record import token_of
from kcache.signed import stamp_of
from tests.cache.places import SECRET, Place, memory_url
from tests.cache.planting import EXECUTED, Gadget, Planter, planter_on
from tests.servers import Memcached, Redis

OLD, NEW = SECRET, "the next one, which nobody has seen"
SWAPS = 10_000
_NAMES = ("a", "b", "c")


@pytest.fixture(params=["redis", "memcached"])
def server(
    request: pytest.FixtureRequest, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> Redis | Memcached:
    return redises[0] if request.param == "redis" else memcacheds[0]


@pytest.fixture
def signed(server: Redis | Memcached) -> Iterator[Cache]:
    with Cache([server.url], secret=SECRET, timeout=20, on_error="raise") as cache:
        yield cache


@pytest.fixture
def planter(server: Redis | Memcached) -> Iterator[Planter]:
    with closing(planter_on(server)) as opened:
        yield opened


@pytest.fixture
def opened_caches() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def both(place: Place) -> Iterator[tuple[Cache, Cache]]:
    """Without a secret, and with one, on the same nodes."""
    there = place if place.urls else Place(place.kind, (memory_url(),))
    with there.open() as plain, there.open(secret=SECRET) as with_secret:
        yield plain, with_secret


def test_what_is_not_signed_is_not_there_for_any_call(both: tuple[Cache, Cache]) -> None:
    plain, cache = both
    for value in ("text", 5, b"\xff", {"a": 1}, None):
        plain.set("k", value, ttl=100)
        assert cache.get("k", "miss") == "miss"
        assert cache.get_many(["k"]) == {}
        assert "k" not in cache
        assert cache.gets("k") is None
        assert cache.ttl("k") is None
        assert cache.touch("k", ttl=200) is False
        assert cache.replace("k", 1) is False
        assert cache.incr("k") is None
        assert plain.get("k", "miss") == value
        assert cache.add("k", 1) is True
        assert cache.get("k") == 1
        plain.set("k", value)
        assert cache.incr("k", initial=7) == 7
        assert cache.incr("k") == 8
        plain.set("k", value)
        assert cache.delete("k") is False
        plain.set("k", value)
        assert cache.delete_many(["k"]) == 0


def test_what_is_signed_is_not_there_without_the_secret(both: tuple[Cache, Cache]) -> None:
    plain, cache = both
    for opened, reader in ((cache, plain), (cache.namespace("n"), plain.namespace("n"))):
        for value in ("text", 5, b"\xff", {"a": 1}, None):
            assert opened.set("k", value)
            assert reader.get("k", "miss") == "miss"
            assert opened.get("k", "miss") == value


def test_nothing_is_stored_raw(signed: Cache, planter: Planter) -> None:
    for value in ("text", 5, b"\xff"):
        signed.set("k", value)
        data = planter.take([b"k"])[b"k"]
        assert data.startswith(frames.HEAD)
        assert data[4] & 0x40


def test_counters_keep_their_end_and_their_range(both: tuple[Cache, Cache]) -> None:
    _, cache = both
    assert cache.incr("n", initial=2**63 - 2, ttl=1000) == 2**63 - 2
    assert cache.incr("n") == 2**63 - 1
    assert 900 < (cache.ttl("n") or 0) <= 1002
    with pytest.raises(NotACounter):
        cache.incr("n")
    assert cache.decr("n", 2**63) == 0
    assert cache.incr("m", initial=1) == 1
    assert cache.ttl("m") == inf
    with pytest.raises(NotACounter):
        cache.incr("o", initial=-1)


def test_a_key_of_another_type_is_no_entry_and_no_endless_loop(redises: tuple[Redis, ...]) -> None:
    import redis as redis_py  # noqa: PLC0415 - the client, not the fixture's module

    with (
        Cache([redises[0].url], secret=SECRET, timeout=20, on_error="raise") as cache,
        redis_py.Redis.from_url(redises[0].url) as client,
    ):
        client.rpush("list", "x")
        assert cache.get("list") is None
        assert cache.add("list", 1) is False
        assert cache.incr("list") is None
        with pytest.raises(NotACounter):
            cache.incr("list", initial=1)


# Rotation.


def test_secrets_change_without_losing_anything() -> None:
    url = [memory_url()]
    before, after = Cache(url, secret=OLD), Cache(url, secret=[NEW, OLD])
    for old, new in ((before, after), (before.namespace("n"), after.namespace("n"))):
        old.set_many({"k": [1, 2], "n": 1})
        assert new.get("k") == [1, 2]
        assert new.incr("n") == 2
        new.set("k", [3])
        assert new.get("k") == [3]
        assert old.get("k", "miss") == "miss"
        assert old.get("n", "miss") == "miss"
    only_new = Cache(url, secret=NEW)
    assert only_new.get("k") == [3]
    assert only_new.get("n") == 2


def test_a_reader_may_know_the_next_secret_before_it_is_used() -> None:
    url = [memory_url()]
    old, ready, new = (Cache(url, secret=secret) for secret in (OLD, [OLD, NEW], [NEW, OLD]))
    new.set("k", 1)
    assert ready.get("k") == 1
    ready.set("k", 2)
    assert old.get("k") == 2


def test_a_secret_is_the_same_as_str_and_as_bytes() -> None:
    url = [memory_url()]
    Cache(url, secret=SECRET.encode()).set("k", 1)
    assert Cache(url, secret=(SECRET,)).get("k") == 1


# Secrets are told to nobody.


def test_no_text_has_a_secret_in_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    codec = EncryptedCodec(PickleCodec(), keys=[NEW])
    cache = Cache(["redis://127.0.0.1:1"], secret=[SECRET], codec=codec, clock=lambda: 0.0)
    inner = cache.namespace("n")
    texts = [repr(each) for each in (cache, inner, codec, inner._entries, inner._entries.signer)]  # noqa: SLF001
    for call in (
        lambda: pickle.dumps(cache),
        lambda: cache.set("k", lambda: 0),
        lambda: cache.namespace("n", codec=5),  # type: ignore[arg-type]
        lambda: Cache(secret=SECRET, codec="x"),  # type: ignore[arg-type]
        lambda: Cache(secret=SECRET, timeout=0),
    ):
        with pytest.raises(Exception, match=r".") as caught:
            call()
        texts += [str(caught.value), repr(caught.value), str(caught.value.__cause__)]
    cache.get("k")
    for text in [*texts, caplog.text]:
        assert SECRET not in text
        assert NEW not in text


def test_a_pickled_cache_reads_what_it_has_signed() -> None:
    cache = Cache([memory_url()], secret=[NEW, OLD], codec="pickle")
    inner = cache.namespace("n", codec="safe")
    cache.set("k", 1j)
    inner.set("k", 2)
    assert pickle.loads(pickle.dumps(cache)).get("k") == 1j  # noqa: S301
    assert pickle.loads(pickle.dumps(inner)).get("k") == 2  # noqa: S301


# What is moved to another place is not there.


def moved(choice: random.Random, stored: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Under each key what was stored under another one."""
    wires = list(stored)
    choice.shuffle(wires)
    return {wire: stored[wires[i - 1]] for i, wire in enumerate(wires)}


def test_nothing_is_read_in_another_place(
    server: Redis | Memcached, signed: Cache, planter: Planter
) -> None:
    """Between keys, namespaces, generations, and these and plain keys."""
    choice = random.Random(27)  # noqa: S311 - the same each time
    keys = [f"key{i}" for i in range(500)]
    places: list[tuple[Any, str, bytes]] = [(signed, key, wire_key(key)) for key in keys]
    for name in _NAMES:
        path = Path(b"kc", (name,))
        inner = signed.namespace(name)
        places += [(inner, key, path.place(key).key) for key in keys]
    wires = [wire for _, _, wire in places]
    accepted, tried = 0, 0
    old: dict[bytes, bytes] = {}
    while tried < SWAPS:
        for opened in (signed, *map(signed.namespace, _NAMES)):
            assert opened.set_many({key: [key, tried] for key in keys}) == []
        stored = planter.take(wires)
        assert len(stored) == len(wires)
        generations = {wire: old[wire] for wire in wires[len(keys) :] if old}
        for planted in filter(None, (moved(choice, stored), generations)):
            planter.put(planted)
            found = [opened.get(key) for opened, key, wire in places if wire in planted]
            accepted += sum(value is not None for value in found)
            tried += len(planted)
        old = stored
        for name in _NAMES:
            assert signed.namespace(name).invalidate()
    assert accepted == 0, server


def test_the_place_is_under_the_signature(signed: Cache, planter: Planter) -> None:
    """Not even with the stamp of the place where it is put."""
    for value in ("x", {"x": 1}):
        signed.set_many({"one": value, "two": value})
        stored = planter.take([b"one", b"two"])
        start, end = frames.STAMP_START, frames.STAMP_START + len(stamp_of(b"two"))
        assert stored[b"two"][start:end] == stamp_of(b"two")
        planter.put({b"two": stored[b"one"][:start] + stamp_of(b"two") + stored[b"one"][end:]})
        assert signed.get_many(["one", "two"]) == {"one": value}


# Pickles that somebody has planted.


def crafted(server: Redis | Memcached, stamp: bytes) -> list[bytes]:
    """Frames of a pickle as kcache would write them, but for the secret."""
    thief = Cache([server.url], secret="another secret, of a thief", codec="pickle")
    wrong = thief._entries.frame(Gadget("signed by another"), stamp)  # noqa: SLF001
    payload = pickle.dumps(Gadget("framed"))
    unsigned = frames.pack(payload, 4, 0, stamp)
    body = unsigned[:-7]
    marked = body[:4] + bytes([body[4] | 0x40]) + body[5:]
    return [
        payload,
        wrong,
        unsigned,
        marked + bytes(16) + frames.TAIL,
        marked + frames.TAIL,
        frames.pack(payload, 4),
        frames.pack(payload, 255, 0, stamp),
    ]


def test_no_planted_pickle_is_executed(
    server: Redis | Memcached, planter: Planter, opened_caches: ExitStack
) -> None:
    EXECUTED.clear()
    path = Path(b"kc", ("n",))
    ways: list[dict[str, Any]] = [{}, {"secret": SECRET}, {"secret": SECRET, "codec": "pickle"}]
    for options in ways:
        cache = opened_caches.enter_context(
            Cache([server.url], timeout=20, on_error="raise", **options)
        )
        inner = cache.namespace("n")
        assert inner.set("k", 1)
        tokens = b"".join(
            token_of(planter.take([record])[record]) or b"" for record in path.records
        )
        place = path.place("k")
        for opened, wire, stamp in (
            (cache, b"k", stamp_of(b"k")),
            (inner, place.key, place.digest + tokens),
        ):
            for flags in (0, 1, 2, 4, 8, 9, 16, 32, 0x6B00):
                for data in crafted(server, stamp):
                    planter.put({wire: data}, flags)
                    for _ in range(2):
                        found = opened.get("k")
                        assert found is None or isinstance(found, bytes)
                    opened.get_many(["k"])
                    opened.gets("k")
    assert EXECUTED == []


def test_what_pylibmc_pickles_is_not_executed(
    memcacheds: tuple[Memcached, ...], opened_caches: ExitStack
) -> None:
    EXECUTED.clear()
    client = pylibmc.Client(["{}:{}".format(*memcacheds[0].address)])
    wire = Path(b"kc", ("n",)).place("k").key
    cache = opened_caches.enter_context(
        Cache([memcacheds[0].url], secret=SECRET, codec="pickle", timeout=20)
    )
    for size in (0, 4):
        for planted in (b"k", wire):
            client.set(planted, Gadget("x"), min_compress_len=size)
        assert cache.get("k") is None
        assert cache.namespace("n").get("k") is None
    client.disconnect_all()
    assert EXECUTED == []


def test_a_pickle_is_executed_where_that_was_asked_for(
    server: Redis | Memcached, planter: Planter
) -> None:
    """So what is planted above would be seen."""
    EXECUTED.clear()
    planter.put({b"k": frames.pack(pickle.dumps(Gadget("asked for")), 4)})
    with Cache([server.url], codec=PickleCodec(unsigned=True), timeout=20) as cache:
        assert cache.get("k") == "asked for"
    with Cache([server.url], secret=SECRET, codec="pickle", timeout=20) as signed:
        signed.set("k", Gadget("signed"))
        assert signed.get("k") == "signed"
    assert EXECUTED == ["asked for", "signed"]


def test_pickles_are_a_choice_of_namespaces_too() -> None:
    with pytest.raises(ConfigurationError, match="needs a secret"):
        Cache().namespace("n", codec="pickle")
    with pytest.raises(ConfigurationError, match="needs a secret"):
        Cache().namespace("n").namespace("m", codec="pickle")
    inner = Cache(secret=SECRET).namespace("n", codec="pickle")
    assert inner.set("k", {1j: range(3)})
    assert inner.get("k") == {1j: range(3)}
    assert inner.namespace("m", codec="safe").set("k", 1)
    assert Cache().namespace("n", codec=PickleCodec(unsigned=True)).set("k", 1j)
