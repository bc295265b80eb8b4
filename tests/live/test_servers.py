"""The servers that the other tests stand on: they start, answer and end, or say why not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests import servers
from tests.servers import ProgramMissing, ServerFailed, connection, memcached, nutcracker


def test_a_server_answers_until_its_block_ends() -> None:
    with memcached() as server:
        server.flush()
        assert server.process.poll() is None
    assert server.process.poll() is not None
    with pytest.raises(ConnectionRefusedError), connection(server.address):
        pass


def test_a_server_is_ended_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), memcached(tmp_path / "mc.sock") as server:
        1 / 0  # noqa: B018
    assert server.process.poll() is not None


def test_a_taken_port_is_given_up_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with memcached() as first, socket.socket() as other:
        assert not isinstance(first.address, str)
        other.bind(("127.0.0.1", 0))
        taken, free = first.address[1], other.getsockname()[1]
        other.close()
        ports = iter([taken, taken, free])
        monkeypatch.setattr(servers, "_free_port", lambda: next(ports))
        with memcached() as second:
            assert second.address == ("127.0.0.1", free)


def test_a_program_that_is_missing_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(servers, "_MORE_FOLDERS", ())
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
