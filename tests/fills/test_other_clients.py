"""On plain keys, other clients see values, and never what stands for a computation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pymemcache
import pytest
import redis as redis_py

from kcache import Cache
from tests.fills.computing import Caller, Computation
from tests.servers import Memcached, Redis

Reader = tuple[Cache, Callable[[str], Any], Callable[[str, Any], Any]]


@pytest.fixture(params=["redis", "memcached"])
def reader(
    request: pytest.FixtureRequest, redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...]
) -> Iterator[Reader]:
    """A cache on one node, and the get and set of another client there."""
    is_redis = request.param == "redis"
    server = redises[0] if is_redis else memcacheds[0]
    client: Any = (
        redis_py.Redis.from_url(server.url)
        if is_redis
        else pymemcache.Client(server.address, default_noreply=False)
    )
    with Cache([server.url], timeout=20, on_error="raise") as cache:
        yield cache, client.get, client.set
    client.close()


@pytest.mark.parametrize("options", [{}, {"errors": {ValueError: 5}}], ids=repr)
def test_during_a_computation_others_see_nothing(reader: Reader, options: Any) -> None:
    cache, get, _ = reader
    compute = Computation("value", held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute, **options))
    assert compute.has_begun()
    assert get("k") is None
    assert "k" not in cache
    compute.let_go()
    assert caller.result() == "value"
    assert get("k") == b"value"


def test_what_others_store_during_a_computation_is_seen_until_it_ends(reader: Reader) -> None:
    cache, get, put = reader
    compute = Computation("computed", held=True)
    caller = Caller(lambda: cache.get_or_set("k", compute))
    assert compute.has_begun()
    put("k", b"theirs")
    assert get("k") == b"theirs"
    assert cache.get_or_set("k", lambda: "not needed") in ("theirs", b"theirs")
    compute.let_go()
    assert caller.result() == "computed"
    # On keys that others write to, the last one to store wins.
    assert get("k") == b"computed"


def test_what_others_delete_during_a_computation_is_computed_by_one_still(reader: Reader) -> None:
    cache, get, put = reader
    put("k", b"theirs")
    assert cache.get_or_set("k", lambda: "not needed") in ("theirs", b"theirs")
    assert cache.delete("k")
    assert cache.get_or_set("k", lambda: "new") == "new"
    assert get("k") == b"new"


def test_what_is_no_value_is_computed(reader: Reader) -> None:
    cache, get, put = reader
    put("k", b"\xc1kc\x01 broken")
    assert cache.get_or_set("k", lambda: ["new"]) in (["new"], b"\xc1kc\x01 broken")
    assert get("k") is not None


def test_what_is_kept_beyond_its_ttl_is_read_by_nobody_else_as_a_value(reader: Reader) -> None:
    cache, get, _ = reader
    assert cache.get_or_set("k", lambda: "value", ttl=100, stale_ttl=100) == "value"
    # It is framed: no client takes it for text.
    assert get("k") not in (b"value", None)


def test_an_exception_that_is_kept_is_no_value_to_others(reader: Reader) -> None:
    cache, get, _ = reader
    failing = Computation(ValueError("no"))
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            cache.get_or_set("k", failing, errors={ValueError: 100})
    assert failing.calls == 1
    assert "k" not in cache
    assert get("k") != b"no"
