"""Caches over real servers, one of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kcache import Cache
from tests.cache.places import BASIC, EVERY, SECRET, Place, memory_url, one_key_for_each_node
from tests.servers import Memcached, Redis, certificates, memcached, redis

_SERVERS: dict[str, Any] = {"redis": redis, "memcached": memcached}


@pytest.fixture(scope="session")
def special_servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Redis | Memcached]]:
    """A server of each kind on a unix socket, and one behind TLS."""
    folder = tmp_path_factory.mktemp("special")
    tls = certificates(folder)
    with ExitStack() as stack:
        opened: dict[str, Redis | Memcached] = {}
        for kind, start in _SERVERS.items():
            opened[f"{kind}-unix"] = stack.enter_context(start(Path(folder / f"{kind}.sock")))
            opened[f"{kind}-tls"] = stack.enter_context(start(tls=tls))
        yield opened


def place_of(kind: str, request: pytest.FixtureRequest) -> Place:
    """The empty nodes of a kind."""
    if kind == "memory":
        return Place(kind, ())
    if "-" in kind:
        server = request.getfixturevalue("special_servers")[kind]
        server.flush()
        return Place(kind, (server.url,))
    urls: list[str] = []
    if kind in {"redis", "mixed"}:
        urls += [server.url for server in request.getfixturevalue("redises")[:2]]
    if kind in {"memcached", "mixed"}:
        urls += [server.url for server in request.getfixturevalue("memcacheds")[:2]]
    if kind == "mixed":
        urls.append(memory_url())
    return Place(kind, tuple(urls))


@pytest.fixture(params=BASIC)
def place(request: pytest.FixtureRequest) -> Place:
    """Empty nodes of each kind in turn."""
    return place_of(request.param, request)


@pytest.fixture
def plain_cache(place: Place) -> Iterator[Cache]:
    """An empty cache on nodes of each kind in turn; failures raise. Its keys are plain."""
    with place.open() as opened:
        yield opened


_WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "namespaced": {"namespace": "shop"},
    "signed": {"secret": SECRET},
}


@pytest.fixture(params=_WAYS)
def cache(place: Place, request: pytest.FixtureRequest) -> Iterator[Cache]:
    """The same, with plain keys, in a namespace, and with a secret in turn."""
    with place.open(**_WAYS[request.param]) as opened:
        yield opened


@pytest.fixture
def keys(cache: Cache) -> list[str]:
    """One key on each of the cache's nodes."""
    return one_key_for_each_node(cache)


@pytest.fixture(params=[(kind, name) for kind in EVERY for name in (None, "shop")])
def cache_anywhere(request: pytest.FixtureRequest) -> Iterator[Cache]:
    """The same, on unix sockets and behind TLS, too."""
    kind, name = request.param
    with place_of(kind, request).open(namespace=name) as opened:
        yield opened
