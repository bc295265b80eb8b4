"""Nodes that missed an invalidation or a write: nobody is given what it should have dropped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kcache import Cache, HealthPolicy, Invalidation, NodeError
from tests.faults.proxy import HOLD, Proxy, proxy
from tests.servers import Memcached, Redis, frozen, kill, memcached, redis

KINDS = ["redis", "memcached"]
KEYS = [f"key {i}" for i in range(40)]
PATIENCE = 10.0
AT_ONCE = ("--repl-diskless-sync-delay", "0")
Server = Redis | Memcached


def comes_true(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@dataclass
class Fleet:
    """Nodes, each with a way to it that can be cut."""

    kind: str
    servers: list[Server]
    ways: list[Proxy]

    def cache(self, *, cut: bool = False, **options: Any) -> Cache:
        """A cache on them; what is cut for one is not for the others."""
        ports = [each.port for each in (self.ways if cut else self.servers)]
        nodes = [f"{self.kind}://127.0.0.1:{port}?name=n{at}" for at, port in enumerate(ports)]
        options = {"namespace": "shop", "timeout": 0.5, "debt_interval": 0.2, **options}
        return Cache(nodes, **options)

    def lost(self, cache: Cache) -> list[str]:
        """The keys of the node that is cut off."""
        return [key for key in KEYS if cache.node_for(key).name == "n0"]

    def cut(self) -> None:
        """Nothing comes through to the first node, nor back."""
        self.ways[0].switch(requests=HOLD, replies=HOLD)

    def mend(self) -> None:
        """What was held back is lost."""
        self.ways[0].reset()
        self.ways[0].switch()


@contextmanager
def fleet_of(kind: str, size: int) -> Iterator[Fleet]:
    start: Any = redis if kind == "redis" else memcached
    with ExitStack() as stack:
        servers = [stack.enter_context(start()) for _ in range(size)]
        ways = [stack.enter_context(proxy(server.address)) for server in servers]
        yield Fleet(kind, servers, ways)


@pytest.fixture(params=KINDS)
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    with fleet_of(request.param, 2) as fleet:
        yield fleet


def test_who_could_not_tell_a_node_is_never_given_what_is_old(fleet: Fleet) -> None:
    # So long it hears of its own debts from nobody.
    with fleet.cache(cut=True, debt_interval=60) as cache:
        lost = fleet.lost(cache)
        assert cache.set_many(dict.fromkeys(KEYS, "old")) == []
        fleet.cut()
        assert [node.name for node in cache.invalidate().pending] == ["n0"]
        fleet.mend()
        deadline = time.monotonic() + PATIENCE
        while not cache.set(lost[0], "new"):
            assert time.monotonic() < deadline
            assert cache.get_many(KEYS) == {}
            assert [cache.get(key) for key in KEYS] == [None] * len(KEYS)
        assert cache.get_many(lost) == {lost[0]: "new"}


@contextmanager
def reading(cache: Cache, key: str) -> Iterator[None]:
    """Somebody reads all the time."""
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.01):
            cache.get(key)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        ended.set()
        reader.join()


def test_others_are_not_given_it_for_longer_than_the_interval(fleet: Fleet) -> None:
    with fleet.cache(cut=True) as cache, fleet.cache() as other:
        lost = fleet.lost(cache)
        cache.set_many(dict.fromkeys(KEYS, "old"))
        assert len(other.get_many(KEYS)) == len(KEYS)
        fleet.cut()
        with reading(other, lost[0]):
            assert not cache.invalidate().complete
            # It talks to the node all the time, and hears of it from the other node. Others may
            # have no time to ask for a while, so that this is far above the interval.
            comes_true(lambda: other.get_many(lost) == {}, 0.2 + 4)
        assert other.set_many(dict.fromkeys(lost, "new")) == []
        time.sleep(0.5)
        # Paid is paid: what is new is not dropped again.
        assert len(other.get_many(lost)) == len(lost)


def test_a_process_that_starts_later_hears_of_it_before_its_first_read(fleet: Fleet) -> None:
    cache = fleet.cache(cut=True)
    lost = fleet.lost(cache)
    cache.set_many(dict.fromkeys(KEYS, "old"))
    fleet.cut()
    assert not cache.invalidate().complete
    cache.close()
    with fleet.cache() as late:
        assert late.get(lost[0]) is None
    with fleet.cache() as late:
        assert late.get_many(lost) == {}


def test_a_node_that_was_frozen_is_told_before_it_is_used(fleet: Fleet) -> None:
    with fleet.cache() as cache, fleet.cache() as other:
        lost = fleet.lost(cache)
        cache.set_many(dict.fromkeys(KEYS, "old"))
        other.get_many(KEYS)
        with frozen(fleet.servers[0]):
            assert not cache.invalidate().complete
            assert other.get(lost[0]) is None
        # Both find out by themselves that it is back.
        for each in (cache, other):
            deadline = time.monotonic() + PATIENCE
            while not each.set(lost[1], "new"):
                assert time.monotonic() < deadline
                assert each.get(lost[0]) is None
            assert each.get(lost[0]) is None


def test_what_a_frozen_node_does_late_is_not_seen(fleet: Fleet) -> None:
    with fleet.cache() as cache, fleet.cache() as other:
        lost = fleet.lost(cache)
        cache.set_many(dict.fromkeys(lost, "old"))
        other.get_many(lost)
        with frozen(fleet.servers[0]):
            assert cache.set_many(dict.fromkeys(lost, "refused")) == lost
            assert other.delete(lost[0]) is False
        for each in (cache, other):
            comes_true(partial(each.set, lost[-1], "new"))
        for each in (cache, other):
            assert each.get_many(lost[:-1]) == {}


def test_an_invalidation_is_complete_once_the_node_is_back(fleet: Fleet) -> None:
    with fleet.cache(cut=True) as cache:
        cache.set_many(dict.fromkeys(KEYS, "old"))
        fleet.cut()
        assert not cache.invalidate().complete
        assert not cache.invalidate().complete
        fleet.mend()
        comes_true(lambda: cache.invalidate() == Invalidation(complete=True))


def test_many_missed_invalidations_drop_everything_on_the_node(fleet: Fleet) -> None:
    with fleet.cache(cut=True, namespace=None) as cache:
        kept = cache.namespace("kept")
        places = [cache.namespace("many", f"{i}") for i in range(80)]
        for place in (kept, *places):
            assert place.set_many(dict.fromkeys(KEYS, "old")) == []
        fleet.cut()
        outcomes = [place.invalidate() for place in places]
        assert not any(outcome.complete for outcome in outcomes)
        fleet.mend()
        comes_true(lambda: len(kept.get_many(KEYS)) < len(KEYS) and places[0].set(KEYS[0], "new"))
        for place in places[1:]:
            assert place.get_many(KEYS) == {}


def test_few_missed_invalidations_leave_other_namespaces_alone(fleet: Fleet) -> None:
    with fleet.cache(cut=True, namespace=None) as cache:
        kept, dropped = cache.namespace("kept"), cache.namespace("dropped")
        for place in (kept, dropped):
            place.set_many(dict.fromkeys(KEYS, "old"))
        fleet.cut()
        dropped.invalidate()
        fleet.mend()
        comes_true(lambda: len(kept.get_many(KEYS)) == len(KEYS))
        assert dropped.get_many(KEYS) == {}


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_child_process_does_not_forget_what_a_node_has_missed(kind: str, size: int) -> None:
    # So long neither of them asks the node whether it is back, nor others what it has missed; and
    # where there are no others, nobody else knows.
    rarely = HealthPolicy(first_probe=60, longest_probe=60)
    with (
        fleet_of(kind, size) as fleet,
        fleet.cache(cut=True, debt_interval=60, health=rarely) as cache,
    ):
        lost = fleet.lost(cache)
        cache.set_many(dict.fromkeys(KEYS, "old"))
        fleet.cut()
        assert not cache.invalidate().complete
        fleet.mend()
        child = os.fork()
        if not child:
            fine = False
            try:
                fine = cache.get_many(KEYS) == {} and cache.get(lost[0]) is None
            finally:
                os._exit(0 if fine else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("is_forked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_who_forgets_an_outage_looks_for_debts_before_it_reads(
    kind: str, *, is_forked: bool
) -> None:
    rarely = HealthPolicy(first_probe=60, longest_probe=60)
    with fleet_of(kind, 2) as fleet, proxy(fleet.servers[0].address) as way:
        urls = [f"{kind}://127.0.0.1:{port}" for port in (way.port, fleet.servers[1].port)]
        nodes = [f"{url}?name=n{at}" for at, url in enumerate(urls)]
        options: dict[str, Any] = {"namespace": "shop", "debt_interval": 60, "health": rarely}
        with fleet.cache(cut=True) as cache, Cache(nodes, timeout=0.5, **options) as reader:
            lost = fleet.lost(cache)
            cache.set_many(dict.fromkeys(KEYS, "old"))
            assert reader.get(lost[0]) == "old"
            fleet.cut()
            way.switch(requests=HOLD, replies=HOLD)
            assert reader.get(lost[0]) is None
            assert not cache.invalidate().complete
            way.reset()
            way.switch()
            if not is_forked:
                reader.close()
                assert reader.get(lost[0]) is None
                return
            child = os.fork()
            if not child:
                fine = False
                try:
                    fine = reader.get(lost[0]) is None
                finally:
                    os._exit(0 if fine else 1)
            assert os.waitpid(child, 0)[1] == 0


def test_where_no_thread_can_be_started_calls_look_for_debts(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with fleet.cache(cut=True) as cache, fleet.cache() as other:
        lost = fleet.lost(cache)
        cache.set_many(dict.fromkeys(KEYS, "old"))
        assert len(other.get_many(KEYS)) == len(KEYS)
        fleet.cut()
        # It is never idle, so that nothing is ever overdue.
        with reading(other, lost[0]):
            monkeypatch.setattr("_thread.start_new_thread", refuse)
            assert not cache.invalidate().complete
            comes_true(lambda: other.get(lost[0]) is None)


def test_a_debt_that_is_found_and_cannot_be_paid_in_time_is_not_forgotten() -> None:
    interval = 5.0
    with fleet_of("memcached", 3) as fleet, fleet.cache(cut=True) as cache:
        lost = fleet.lost(cache)
        cache.set_many(dict.fromkeys(lost, "old"))
        with fleet.cache(debt_interval=interval) as other:
            begun = time.monotonic()
            assert other.get(lost[0]) == "old"
            fleet.cut()
            assert not cache.invalidate().complete
            # Whoever looks for debts waits for this one, and then has no time left.
            with frozen(fleet.servers[2]):
                left = begun + 1.8 * interval - time.monotonic()
                comes_true(lambda: other.get(lost[0]) is None, left)


@contextmanager
def started_again(server: Redis, folder: Path) -> Iterator[Redis]:
    kill(server)
    with redis(port=server.port, folder=folder) as again:
        yield again


@pytest.mark.parametrize("trusted", [False, True])
def test_a_snapshot_brings_nothing_back(tmp_path: Path, *, trusted: bool) -> None:
    with redis(folder=tmp_path) as server:
        options: dict[str, Any] = {"namespace": "shop", "trust_restart": trusted}
        with Cache([server.url], **options) as cache, Cache([server.url], **options) as other:
            assert cache.set("k", "old")
            assert other.get("k") == "old"
            command(server, "SAVE")
            assert cache.invalidate().complete
            with started_again(server, tmp_path):
                expected = "old" if trusted else None
                # A write that a lost connection may have carried would drop the namespace.
                comes_true(lambda: cache.get("k") == expected and cache.set("other", 1))
                assert cache.get("k") == expected
                comes_true(lambda: other.get("other") == 1)
                assert other.set("other", 2)
                assert other.get("k") == expected
                with Cache([server.url], **options) as late:
                    assert late.get("k") == expected
                    # Whoever comes later does not drop it once more.
                    assert late.get("other") == cache.get("other") == 2


def command(server: Redis, *words: str) -> None:
    with server.connection() as sock, sock.makefile("rb") as replies:
        text = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        sock.sendall(f"*{len(words)}\r\n{text}".encode())
        assert replies.readline().startswith(b"+OK")


def test_a_promoted_replica_begins_anew() -> None:
    with redis(options=AT_ONCE) as primary, redis() as replica:
        command(replica, "REPLICAOF", "127.0.0.1", f"{primary.port}")
        with Cache([primary.url], namespace="shop") as cache:
            assert cache.set("k", "old")
            # It has what it has; from here on it is behind.
            with Cache([replica.url], namespace="shop") as reader:
                comes_true(lambda: reader.get("k") is None and replicated(replica))
            command(replica, "REPLICAOF", "NO", "ONE")
            assert cache.invalidate().complete
        with Cache([replica.url], namespace="shop") as cache:
            assert cache.get("k") is None
            assert cache.set("k", "new")
            assert cache.get("k") == "new"


def answer(cache: Cache, key: str) -> Any:
    """What a read gives, once the node is used; the cache raises until then."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return cache.get(key)
        except NodeError:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_an_address_that_moves_with_a_failover_begins_anew() -> None:
    options: dict[str, Any] = {"namespace": "shop", "on_error": "raise"}
    with redis(options=AT_ONCE) as primary, redis() as replica, proxy(primary.address) as way:
        command(replica, "REPLICAOF", "127.0.0.1", f"{primary.port}")
        url = f"redis://127.0.0.1:{way.port}"
        with (
            Cache([primary.url], namespace="shop") as writer,
            Cache([url], **options) as cache,
            Cache([url], **options) as other,
        ):
            comes_true(lambda: writer.set("k", "old") and replicated(replica))
            assert [answer(each, "k") for each in (cache, other)] == ["old", "old"]
            command(replica, "REPLICAOF", "NO", "ONE")
            # The replica does not hear of it, and has the records and the entry from before.
            assert writer.invalidate().complete
            way.server = replica.address
            way.reset()
            assert [answer(each, "k") for each in (cache, other)] == [None, None]
            assert cache.set("k", "new")
            assert other.get("k") == "new"


def replicated(replica: Redis) -> bool:
    with replica.connection() as sock, sock.makefile("rb") as replies:
        sock.sendall(b"*1\r\n$6\r\nDBSIZE\r\n")
        return int(replies.readline()[1:]) >= 3


def test_a_server_that_gets_a_replica_begins_anew_once() -> None:
    with (
        redis(options=AT_ONCE) as server,
        redis() as replica,
        Cache([server.url], namespace="shop") as cache,
    ):
        assert cache.set("k", "old")
        # It has another history from here on, and ends no connection for that.
        command(replica, "REPLICAOF", "127.0.0.1", f"{server.port}")
        comes_true(lambda: replicated(replica))
        with Cache([server.url], namespace="shop") as late:
            comes_true(lambda: late.set("k", "new") and cache.get("k") == "new")
            for turn in range(20):
                assert late.set("k", turn)
                assert cache.get("k") == turn
                assert cache.set("k", -turn)
                assert late.get("k") == -turn


def test_a_node_that_comes_back_as_a_replica_gives_what_plain_keys_it_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with redis() as server, redis(options=AT_ONCE) as primary:
        with Cache([primary.url]) as other:
            assert other.set("plain", "seen")
        with Cache([server.url], debt_interval=0.2) as cache:
            shop = cache.namespace("shop")
            assert shop.set("k", "old")
            kill(server)
            assert not shop.invalidate().complete
            follow = ("--replicaof", "127.0.0.1", f"{primary.port}")
            with redis(port=server.port, options=follow):
                comes_true(lambda: cache.get("plain") == "seen")
                for _ in range(50):
                    assert cache.get("plain") == "seen"
                    assert shop.get("k") is None
                assert [each for each in caplog.messages if "READONLY" in each]


def test_a_replica_is_of_no_use_to_namespaces_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with redis(options=AT_ONCE) as primary, redis() as replica:
        command(replica, "REPLICAOF", "127.0.0.1", f"{primary.port}")
        with Cache([primary.url]) as cache, Cache([replica.url]) as reader:
            assert cache.set("plain", "seen")
            assert cache.namespace("shop").set("k", "old")
            comes_true(lambda: replicated(replica))
            for _ in range(50):
                assert reader.namespace("shop").get("k") is None
                assert not reader.namespace("shop").set("k", "new")
            # Plain keys have what the server gives.
            assert reader.get("plain") == "seen"
            assert [record.message.count("READONLY") for record in caplog.records] == [1]
            for _ in range(5):
                assert not reader.namespace("shop").invalidate().complete
                assert reader.get("plain") == "seen"
            assert [record.message.count("READONLY") for record in caplog.records] == [1]


def test_who_may_not_ask_which_server_it_is_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    with redis(username="app", password="secret") as server:
        command(server, "ACL", "SETUSER", "app", "-info")
        with Cache([server.url], namespace="shop") as cache:
            assert cache.set("k", "value")
            assert cache.get("k") == "value"
            assert cache.invalidate().complete
            assert cache.get("k") is None
    assert ["start from a snapshot" in record.message for record in caplog.records] == [True]


def test_a_memcached_that_compares_nothing_computes_for_everybody_at_once() -> None:
    with memcached(options=("-C",)) as server, Cache([server.url], namespace="shop") as cache:
        for _ in range(3):
            begun = time.monotonic()
            assert cache.get_or_set("k", lambda: "value") == "value"
            assert cache.incr("n", initial=1) in (1, None)
            assert not cache.replace("k", 5)
            assert time.monotonic() - begun < 1
        assert cache.set("k", "other")
        assert cache.get("k") == "other"


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_comes_back_while_invalidations_go_on_and_on(kind: str) -> None:
    start: Any = redis if kind == "redis" else memcached
    with (
        start() as server,
        start() as other,
        Cache([server.url, other.url], namespace="shop", timeout=0.3) as cache,
    ):
        ended = threading.Event()

        def work() -> None:
            while not ended.is_set():
                cache.invalidate()

        threads = [threading.Thread(target=work) for _ in range(4)]
        with frozen(server):
            for thread in threads:
                thread.start()
            time.sleep(0.5)
        try:
            comes_true(lambda: cache.invalidate().complete)
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def test_what_a_full_server_refuses_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with (
        redis(options=("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")) as server,
        Cache([server.url], compression=None) as cache,
    ):
        assert len(cache.set_many({f"{i}": "v" * 9000 for i in range(300)})) > 10
    assert ["OOM" in record.message for record in caplog.records] == [True]
