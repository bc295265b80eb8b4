"""`kcache locate`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from kcache import Cache, Ring
from kcache.cli.app import run
from tests.cli.fleet import NODES, THREE, Printed, options
from tests.servers import Memcached, Redis, connection, frozen

Parsed = Callable[..., Any]


def test_locate(parsed: Parsed) -> None:
    ring = Ring(THREE)
    located = parsed("locate", *NODES, "user:42", "café")
    assert located["keys"] == [
        {
            "key": key,
            "sent_as": key,
            "hash": ring.hash_of(key),
            "node": ring.node_for(key).name,
            "address": ring.node_for(key).address,
        }
        for key in ("user:42", "café")
    ]


def test_a_key_that_cannot_go_out_as_it_is_lies_where_the_cache_puts_it(parsed: Parsed) -> None:
    nodes = [f"memory://node{i}" for i in range(20)]
    keys = ["two words", "long" * 100, "plain", "tab\t"]
    rows = parsed("locate", *options(nodes), *keys)["keys"]
    assert [row["key"] for row in rows] == keys
    assert [row["node"] for row in rows] == [Cache(nodes).node_for(key).name for key in keys]
    assert [row["sent_as"] == row["key"] for row in rows] == [False, False, True, False]


def test_locate_reads_keys_from_standard_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kcache", "locate", *NODES, "--json", "first", "-"],
        input="user:42\n\ncafé\r\n".encode() + b"\xff\xfe",
        capture_output=True,
        check=True,
    )
    keys = [row["key"] for row in json.loads(done.stdout)["keys"]]
    assert keys == ["first", "user:42", "café", "\\xff\\xfe"]


def test_keys_cannot_act_on_the_terminal(printed: Printed) -> None:
    key = "\x1b]0;title\x07\x1b[31mred\x9b\nnext"
    text = printed("locate", *NODES, key)
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) == 3
    assert json.loads(printed("locate", *NODES, "--json", key))["keys"][0]["key"] == key
    assert printed("locate", *NODES, "--json", key).isascii()


def holders(row: dict[str, Any]) -> dict[str, Any]:
    return {node["name"]: node for node in row["nodes"]}


def test_live_says_what_the_owner_holds(
    redises: tuple[Redis, ...],
    memcacheds: tuple[Memcached, ...],
    parsed: Parsed,
    printed: Printed,
) -> None:
    urls = [*(server.url for server in redises[:2]), memcacheds[0].url]
    cache = Cache(urls)
    values = {f"k{i}": [1, 2] for i in range(8)} | {f"s{i}": "Ada" for i in range(8)}
    assert cache.set_many(values, ttl=100) == []
    assert cache.touch("k0", None)
    rows = parsed("locate", "--live", *options(urls), *values, "nothing")["keys"]
    for key, row in zip([*values, "nothing"], rows, strict=True):
        owner = cache.node_for(key).name
        assert row["node"] == owner
        for name, node in holders(row).items():
            assert node["owner"] == (name == owner)
            assert node["held"] == (name == owner and key != "nothing")
            assert node["error"] is None
    found = holders(rows[0])[cache.node_for("k0").name]
    assert (found["type"], found["ttl"]) == ("list", None)
    found = holders(rows[8])[cache.node_for("s0").name]
    assert (found["type"], found["bytes"]) == ("str", 3)
    assert 90 < found["ttl"] <= 102
    lines = printed("locate", "--live", *options(urls), "k0", "nothing").splitlines()
    assert [line.split()[2] for line in lines[2:]] == ["owner", "owner"]
    assert "list" in lines[2]
    assert lines[2].endswith("no end")
    assert "not there" in lines[3]


def test_live_finds_misplaced_entries(
    redises: tuple[Redis, ...], parsed: Parsed, printed: Printed
) -> None:
    urls = [server.url for server in redises[:3]]
    for url in urls:
        assert Cache([url]).set("everywhere", b"\xff\xfe")
    (row,) = parsed("locate", "--live", *options(urls), "everywhere")["keys"]
    assert [node["held"] for node in row["nodes"]] == [True] * 3
    assert sum(node["owner"] for node in row["nodes"]) == 1
    text = printed("locate", "--live", *options(urls), "everywhere")
    assert (text.count("misplaced"), text.count("owner")) == (2, 1)


def test_live_names_what_is_nothing_of_the_cache(
    redises: tuple[Redis, ...], memcacheds: tuple[Memcached, ...], parsed: Parsed
) -> None:
    redis, memcached = redises[0], memcacheds[0]
    with connection(redis.address) as sock, sock.makefile("rb") as replies:
        sock.sendall(b"RPUSH list a\r\n")
        redis.expect(replies, b":1\r\n")
    with connection(memcached.address) as sock, sock.makefile("rb") as replies:
        sock.sendall(b"set pickle 1 0 3\r\n\x80\x04.\r\n")
        memcached.expect(replies, b"STORED\r\n")
    (row,) = parsed("locate", "--live", "--node", redis.url, "list")["keys"]
    assert row["nodes"][0]["type"] == "not a string"
    (row,) = parsed("locate", "--live", "--node", memcached.url, "pickle")["keys"]
    assert row["nodes"][0]["type"].startswith("unreadable: ")


def test_live_takes_many_keys(redises: tuple[Redis, ...], parsed: Parsed) -> None:
    urls = [server.url for server in redises]
    keys = [f"key:{i}" for i in range(250)]
    assert Cache(urls).set_many(dict.fromkeys(keys, 1)) == []
    rows = parsed("locate", "--live", *options(urls), *keys)["keys"]
    assert [row["key"] for row in rows] == keys
    assert all(holders(row)[row["node"]]["held"] for row in rows)


@pytest.mark.parametrize("as_json", [False, True])
def test_live_on_a_frozen_node_says_so_and_fails(
    redises: tuple[Redis, ...], capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    urls = [server.url for server in redises[:2]]
    command = ["locate", "--live", *options(urls), "--timeout", "0.1", "a", "b"]
    with frozen(redises[1]):
        status = run([*command, "--json"] if as_json else command)
    output = capsys.readouterr()
    assert status == 1
    if as_json:
        for row in json.loads(output.out)["keys"]:
            first, second = row["nodes"]
            assert (first["held"], first["error"]) == (False, None)
            assert second["held"] is None
            assert "within 0.1 s" in second["error"]
        assert output.err == ""
    else:
        assert output.out.count("no answer") == 2
        assert output.err.startswith(f"kcache: node 127.0.0.1:{redises[1].port}: ")
        assert output.err.count("\n") == 1
