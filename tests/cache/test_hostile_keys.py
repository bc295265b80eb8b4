"""Keys of every kind go round and inject nothing: 100,000 of them over all kinds of nodes.

What the servers count shows that each command was one command, and none came out of a key.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import redis as redis_py
from hypothesis import given, settings
from hypothesis import strategies as st

from kcache import Cache
from kcache.route import Key
from tests.cache.places import memory_url
from tests.servers import Memcached, Redis, connection, memcached, redis

EACH = 25_000
CHUNK = 1_000
CANARY = "canary"
FRAGMENTS: list[bytes] = [
    b"x 0 0 1\r\nset canary 0 0 4\r\ndead\r\n",
    b"x\r\ndelete canary\r\n",
    b"x\r\nflush_all\r\n",
    b"x\r\nmd canary\r\nmg canary v\r\n",
    b"x T0\r\nms canary 4\r\ndead\r\n",
    b"x b",
    b"x\r\n*1\r\n$8\r\nFLUSHALL\r\n",
    b"*3\r\n$3\r\nSET\r\n$6\r\ncanary\r\n$4\r\ndead\r\n",
    b"canary ",
    b" canary",
    b"canary\0",
    b"canary\n",
    b"{canary}",
    b"canary\xff",
    b"kc:canary",
    b"\xff" + b"A" * 43,
]


def hostile(seed: int) -> Iterator[Key]:
    """Different keys, for ever: what breaks lines, what is too long, and what is nearly alike."""
    numbers = random.Random(seed)  # noqa: S311 - the same each time
    for i in range(10**9):
        mark = b"%d" % i
        fragment = numbers.choice(FRAGMENTS)
        yield fragment + mark
        yield mark + fragment
        yield numbers.randbytes(numbers.randrange(1, 60)) + b"%b" % mark
        yield b"%b" % mark + bytes([numbers.randrange(0x21)])
        yield f"near {i}"
        yield f"near\u00a0{i}"
        yield f"near\ud800{i}"
        yield f"near\udfff{i}"
        yield f"near\ud800{i}".encode(errors="surrogatepass")
        yield "é" * numbers.randrange(120, 130) + f"{i}"
        yield "x" * (250 - len(mark)) + f"{i}"
        yield "x" * (251 - len(mark)) + f"{i}"
        if i % 100 == 0:
            yield numbers.randbytes(10_000) + mark
            yield "y" * 10_000 + f"{i}\r\n"


def kinds_of(cache: Cache) -> str:
    return "+".join(node.kind for node in cache.ring.nodes)


def go_round(cache: Cache, seed: int) -> int:
    """Store keys and read them back, chunk by chunk; how many."""
    keys = islice(hostile(seed), EACH)
    total = 0
    last: dict[Key, Any] = {}
    while chunk := list(islice(keys, CHUNK)):
        values = {key: total + i for i, key in enumerate(chunk)}
        assert len(values) == len(chunk)
        assert cache.set_many(values) == []
        assert cache.get_many(values) == values
        # Nothing that came since has touched those before.
        assert cache.get_many(last) == last
        last = values
        total += len(chunk)
    assert cache.get(CANARY) == "alive"
    return total


def ask(cache: Cache, key: Key) -> None:
    """Every call on one key."""
    assert cache.set(key, 1)
    assert cache.get(key) == 1
    assert cache.incr(key, 4) == 5
    assert cache.add(key, 2) is False
    assert cache.replace(key, 2) is True
    held = cache.gets(key)
    assert held is not None
    assert cache.cas(key, 3, held[1])
    assert cache.touch(key, 100)
    assert (cache.ttl(key) or 0) > 90
    assert key in cache
    assert cache.get_many([key]) == {key: 3}
    assert cache.delete(key)
    assert cache.incr(key, initial=9) == 9
    assert cache.delete_many([key]) == 1
    assert cache.get(CANARY) == "alive"


@pytest.fixture(scope="module")
def private_servers() -> Iterator[tuple[Redis, Memcached]]:
    """Servers that nobody else uses, so that their counters tell about this alone."""
    with redis() as one, memcached(options=("-m", "256")) as other:
        yield one, other


def memcached_counts(server: Memcached) -> dict[str, int]:
    with connection(server.address) as sock, sock.makefile("rb") as replies:
        sock.sendall(b"stats\r\n")
        lines = [line.split() for line in iter(replies.readline, b"END\r\n")]
    wanted = ("cmd_", "get_", "delete_", "incr_", "decr_", "touch_", "curr_items", "total_items")
    return {word[1].decode(): int(word[2]) for word in lines if word[1].decode().startswith(wanted)}


def redis_counts(client: redis_py.Redis) -> dict[str, int]:
    stats: Any = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): entry["calls"] for name, entry in stats.items()}


def test_memcached_counts_what_was_asked_and_no_more(
    private_servers: tuple[Redis, Memcached],
) -> None:
    server = private_servers[1]
    server.flush()
    with Cache([server.url], timeout=20, on_error="raise") as cache:
        cache.set(CANARY, "alive")
        before = memcached_counts(server)
        total = go_round(cache, 1)
        after = memcached_counts(server)
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    # All chunks are read twice, but for the last, and the canary once.
    reads = 2 * total - CHUNK + 1
    assert changed == {
        "cmd_get": reads,
        "get_hits": reads,
        "cmd_set": total,
        "curr_items": total,
        "total_items": total,
    }


def test_redis_counts_what_was_asked_and_no_more(
    private_servers: tuple[Redis, Memcached],
) -> None:
    url = private_servers[0].url
    with (
        Cache([url], timeout=20, on_error="raise") as cache,
        redis_py.Redis.from_url(url) as client,
    ):
        client.flushall()
        cache.set(CANARY, "alive")
        before = redis_counts(client)
        total = go_round(cache, 2)
        after = redis_counts(client)
        assert client.dbsize() == total + 1
    changed = {name: after[name] - before.get(name, 0) for name in after}
    expected = {"set": total, "mget": 2 * total // CHUNK - 1, "get": 1, "info": 1, "dbsize": 0}
    assert {name: calls for name, calls in changed.items() if calls} == {
        name: calls for name, calls in expected.items() if calls
    }


def test_in_process_and_mixed_they_go_round_as_well(
    private_servers: tuple[Redis, Memcached],
) -> None:
    bounds = "?max_entries=1000000&max_bytes=2000000000"
    for server in private_servers:
        server.flush()
    rings = [
        [memory_url(bounds)],
        [*(server.url for server in private_servers), memory_url(bounds)],
    ]
    for seed, urls in enumerate(rings, 3):
        with Cache(urls, timeout=20, on_error="raise") as cache:
            cache.set(CANARY, "alive")
            assert go_round(cache, seed) == EACH


def test_every_call_takes_them(cache: Cache) -> None:
    cache.set(CANARY, "alive")
    for key in islice(hostile(5), 150):
        ask(cache, key)
    for fragment in FRAGMENTS:
        ask(cache, fragment)
    assert cache.get(CANARY) == "alive"


KEYS = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.text(st.characters(exclude_categories=()), min_size=1, max_size=100),
    st.lists(st.sampled_from([*FRAGMENTS, b"\r\n", b" ", b"\0", b"a"]), min_size=1).map(b"".join),
)


def test_keys_are_one_only_if_they_are_the_same_bytes(
    redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> None:
    urls = [redises[0].url, memcacheds[0].url, memory_url()]
    with Cache(urls, timeout=20, on_error="raise") as cache:

        @settings(max_examples=150, deadline=None, database=None)
        @given(st.lists(KEYS, min_size=1, max_size=20))
        def check(keys: list[Key]) -> None:
            values: dict[Key, Any] = {}
            for i, key in enumerate(keys):
                values[_bytes_of(key)] = i
                assert cache.set(key, i)
            for key in keys:
                assert cache.get(key) == values[_bytes_of(key)]
            found = cache.get_many(keys)
            assert found == {key: values[_bytes_of(key)] for key in keys}
            assert cache.delete_many(keys) == len(values)

        check()


def _bytes_of(key: Key) -> Key:
    """What tells keys apart: UTF-8 where there is one."""
    if isinstance(key, bytes):
        return key
    try:
        return key.encode()
    except UnicodeEncodeError:
        return key
