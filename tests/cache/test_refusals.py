"""Servers that let nobody in: a clear error, or a miss and one line in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from kcache import (
    Cache,
    ConnectFailed,
    Hit,
    Miss,
    NodeError,
    NodeRefused,
    NodeUnavailable,
    ProtocolError,
)
from tests.cache.places import Place
from tests.faults.acceptor import Acceptor
from tests.servers import Certificates, Memcached, Redis, certificates, memcached, redis

SECRET = "geheim-wort"  # noqa: S105 - of servers that live for one test


@dataclass(frozen=True)
class Fleet:
    """Servers that ask for something."""

    folder: Path
    tls: Certificates
    strangers: Certificates
    redis_password: Redis
    redis_user: Redis
    redis_tls: Redis
    redis_plain: Redis
    memcached_user: Memcached
    memcached_tls: Memcached
    memcached_plain: Memcached
    web: Acceptor

    def url(self, scheme: str, server: str, query: str = "", user: str = "") -> str:
        address = getattr(self, server).address
        return "{}://{}{}:{}{}".format(scheme, user, *address, query)

    @property
    def trusting(self) -> str:
        return f"?ca={quote(str(self.tls.authority))}"


def _answer_as_a_web_server(sock: Any) -> None:
    while sock.recv(4096):
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("refusals")
    other = tmp_path_factory.mktemp("strangers")
    tls = certificates(folder)
    web = Acceptor(_answer_as_a_web_server)
    with ExitStack() as stack:
        stack.callback(web.close)
        yield Fleet(
            folder=folder,
            tls=tls,
            strangers=certificates(other),
            redis_password=stack.enter_context(redis(password=SECRET)),
            redis_user=stack.enter_context(redis(username="ada", password=SECRET)),
            redis_tls=stack.enter_context(redis(tls=tls)),
            redis_plain=stack.enter_context(redis()),
            memcached_user=stack.enter_context(memcached(username="ada", password=SECRET)),
            memcached_tls=stack.enter_context(memcached(tls=tls)),
            memcached_plain=stack.enter_context(memcached()),
            web=web,
        )


@dataclass(frozen=True)
class Case:
    name: str
    url: Callable[[Fleet], str]
    error: type[NodeError]
    message: str
    timeout: float = 10.0

    def __str__(self) -> str:
        return self.name


def _stranger(fleet: Fleet) -> str:
    return f"?ca={quote(str(fleet.strangers.authority))}"


def _at(kind: str, server: str) -> Callable[[Fleet], str]:
    return lambda fleet: fleet.url(kind, server)


def _trusting(scheme: str, server: str, query: Callable[[Fleet], str]) -> Callable[[Fleet], str]:
    return lambda fleet: fleet.url(scheme, server, query(fleet))


def _with_a_password(kind: str, server: str, fleet: Fleet) -> str:
    return fleet.url(kind, server, user="ada:wrong-wort@")


def _named(name: str) -> Callable[[Fleet], str]:
    return lambda fleet: f"{fleet.trusting}&server_name={name}"


CASES = [
    Case(
        "Redis, wrong password",
        lambda fleet: fleet.url("redis", "redis_password", user=":wrong-wort@"),
        NodeRefused,
        "(?i)invalid.*password",
    ),
    Case(
        "Redis, no password",
        lambda fleet: fleet.url("redis", "redis_password"),
        NodeRefused,
        "(?i)authentication required",
    ),
    Case(
        "Redis, user with a wrong password",
        lambda fleet: fleet.url("redis", "redis_user", user="ada:wrong-wort@"),
        NodeRefused,
        "(?i)invalid.*password",
    ),
    Case(
        "Redis, unknown user",
        lambda fleet: fleet.url("redis", "redis_user", user=f"bob:{SECRET}@"),
        NodeRefused,
        "(?i)invalid.*password",
    ),
    Case(
        "Redis, no such database",
        lambda fleet: fleet.url("redis", "redis_plain", "/999"),
        NodeRefused,
        "(?i)DB index",
    ),
    Case(
        "memcached, wrong password",
        lambda fleet: fleet.url("memcached", "memcached_user", user="ada:wrong-wort@"),
        NodeRefused,
        "authentication failure",
    ),
    Case(
        "memcached, no password",
        lambda fleet: fleet.url("memcached", "memcached_user"),
        NodeRefused,
        "unauthenticated",
    ),
    *(
        Case(
            f"{kind}, TLS to a plain server",
            _trusting(scheme, f"{kind}_plain", lambda fleet: fleet.trusting),
            # Redis waits for the end of a line, and says nothing.
            NodeUnavailable,
            "(?i)no tls|eof|closed|reset|no (answer|connection) within",
            timeout=0.5,
        )
        for kind, scheme in (("redis", "rediss"), ("memcached", "memcacheds"))
    ),
    *(
        Case(
            f"{kind}, plain to a TLS server",
            _at(kind, f"{kind}_tls"),
            NodeError,
            "another kind|closed|lost",
        )
        for kind in ("redis", "memcached")
    ),
    *(
        Case(
            f"{kind}, {name}",
            _trusting(scheme, f"{kind}_tls", query),
            ConnectFailed,
            message,
        )
        for kind, scheme in (("redis", "rediss"), ("memcached", "memcacheds"))
        for name, query, message in [
            ("an authority that is not trusted", _stranger, "(?i)certificate verify failed"),
            ("no authority", lambda _: "", "(?i)certificate verify failed"),
            ("another name", _named("example.org"), "(?i)hostname mismatch|not valid for"),
        ]
    ),
    Case(
        "Redis that is memcached",
        lambda fleet: fleet.url("redis", "memcached_plain"),
        ProtocolError,
        "is it a server of another kind",
    ),
    Case(
        "memcached that is Redis",
        lambda fleet: fleet.url("memcached", "redis_plain"),
        NodeError,
        "another kind|unknown command",
    ),
    *(
        Case(
            f"{kind} that is another server, with a password",
            partial(_with_a_password, kind, server),
            ProtocolError,
            "is it a server of another kind",
        )
        for kind, server in (("redis", "memcached_plain"), ("memcached", "redis_plain"))
    ),
    *(
        Case(
            f"{kind} that is a web server",
            _at(kind, "web"),
            ProtocolError,
            "is it a server of another kind",
        )
        for kind in ("redis", "memcached")
    ),
]
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def calls(cache: Cache) -> list[tuple[Callable[[], Any], Any]]:
    """Each call, and what it gives where the node is of no use."""
    return [
        (lambda: cache.get("k", "miss"), "miss"),
        (lambda: cache.set("k", "value"), False),
        (lambda: cache.get_many(["k"]), {}),
        (lambda: cache.set_many({"k": "v"}), ["k"]),
        (lambda: cache.delete("k"), False),
        (lambda: cache.incr("k", initial=1), None),
        (lambda: cache.lookup("k"), Miss()),
    ]


@each_case
def test_under_raise_the_error_says_what_and_where(case: Case, fleet: Fleet) -> None:
    with Cache([case.url(fleet)], on_error="raise", timeout=case.timeout) as cache:
        with pytest.raises(case.error, match=case.message) as caught:
            cache.get("k")
        assert cache.ring.nodes[0].name in str(caught.value)
        assert caught.value.node == cache.ring.nodes[0]
        assert "-wort" not in str(caught.value)
        assert "-wort" not in repr(caught.value)
        for call, _ in calls(cache):
            with pytest.raises(NodeError) as again:
                call()
            assert "-wort" not in str(again.value)


@each_case
def test_under_miss_it_is_a_miss_and_one_line_in_the_log(
    case: Case, fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "kcache")
    with Cache([case.url(fleet)], timeout=case.timeout) as cache:
        for _ in range(2):
            for call, expected in calls(cache):
                assert call() == expected
        name = cache.ring.nodes[0].name
    assert "-wort" not in caplog.text
    lines = [record for record in caplog.records if f"node {name}:" in record.getMessage()]
    assert {record.name for record in lines} <= {"kcache"}
    assert [record.levelname for record in lines] == ["WARNING"]


GOOD: list[Callable[[Fleet], str]] = [
    lambda fleet: fleet.url("redis", "redis_password", user=f":{SECRET}@"),
    lambda fleet: fleet.url("redis", "redis_user", user=f"ada:{SECRET}@"),
    lambda fleet: fleet.url("redis", "redis_user", f"?username=ada&password={SECRET}"),
    lambda fleet: fleet.url("memcached", "memcached_user", user=f"ada:{SECRET}@"),
    lambda fleet: fleet.url("memcached", "memcached_user", f"?username=ada&password={SECRET}"),
    lambda fleet: fleet.url("rediss", "redis_tls", fleet.trusting),
    lambda fleet: fleet.url("memcacheds", "memcached_tls", fleet.trusting),
    lambda fleet: fleet.url("rediss", "redis_tls", _named("localhost")(fleet)),
    lambda fleet: fleet.url("memcacheds", "memcached_tls", _named("localhost")(fleet)),
]


@pytest.mark.parametrize("url", GOOD)
def test_who_says_the_right_thing_is_let_in(fleet: Fleet, url: Callable[[Fleet], str]) -> None:
    with Place("one", (url(fleet),)).open() as cache:
        assert cache.set("k", [1])
        assert cache.lookup("k") == Hit([1])
        assert cache.get_many(["k"]) == {"k": [1]}
        assert "-wort" not in repr(cache)


def test_a_memcached_that_asks_for_no_password_is_not_given_one(fleet: Fleet) -> None:
    url = fleet.url("memcached", "memcached_plain", user=f"ada:{SECRET}@")
    with Cache([url], on_error="raise", timeout=10) as cache:
        assert cache.set("k", 1)
        # To such a server the command to authenticate is one to store, under this key.
        assert cache.get("auth") is None


def test_a_redis_user_without_a_right_is_refused_what_it_may_not_do(fleet: Fleet) -> None:
    with fleet.redis_plain.connection() as sock, sock.makefile("rb") as replies:
        sock.sendall(b"ACL SETUSER reader on nopass ~* resetchannels -@all +get +mget\r\n")
        fleet.redis_plain.expect(replies, b"+OK\r\n")
    url = fleet.url("redis", "redis_plain", user="reader:x@")
    with Cache([url], on_error="raise", timeout=10) as cache:
        assert cache.get("k") is None
        refused: list[Callable[[], Any]] = [
            lambda: cache.set("k", 1),
            lambda: cache.add("k", 1),
            lambda: cache.delete("k"),
            lambda: cache.incr("k", initial=1),
            lambda: cache.touch("k", 5),
            cache.flush_nodes,
        ]
        for call in refused:
            with pytest.raises(NodeRefused, match=r"(?i)no permissions"):
                call()
        assert cache.get("k") is None


def test_who_may_not_read_is_told_so_and_not_that_there_is_no_counter(fleet: Fleet) -> None:
    with fleet.redis_plain.connection() as sock, sock.makefile("rb") as replies:
        sock.sendall(b"ACL SETUSER writer on nopass ~* -@all +set +incrby +eval\r\n")
        fleet.redis_plain.expect(replies, b"+OK\r\n")
    url = fleet.url("redis", "redis_plain", user="writer:x@")
    with Cache([url], on_error="raise", timeout=10) as cache:
        assert cache.set("n", 5)
        for call in (partial(cache.incr, "n"), partial(cache.cas, "n", 6, b"5")):
            with pytest.raises(NodeRefused, match=r"(?i)no permissions|can't run"):
                call()
