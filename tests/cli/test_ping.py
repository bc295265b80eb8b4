"""`kcache ping`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kcache import Node
from kcache.cli.app import run
from kcache.cli.server import server_of
from tests.cli.fleet import Printed, options
from tests.faults.lying import CLOSE, RESET, Script, lying
from tests.servers import Memcached, Redis, certificates, frozen, memcached, redis
from tests.servers.connect import free_port


def test_nodes_that_answer(
    redises: tuple[Redis, ...],
    memcacheds: tuple[Memcached, ...],
    parsed: Callable[..., Any],
    printed: Printed,
) -> None:
    urls = [redises[0].url, memcacheds[0].url, "memory://here"]
    rows = parsed("ping", *options(urls))["nodes"]
    assert [row["kind"] for row in rows] == ["redis", "memcached", "memory"]
    assert [row["name"] for row in rows] == [Node(url).name for url in urls]
    assert [row["server"] and row["server"].split()[0] for row in rows] == [
        "Redis",
        "memcached",
        None,
    ]
    for row in rows:
        assert row["ok"]
        assert row["error"] is None
        assert 0 <= row["latency_ms"] < 1000
    lines = printed("ping", *options(urls)).splitlines()
    assert len(lines) == 5
    assert all(" ok " in line and line.endswith(" ms") for line in lines[2:])
    assert max(map(len, lines)) <= 80


def test_behind_tls_passwords_and_sockets(tmp_path: Path, printed: Printed) -> None:
    tls = certificates(tmp_path)
    with (
        redis(tls=tls, password="secret") as first,
        memcached(username="ada", password="secret") as second,
        redis(tmp_path / "redis.sock") as third,
    ):
        text = printed("ping", *options([first.url, second.url, third.url]))
    assert text.count(" ok ") == 3
    assert "secret" not in text


def test_a_node_that_does_not_answer_is_the_exit_status(
    redises: tuple[Redis, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    dead = f"redis://127.0.0.1:{free_port()}?name=dead"
    command = ["ping", *options([redises[0].url, dead])]
    assert run(command) == 1
    output = capsys.readouterr()
    assert [line.split()[3:5] for line in output.out.splitlines()[2:]] == [
        [redises_version(output.out), "ok"],
        ["fails", "-"],
    ]
    assert output.err.startswith("kcache: node dead: ")
    assert output.err.count("\n") == 1
    assert run([*command, "--json"]) == 1
    output = capsys.readouterr()
    rows = json.loads(output.out)["nodes"]
    assert [(row["ok"], row["latency_ms"] is None) for row in rows] == [
        (True, False),
        (False, True),
    ]
    assert "refused" in rows[1]["error"]
    assert output.err == ""


def redises_version(text: str) -> str:
    return text.partition("Redis ")[2].split()[0]


def test_a_wrong_password_is_said_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with redis(password="right") as first, memcached(username="ada", password="right") as second:
        urls = [
            f"redis://:secret@127.0.0.1:{first.port}",
            f"memcached://ada:secret@127.0.0.1:{second.port}",
        ]
        for url in urls:
            for command in (["ping"], ["demo"], ["locate", "--live", "k"]):
                assert run([*command, "--node", url]) == 1
                output = capsys.readouterr()
                assert output.err.startswith("kcache: node 127.0.0.1:")
                assert output.err.count("\n") == 1
                assert "secret" not in output.out + output.err


def test_frozen_nodes_cost_one_timeout_together(
    redises: tuple[Redis, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    urls = [server.url for server in redises]
    with frozen(redises[0]), frozen(redises[1]), frozen(redises[2]):
        begun = time.monotonic()
        assert run(["ping", *options(urls), "--timeout", "0.5", "--json"]) == 1
        assert time.monotonic() - begun < 1.5
    rows = json.loads(capsys.readouterr().out)["nodes"]
    assert [row["ok"] for row in rows] == [False, False, False, True]
    assert "no answer within 0.5 s" in rows[0]["error"]


def test_a_server_of_another_kind(
    redises: tuple[Redis, ...],
    memcacheds: tuple[Memcached, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for url in (
        f"memcached://127.0.0.1:{redises[0].port}",
        f"redis://127.0.0.1:{memcacheds[0].port}",
    ):
        assert run(["ping", "--node", url]) == 1
        output = capsys.readouterr()
        assert "is it a server of another kind?" in output.err
        assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    "script",
    [
        lambda _: [b"-NOPERM this user has no permissions\r\n"],
        lambda _: [b"$99999\r\nredis_version:7\r\n", CLOSE],
        lambda _: [b"$5\r\nredis\r\n"],
        lambda _: [b"$-1\r\n"],
        lambda _: [b"nonsense"],
        lambda _: [],
        lambda _: [RESET],
    ],
)
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_a_node_that_does_not_say_its_version_has_none(kind: str, script: Script) -> None:
    with lying(script) as server:
        node = Node(kind=kind, host="127.0.0.1", port=server.port)
        found = server_of(node, 0.1)
    assert found in (None, "Redis 7")


def test_valkey_is_not_taken_for_the_redis_that_it_resembles() -> None:
    text = b"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n"
    with lying(lambda _: [b"$%d\r\n%b\r\n" % (len(text), text)]) as server:
        assert server_of(Node(f"redis://127.0.0.1:{server.port}"), 1) == "Valkey 8.1.0"


def test_the_latency_is_that_of_a_round_trip(parsed: Callable[..., Any]) -> None:
    def slow(request: bytes) -> list[bytes]:
        time.sleep(0.05)
        return [b"+PONG\r\n"] if b"PING" in request else [b"-ERR\r\n"]

    with lying(slow) as server:
        (row,) = parsed("ping", "--node", f"redis://127.0.0.1:{server.port}")["nodes"]
    assert 50 <= row["latency_ms"] < 500
    assert row["server"] is None
