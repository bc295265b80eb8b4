"""Nodes: what a URL means, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import redis.connection
from hypothesis import given
from hypothesis import strategies as st

from kcache import ConfigurationError, Node, Ring


@pytest.mark.parametrize(
    ("url", "kind", "host", "port", "path", "address"),
    [
        ("redis://10.0.0.1", "redis", "10.0.0.1", None, None, "10.0.0.1:6379"),
        ("redis://10.0.0.1:6380/3", "redis", "10.0.0.1", 6380, None, "10.0.0.1:6380"),
        ("valkey://v.lan", "redis", "v.lan", None, None, "v.lan:6379"),
        ("rediss://r.lan:1", "redis", "r.lan", 1, None, "r.lan:1"),
        ("redis+unix:///run/r.sock", "redis", None, None, "/run/r.sock", "/run/r.sock"),
        ("memcached://m.lan", "memcached", "m.lan", None, None, "m.lan:11211"),
        ("memcached://m.lan:11211", "memcached", "m.lan", 11211, None, "m.lan:11211"),
        ("memcacheds://m.lan", "memcached", "m.lan", None, None, "m.lan:11211"),
        ("memcached:///run/mc.sock", "memcached", None, None, "/run/mc.sock", "/run/mc.sock"),
        ("memcached+unix:///a%20b", "memcached", None, None, "/a b", "/a b"),
        ("memcached://[::1]:11212", "memcached", "::1", 11212, None, "[::1]:11212"),
        ("memory://Sessions", "memory", "Sessions", None, None, "Sessions"),
        ("MEMCACHED://m.lan", "memcached", "m.lan", None, None, "m.lan:11211"),
        ("memcached://Cache1.LAN:1", "memcached", "Cache1.LAN", 1, None, "Cache1.LAN:1"),
        ("redis://u:p@R1:1", "redis", "R1", 1, None, "R1:1"),
    ],
)
def test_urls(
    *, url: str, kind: str, host: str | None, port: int | None, path: str | None, address: str
) -> None:
    node = Node(url)
    assert (node.kind, node.host, node.port, node.path) == (kind, host, port, path)
    assert node.address == node.name == address


def test_credentials_database_and_options() -> None:
    node = Node("rediss://u%40x:p%3Aw@r.lan/2?ca=/ca.pem&server_name=r&weight=3&name=r2&ip=::1")
    assert (node.username, node.password, node.database) == ("u@x", "p:w", 2)
    assert (node.weight, node.name, node.ip, node.tls) == (3, "r2", "::1", True)
    assert node.options == (("ca", "/ca.pem"), ("server_name", "r"))


def test_keywords_say_the_same_as_a_url() -> None:
    by_url = Node("redis://10.0.0.2:6380?weight=2&name=r2")
    by_parts = Node(kind="redis", host="10.0.0.2", port=6380, weight=2, name="r2")
    assert by_url == by_parts
    assert hash(by_url) == hash(by_parts)
    assert Node("redis://10.0.0.2:6380", weight=2, name="r2") == by_url
    assert by_url.with_weight(5) == Node("redis://10.0.0.2:6380?weight=5&name=r2")


def test_a_written_default_port_is_not_the_same_as_none() -> None:
    assert Node("memcached://m.lan").label("nginx") != Node("memcached://m.lan:11211").label(
        "nginx"
    )
    assert Node(kind="memcached", host="m.lan", port=0) == Node("memcached://m.lan")


@pytest.mark.parametrize(
    ("host", "path"),
    [("/run/mc.sock", "/run/mc.sock"), ("unix:/run/mc.sock", "/run/mc.sock")],
)
def test_a_socket_may_stand_where_hosts_do(host: str, path: str) -> None:
    assert Node(kind="memcached", host=host, port=0) == Node(kind="memcached", path=path)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("10.0.0.1:6379", "must start with"),
        ("http://10.0.0.1", "must start with"),
        ("redis:/10.0.0.1", "must start with"),
        ("redis://", "host is missing"),
        ("redis://h:port", "the port must be"),
        ("redis://h:99999", "a port is 1 to 65535"),
        ("redis://h:0x1f", "the port must be"),
        ("redis://[::1]x", "'redis://[:***': "),
        ("redis://h/db", "database must be a whole number"),
        ("redis://h/-1", "database must be a whole number"),
        ("redis://h?weight=1.5", "weight must be a whole number"),
        ("redis://h?weight=-1", "weight must be a whole number"),
        ("redis://h?weight=", "weight must be a whole number"),
        ("redis://h?weight=" + "9" * 5000, "weight must be a whole number"),
        ("redis://h?weight=1&weight=2", "given twice"),
        ("redis://h?wieght=1", "unknown option 'wieght'"),
        ("redis://h?name=", "name must be text"),
        ("redis://h?name=%1b%5b31m", "name must not hold control characters"),
        ("redis://h?name=%c2%9b31m", "name must not hold control characters"),
        ("memcached:///a%00b", "path must not hold control characters"),
        ("memcached://\udcff", "text that has a UTF-8"),
        ("redis://h?ca=/x", "unknown option 'ca'"),
        ("redis://h?ip=here", "ip must be an IP address"),
        ("redis://h#1", "%23"),
        ("redis://a%20b", "blanks and '@'"),
        ("redis://a b", "%20"),
        ("redis://%5b10.0.0.1%5d", "no IPv6 address"),
        ("redis+unix://host/path", "three slashes"),
        ("memcached://h/3", "no path"),
        ("memcached://h?db=1", "only Redis nodes have databases"),
        ("memory://", "host is missing"),
        ("memory://a:1", "a name and no more"),
        ("memory://a?max_bytes=none", "max_bytes must be a whole number above 0"),
        ("redis://[::1", "look at its host"),
        ("memcached://h%ff", "escapes are not UTF-8"),
        ("redis://h?name=%ff", "escapes are not UTF-8"),
    ],
)
def test_a_bad_url_gets_one_clear_line(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Node(url)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:secret@h?weight=x",
        "redis://u:secret@h:port",
        "redis://u:secret/secret@h",
        "redis://u:secret@h:6379/0,memcached://g:11211",
        "redis://:secret@h/0;redis://g/0",
        "redis://:secret@redis://h",
        "redis://u:12/secret@h",
        "redis://u:12?secret@h",
        "redis://u:12?weight=secret@h",
        "redis://:sec#ret:secret@h",
        "redis://u:secret@secret@h?weight=x",
        "redis://u:sec\nret:secret@h:99999",
        "redis://h?password=secret&weight=x",
        "redis://h?Password=secret",
        "redis://h?pass=secret",
        "redis://h?p%61ssword=secret&weight=x",
        "redis://u:secret%40h:6379",
        "redis://:secret",
        "redis://u:secret@h\u2100x",
        "redis://u:s\u2100secret@h",
        "redis://h?pasword=secret",
        "redis://h?pwd=secret&weight=x",
        "u:secret@h",
        "redis:/u:secret@h",
        "redis:u:secret@h",
        "memory://u:secret@x",
    ],
)
def test_no_password_shows_in_a_message(url: str) -> None:
    for wrong in (
        lambda: Node(url),
        lambda: Ring([url]),
        lambda: Ring(url),
        lambda: Ring([url.encode()]),  # type: ignore[list-item] # wrong on purpose
        lambda: Node(kind="redis", host=url),
    ):
        with pytest.raises(ConfigurationError) as caught:
            wrong()
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        {"kind": "mongo", "host": "h"},
        {"kind": "redis"},
        {"kind": "redis", "host": ""},
        {"kind": "redis", "host": "h", "path": "/p"},
        {"kind": "redis", "path": "relative"},
        {"kind": "redis", "host": "h", "port": -1},
        {"kind": "redis", "host": "h", "port": 65536},
        {"kind": "redis", "host": "h", "port": True},
        {"kind": "redis", "host": "h", "port": "6379"},
        {"kind": "redis", "host": "h", "weight": 1.5},
        {"kind": "redis", "host": "h", "weight": True},
        {"kind": "redis", "host": "h", "weight": -1},
        {"kind": "redis", "host": "h", "name": ""},
        {"kind": "redis", "host": "h", "name": 7},
        {"kind": "redis", "host": "h\r\nflush_all"},
        {"kind": "redis", "host": "u:secret@h"},
        {"kind": "redis", "host": "[::1]:8080"},
        {"kind": "redis", "host": "10.0.0.1:8080"},
        {"kind": "redis", "host": "h", "weight": 10**5000},
        {"kind": "redis", "host": "h", "name": "\udc80"},
        {"kind": "redis", "host": "h", "name": "a\nb"},
        {"kind": "redis", "host": "h", "username": ["u"]},
        {"kind": "redis", "host": "h", "password": 5},
        {"kind": "redis", "host": "h", "ip": 5},
        {"kind": "redis", "host": "h", "ip": b"\1\2\3\4"},
        {"kind": "redis", "host": "h", "tls": "no"},
        {"kind": "redis", "host": "h", "port": 0.0},
        {"kind": "redis", "path": "/s", "port": 1},
        {"kind": "redis", "host": "h", "tls": True, "options": {"ca": []}},
        {"kind": "memory", "host": "m", "port": 5},
        {"kind": "memory", "host": "m", "options": [5]},
        {"url": 7},
        {},
    ],
)
def test_bad_parts_are_refused(parts: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        Node(**parts)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(ConfigurationError) as caught:
        Ring([Node(**parts)])  # type: ignore[arg-type] # wrong on purpose
    assert "secret" not in str(caught.value)


def test_no_password_in_repr() -> None:
    assert "secret" not in repr(Node("redis://u:secret@h"))


def test_a_node_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Node("redis://h").weight = 2  # type: ignore[misc] # wrong on purpose


def test_a_node_pickles_into_a_process_with_other_string_hashes() -> None:
    node = Node("rediss://u:secret@h:1/2?weight=3&name=n&ca=/ca")
    assert pickle.loads(pickle.dumps(node)) == node  # noqa: S301 - our own bytes
    program = (
        "import pickle, sys; from kcache import Node; "
        "node = pickle.load(sys.stdin.buffer); "
        "assert {Node('rediss://u:secret@h:1/2?weight=3&name=n&ca=/ca'): 1}[node] == 1"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", program],
            input=pickle.dumps(node),
            env={"PYTHONHASHSEED": seed},
            check=True,
        )


@given(st.text())
def test_any_text_is_a_node_or_a_configuration_error(text: str) -> None:
    for url in (text, f"redis://{text}", f"memcached:///{text}", f"redis://h?{text}"):
        try:
            node = Node(url)
        except ConfigurationError:
            continue
        assert node.name


LABELS = {
    "libketama": ("h:11211", "h:7", "::1:7", "/s", "h:6379", "m", "x:1"),
    "libmemcached": ("h", "h:7", "::1:7", "/s:0", "h:6379", "m", "x:1"),
    "libmemcached-weighted": ("h", "h:7", "::1:7", "/s:0", "h:6379", "m", "x:1"),
    "libmemcached-autoweighted": ("h", "h:7", "::1:7", "/s:0", "h:6379", "m", "x:1"),
    "libmemcached-spy": ("/h:11211", "/h:7", "/::1:7", "//s:0", "/h:6379", "/m", "x:1"),
    "twemproxy": ("h", "h:7", "::1:7", "/s:", "h:6379", "m", "x:1"),
    "nginx": ("h\0", "h\x007", "[::1]\x007", "/s\0", "h\0", "m\0", "x\x001"),
    "kcache": ("h:11211", "h:7", "::1:7", "/s", "h:6379", "m", "x:1"),
}


@pytest.mark.parametrize("dialect", LABELS)
def test_labels(dialect: str) -> None:
    urls = (
        "memcached://h",
        "memcached://h:7",
        "memcached://[::1]:7",
        "memcached:///s",
        "redis://h",
        "memory://m",
        "memcached://h?name=x:1",
    )
    assert tuple(Node(url).label(dialect) for url in urls) == LABELS[dialect]


@pytest.mark.parametrize(
    ("url", "own", "libmemcached"),
    [
        ("memcached://10.0.0.1", "10.0.0.1:11211", "10.0.0.1"),
        ("memcached://c1.lan?ip=10.0.0.1", "c1.lan/10.0.0.1:11211", "c1.lan"),
        ("memcached://[2001:db8::7]:1", "[2001:db8:0:0:0:0:0:7]:1", "2001:db8:0:0:0:0:0:7:1"),
        ("memcached://[::ffff:10.0.0.1]:1", "10.0.0.1:1", "10.0.0.1:1"),
        ("memcached://c1.lan?name=given", "given", "given"),
    ],
)
def test_spymemcached_labels(url: str, own: str, libmemcached: str) -> None:
    assert Node(url).label("spymemcached") == own
    assert Node(url).label("spymemcached", format="LIBMEMCACHED") == libmemcached


@pytest.mark.parametrize(
    ("url", "dialect", "options", "says"),
    [
        ("memcached://c1.lan", "spymemcached", {}, "ip="),
        ("memcached:///s", "spymemcached", {}, "name="),
        ("memcached://[fe80::1%25eth0]", "spymemcached", {}, "name="),
        ("memcached://h", "ketama", {}, "unknown dialect 'ketama'"),
        ("memcached://h", "spymemcached", {"format": "JAVA"}, "format must be one of"),
    ],
)
def test_labels_that_cannot_be_made(
    url: str, dialect: str, options: dict[str, str], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Node(url).label(dialect, **options)


parse_redis_url: Callable[[str], dict[str, Any]] = redis.connection.parse_url

REDIS_URLS = [
    "redis://h",
    "redis://h:6380",
    "redis://h/3",
    "redis://h:1/3?db=4",
    "redis://u@h",
    "redis://:p@h",
    "redis://u:p@h/0",
    "redis://u%40:p%2F%3A%20@h",
    "redis://u:p@h?username=v&password=q",
    "redis://h?username=v&password=q",
    "rediss://u:p@h:1/2",
]


@pytest.mark.parametrize("url", REDIS_URLS)
def test_user_password_and_database_mean_what_they_mean_to_redis_py(url: str) -> None:
    theirs = parse_redis_url(url)
    node = Node(url)
    assert (node.host, node.port) == (theirs["host"], theirs.get("port"))
    assert (node.username, node.password) == (theirs.get("username"), theirs.get("password"))
    assert node.database == theirs.get("db")


@pytest.mark.parametrize("query", ["", "?db=2", "?db=2&username=u&password=p"])
def test_a_socket_url_means_what_it_means_to_redis_py(query: str) -> None:
    theirs = parse_redis_url(f"unix:///run/r.sock{query}")
    node = Node(f"redis+unix:///run/r.sock{query}")
    assert node.path == theirs["path"]
    assert (node.username, node.password) == (theirs.get("username"), theirs.get("password"))
    assert node.database == theirs.get("db")
