"""The servers that the other tests stand on: they start, answer and end, or say why not."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

from kcache import Node
from tests.servers import (
    Certificates,
    Memcached,
    ProgramMissing,
    Redis,
    ServerFailed,
    certificates,
    connection,
    frozen,
    kill,
    memcached,
    nutcracker,
    process,
    redis,
)

Start = Callable[..., AbstractContextManager[Any]]
each = pytest.mark.parametrize("start", [memcached, redis])
PASSWORD = "p:w@/?#+%41é"  # noqa: S105 - what a URL must escape


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("pem"))


def ask(server: Memcached | Redis, command: bytes, lines: int = 1) -> bytes:
    with server.connection() as sock, sock.makefile("rb") as replies:
        sock.sendall(command)
        return b"".join(replies.readline() for _ in range(lines))


@each
def test_a_server_answers_until_its_block_ends(start: Start) -> None:
    with start() as server:
        server.flush()
        assert server.process.poll() is None
        assert Node(server.url).port == server.port == server.address[1]
    assert server.process.poll() is not None
    with pytest.raises(ConnectionRefusedError), connection(server.address):
        pass


@each
def test_a_server_on_a_unix_socket(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    with start(path) as server:
        server.flush()
        assert Node(server.url) == Node(kind=start.__name__, path=f"{path}")
        with pytest.raises(TypeError, match="is a unix socket"):
            _ = server.port


@each
def test_a_server_is_ended_when_its_block_fails(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), start(tmp_path / "sock") as server:
        1 / 0  # noqa: B018
    assert server.process.poll() is not None


@each
def test_a_server_with_tls(start: Start, pems: Certificates) -> None:
    with start(tls=pems) as server:
        server.flush()
        node = Node(server.url)
        assert node.tls
        assert dict(node.options) == {
            "ca": f"{pems.authority}",
            "cert": f"{pems.client}",
            "key": f"{pems.client_key}",
        }
        with connection(server.address) as sock, pytest.raises(ssl.SSLError, match="VERIFY"):
            ssl.create_default_context().wrap_socket(sock, server_hostname="127.0.0.1")


@pytest.mark.parametrize(
    ("start", "options"),
    [(redis, ("--tls-auth-clients", "yes")), (memcached, ("-o", "ssl_verify_mode=2"))],
)
def test_a_server_that_wants_to_see_a_certificate(
    start: Start, options: tuple[str, ...], pems: Certificates
) -> None:
    def ping(context: ssl.SSLContext) -> bytes:
        with (
            connection(server.address) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as encrypted,
        ):
            encrypted.sendall(b"bogus\r\n")
            return encrypted.recv(5)

    with start(tls=pems, options=options) as server:
        server.flush()
        assert ping(pems.client_context()) in {b"ERROR", b"-ERR "}
        with pytest.raises(OSError):  # noqa: PT011 - TLS 1.3 tells a client late: any of several
            assert not ping(ssl.create_default_context(cafile=pems.authority))


@each
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_server_with_a_password(start: Start, encrypted: bool, pems: Certificates) -> None:  # noqa: FBT001
    tls = pems if encrypted else None
    with start(username="me", password=PASSWORD, tls=tls) as server:
        server.flush()
        assert (Node(server.url).username, Node(server.url).password) == ("me", PASSWORD)
        assert PASSWORD not in repr(server)
        with connection(server.address, tls) as sock:
            sock.sendall(b"get k\r\n")
            assert sock.recv(100).startswith((b"CLIENT_ERROR unauth", b"-NOAUTH"))


def test_redis_takes_a_password_without_a_name() -> None:
    with redis(password=PASSWORD) as server:
        server.flush()
        assert (Node(server.url).username, Node(server.url).password) == (None, PASSWORD)
        with connection(server.address) as sock:
            sock.sendall(b"get k\r\n")
            assert sock.recv(100).startswith(b"-NOAUTH")


def test_options_go_onto_the_command_line() -> None:
    with redis(options=("--maxmemory", "2mb")) as server:
        assert ask(server, b"config get maxmemory\r\n", 5).endswith(b"\r\n2097152\r\n")
    with memcached(options=("-I", "2m", "-m", "4", "-t", "3")) as other:
        settings = ask(other, b"stats settings\r\n", 20)
        assert b"STAT maxbytes 4194304\r\n" in settings
        assert b"STAT num_threads 3\r\n" in settings
        size = 1_500_000
        assert ask(other, b"set k 0 0 %d\r\n%b\r\n" % (size, bytes(size))) == b"STORED\r\n"


@each
def test_a_killed_server_comes_back_empty_on_its_port(start: Start) -> None:
    store = {memcached: b"set k 0 0 1\r\nv\r\n", redis: b"set k v\r\n"}[start]
    with start() as server:
        ask(server, store)
        with server.connection():
            kill(server)
            with pytest.raises(ConnectionRefusedError), connection(server.address):
                pass
            with start(port=server.port) as again:
                assert again.url == server.url
                assert again.process.pid != server.process.pid
                assert ask(again, b"get k\r\n") in {b"END\r\n", b"$-1\r\n"}


@each
def test_a_killed_server_comes_back_on_its_socket(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with start(path) as server:
        kill(server)
        assert path.exists()
        with start(path) as again:
            again.flush()


def test_redis_reads_what_was_saved(tmp_path: Path) -> None:
    with redis(folder=tmp_path) as server:
        ask(server, b"set saved v\r\nsave\r\nset late v\r\n", 3)
        kill(server)
        with redis(port=server.port, folder=tmp_path) as again:
            assert ask(again, b"exists saved\r\nexists late\r\n", 2) == b":1\r\n:0\r\n"


@each
def test_a_frozen_server_is_silent_until_it_goes_on(start: Start) -> None:
    with start() as server, server.connection() as sock:
        for _ in range(20):
            with frozen(server):
                sock.sendall(b"get k\r\n")
                sock.settimeout(0)
                with pytest.raises(BlockingIOError):
                    sock.recv(1)
            sock.settimeout(10)
            assert sock.recv(100) in {b"END\r\n", b"$-1\r\n"}


@each
def test_a_server_that_is_killed_while_frozen(start: Start) -> None:
    with start() as server:
        with frozen(server):
            kill(server)
        assert server.process.returncode == -signal.SIGKILL


def test_a_server_that_has_ended_cannot_be_frozen() -> None:
    with memcached() as server:
        os.kill(server.process.pid, signal.SIGKILL)
        with pytest.raises(ServerFailed, match="has ended"), frozen(server):
            pass


@each
def test_a_taken_port_is_given_up_for_another(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start() as first:
        with closing(socket.socket()) as other:
            other.bind(("127.0.0.1", 0))
            free = other.getsockname()[1]
        ports = iter([first.port, first.port, free])
        monkeypatch.setattr(process, "free_port", lambda: next(ports))
        with start() as second:
            assert second.address == ("127.0.0.1", free)


@each
def test_a_fixed_port_that_is_taken_is_an_error(start: Start) -> None:
    with start() as first:
        with pytest.raises(ServerFailed, match="ended at once"), start(port=first.port):
            pass
        first.flush()


def test_a_program_that_is_missing_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(process, "_MORE_FOLDERS", ())
    with pytest.raises(ProgramMissing, match=r"memcached is not installed; .* see README"):
        memcached().__enter__()


def test_a_server_that_cannot_start_shows_what_it_printed(tmp_path: Path) -> None:
    config = tmp_path / "nutcracker.yml"
    config.write_text("pool:\n  nonsense: 1\n")
    with (
        pytest.raises(ServerFailed, match=r"ended at once:\n(?s:.*)syntax is invalid"),
        nutcracker(config, [tmp_path / "sock"]),
    ):
        pass


def test_options_that_do_not_go_together(tmp_path: Path, pems: Certificates) -> None:
    for start, options, says in (
        (redis, {"username": "me"}, "needs a password"),
        (memcached, {"username": "me"}, "or neither"),
        (redis, {"path": tmp_path / "s", "tls": pems}, "not through a unix socket"),
        (memcached, {"path": tmp_path / "s", "tls": pems}, "not through a unix socket"),
    ):
        with pytest.raises(ValueError, match=says), start(**options):
            pass
