"""`kcache demo`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kcache import Cache, Invalidation, Namespace, Node, Ring
from kcache.cli import trial
from kcache.cli.app import run
from kcache.cli.demo import demo
from kcache.memory import open_store
from tests.cli.fleet import Printed, options
from tests.servers import Memcached, Redis, connection, frozen, kill, redis
from tests.servers.connect import free_port

Parsed = Callable[..., Any]
# Nothing is said of how long a call may take here.
PATIENT = ["--timeout", "10"]


def keys_of(server: Redis) -> int:
    with connection(server.address) as sock, sock.makefile("rb") as replies:
        sock.sendall(b"DBSIZE\r\n")
        return int(replies.readline()[1:])


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_ENTRIES", 1000)
    monkeypatch.setattr(trial, "_SINGLES", 100)


def test_the_demo_on_nodes_of_its_own(parsed: Parsed, printed: Printed) -> None:
    report = parsed("demo")
    ring = Ring([f"memory://{name}" for name in ("alpha", "beta", "gamma", "delta")])
    assert [node["name"] for node in report["ring"]["nodes"]] == [n.name for n in ring.nodes]
    assert (
        report["entries"] == report["stored"] == report["read_back"] == report["deleted"] == 20_000
    )
    assert [timing["call"] for timing in report["calls"]] == ["set_many", "get_many", "set", "get"]
    assert all(timing["calls_per_second"] > 0 for timing in report["calls"])
    shares = ring.share()
    for node, row in zip(ring.nodes, report["nodes"], strict=True):
        assert row["share"] == row["keys"] / 20_000
        assert row["share"] == pytest.approx(float(shares[node]), abs=0.02)
    assert sum(row["keys"] for row in report["nodes"]) == 20_000
    text = printed("demo")
    assert max(map(len, text.splitlines())) <= 80
    assert "20,000 entries stored, 20,000 of them read back" in text


def test_what_is_lost_is_what_was_on_the_node_that_went(parsed: Parsed, printed: Printed) -> None:
    report = parsed("demo")
    removed = report["removed"]
    keys = {row["name"]: row["keys"] for row in report["nodes"]}
    assert removed["lost"] == keys[removed["node"]]
    assert removed["found"] == 20_000 - removed["lost"]
    assert {move["from"] for move in removed["moves"]} == {removed["node"]}
    assert {move["to"] for move in removed["moves"]} == keys.keys() - {removed["node"]}
    assert sum(move["entries"] for move in removed["moves"]) == removed["lost"]
    assert removed["lost"] / 20_000 == pytest.approx(removed["share_of_ring"], abs=0.02)
    assert "all of these were on that node" in printed("demo")


def test_a_namespace_is_dropped_and_nothing_outside_of_it(parsed: Parsed, printed: Printed) -> None:
    dropped = parsed("demo")["dropped"]
    assert dropped.pop("seconds") > 0
    assert dropped == {
        "namespace": "demo",
        "nodes": 4,
        "inside": {"before": 20_000, "after": 0},
        "outside": {"before": 20_000, "after": 20_000},
    }
    text = printed("demo")
    assert "A namespace with 20,000 entries is dropped, by one round trip to each node:\n" in text
    assert "ms; 0 of its entries are left, and 20,000 of 20,000 outside of it\n" in text
    for name in ("alpha", "beta", "gamma", "delta"):
        assert len(open_store(Node(f"memory://{name}"))) == 0


@pytest.mark.usefixtures("_few")
def test_namespaces_that_are_there_are_not_concerned(
    redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...], parsed: Parsed
) -> None:
    urls = [redises[0].url, memcacheds[0].url]
    with Cache(urls) as cache:
        namespace = cache.namespace("demo")
        cache.set_many(dict.fromkeys(map(str, range(100)), "plain"))
        namespace.set_many(dict.fromkeys(map(str, range(100)), "mine"))
        before = keys_of(redises[0])
        report = parsed("demo", *options(urls), *PATIENT)
        assert report["dropped"]["inside"] == {"before": 1000, "after": 0}
        assert keys_of(redises[0]) == before
        for calls, value in ((cache, "plain"), (namespace, "mine")):
            assert calls.get_many(map(str, range(100))) == dict.fromkeys(
                map(str, range(100)), value
            )


@pytest.mark.usefixtures("_few")
def test_the_demo_leaves_nothing_behind(
    redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...], parsed: Parsed
) -> None:
    urls = [*(server.url for server in redises[:2]), memcacheds[0].url]
    with connection(redises[0].address) as sock, sock.makefile("rb") as replies:
        sock.sendall(b"SET mine 1\r\n")
        redises[0].expect(replies, b"+OK\r\n")
    report = parsed("demo", *options(urls), "-d", "kcache", *PATIENT)
    assert report["ring"]["dialect"] == "kcache"
    assert report["deleted"] == report["stored"] == 1000
    assert all(row["keys"] > 0 for row in report["nodes"])
    assert [keys_of(server) for server in redises[:2]] == [1, 0]


@pytest.mark.usefixtures("_few")
def test_on_one_node_nothing_is_taken_away(parsed: Parsed, redises: tuple[Redis, ...]) -> None:
    report = parsed("demo", "--node", redises[0].url, *PATIENT)
    assert (len(report["nodes"]), report["deleted"]) == (1, 1000)
    assert "removed" not in report


@pytest.mark.usefixtures("_few")
def test_entries_that_a_node_did_not_keep_are_told_from_lost_ones(
    parsed: Parsed, printed: Printed
) -> None:
    nodes = ["memory://small?max_entries=100", "memory://large1", "memory://large2"]
    report = parsed("demo", *options(nodes))
    small = report["nodes"][0]
    assert small["keys"] <= 100
    assert report["stored"] == 1000
    assert report["read_back"] == sum(row["keys"] for row in report["nodes"]) < 1000
    assert report["removed"]["found"] + report["removed"]["lost"] == report["read_back"]
    assert "1,000 entries stored" in printed("demo", *options(nodes))


def test_entries_live_a_minute_where_nobody_deletes_them() -> None:
    tried = trial.Trial(Ring(["memory://minute"]), 0.5)
    tried.run()
    assert tried.cache.ttl(tried.keys[0]) == pytest.approx(60, abs=5)
    tried.clean()
    assert len(open_store(Node("memory://minute"))) == 0


def test_an_interrupted_demo_cleans_up(redises: tuple[Redis, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kcache", "demo", "--node", redises[0].url],
        env={key: value for key, value in os.environ.items() if key != "KCACHE_NODES"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 10
    while not keys_of(redises[0]) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode in (0, 130)
    assert errors.strip() == b""
    assert keys_of(redises[0]) == 0


def test_a_dead_node_is_one_line(
    redises: tuple[Redis, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    dead = f"redis://u:secret@127.0.0.1:{free_port()}"
    assert run(["demo", *options([redises[0].url, dead])]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert re.fullmatch(r"kcache: node 127\.0\.0\.1:[0-9]+: .*refused.*\n", output.err)
    assert "secret" not in output.err
    assert keys_of(redises[0]) == 0


def test_a_frozen_node_is_one_line(
    redises: tuple[Redis, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    urls = [server.url for server in redises[:2]]
    with frozen(redises[1]):
        begun = time.monotonic()
        assert run(["demo", *options(urls), "--timeout", "0.2"]) == 1
        assert time.monotonic() - begun < 3
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert "within 0.2 s" in output.err


def test_a_node_that_dies_in_the_middle_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis() as first, redis() as second:
        reading = trial.Trial.lose

        def dying(tried: trial.Trial, _largest: Node) -> trial.Loss | None:
            kill(second)
            return reading(tried, Node(first.url))

        monkeypatch.setattr(trial.Trial, "lose", dying)
        assert run(["demo", *options([first.url, second.url])]) == 1
        assert keys_of(first) == 0
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)


@pytest.mark.usefixtures("_few")
def test_a_node_that_dies_before_a_namespace_is_dropped_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis() as first, redis() as second:
        invalidating = Namespace.invalidate

        def dying(namespace: Namespace) -> Invalidation:
            kill(second)
            return invalidating(namespace)

        monkeypatch.setattr(Namespace, "invalidate", dying)
        assert run(["demo", *options([first.url, second.url])]) == 1
        assert keys_of(first) == 0
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)


def test_a_full_node_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with redis(options=("--maxmemory", "2mb", "--maxmemory-policy", "noeviction")) as server:
        assert run(["demo", "--node", server.url]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert "OOM" in output.err


def test_nodes_from_a_file(
    parsed: Parsed, memcacheds: tuple[Memcached, ...], tmp_path: Path
) -> None:
    path = tmp_path / "servers.list"
    path.write_text("".join(f"127.0.0.1:{server.port}\t1\n" for server in memcacheds[:2]))
    report = parsed("demo", "--file", str(path), *PATIENT)
    assert [row["kind"] for row in report["nodes"]] == ["memcached"] * 2
    assert report["deleted"] == 20_000


def test_help_says_what_is_written_to_real_nodes() -> None:
    assert "kcache-demo:" in (demo.help or "")
