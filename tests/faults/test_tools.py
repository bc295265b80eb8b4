"""The lying server and the proxy do as they are told, and leave nothing behind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.lying import CLOSE, HALF_CLOSE, RESET, Lying, Step, Trickle, lying
from tests.faults.proxy import HOLD, PASS, Proxy, Rule, proxy
from tests.servers import Memcached, Redis, certificates, connection, frozen, kill, redis

# Long enough for what must not come to have come.
MOMENT = 0.1


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def everything(sock: socket.socket) -> bytes:
    data = b""
    while more := sock.recv(1000):
        data += more
    return data


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += (more := sock.recv(size - len(data)))
        assert more, "ended early"
    return data


@contextmanager
def asked(server: Lying | Proxy, request: bytes = b"PING\r\n") -> Iterator[socket.socket]:
    with connection(server.address) as sock:
        sock.sendall(request)
        yield sock


def is_silent(sock: socket.socket) -> bool:
    sock.settimeout(MOMENT)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(10)
    return False


def is_closed(sock: socket.socket) -> bool:
    """Whether the other side closes it; by a reset, if there is something that it did not read."""
    try:
        return not sock.recv(1)
    except ConnectionResetError:
        return True


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_script_answers_and_closes() -> None:
    with lying(lambda request: [b"you said ", request, CLOSE]) as server:
        for i in range(1, 4):
            with asked(server, b"%d" % i) as sock:
                assert everything(sock) == b"you said %d" % i
            assert server.connections == i


def test_a_close_is_orderly_although_more_has_come() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def script(_: bytes) -> list[Step]:
        begun.set()
        go_on.wait(10)
        return [b"bye", CLOSE]

    with lying(script) as server:
        for _ in range(50):
            begun.clear()
            go_on.clear()
            with asked(server) as sock:
                assert begun.wait(10)
                sock.sendall(b"more")
                go_on.set()
                assert everything(sock) == b"bye"


def test_a_script_resets_in_the_middle_of_a_reply() -> None:
    with lying(lambda _: [b"$5\r\nhel", RESET]) as server, asked(server) as sock:
        assert exactly(sock, 7) == b"$5\r\nhel"
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_a_silent_script_is_given_all_that_it_did_not_answer() -> None:
    given = []

    def script(request: bytes) -> list[Step]:
        given.append(request)
        return [request] if request.endswith(b"\n") else []

    with lying(script) as server, asked(server, b"PI") as sock:
        assert is_silent(sock)
        sock.sendall(b"NG\n")
        assert sock.recv(10) == b"PING\n"
        sock.sendall(b"next\n")
        assert sock.recv(10) == b"next\n"
    assert given == [b"PI", b"PING\n", b"next\n"]


def test_a_trickle_comes_byte_by_byte() -> None:
    with lying(lambda _: [Trickle(b"+OK\r\n", 0.02)]) as server, asked(server) as sock:
        times = []
        for byte in b"+OK\r\n":
            assert sock.recv(10) == bytes([byte])
            times.append(time.monotonic())
    # The receiver may be late once, and then finds the next one early.
    assert max(later - earlier for earlier, later in pairwise(times)) >= 0.02
    assert times[-1] - times[0] >= 0.06


def test_after_a_half_close_there_is_no_answer_but_no_error_either() -> None:
    with lying(lambda _: [b"+OK\r\n", HALF_CLOSE]) as server, asked(server) as sock:
        assert everything(sock) == b"+OK\r\n"
        for _ in range(10):
            sock.sendall(b"PING\r\n")
        assert everything(sock) == b""


def test_a_greeting_comes_unasked_and_a_script_can_be_replaced() -> None:
    with (
        lying(lambda _: [b"a"], greeting=[b"hello"]) as server,
        connection(server.address) as sock,
    ):
        assert exactly(sock, 5) == b"hello"
        sock.sendall(b"?")
        assert sock.recv(1) == b"a"
        server.script = lambda _: [CLOSE]
        sock.sendall(b"?")
        assert everything(sock) == b""


@pytest.mark.parametrize(
    "steps", [[], [Trickle(b"xx", 3600)], [bytes(50_000_000)], [HALF_CLOSE]], ids=range(4)
)
def test_a_lying_server_ends_while_clients_wait(steps: list[Step]) -> None:
    begun = threading.Event()

    def script(_: bytes) -> list[Step]:
        begun.set()
        return steps

    with lying(script) as server, asked(server):
        assert begun.wait(10)
        server.close()


def test_a_proxy_counts_round_trips_on_each_connection(memcacheds: tuple[Memcached, ...]) -> None:
    with proxy(memcacheds[0].address) as between:
        with connection(between.address) as one, connection(between.address) as other:
            for i in range(3):
                one.sendall(b"version\r\n")
                assert one.recv(100).startswith(b"VERSION")
                if i:
                    other.sendall(b"mn\r\nmn\r\n")
                    assert exactly(other, 8) == b"MN\r\nMN\r\n"
        assert sorted(between.round_trips) == [2, 3]
        assert between.connections == 2


def test_a_proxy_passes_encrypted_bytes(tmp_path: Path) -> None:
    pems = certificates(tmp_path)
    with (
        redis(tls=pems) as server,
        proxy(server.address) as between,
        connection(between.address, pems) as sock,
    ):
        sock.sendall(b"PING\r\n")
        assert sock.recv(100) == b"+PONG\r\n"


def test_a_proxy_delays(redises: tuple[Redis, ...]) -> None:
    with proxy(redises[0].address) as between:
        between.switch(requests=Rule(delay=MOMENT), replies=Rule(delay=MOMENT))
        start = time.monotonic()
        with asked(between) as sock:
            assert sock.recv(100) == b"+PONG\r\n"
        assert time.monotonic() - start >= 2 * MOMENT


@pytest.mark.parametrize("limit", [0, 1, 4, 7])
def test_a_proxy_cuts_replies(limit: int, redises: tuple[Redis, ...]) -> None:
    with proxy(redises[0].address) as between, asked(between) as sock:
        assert sock.recv(100) == b"+PONG\r\n"
        between.switch(replies=Rule(limit=limit))
        sock.sendall(b"PING\r\n")
        assert everything(sock) == b"+PONG\r\n"[:limit]


def test_a_proxy_resets_in_the_middle_of_a_reply(redises: tuple[Redis, ...]) -> None:
    with proxy(redises[0].address) as between:
        between.switch(replies=Rule(limit=4, reset=True))
        with asked(between) as sock:
            assert exactly(sock, 4) == b"+PON"
            with pytest.raises(ConnectionResetError):
                sock.recv(1)


def test_a_proxy_cuts_requests(redises: tuple[Redis, ...]) -> None:
    with proxy(redises[0].address) as between:
        between.switch(requests=Rule(limit=10))
        with asked(between, b"SET k v\r\nSET l v\r\n") as sock:
            everything(sock)
    with redises[0].connection() as sock:
        sock.sendall(b"EXISTS l\r\n")
        assert sock.recv(100) == b":0\r\n"


def test_what_a_proxy_holds_arrives_late(redises: tuple[Redis, ...]) -> None:
    with proxy(redises[0].address) as between, redises[0].connection() as direct:
        between.switch(requests=HOLD)
        with asked(between, b"SET k late\r\n") as sock:
            assert is_silent(sock)
        direct.sendall(b"SET k early\r\n")
        assert direct.recv(100) == b"+OK\r\n"
        between.switch()

        def stored() -> bytes:
            direct.sendall(b"GET k\r\n")
            return direct.recv(100)

        wait_until(lambda: stored() == b"$4\r\nlate\r\n")


def test_a_proxy_holds_one_way_alone(redises: tuple[Redis, ...]) -> None:
    with proxy(redises[0].address) as between:
        between.switch(replies=HOLD)
        with asked(between, b"SET k v\r\n") as sock:
            assert is_silent(sock)
            with redises[0].connection() as direct:
                direct.sendall(b"GET k\r\n")
                assert direct.recv(100) == b"$1\r\nv\r\n"
            between.switch()
            assert sock.recv(100) == b"+OK\r\n"


def test_a_reset_loses_what_was_held(redises: tuple[Redis, ...]) -> None:
    with proxy(redises[0].address) as between:
        between.switch(requests=HOLD)
        with asked(between, b"SET k v\r\n") as sock:
            assert is_silent(sock)
            between.reset()
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        between.switch()
        with asked(between, b"EXISTS k\r\n") as sock:
            assert sock.recv(100) == b":0\r\n"


def test_a_proxy_closes_while_the_server_is_down_and_goes_on_later() -> None:
    with redis() as server, proxy(server.address) as between:
        kill(server)
        with asked(between) as sock:
            assert is_closed(sock)
        with redis(port=server.port), asked(between) as sock:
            assert sock.recv(100) == b"+PONG\r\n"


@pytest.mark.parametrize("rule", [PASS, HOLD, Rule(delay=3600)])
def test_a_proxy_ends_while_everybody_waits(rule: Rule, memcacheds: tuple[Memcached, ...]) -> None:
    with proxy(memcacheds[0].address) as between, frozen(memcacheds[0]):
        between.switch(requests=rule)
        with asked(between):
            wait_until(lambda: between.round_trips == (1,))
            between.close()


def test_a_proxy_ends_while_the_client_does_not_read(memcacheds: tuple[Memcached, ...]) -> None:
    with memcacheds[0].connection() as sock:
        sock.sendall(b"set k 0 0 900000\r\n%b\r\n" % bytes(900_000))
        assert sock.recv(100) == b"STORED\r\n"
    with proxy(memcacheds[0].address) as between, asked(between, b"get k\r\n" * 50) as sock:
        assert sock.recv(1) == b"V"
        between.close()


def test_many_connections_come_and_go(memcacheds: tuple[Memcached, ...]) -> None:
    with proxy(memcacheds[0].address) as between:
        for _ in range(300):
            with asked(between, b"mn\r\n") as sock:
                assert sock.recv(100) == b"MN\r\n"
        assert between.round_trips == (1,) * 300
