"""Nodes: what a URL means, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcache import ConfigurationError, Node


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
        ("redis://h:99999", "the port must be"),
        ("redis://h:0x1f", "the port must be"),
        ("redis://h/db", "database must be a whole number"),
        ("redis://h/-1", "database must be a whole number"),
        ("redis://h?weight=1.5", "weight must be a whole number"),
        ("redis://h?weight=-1", "weight must be a whole number"),
        ("redis://h?weight=", "weight must be a whole number"),
        ("redis://h?weight=1&weight=2", "given twice"),
        ("redis://h?wieght=1", "unknown option 'wieght'"),
        ("redis://h?name=", "name must be text"),
        ("redis://h?ca=/x", "unknown option 'ca'"),
        ("redis://h?ip=here", "ip must be an IP address"),
        ("redis://h#1", "%23"),
        ("redis://a%20b", "blanks and control characters"),
        ("redis+unix://host/path", "three slashes"),
        ("memcached://h/3", "no path"),
        ("memcached://h?db=1", "only Redis nodes have databases"),
        ("memory://", "host is missing"),
        ("redis://[::1", "Invalid IPv6"),
        ("redis://u:secret@h?weight=x", "u:***@h"),
        ("redis://u:secret/secret@h", "%2F for '/'"),
        ("redis://u:secret@secret@h?weight=x", "u:***@h"),
        ("redis://:sec?ret:secret@h", "%2F for '/'"),
        ("redis://h?password=secret&weight=x", "password=***"),
    ],
)
def test_a_bad_url_gets_one_clear_line(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Node(url)
    message = str(caught.value)
    assert says in message
    assert "secret" not in message
    assert "\n" not in message


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
        {"url": 7},
        {},
    ],
)
def test_bad_parts_are_refused(parts: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        Node(**parts)  # type: ignore[arg-type] # wrong on purpose


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
        ("memcached://h", "ketama", {}, "unknown dialect 'ketama'"),
        ("memcached://h", "spymemcached", {"format": "JAVA"}, "format must be one of"),
    ],
)
def test_labels_that_cannot_be_made(
    url: str, dialect: str, options: dict[str, str], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Node(url).label(dialect, **options)
