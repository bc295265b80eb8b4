"""Plain keys are shared with other clients, on real servers, both ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import memcache
import pylibmc
import pymemcache
import pymemcache.serde
import pytest
import redis

from kcache.entry import Entries
from kcache.errors import DecodeError
from tests.servers import Address, Memcached, connection
from tests.servers import redis as redis_server

ENTRIES = Entries()
TEXTS = ["text", "hé ∀", "5", "", "x" * 5000, "a\r\nb"]
BYTES = [b"bytes", b"", b"5", b"\xff\x00\r\n", bytes(5000), b"\xc1kc"]
INTS = [0, 5, -5, 2**63 - 1, -(2**63), 2**64, -(2**100)]
SHARED = [*TEXTS, *BYTES, *INTS]
FRAMED = [None, True, 1.5, [1, "a"], {"a": 1}, (1,), "\ud800"]
each_shared = pytest.mark.parametrize("value", SHARED, ids=lambda value: repr(value)[:20])
each_framed = pytest.mark.parametrize("value", FRAMED, ids=repr)


def store(address: Address, value: Any) -> None:
    """Set the key `k` as kcache stores it."""
    flags, data = ENTRIES.to_memcached(value)
    with connection(address) as sock:
        sock.sendall(b"set k %d 0 %d\r\n%b\r\n" % (flags, len(data), data))
        assert sock.makefile("rb").readline() == b"STORED\r\n"


def stored(address: Address) -> tuple[int, bytes]:
    """Flags and data of the key `k`."""
    with connection(address) as sock, sock.makefile("rb") as replies:
        sock.sendall(b"get k\r\n")
        found = re.fullmatch(rb"VALUE k (\d+) (\d+)\r\n", replies.readline())
        assert found
        return int(found[1]), replies.read(int(found[2]))


def _pylibmc(address: tuple[str, int]) -> Any:
    return pylibmc.Client(["{}:{}".format(*address)])


def _memcache(address: tuple[str, int]) -> Any:
    return memcache.Client(["{}:{}".format(*address)], debug=0)


def _pymemcache(address: tuple[str, int]) -> Any:
    return pymemcache.Client(address, serde=pymemcache.serde.pickle_serde, default_noreply=False)


def _pymemcache_functions(address: tuple[str, int]) -> Any:
    return pymemcache.Client(
        address,
        serializer=pymemcache.serde.python_memcache_serializer,
        deserializer=pymemcache.serde.python_memcache_deserializer,
        default_noreply=False,
    )


CLIENTS = [_pylibmc, _memcache, _pymemcache, _pymemcache_functions]


@pytest.fixture
def server(memcacheds: tuple[Memcached, ...]) -> Memcached:
    return memcacheds[0]


@pytest.fixture(params=CLIENTS, ids=lambda make: make.__name__.strip("_"))
def client(request: pytest.FixtureRequest, server: Memcached) -> Iterator[Any]:
    opened = request.param(server.address)
    yield opened
    for name in ("disconnect_all", "close"):
        getattr(opened, name, lambda: None)()


@each_shared
def test_they_read_what_kcache_wrote(client: Any, server: Memcached, value: Any) -> None:
    store(server.address, value)
    back = client.get("k")
    assert (type(back), back) == (type(value), value)


@each_shared
def test_kcache_reads_what_they_wrote(client: Any, server: Memcached, value: Any) -> None:
    assert client.set("k", value)
    back = ENTRIES.from_memcached(*stored(server.address))
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize("value", ["text " * 1000, b"bytes" * 1000], ids=["str", "bytes"])
@pytest.mark.parametrize("make", [_pylibmc, _memcache])
def test_kcache_reads_what_they_compressed(
    server: Memcached, make: Callable[[Any], Any], value: Any
) -> None:
    client = make(server.address)
    client.set("k", value, min_compress_len=100)
    flags, data = stored(server.address)
    assert flags & 8
    assert ENTRIES.from_memcached(flags, data) == value
    client.disconnect_all()


def test_kcache_reads_what_pymemcache_compressed(server: Memcached) -> None:
    with closing(
        pymemcache.Client(server.address, serde=pymemcache.serde.compressed_serde)
    ) as client:
        client.set("k", "text " * 1000, noreply=False)
    assert ENTRIES.from_memcached(*stored(server.address)) == "text " * 1000


@pytest.mark.parametrize("value", [None, 1.5, [1], {"a": 1}], ids=repr)
def test_their_pickles_are_a_miss(client: Any, server: Memcached, value: Any) -> None:
    client.set("k", value)
    with pytest.raises(DecodeError, match="another client"):
        ENTRIES.from_memcached(*stored(server.address))


@each_framed
def test_they_never_take_a_frame_for_a_value(client: Any, server: Memcached, value: Any) -> None:
    store(server.address, value)
    frame = ENTRIES.to_memcached(value)[1]
    if isinstance(client, memcache.Client):
        with pytest.raises(ValueError, match="Unknown flags"):
            client.get("k")
    else:
        assert client.get("k") == frame


def test_counting_keeps_an_int_an_int(client: Any, server: Memcached) -> None:
    store(server.address, 100)
    assert client.decr("k", 1) == 99
    flags, data = stored(server.address)
    # memcached leaves the length as it was.
    assert data == b"99 "
    assert ENTRIES.from_memcached(flags, data) == 99
    assert client.incr("k", 2) == 101
    assert ENTRIES.from_memcached(*stored(server.address)) == 101


@pytest.fixture(scope="module")
def redis_client() -> Iterator[redis.Redis]:
    with redis_server() as server, redis.Redis.from_url(server.url) as opened:
        yield opened


def got(client: redis.Redis, key: str) -> bytes:
    data = client.get(key)
    assert isinstance(data, bytes)
    return data


@pytest.mark.parametrize("value", ["text", "hé ∀", "", "x" * 5000, "05", b"\xff\x00\r\n", 0, 5, -5])
def test_redis_py_reads_and_writes_the_same_bytes(redis_client: redis.Redis, value: Any) -> None:
    redis_client.set("theirs", value)
    redis_client.set("ours", ENTRIES.to_redis(value))
    assert redis_client.get("ours") == redis_client.get("theirs")
    back = ENTRIES.from_redis(got(redis_client, "theirs"))
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize("value", ["5", "-5", b"abc", b"", b"5", *FRAMED], ids=repr)
def test_what_redis_would_change_comes_back_all_the_same(
    redis_client: redis.Redis, value: Any
) -> None:
    redis_client.set("k", ENTRIES.to_redis(value))
    back = ENTRIES.from_redis(got(redis_client, "k"))
    assert (type(back), back) == (type(value), value)


def test_redis_counts_what_kcache_stored(redis_client: redis.Redis) -> None:
    redis_client.set("n", ENTRIES.to_redis(41))
    assert redis_client.incr("n") == 42
    assert ENTRIES.from_redis(got(redis_client, "n")) == 42
    # A framed "5" is text, and stays so.
    redis_client.set("n", ENTRIES.to_redis("5"))
    with pytest.raises(redis.ResponseError):
        redis_client.incr("n")
