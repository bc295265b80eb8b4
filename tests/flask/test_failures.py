"""A cache that is down, slow or full of rubbish breaks no page."""

# What is cached has arguments that make its key, whether it looks at them or not.

from __future__ import annotations

import asyncio
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import urandom
from time import monotonic, sleep
from typing import Any

import pytest
from flask import abort, render_template_string

from kcache import NodeError
from tests.flask.site import Site, at_once
from tests.servers import Memcached, Redis, frozen, kill, memcached, redis

_TIMEOUT = 0.3
_SERVERS: dict[str, Any] = {"redis": redis, "memcached": memcached}


@pytest.fixture(params=_SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Redis | Memcached]:
    with _SERVERS[request.param]() as started:
        yield started


@contextmanager
def _killed(server: Redis | Memcached) -> Iterator[None]:
    kill(server)
    yield


OUTAGES: dict[str, Any] = {"killed": _killed, "frozen": frozen}


def _shop(new_site: Callable[..., Site], server: Redis | Memcached, **config: Any) -> Site:
    site = new_site(KCACHE_NODES=[server.url], KCACHE_TIMEOUT=_TIMEOUT, **config)
    cache = site.cache

    @cache.memoize()
    def f(number: int) -> str:
        return f"f{number}"

    @cache.memoize()
    async def g() -> str:
        await asyncio.sleep(0)
        return "g"

    @cache.cached(key_prefix="h")
    def h() -> str:
        return "h"

    def view() -> str:
        text = "{% cache 60, 'part' %}{{ f(1) }}{% endcache %}"
        return f"{render_template_string(text, f=f)} {asyncio.run(g())} {h()} {site.count()}"

    site.route("/", view)
    site.route("/none", lambda: abort(404))
    site.route("/options", lambda: f"{site.count()}", stale_ttl=60, namespace="a", vary=["X-A"])
    site.route("/forced", lambda: f"{site.count()}", forced_update=lambda: True)
    return site


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("mode", [{}, {"TESTING": True}, {"DEBUG": True}])
def test_pages_are_served_while_the_node_is_down(
    new_site: Callable[..., Site],
    server: Redis | Memcached,
    outage: str,
    mode: dict[str, bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = _shop(new_site, server, **mode)
    assert site.texts("/", "/") == ["f1 g h 1"] * 2
    with OUTAGES[outage](server), caplog.at_level(logging.WARNING):
        begin = monotonic()
        pages = site.texts("/", "/", "/options", "/forced")
        assert site.get("/none").status_code == 404
        assert [site.get(method=each).status_code for each in ("HEAD", "POST")] == [200, 405]
        assert monotonic() - begin < 4 * _TIMEOUT + 1
        assert pages == ["f1 g h 2", "f1 g h 3", "4", "5"]
        view: Any = site.app.view_functions["page1"]
        assert not site.cache.delete_cached(view, path="/")
        assert site.cache.get("a") is None
        assert not site.cache.set("a", 1)
        assert not site.cache.clear()
    lines = [each for each in caplog.records if each.name.startswith("kcache")]
    assert len([each for each in lines if each.levelno >= logging.WARNING]) == 1, caplog.text


def test_visitors_do_not_wait_for_each_other_while_the_node_is_frozen(
    new_site: Callable[..., Site], server: Redis | Memcached
) -> None:
    site = _shop(new_site, server)
    with frozen(server):
        begin = monotonic()
        pages = at_once(*[lambda: site.get("/options").text] * 8)
        assert monotonic() - begin < 4 * _TIMEOUT + 1
    assert sorted(pages) == [f"{number}" for number in range(1, 9)]


def test_the_node_comes_back(
    new_site: Callable[..., Site], server: Redis | Memcached, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = _shop(new_site, server)
    kill(server)
    site.texts("/options", "/options")
    kind = redis if isinstance(server, Redis) else memcached
    seen: list[str] = []
    with kind(port=server.port):
        end = monotonic() + 15
        while monotonic() < end:
            site.get("/options")
            seen.append(site.get("/options").headers["Cache-Status"])
            if "hit" in seen[-1]:
                return
            # Who never rests leaves little time to the thread that asks the node.
            sleep(0.01)
    pytest.fail(f"it is never used again: {len(seen)} pages, {Counter(seen)}")


def test_pages_are_served_where_failures_raise(
    new_site: Callable[..., Site], server: Redis | Memcached
) -> None:
    site = _shop(new_site, server, KCACHE_ON_ERROR="raise", TESTING=True)
    kill(server)
    assert site.texts("/", "/") == ["f1 g h 1", "f1 g h 2"]
    with pytest.raises(NodeError):
        site.cache.get("a")


GARBAGE = [b"", b"\x00", b"garbage", b"[]", b"\xff" * 5000, b"12", b"kcache_flask.1"]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_rubbish_in_the_node_is_a_miss(
    new_site: Callable[..., Site], redises: tuple[Redis, ...], garbage: bytes
) -> None:
    site = _shop(new_site, redises[0])
    assert site.texts("/", "/options") == ["f1 g h 1", "2"]
    for key in _redis(redises[0], b"KEYS", b"*"):
        _redis(redises[0], b"SET", key, garbage)
    assert [page[-1] for page in site.texts("/", "/options", "/", "/options")] == list("3434")


STRANGE = [
    None,
    5,
    "a text",
    [],
    ["kcache_flask.1"],
    ["kcache_flask.1", *[None] * 12],
    ["kcache_flask.1", 2, "no page", "", 0.0, -1, "", "", "", False, "", "", False],
    ["kcache_flask.0", 1, "old", "", 0.0, -1, "", "", "", False, "", "", False],
    {"a": 1},
]


@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_values_that_are_no_pages_are_no_pages(site: Site, value: Any) -> None:
    view: Any = site.route("/", lambda: f"page {site.count()}")
    site.cache.set(view.make_cache_key(path="/"), value)
    assert site.texts("/", "/") == ["page 1", "page 1"]


def test_a_page_that_is_too_large_is_served(
    new_site: Callable[..., Site], memcacheds: tuple[Memcached, ...]
) -> None:
    site = new_site(KCACHE_NODES=[memcacheds[0].url])
    site.route("/", lambda: f"{site.count()}{urandom(1_500_000).hex()}")
    assert [page[0] for page in site.texts("/", "/")] == ["1", "2"]
    assert len(site.get().data) == 3_000_001


def test_what_cannot_be_encoded_is_served_with_one_warning(site: Site) -> None:
    class Text(dict[str, int]):
        pass

    site.route("/", lambda: (Text(a=1), 200, {"X-Number": str(site.count())}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [site.get().json, site.get().json] == [{"a": 1}] * 2


def test_an_exception_of_a_condition_is_the_users(site: Site) -> None:
    site.app.testing = True
    site.route("/", lambda: "page", unless=lambda: int("no"))
    with pytest.raises(ValueError, match="no"):
        site.get()


def _redis(server: Redis, *words: bytes) -> list[bytes]:
    """The bulk strings that redis answers a command with."""
    with server.connection() as sock, sock.makefile("rb") as replies:
        bulks = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
        sock.sendall(b"*%d\r\n%b" % (len(bulks), b"".join(bulks)))
        first = replies.readline()
        if not first.startswith(b"*"):
            return []
        found = []
        for _ in range(int(first[1:])):
            size = int(replies.readline()[1:])
            found.append(replies.read(size + 2)[:-2])
        return found
