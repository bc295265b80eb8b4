"""User, password and database in a URL mean what they mean to redis-py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py

from kcache import Cache, NodeRefused
from tests.servers import Redis, redis

USERS = {"ada": "pass wort/:@%", "b@b": "é", "eve": "x"}


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """A server with users, whose default user needs a password."""
    with redis(password="default-wort") as started:
        with redis_py.Redis(port=started.port, password="default-wort") as admin:
            for name, word in USERS.items():
                admin.acl_setuser(
                    name, enabled=True, passwords=[f"+{word}"], keys=["*"], categories=["+@all"]
                )
            # Redis lets anybody in as this one.
            admin.acl_setuser("open", enabled=True, nopass=True, keys=["*"], categories=["+@all"])
        yield started


URLS = [
    "redis://:default-wort@{place}",
    "redis://:default-wort@{place}/",
    "redis://:default-wort@{place}/0",
    "redis://:default-wort@{place}/3",
    "redis://default:default-wort@{place}/3",
    "redis://:default-wort@{place}?db=4",
    "redis://:default-wort@{place}/3?db=4",
    "redis://ada:pass%20wort%2F%3A%40%25@{place}/1",
    "redis://b%40b:%C3%A9@{place}/2",
    "redis://{place}/5?username=eve&password=x",
    "redis://{place}?username=eve&password=x&db=6",
    "redis://{place}?password=default-wort",
    "redis://eve:x@{place}?username=ada&password=wrong",
    "redis://open:anything@{place}",
    "redis://{place}?username=ada&password=pass+wort%2F%3A%40%25",
]
REFUSED = [
    "redis://{place}",
    "redis://:wrong@{place}",
    "redis://eve@{place}",
    "redis://eve:default-wort@{place}",
    "redis://default-wort@{place}",
    "redis://nobody:x@{place}",
    "redis://:default-wort@{place}/77",
]


def who_and_where(server: Redis, key: str) -> tuple[str, int]:
    """The user and the database of the connection that last did something with a key."""
    with redis_py.Redis(port=server.port, password="default-wort") as admin:
        clients: list[dict[str, Any]] = admin.client_list()
        names = [client for client in clients if client["cmd"] == key]
    assert len(names) == 1
    return names[0]["user"], int(names[0]["db"])


def place(server: Redis) -> str:
    return f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("template", URLS)
def test_a_url_leads_to_the_same_user_and_database(server: Redis, template: str) -> None:
    url = template.format(place=place(server))
    with redis_py.Redis.from_url(url) as theirs:
        # A command that nothing else here sends marks the connection.
        theirs.touch("k")
        expected = who_and_where(server, "touch")
    with (
        redis_py.Redis.from_url(url) as theirs,
        Cache([url], on_error="raise", timeout=10) as ours,
    ):
        assert ours.ttl("k") is None
        assert who_and_where(server, "pttl") == expected
        # And so each finds what the other one stored.
        theirs.set("from-them", "text")
        ours.set("from-us", "text")
        assert ours.get("from-them") == "text"
        assert theirs.get("from-us") == b"text"
        assert ours.flush_nodes()


@pytest.mark.parametrize("template", REFUSED)
def test_who_is_refused_there_is_refused_here(server: Redis, template: str) -> None:
    url = template.format(place=place(server))
    with redis_py.Redis.from_url(url) as theirs, pytest.raises(redis_py.RedisError):
        theirs.get("k")
    with (
        Cache([url], on_error="raise", timeout=10) as ours,
        pytest.raises(NodeRefused) as caught,
    ):
        ours.get("k")
    assert "default-wort" not in str(caught.value)


def test_databases_are_apart_and_flush_nodes_empties_one_alone(server: Redis) -> None:
    urls = [f"redis://:default-wort@{place(server)}/{number}" for number in range(3)]
    caches = [Cache([url], on_error="raise", timeout=10) for url in urls]
    for number, cache in enumerate(caches):
        cache.set("k", number)
    assert [cache.get("k") for cache in caches] == [0, 1, 2]
    assert caches[1].flush_nodes()
    assert [cache.get("k") for cache in caches] == [0, None, 2]
    for cache in caches:
        cache.close()


@pytest.mark.parametrize("scheme", ["redis+unix", "valkey+unix"])
def test_a_unix_socket_takes_user_and_database_as_well(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "redis.sock"
    with redis(path, username="ada", password="x y"):
        theirs_url = f"unix://ada:x%20y@{path}?db=3"
        ours_url = f"{scheme}://ada:x%20y@{path}?db=3"
        with (
            redis_py.Redis.from_url(theirs_url) as theirs,
            Cache([ours_url], on_error="raise", timeout=10) as ours,
        ):
            theirs.set("k", "theirs")
            assert ours.get("k") == "theirs"


def test_valkey_is_redis_by_another_name(server: Redis) -> None:
    with (
        Cache([f"redis://:default-wort@{place(server)}/9"], timeout=10) as one,
        Cache([f"valkey://:default-wort@{place(server)}/9"], timeout=10) as other,
    ):
        one.set("k", 5)
        assert other.incr("k") == 6
        assert one.node_for("k") == other.node_for("k")
