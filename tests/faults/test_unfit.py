"""Nodes that take no connection, or refuse: the others are as they were, and nobody waits twice."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import ref

import pytest

from kcache import Cache
from kcache.net.pool import Pool
from tests.faults.nodes import fleet
from tests.faults.proxy import HOLD, Proxy, Rule, proxy
from tests.faults.tally import EXPECTED, comes_true
from tests.servers import Redis, frozen, kill, memcached, redis
from tests.servers.connect import free_port

KINDS = ["redis", "memcached"]


@contextmanager
def deaf() -> Iterator[int]:
    """The port of a listener that takes no connection: whoever wants one waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the library's own way
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_takes_no_connection_costs_its_own_keys_only(
    kind: str, caplog: pytest.LogCaptureFixture, *, is_warm: bool
) -> None:
    with fleet(kind, 3) as servers, deaf() as port:
        urls = [f"{server.url}?name=n{number}" for number, server in enumerate(servers)]
        with Cache([*urls, f"{kind}://127.0.0.1:{port}?name=deaf"], timeout=1.5) as cache:
            healthy = {k: v for k, v in EXPECTED.items() if cache.node_for(k).name != "deaf"}
            with Cache([*urls, f"{kind}://127.0.0.1:1?name=deaf"]) as other:
                other.set_many(healthy)
            if is_warm:
                assert [cache.get(key) for key in healthy] == list(healthy.values())
            begun = time.monotonic()
            assert cache.get_many(EXPECTED) == healthy
            assert time.monotonic() - begun < 1.5 + 0.5
            assert cache.get_many(EXPECTED) == healthy
            assert not [record for record in caplog.records if "node n" in record.getMessage()]


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_that_takes_no_connection_does_not_keep_others_from_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fleet(kind, 1) as (server,), deaf() as port:
        real = socket.getaddrinfo

        def resolve(host: str, *arguments: Any, **options: Any) -> list[Any]:
            if host != "two.example":
                return real(host, *arguments, **options)
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", each))
                for each in (port, server.port)
            ]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with Cache([f"{kind}://two.example"], timeout=2) as cache:
            assert cache.set("k", 1)
            assert cache.get("k") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_slow_look_up_of_its_name_a_node_is_used(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fleet(kind, 1) as (server,):
        real = socket.getaddrinfo

        def resolve(host: str, *arguments: Any, **options: Any) -> list[Any]:
            time.sleep(1.2)
            return real(host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with Cache([f"{kind}://localhost:{server.port}"], timeout=0.5) as cache:
            assert comes_true(lambda: cache.set("k", 1))


def test_nor_does_one_that_is_frozen_while_it_asks_for_a_password() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(redis(password="secret")) for _ in range(3)]
        urls = [f"redis://:secret@127.0.0.1:{s.port}?name=n{n}" for n, s in enumerate(servers)]
        with Cache(urls, namespace="shop", timeout=2) as writer:
            assert writer.set_many(EXPECTED) == []
        with frozen(servers[0]), Cache(urls, namespace="shop", timeout=2) as cache:
            healthy = {k: v for k, v in EXPECTED.items() if cache.node_for(k).name != "n0"}
            cache.get(next(iter(healthy)))
            assert cache.get_many(EXPECTED) == healthy
            assert set(cache.set_many(EXPECTED)) == EXPECTED.keys() - healthy.keys()
            assert cache.get_many(EXPECTED) == healthy


def test_a_cache_that_is_dropped_while_a_node_is_down_is_gone() -> None:
    threads = threading.active_count()
    cache = Cache([f"redis://127.0.0.1:{free_port()}"], timeout=0.2)
    assert cache.get("k") is None
    pool = ref(cache._core.transport.ends[0])  # noqa: SLF001 - what holds connections
    del cache

    def is_gone() -> bool:
        # Exceptions and the frames that they went through hold each other.
        gc.collect()
        return pool() is None

    assert comes_true(is_gone)
    assert comes_true(lambda: threading.active_count() <= threads)


def refuse_writes(server: Redis, *, refused: bool) -> None:
    words = ["CONFIG", "SET", "min-replicas-to-write", "1" if refused else "0"]
    with server.connection() as sock, sock.makefile("rb") as replies:
        text = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        sock.sendall(f"*{len(words)}\r\n{text}".encode())
        assert replies.readline() == b"+OK\r\n"


def test_a_node_that_refuses_an_invalidation_keeps_its_plain_keys() -> None:
    with redis() as server, Cache([server.url], debt_interval=0.2) as cache:
        shop = cache.namespace("shop")
        assert cache.set("plain", "value")
        assert shop.set("k", "old")
        refuse_writes(server, refused=True)
        assert not shop.invalidate().complete
        for _ in range(50):
            assert cache.get("plain") == "value"
            assert shop.get("k") is None
        refuse_writes(server, refused=False)
        assert comes_true(lambda: shop.set("other", 1))
        assert shop.get("k") is None
        assert shop.get("other") == 1


def test_who_cannot_pay_a_debt_does_not_use_the_node() -> None:
    with redis() as server, memcached() as other, proxy(server.address) as way:
        urls = [f"{server.url}?name=n0", f"{other.url}?name=n1"]
        cut = [f"redis://127.0.0.1:{way.port}?name=n0", urls[1]]
        options: dict[str, Any] = {"namespace": "shop", "debt_interval": 0.2, "timeout": 2}
        with Cache(cut, **options) as cache, Cache(urls, **options) as reader:
            key = next(key for key in EXPECTED if cache.node_for(key).name == "n0")
            assert cache.set(key, "old")
            assert reader.get(key) == "old"
            way.close()
            refuse_writes(server, refused=True)
            assert not cache.invalidate().complete
            assert comes_true(lambda: reader.get(key) is None)
            for _ in range(50):
                assert reader.get(key) is None
                time.sleep(0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_an_idle_process_looks_for_debts_before_it_reads(kind: str) -> None:
    with fleet(kind, 2) as servers, proxy(servers[0].address) as way:
        urls = [f"{server.url}?name=n{number}" for number, server in enumerate(servers)]
        cut = [f"{kind}://127.0.0.1:{way.port}?name=n0", urls[1]]
        options: dict[str, Any] = {"namespace": "shop", "debt_interval": 0.1, "timeout": 0.5}
        with Cache(cut, **options) as cache, Cache(urls, **options) as reader:
            key = next(key for key in EXPECTED if cache.node_for(key).name == "n0")
            for _ in range(2):
                assert comes_true(lambda: cache.set(key, "old"))
                assert comes_true(lambda: reader.get(key) == "old")
                way.switch(requests=HOLD, replies=HOLD)
                assert not cache.invalidate().complete
                time.sleep(0.4)
                assert reader.get(key) is None
                way.reset()
                way.switch()
            assert comes_true(lambda: cache.set(key, "old"))
            way.switch(requests=HOLD, replies=HOLD)
            assert not cache.invalidate().complete
            time.sleep(0.4)
            assert reader.get_many([key]) == {}


def test_a_node_that_was_never_there_costs_the_others_nothing() -> None:
    with memcached() as server, proxy(server.address) as way:
        dead = f"memcached://127.0.0.1:{free_port()}?name=dead"
        nodes = [f"memcached://127.0.0.1:{way.port}?name=n0", dead]
        with Cache(nodes, namespace="shop", debt_interval=60) as cache:
            mine = [key for key in EXPECTED if cache.node_for(key).name == "dead"]
            cache.get_many(EXPECTED)
            before = sum(way.round_trips)
            assert [cache.get(key) for key in mine] == [None] * len(mine)
            assert sum(way.round_trips) - before <= 3


def test_services_with_different_rings_on_one_node_do_not_pay_for_ever() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(redis()) for _ in range(3)]
        ways = [stack.enter_context(proxy(server.address)) for server in servers]
        urls = [f"{server.url}?name=n{number}" for number, server in enumerate(servers)]
        cuts = [f"redis://127.0.0.1:{way.port}?name=n{number}" for number, way in enumerate(ways)]
        options: dict[str, Any] = {"namespace": "shop", "debt_interval": 0.05, "timeout": 2}
        ways[0].close()
        for other in (1, 2):
            with Cache([cuts[0], cuts[other]], **options) as cache:
                assert not cache.invalidate().complete
        caches = [stack.enter_context(Cache([urls[0], urls[n]], **options)) for n in (1, 2)]
        keys = [key for key in EXPECTED if caches[0].node_for(key).name == "n0"]
        for cache in caches * 3:
            cache.get_many(keys)
            time.sleep(0.1)
        assert caches[0].set_many(dict.fromkeys(keys, "kept")) == []
        for _ in range(10):
            for cache in caches:
                cache.get(keys[0])
            time.sleep(0.06)
        assert len(caches[0].get_many(keys)) == len(keys)


def test_an_outage_with_many_calls_under_way_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kcache")
    with redis() as server, Cache([server.url], timeout=1) as cache:
        cache.set_many(EXPECTED)
        threads = [
            threading.Thread(target=lambda: [cache.get(key) for key in EXPECTED]) for _ in range(16)
        ]
        with frozen(server):
            for thread in threads:
                thread.start()
            time.sleep(1.2)
        for thread in threads:
            thread.join()
        assert comes_true(lambda: cache.get("key 1") is not None)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_many_calls_that_find_nobody_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with Cache([f"redis://127.0.0.1:{port}"], timeout=5) as cache:
        together = threading.Barrier(16)

        def call() -> None:
            together.wait()
            cache.get("k")

        threads = [threading.Thread(target=call) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_killed_node_that_is_empty_again_is_used_at_once() -> None:
    with redis() as server, Cache([server.url], namespace="shop") as cache:
        assert cache.set("k", "old")
        kill(server)
        assert cache.get("k") is None
        with redis(port=server.port):
            assert comes_true(lambda: cache.set("k", "new"))
            assert cache.get("k") == "new"


def test_what_was_refused_is_not_paid_by_what_was_missed_later() -> None:
    with redis() as server, memcached() as other, proxy(server.address) as way:
        cut = [f"redis://127.0.0.1:{way.port}?name=n0", f"{other.url}?name=n1"]
        options: dict[str, Any] = {"debt_interval": 60, "timeout": 0.4}
        with Cache(cut, **options) as cache:
            shop, garden = cache.namespace("shop"), cache.namespace("garden")
            key = next(key for key in EXPECTED if shop.node_for(key).name == "n0")
            assert shop.set(key, "old")
            refuse_writes(server, refused=True)
            assert not shop.invalidate().complete
            # Now it gives no answer at all, and then it is well again.
            way.switch(requests=HOLD, replies=HOLD)
            assert not garden.invalidate().complete
            refuse_writes(server, refused=False)
            way.reset()
            way.switch()
            plain = next(key for key in EXPECTED if cache.node_for(key).name == "n0")
            assert comes_true(lambda: cache.set(plain, "used again"))
            with Cache([f"{server.url}?name=n0", cut[1]], **options) as late:
                assert late.namespace("shop").get(key) is None
            assert shop.get(key) is None


def test_nor_is_what_was_refused_while_it_was_told_what_it_had_missed() -> None:
    with redis() as server, memcached() as other, proxy(server.address) as way:
        cut = [f"redis://127.0.0.1:{way.port}?name=n0", f"{other.url}?name=n1"]
        options: dict[str, Any] = {"debt_interval": 60, "timeout": 1}
        with Cache(cut, **options) as cache:
            shop, garden = cache.namespace("shop"), cache.namespace("garden")
            key = next(key for key in EXPECTED if shop.node_for(key).name == "n0")
            plain = next(key for key in EXPECTED if cache.node_for(key).name == "n0")
            pool = cache._core.transport.ends[0]  # noqa: SLF001 - what is tested lies behind it
            assert isinstance(pool, Pool)
            assert shop.set(key, "old")
            cut_off(way)
            assert cache.get(plain) is None
            # It comes back, slowly, and refuses what it is told, and what it missed meanwhile.
            refuse_writes(server, refused=True)
            way.reset()
            way.switch(replies=Rule(delay=0.2))
            (outage,) = pool._outages.values()  # noqa: SLF001 - as above
            assert comes_true(lambda: outage.is_answering)
            assert not shop.invalidate().complete
            way.switch()
            assert comes_true(lambda: pool.refusal() is None)
            # Once more; and now it does what it is told.
            cut_off(way)
            assert not garden.invalidate().complete
            refuse_writes(server, refused=False)
            way.reset()
            way.switch()
            assert comes_true(lambda: cache.set(plain, "used again"))
            with Cache([f"{server.url}?name=n0", cut[1]], **options) as late:
                assert late.namespace("shop").get(key) is None
            assert shop.get(key) is None


def cut_off(way: Proxy) -> None:
    way.switch(requests=HOLD, replies=HOLD)


@pytest.mark.parametrize("is_missed", [False, True])
def test_a_node_that_is_started_again_after_it_refused_is_one_outage(
    caplog: pytest.LogCaptureFixture, *, is_missed: bool
) -> None:
    with redis() as server, Cache([server.url], timeout=2) as cache:
        shop = cache.namespace("shop")
        assert shop.set("k", 1)
        refuse_writes(server, refused=True)
        assert not shop.invalidate().complete
        kill(server)
        caplog.clear()
        if is_missed:
            assert not shop.invalidate().complete
        with redis(port=server.port):
            assert comes_true(lambda: cache.set("plain", 1))
            # Each has a connection of its own.
            at_once = threading.Barrier(8)
            done: list[bool] = []

            def work() -> None:
                at_once.wait()
                done.extend(cache.set("plain", 1) for _ in range(100))

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert done == [True] * 800
        assert len([each for each in caplog.messages if "left alone" in each]) == 1


def test_connections_that_were_not_asked_where_they_lead_are_not_used_in_namespaces() -> None:
    with redis() as server, Cache([server.url]) as cache:
        assert cache.set("plain", 1)
        (pool,) = cache._core.transport.ends  # noqa: SLF001 - what is tested lies behind it
        assert isinstance(pool, Pool)
        (unasked,) = pool.quick
        assert cache.namespace("shop").set("k", 1)
        assert unasked.fd < 0
        (asked,) = pool.quick
        assert cache.namespace("shop").get("k") == 1
        assert cache.get("plain") == 1
        assert list(pool.quick) == [asked]


def test_a_server_that_is_too_busy_to_say_which_it_is_is_said_to_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        redis(options=("--lua-time-limit", "20")) as server,
        proxy(server.address) as way,
        Cache([f"redis://127.0.0.1:{way.port}"], namespace="shop", timeout=2) as cache,
        server.connection() as busy,
    ):
        assert cache.set("k", 1)
        busy.sendall(b'EVAL "while true do end" 0\r\n')
        time.sleep(0.2)
        way.reset()
        assert cache.get("k") is None
        with server.connection() as sock:
            sock.sendall(b"SCRIPT KILL\r\n")
            assert sock.recv(100).startswith(b"+OK")
        assert "BUSY" in caplog.text
        assert "another server" not in caplog.text
        assert comes_true(lambda: cache.get("k") == 1)
